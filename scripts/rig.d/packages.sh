# shellcheck shell=bash
# Packages: installs what is missing and remembers what it installed.
# Used by `scripts/rig`, whose functions it calls.
: "${state:?}"

# What must be there, and the package that has it. A machine with docker from elsewhere keeps that one.
packages_missing() {
  local need
  while read -r need package; do
    case $package in
      chromium) [[ -z ${DTAAS_RIG_WITHOUT_BROWSER-} ]] || continue ;;
      openssh-client | openssh-server | ruby | vagrant) machines_wanted || continue ;;
    esac
    case $need in
      /*) [[ -e $need ]] || echo "$package" ;;
      *) command -v "$need" >/dev/null || echo "$package" ;;
    esac
  done <<'NEEDS' | sort -u
dockerd docker.io
docker-registry docker-registry
iptables iptables
ip iproute2
ps procps
mmdebstrap mmdebstrap
/usr/share/keyrings/debian-archive-keyring.gpg debian-archive-keyring
/usr/bin/python3 python3
/usr/lib/python3/dist-packages/pip python3-pip
/usr/lib/python3/dist-packages/jwt python3-jwt
/usr/lib/python3/dist-packages/cryptography python3-cryptography
/etc/ssl/certs/ca-certificates.crt ca-certificates
curl curl
htpasswd apache2-utils
jq jq
openssl openssl
pebble pebble
shellcheck shellcheck
node nodejs
/usr/bin/chromium chromium
npm npm
gcc gcc
/usr/include/stdio.h libc6-dev
make make
perl perl
ssh openssh-client
/usr/sbin/sshd openssh-server
ruby ruby
vagrant vagrant
restic restic
NEEDS
}

packages_install() {
  local missing
  mapfile -t missing < <(packages_missing)
  # From Debian 13 on the command is a package of its own.
  if ! command -v docker >/dev/null && { apt-cache show docker-cli >/dev/null 2>&1; }; then
    missing+=(docker-cli)
  fi
  ((${#missing[@]} == 0)) && return
  command -v apt-get >/dev/null || die "no apt-get here, and these are missing: ${missing[*]}"
  say "installing ${missing[*]}"
  packages_apt update -q >>"$state/packages.log" 2>&1 || say "apt-get update failed for some source; trying with what is known"
  if ! command -v docker >/dev/null && [[ " ${missing[*]} " != *" docker-cli "* ]] && apt-cache show docker-cli >/dev/null 2>&1; then
    missing+=(docker-cli)
  fi
  # Not every distribution has it any more. What needs it says so itself.
  if [[ " ${missing[*]} " == *" vagrant "* && -z $(apt-cache search --names-only '^vagrant$') ]]; then
    say "no package vagrant here: tests that need it will be skipped"
    mapfile -t missing < <(printf '%s\n' "${missing[@]}" | grep -vx vagrant)
    ((${#missing[@]} == 0)) && return
  fi
  # Written down before they are installed: an interrupted run must not forget any. An upgrade shows the old version in brackets.
  packages_apt install -s --no-install-recommends "${missing[@]}" 2>>"$state/packages.log" | awk '$1 == "Inst" && $3 !~ /^\[/ { print $2 }' >>"$state/packages" ||
    die "these packages cannot be installed: ${missing[*]}; see $state/packages.log"
  packages_without_services packages_apt install -y -q --no-install-recommends "${missing[@]}" >>"$state/packages.log" 2>&1 ||
    { tail -n 5 -- "$state/packages.log" >&2; die "apt-get failed; see $state/packages.log"; }
  # Who wants to be reached by ssh has it already: that which came for tests must not open a door at the next start of the machine.
  if [[ " ${missing[*]} " == *" openssh-server "* ]] && command -v systemctl >/dev/null; then
    systemctl disable ssh.service ssh.socket >>"$state/packages.log" 2>&1 || true
  fi
}

packages_apt() { DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -o DPkg::Lock::Timeout=120 "$@" </dev/null 9>&-; }

# Runs a command during which newly installed packages start no service: the engine and the registry are started by us, with
# data of their own, so that they can be stopped and removed again.
packages_without_services() {
  local policy=/usr/sbin/policy-rc.d result=0
  [[ -e $policy ]] && { "$@"; return; }
  printf '#!/bin/sh\n# Put here by scripts/rig while it installs packages.\nexit 101\n' >"$policy"
  chmod +x "$policy"
  "$@" || result=$?
  rm -f -- "$policy"
  return "$result"
}

# Removes what we installed, unless something that came later needs it.
packages_remove() {
  local mine others
  mapfile -t mine < <(packages_ours)
  ((${#mine[@]} == 0)) && return
  others=$(packages_apt purge -s "${mine[@]}" | awk '$1 == "Remv" || $1 == "Purg" { print $2 }' | sort -u |
    grep -vxFf <(printf '%s\n' "${mine[@]}") || true)
  if [[ -n $others ]]; then
    say "kept the packages that were installed, as these need them now: ${others//$'\n'/ }"
    return
  fi
  # Purged, docker.io wipes /var/lib/docker. That is not ours: our engine's data lie in $state.
  if [[ -d /var/lib/docker ]]; then
    local position
    for position in "${!mine[@]}"; do
      [[ ${mine[position]} == docker.io ]] && unset 'mine[position]' && packages_apt remove -y -q docker.io >/dev/null
    done
  fi
  packages_apt purge -y -q "${mine[@]}" >/dev/null
}

# Those of the remembered packages that are installed.
packages_ours() {
  [[ -e $state/packages ]] || return 0
  local name
  sort -u -- "$state/packages" | while read -r name; do
    # shellcheck disable=SC2016  # the format is dpkg's
    if [[ $(dpkg-query -W -f '${db:Status-Abbrev}' "$name" 2>/dev/null) == [ih]i* ]]; then echo "$name"; fi
  done
}

packages_describe() {
  local missing
  mapfile -t missing < <(packages_missing)
  printf '%s installed by the rig; ' "$(packages_ours | wc -l)"
  if ((${#missing[@]})); then echo "missing: ${missing[*]}"; else echo "none missing"; fi
}
