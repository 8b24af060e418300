# shellcheck shell=bash
# The registry: Debian's docker-registry on loopback. Docker speaks plain HTTP to 127.0.0.0/8 without being told.
# Used by `scripts/rig`, whose functions it calls.
: "${state:?}"

# Chosen at the first start, and the same from then on, as images are called by it.
registry_port() { cat -- "$state/registry.port" 2>/dev/null; }
registry_address() { echo "127.0.0.1:$(registry_port)"; }
registry_is_ours() { runs "$state/registry.pid" "$state/registry.yml"; }
registry_answers() { registry_is_ours && curl -fsS --noproxy '*' -o /dev/null "http://$(registry_address)/v2/" 2>/dev/null; }

registry_start() {
  registry_answers && return
  stop "$state/registry.pid" "$state/registry.yml"
  [[ -e $state/registry.port ]] || registry_choose_port
  mkdir -p -- "$state/registry"
  cat >"$state/registry.yml" <<YAML
version: 0.1
log: {level: warn}
storage:
  filesystem: {rootdirectory: $state/registry}
  delete: {enabled: true}
http: {addr: $(registry_address)}
YAML
  setsid docker-registry serve "$state/registry.yml" >"$state/registry.log" 2>&1 </dev/null 9>&- &
  echo $! >"$state/registry.pid"
  await 30 registry_settled $! || true
  registry_answers && return
  tail -n 3 -- "$state/registry.log" >&2
  die "the registry did not start at $(registry_address); remove $state/registry.port to have another port chosen"
}
registry_settled() { registry_answers || gone "$1"; }

registry_choose_port() {
  local port
  for port in ${DTAAS_RIG_PORT:-5000 5001 5002 5003 5004 5005}; do
    if [[ -z $(ss -Htln "sport = :$port") ]]; then
      echo "$port" >"$state/registry.port"
      return
    fi
  done
  die "no free port for the registry; name one in DTAAS_RIG_PORT"
}

registry_stop() { stop "$state/registry.pid" "$state/registry.yml"; }

# Whether it has `name:tag`.
registry_has() {
  curl -fsS --noproxy '*' -o /dev/null -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' \
    "http://$(registry_address)/v2/${1%:*}/manifests/${1##*:}" 2>/dev/null
}

registry_describe() {
  if registry_answers; then echo "$(registry_address) (process $(cat -- "$state/registry.pid"))"; else echo "none"; fi
}
