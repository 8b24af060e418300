#!/usr/bin/env bash
# What the base box holds, inside the machine and as root:
#
#   provision.sh PART…           installs it; what is there already stays
#   provision.sh --check PART…   says what is missing; exit code 1 when something is
#   provision.sh --seal          takes away what must differ from machine to machine, before the box is packed
#   provision.sh --check --seal  says whether that is so
#
# A PART is docker, node, jupyter, microk8s, or image=NAME for a container image. All packages are the distribution's own.
set -euo pipefail

packages=() snaps=() images=()
readonly host_keys=/etc/systemd/system/ssh.service.d/dtaas-host-keys.conf mark=/etc/ssh/dtaas-sealed

say() { printf 'provision: %s\n' "$*" >&2; }

take() {
  local part
  for part in "$@"; do
    case $part in
      docker) packages+=(docker.io) ;;
      node) packages+=(nodejs npm yarnpkg) ;;
      jupyter) packages+=(jupyter-notebook) ;;
      microk8s) snaps+=(microk8s) ;;
      image=*) images+=("${part#image=}") ;;
      *) say "there is no part $part: docker, node, jupyter, microk8s, image=NAME"; exit 2 ;;
    esac
  done
}

# Unpacked is not installed: an installation that was cut off is finished.
has_package() { [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }
has_snap() { command -v snap >/dev/null && snap list "$1" >/dev/null 2>&1; }
has_image() { command -v docker >/dev/null && docker image inspect "$1" >/dev/null 2>&1; }

missing() {
  local name
  for name in "${packages[@]}"; do has_package "$name" || echo "package $name"; done
  for name in "${snaps[@]}"; do has_snap "$name" || echo "snap $name"; done
  for name in "${images[@]}"; do has_image "$name" || echo "image $name"; done
}

install() {
  export DEBIAN_FRONTEND=noninteractive
  local name wanted=()
  for name in "${packages[@]}"; do has_package "$name" || wanted+=("$name"); done
  if ((${#wanted[@]})); then
    dpkg --configure -a
    # A machine that has just started may be updating itself.
    apt-get -o DPkg::Lock::Timeout=600 update -q
    apt-get -o DPkg::Lock::Timeout=600 install -y -q --no-install-recommends "${wanted[@]}"
    apt-get clean
  fi
  for name in "${snaps[@]}"; do has_snap "$name" || snap install --classic "$name"; done
  for name in "${images[@]}"; do has_image "$name" || docker pull --quiet "$name"; done
}

# With one machine-id, all machines made of the box would be one to a DHCP server; with one host key, one to an SSH client.
seal() {
  mkdir -p -- "${host_keys%/*}"
  # The keys go when the machine starts next: sshd reads them at each connection, and it is still to be reached to be shut down.
  cat >"$host_keys" <<END
[Service]
ExecStartPre=
ExecStartPre=/bin/sh -c 'if [ -e $mark ]; then rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub && /usr/bin/ssh-keygen -A && rm $mark; fi'
ExecStartPre=/usr/bin/ssh-keygen -A
ExecStartPre=/usr/sbin/sshd -t
END
  : >/etc/machine-id
  : >"$mark"
  # It may be cut off instead of shut down.
  sync
}
sealed() { [[ -s $host_keys && ! -s /etc/machine-id && -e $mark ]]; }

main() {
  local check='' lacking
  if [[ ${1-} == --check ]]; then
    check=1
    shift
  fi
  if [[ ${1-} == --seal ]]; then
    if [[ $check ]]; then sealed; else seal; fi
    return
  fi
  take "$@"
  [[ $check ]] || install
  lacking=$(missing)
  if [[ $lacking ]]; then
    say "missing: ${lacking//$'\n'/, }"
    return 1
  fi
}

# It may be read from standard input: nothing is left to read when the first program starts.
main "$@" </dev/null
exit
