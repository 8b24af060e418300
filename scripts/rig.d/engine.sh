# shellcheck shell=bash
# The docker engine: the machine's own where one answers, else one of ours with data of its own.
# Used by `scripts/rig`, whose functions it calls.
: "${state:?}" "${socket:?}"

# The bridge of the machines that it may run, and the name of their network.
readonly machines_network=rig-machines

engine_answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }
engine_is_ours() { runs "$state/engine.pid" "--data-root=$state/engine"; }

engine_start() {
  engine_answers && return
  local began
  engine_note_network
  mkdir -p -- "$state/engine"
  setsid dockerd --host="unix://$socket" --data-root="$state/engine" --pidfile="$state/engine.docker.pid" \
    >"$state/engine.log" 2>&1 </dev/null 9>&- &
  began=$!
  echo "$began" >"$state/engine.pid"
  # It answers, or it has ended and never will.
  await 90 engine_settled "$began" || true
  engine_answers && return
  tail -n 5 -- "$state/engine.log" >&2
  die "the docker engine did not start; see $state/engine.log"
}
engine_settled() { engine_answers || ! kill -0 "$1" 2>/dev/null; }

engine_stop() {
  if engine_is_ours; then
    local left
    left=$(docker container ls --all --format '{{.Names}}' 2>/dev/null | tr '\n' ' ' || true)
    [[ -z $left ]] || say "stopping the engine with containers in it: $left"
    stop "$state/engine.pid" "--data-root=$state/engine"
  fi
  # Also after an engine of ours that died by itself, but never under one that is at work.
  engine_answers || engine_restore_network
  rm -f -- "$state/engine.pid" "$state/engine.docker.pid"
  # An engine mounts its data upon themselves, and leaves that behind.
  if ! engine_is_ours && grep -qF " $state/engine " /proc/mounts; then umount -- "$state/engine"; fi
}

engine_purge() {
  engine_is_ours && die "the engine still runs"
  if grep -qF " $state/engine/" /proc/mounts; then
    die "something is still mounted below $state/engine; see /proc/mounts"
  fi
  rm -rf --one-file-system -- "$state/engine"
}

# An engine leaves its bridge, its firewall chains and two kernel settings behind. What was before is written down, where no
# engine had been at work yet, so that it can be put back.
engine_note_network() {
  if ip link show docker0 >/dev/null 2>&1 || iptables -t nat -S DOCKER >/dev/null 2>&1; then
    return
  fi
  {
    iptables -S FORWARD | sed -n 's/^-P FORWARD //p'
    cat /proc/sys/net/ipv4/ip_forward
  } >"$state/network-before"
}

engine_restore_network() {
  [[ -e $state/network-before ]] || return 0
  local policy forward table rule
  { read -r policy && read -r forward; } <"$state/network-before"
  for table in filter nat; do
    # Rules first, those in chains of docker's own with them; then the chains, which nothing points to any more.
    iptables -t "$table" -S | { grep -E "^-A .*(DOCKER|docker0|$machines_network)" || true; } | while read -r rule; do
      # shellcheck disable=SC2086  # a rule is printed as the words that make it
      iptables -t "$table" -D ${rule#-A } || say "left in the firewall, table $table: $rule"
    done
    iptables -t "$table" -S | sed -n 's/^-N \(DOCKER.*\)/\1/p' | while read -r rule; do
      { iptables -t "$table" -F "$rule" && iptables -t "$table" -X "$rule"; } || say "left in the firewall, table $table: chain $rule"
    done
  done
  iptables -P FORWARD "$policy"
  # Read-only in most containers, and then nobody has changed it either.
  [[ $(cat /proc/sys/net/ipv4/ip_forward) == "$forward" ]] || echo "$forward" >/proc/sys/net/ipv4/ip_forward
  ip link delete docker0 2>/dev/null || true
  ip link delete "$machines_network" 2>/dev/null || true
  rm -f -- "$state/network-before"
}

engine_describe() {
  local version
  if ! version=$(docker version --format '{{.Server.Version}}' 2>/dev/null); then
    echo "none"
  elif engine_is_ours; then
    echo "$version, started by the rig (process $(cat -- "$state/engine.pid"))"
  else
    echo "$version, not the rig's: it will be left running"
  fi
}
