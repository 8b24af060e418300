# shellcheck shell=bash
# Machines: containers with sshd and a docker engine of their own, on a bridge of the rig's where they reach each other.
# Used by `scripts/rig`, whose functions it calls.
#
# They pull from the rig's registry by the address that it has here, 127.0.0.1 and its port: inside, a relay listens there and leads
# to a socket that is mounted into them, so the registry is open to nobody else. Whoever starts one with the flags of
# `machines_flags` gets all of that; tests do, and so can Vagrant.
: "${state:?}" "${machines_network:?}" "${machine_image:?}" "${bare_machine_image:?}" "${vagrant_image:?}" "${rabbitmq_image:?}" "${images_of_machines[@]:?}"

readonly machines_label=rig-machine
readonly machines_lent=$state/door
readonly machines_keys=$state/machines

machines_wanted() { [[ -z ${DTAAS_RIG_WITHOUT_MACHINES-} ]]; }

# What makes a container a machine. No blank in any of them, so that they can be had as one line.
machines_flags() {
  echo "--cap-add=ALL --cap-drop=SYS_RESOURCE --security-opt=seccomp=unconfined --security-opt=apparmor=unconfined" \
    "--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw --volume=/var/lib/docker --volume=$machines_lent:/run/dtaas-rig:ro" \
    "--network=$machines_network --label=$machines_label"
}

machines_prepare() {
  machines_wanted || return 0
  mkdir -p -- "$machines_keys" "$machines_lent"
  chmod 700 -- "$machines_keys"
  [[ -e $machines_keys/key ]] || ssh-keygen -q -t ed25519 -N '' -C dtaas-rig -f "$machines_keys/key" </dev/null
  install -m 644 -- "$machines_keys/key.pub" "$machines_lent/authorized_keys"
  registry_port >"$machines_lent/registry.port"
  machines_door_open
  machines_network_there || machines_network_make
}

machines_there() { machines_door_answers && machines_network_there && images_there "${images_of_machines[@]}"; }

# The lines of `env` that have to do with them.
machines_env() {
  echo "DTAAS_RIG_RABBITMQ_IMAGE=$(registry_address)/$rabbitmq_image"
  echo "DTAAS_RIG_MACHINE_IMAGE=$(registry_address)/$machine_image"
  echo "DTAAS_RIG_BARE_MACHINE_IMAGE=$(registry_address)/$bare_machine_image"
  echo "DTAAS_RIG_VAGRANT_IMAGE=$(registry_address)/$vagrant_image"
  echo "DTAAS_RIG_MACHINE_KEY=$machines_keys/key"
  echo "DTAAS_RIG_MACHINE_FLAGS='$(machines_flags)'"
}

# The registry once more, to be read only, on a socket that root alone may connect to.
machines_door_is_ours() { runs "$state/door.pid" "$state/door.yml"; }
machines_door_answers() {
  machines_door_is_ours && curl -fsS -o /dev/null --unix-socket "$machines_lent/registry.sock" http://registry/v2/ 2>/dev/null
}
# It answers, or it has ended. Only its number tells: until its process is the registry its command line is still that of this script.
machines_door_settled() { machines_door_answers || gone "$1"; }

machines_door_open() {
  machines_door_answers && return
  machines_door_close
  cat >"$state/door.yml" <<YAML
version: 0.1
log: {level: warn}
storage:
  filesystem: {rootdirectory: $state/registry}
  maintenance: {readonly: {enabled: true}}
http: {net: unix, addr: $machines_lent/registry.sock}
YAML
  (umask 077 && exec setsid docker-registry serve "$state/door.yml" >"$state/door.log" 2>&1 </dev/null 9>&-) &
  echo $! >"$state/door.pid"
  await 30 machines_door_settled $! || true
  machines_door_answers && return
  tail -n 3 -- "$state/door.log" >&2
  die "the registry for machines did not start; see $state/door.log"
}

machines_door_close() {
  stop "$state/door.pid" "$state/door.yml"
  rm -f -- "$machines_lent/registry.sock"
}

machines_network_there() { docker network inspect "$machines_network" >/dev/null 2>&1; }

# Its range is one that this machine has no way to yet.
machines_network_make() {
  local routes number
  routes=$(ip -4 route show table all)
  for number in {0..255}; do
    [[ $routes == *"10.237.$number."* ]] && continue
    docker network create --subnet "10.237.$number.0/24" --opt "com.docker.network.bridge.name=$machines_network" "$machines_network" >/dev/null
    return
  done
  die "no free range for the machines' network: 10.237.0.0/16 is all in use"
}

# Takes away what there is of them but for the keys.
machines_end() {
  if engine_answers; then
    docker container ls --all --quiet --filter "label=$machines_label" | xargs --no-run-if-empty docker container rm --force --volumes >/dev/null
    ! machines_network_there || docker network rm "$machines_network" >/dev/null
  fi
  machines_door_close
}

machine_up() {
  local name=$1 image=$machine_image container=$machines_label-$1 port
  [[ ${2-} != --bare ]] || image=$bare_machine_image
  [[ $name =~ ^[a-z0-9][a-z0-9-]{0,30}$ ]] || die "'$name' is no name for a machine: small letters, digits and '-'"
  lock
  machines_there || die "no rig with machines here; say: $0 up"
  if ! docker container inspect "$container" >/dev/null 2>&1; then
    # shellcheck disable=SC2046  # they are words
    docker run --detach --name "$container" --hostname "$name" --network-alias "$name" --publish 127.0.0.1::22 $(machines_flags) \
      "$(registry_address)/$image" >/dev/null
  else
    docker start "$container" >/dev/null
  fi
  await 60 machine_answers "$container" || die "$container does not answer; see: docker logs $container"
  port=$(machine_port "$container")
  machine_know "$container" "$port"
  await 60 machine_in "$port" true || die "nobody can log in to $container; see: docker exec $container cat /var/log/sshd.log"
  say "$name is up. Log in with: ssh -i $machines_keys/key -o UserKnownHostsFile=$machines_keys/known_hosts -p $port root@127.0.0.1"
}

# Whether sshd listens, and docker answers where there is one.
machine_answers() {
  docker exec "$1" bash -c ': </dev/tcp/127.0.0.1/22 && { ! command -v dockerd || docker version; }' >/dev/null 2>&1
}
machine_in() {
  local port=$1
  shift
  ssh -i "$machines_keys/key" -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile="$machines_keys/known_hosts" \
    -o GlobalKnownHostsFile=/dev/null -F none -p "$port" root@127.0.0.1 "$@" </dev/null 2>/dev/null
}
machine_port() { docker container port "$1" 22/tcp | sed 's/.*://'; }

# Writes down the machine's keys, as it says them itself.
machine_know() {
  local known=$machines_keys/known_hosts
  touch -- "$known"
  { grep -vF "[127.0.0.1]:$2 " "$known" || true; } >"$known.new"
  docker exec "$1" bash -c 'cat /etc/ssh/ssh_host_*_key.pub' | sed "s/^/[127.0.0.1]:$2 /" >>"$known.new"
  mv -- "$known.new" "$known"
}

machine_down() {
  docker container inspect "$machines_label-$1" >/dev/null 2>&1 || die "there is no machine '$1'; see: $0 machine list"
  docker container rm --force --volumes "$machines_label-$1" >/dev/null
}

machine_list() {
  docker container ls --all --filter "label=$machines_label" --format '{{.Names}}\t{{.Status}}\t{{.Ports}}' | sed "s/^$machines_label-//"
}
