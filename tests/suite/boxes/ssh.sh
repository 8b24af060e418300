#!/bin/bash
# Stands for ssh (OpenSSH 9.2) and for the guest behind it, which answers by what lies in the world.
set -euo pipefail
here=$(dirname -- "$(readlink -f -- "$0")")
# shellcheck source=tests/suite/boxes/world.sh
. "$here/world.sh"

identities=() level='' port='' user=''
while [[ $1 != -- ]]; do
  case $1 in
    -T) shift; continue ;;
    -F | -o) if [[ $2 == LogLevel=* ]]; then level=${2#*=}; fi ;;
    -i) identities+=("$2") ;;
    -p) port=$2 ;;
    -l) user=$2 ;;
    *) echo "the stand-in for ssh does not know $1" >&2; exit 255 ;;
  esac
  shift 2
done
address=$2 remote=$3

debug() { [[ $level != DEBUG1 ]] || printf 'debug1: %s\r\n' "$*" >&2; }
lost() { printf '%s\r\n' "$*" >&2; exit 255; }

# Who is behind that door; nothing when nobody is.
guest() {
  local machine
  for machine in "$world"/machines/*/; do
    if [[ -e $machine/door && $(<"$machine/door") == "$address $port" && $(<"$machine/state") == running ]]; then
      printf '%s' "${machine%/}"
    fi
  done
}

# Offers one key; ends well when it opens the door. What is only the public half of a key cannot sign.
offer() {
  local key words
  key=$(public "$1")
  read -ra words < <(ssh-keygen -lf - <<<"$key")
  words=("$1" "$(tr -d '()' <<<"${words[-1]}")" "${words[1]}" explicit)
  debug "Offering public key: ${words[*]}"
  if ! takes "$machine" "$key"; then
    debug 'Authentications that can continue: publickey'
    return 1
  fi
  debug "Server accepts key: ${words[*]}"
  [[ $1 != *.pub ]] || { printf "Load key \"%s\": bad permissions\r\n" "$1" >&2; return 1; }
  debug "Authenticated to $address ([$address]:$port) using \"publickey\"."
}

log_in() {
  local identity
  for identity in "${identities[@]}"; do
    if offer "$identity"; then return; fi
  done
  debug 'No more authentication methods to try.'
  lost "$user@$address: Permission denied (publickey)."
}

# As provision.sh answers, which is never run here.
provision() {
  local part lacking=()
  cmp -s - "$here/../../../templates/vagrant/provision.sh" || { echo 'this is not provision.sh' >&2; exit 2; }
  case $* in
    '--check --seal') [[ -e $machine/sealed ]]; return ;;
    --seal) touch -- "$machine/sealed"; return ;;
    '--check '*) shift ;;
    *) echo "the guest is not to be told $*" >&2; exit 2 ;;
  esac
  for part; do
    grep -qxF -- "$part" "$machine/software" 2>/dev/null || lacking+=("package $part")
  done
  ((${#lacking[@]} == 0)) || { printf 'provision: missing: %s\n' "${lacking[*]}" >&2; return 1; }
}

machine=$(guest)
with=$(printf '%s,' "${identities[@]##*/}")
with="ssh ${machine##*/} ${with%,}"
# What is written there is told by how much it is.
case $remote in
  'umask 077 && '*)
    input=$(cat)
    called "$with: write $(wc -l <<<"$input") keys"
    ;;
  *) called "$with: $remote" ;;
esac
[[ $machine ]] || lost "ssh: connect to host $address port $port: Connection refused"
log_in
case $remote in
  true) ;;
  'test ! -e .ssh/authorized_keys'*) cd -- "$machine/home" && bash -c "$remote" ;;
  'umask 077 && '*) cd -- "$machine/home" && bash -c "$remote" <<<"$input" ;;
  'sudo -n bash -s -- '*) read -ra words <<<"${remote#*-s -- }" && provision "${words[@]}" ;;
  *) echo "the guest does not know $remote" >&2; exit 127 ;;
esac
