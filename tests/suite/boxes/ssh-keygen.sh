#!/bin/bash
# Stands for ssh-keygen: writes down the call, and runs the real one.
set -euo pipefail
# shellcheck source=tests/suite/boxes/world.sh
. "$(dirname -- "$(readlink -f -- "$0")")/world.sh"

called "ssh-keygen $*"
exec ssh-keygen "$@"
