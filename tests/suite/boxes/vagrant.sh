#!/bin/bash
# Stands for Vagrant 2.3.4 with VirtualBox and docker: writes down each call, and answers in its words by what lies in the world.
# Of `boxes.json`, which the Vagrantfile reads, it knows the form that dtaas writes: one value a line.
set -euo pipefail
# shellcheck source=tests/suite/boxes/world.sh
. "$(dirname -- "$(readlink -f -- "$0")")/world.sh"

fail() { printf '%s\n' "$@" >&2; exit 1; }
fact() { local IFS=,; printf '1795681887,%s\n' "$*"; }
comma() { printf '%s' "${1//,/%!(VAGRANT_COMMA)}"; }
# A value of the one machine of this directory.
value() { sed -n "s/^    \"$1\": \"\?\([^\",]*\)\"\?,\?\$/\1/p" boxes.json; }
software() { sed -n '/"software": \[/,/\]/s/^      "\(.*\)",\?$/\1/p' boxes.json; }

# Half of what a command makes stays behind when it is broken off.
broken_off() {
  case $command in
    up) make poweroff ;;
    package) echo half >"${@: -1}" ;;
  esac
}

state() { cat -- "$machine/state" 2>/dev/null || echo not_created; }

status() {
  fact "$name" provider-name "$provider"
  fact "$name" state "$(state)"
  fact "$name" state-human-short "$(state)"
  fact '' ui info "Current machine states:\\n\\n$name   $(state) ($provider)\\n"
}

# Makes the machine, unless it is there.
make() {
  local made_of=$world/image box
  mkdir -p -- "$machine" ".vagrant/machines/$name/$provider"
  if [[ ! -e $machine/state ]]; then
    box=$(value box)
    [[ ! $box || $box == */* ]] || made_of=$world/boxes/$box/machine
    cp -r -- "$made_of/." "$machine"
    value hostname >"$machine/hostname"
    case $provider:$name in
      docker:*) echo 172.17.0.2 22 ;;
      *:base) echo 127.0.0.1 2222 ;;
      *) echo 127.0.0.1 2200 ;;
    esac >"$machine/door"
  fi
  echo "$1" >"$machine/state"
}

# The private key that Vagrant logs in with.
key() {
  local own
  own=$(value private_key)
  if [[ $own ]]; then
    echo "$own"
  elif [[ -f .vagrant/machines/$name/$provider/private_key ]]; then
    echo "$PWD/.vagrant/machines/$name/$provider/private_key"
  else
    echo "$world/insecure_private_key"
  fi
}
logs_in() { takes "$machine" "$(public "$(key)")"; }

up() {
  [[ -e $machine/state ]] || echo "==> $name: Importing base box '$(value box)'..."
  make running
  # The machine-id and the host keys come when it starts.
  rm -f -- "$machine/sealed"
  echo "==> $name: Waiting for machine to boot. This may take a few minutes..."
  logs_in || fail 'Timed out while waiting for the machine to boot.'
  echo "==> $name: Machine booted and ready!"
}

ssh_config() {
  local address port
  [[ $(state) == running ]] || fail 'The provider for this Vagrant-managed machine is reporting that it' 'is not yet ready for SSH.'
  read -r address port <"$machine/door"
  printf 'Host %s\n' "$name"
  printf '  %s\n' "HostName $address" 'User vagrant' "Port $port" 'UserKnownHostsFile /dev/null' 'StrictHostKeyChecking no' \
    'PasswordAuthentication no' "IdentityFile $(key)" 'IdentitiesOnly yes' 'LogLevel FATAL'
  echo
}

provision() {
  echo "==> $name: Running provisioner: software (shell)..."
  software >"$machine/software"
  [[ ! -e $world/after-provision ]] || cp -- "$world/after-provision" "$machine/home/.ssh/authorized_keys"
}

halt() {
  echo "==> $name: Attempting graceful shutdown of VM..."
  [[ $provider == docker ]] && echo stopped >"$machine/state" || echo poweroff >"$machine/state"
}

# package --base NAME --info FILE --output FILE
package() {
  local base=$2 info=$4 output=$6 from
  [[ ! -e $output ]] || fail "The specified file '$output' to save the package as already exists. Please" \
    'remove this file or specify a different file name for outputting.'
  from=$(grep -lxF -- "$base" "$world"/machines/*/hostname)
  echo "==> $base: Exporting VM..."
  rm -rf -- "$world/package"
  mkdir -- "$world/package"
  cp -r -- "${from%/*}" "$world/package/machine"
  rm -- "$world/package/machine/"{state,door,hostname}
  cp -- "$info" "$world/package/info.json"
  echo "==> $base: Compressing package to: $PWD/$output"
  tar -C "$world/package" -cf "$output" .
}

box_list() {
  local box line
  [[ -e $world/boxes ]] || fact '' ui warn "There are no installed boxes! Use \`vagrant box add\` to add some."
  for box in "$world"/boxes/*; do
    [[ -e $box ]] || continue
    fact '' ui info "${box##*/} (virtualbox%!(VAGRANT_COMMA) 0)"
    fact '' box-name "${box##*/}"
    fact '' box-provider virtualbox
    fact '' box-version 0
    while read -r line; do
      fact '' box-info "${line%%=*}" "$(comma "${line#*=}")"
    done < <(sed -n 's/^  "\(.*\)": "\(.*\)",\?$/\1=\2/p' "$box/info.json")
  done
}

# box add --name NAME [--force] FILE
box_add() {
  local box=$world/boxes/$2 file=${*: -1}
  if [[ -e $box ]]; then
    [[ $3 == --force ]] || fail "The box you're attempting to add already exists. Remove it before" \
      "adding it again or add it with the \`--force\` flag."
    rm -r -- "$box"
  fi
  echo "==> box: Adding box '$2' (v0) for provider: "
  mkdir -p -- "$box"
  tar -C "$box" -xf "$file"
  [[ ! -e $world/after-add ]] || cp -- "$world/after-add" "$box/machine/other_keys"
  echo "==> box: Successfully added box '$2' (v0) for 'virtualbox'!"
}

destroy() {
  [[ -e $machine/state ]] || { echo "==> $name: VM not created. Moving on..."; return; }
  echo "==> $name: Destroying VM and associated drives..."
  rm -r -- "$machine" ".vagrant/machines/$name"
}

[[ ${VAGRANT_CHECKPOINT_DISABLE-} == 1 ]] || fail 'it would ask its makers'
[[ -e Vagrantfile ]] || fail 'A Vagrant environment or target machine is required to run this'
command=$1 name=$(value name) provider=$(value provider) machine=$world/machines/$(value name)
arguments=()
for argument; do [[ $argument == --no-color ]] || arguments+=("$argument"); done
# As it was told, and where.
line="${PWD##*/}\$ vagrant $*"
called "$line" "${arguments[@]}"
set -- "${arguments[@]}"
case $* in
  'status --machine-readable') status ;;
  "ssh-config $name") ssh_config ;;
  "ssh $name -c true") logs_in || { echo 'vagrant@127.0.0.1: Permission denied (publickey).' >&2; exit 255; } ;;
  "up $name --provider $provider" | "up $name --provider $provider --no-provision") up ;;
  "provision $name") provision ;;
  halt) halt ;;
  'package --base '*' --info info.json --output '*) package "${@:2}" ;;
  'box list --machine-readable') box_list ;;
  'box add --name '*) box_add "${@:3}" ;;
  'destroy -f') destroy ;;
  *) fail "the stand-in for vagrant does not know $*" ;;
esac
