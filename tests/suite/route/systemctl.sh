#!/bin/bash
# Stands for systemctl: writes down what it is told, makes and removes links, and starts and stops what the unit runs.
set -euo pipefail
place=${STAND_IN_SYSTEMCTL:?}
unit=/etc/systemd/system/dtaas-route.service
wants=/etc/systemd/system/multi-user.target.wants

# One that ended has no executable any more, also while nobody has asked how it ended.
runs() { [[ -e $place/pid && -e /proc/$(<"$place/pid")/exe ]]; }
stop() {
  runs || return 0
  kill "$(<"$place/pid")"
  while runs; do sleep 0.02; done
}

[[ $1 == is-active ]] || echo "$*" >>"$place/calls"
case $1 in
  daemon-reload) ;;
  enable) mkdir -p "$wants" && ln -sf "$unit" "$wants/" ;;
  disable) rm -f "$wants/$2" "$wants/${3-}" && stop ;;
  restart)
    stop
    read -ra words < <(sed -n 's/^ExecStart=//p' "$unit")
    "${words[@]}" </dev/null >>"$place/journal" 2>&1 &
    echo $! >"$place/pid"
    ;;
  is-active) runs ;;
  *) exit 1 ;;
esac
