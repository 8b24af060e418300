# shellcheck shell=bash
# What the stand-ins for vagrant, ssh and ssh-keygen share: the directory that STAND_IN_WORLD names. In it lie
#
#   calls             what was called, a line a call
#   fail              where present: a pattern; an exit code; what is said. The first call that is like it fails, once
#   image/            what a machine of no box of ours is like
#   machines/NAME/    one that was made: state, provider, hostname, door (its address and port), software, sealed, and what it
#                     lets in: home/.ssh/authorized_keys, and other_keys, a file that sshd_config may name as well
#   boxes/NAME/       one that was added: machine/, info.json
#   after-provision   where present: what provisioning leaves as authorized_keys
#   after-add         where present: what adding leaves as other_keys
world=${STAND_IN_WORLD:?}
# The programs themselves lie behind the directory of the stand-ins.
PATH=${PATH#*:}

# Writes down a call, and ends where it is to be broken off, after `broken_off` where the stand-in has that.
called() {
  local call=$1 pattern code
  printf '%s\n' "$call" >>"$world/calls"
  [[ -e $world/fail ]] || return 0
  { IFS= read -r pattern; read -r code; } <"$world/fail"
  # shellcheck disable=SC2053 # it is a pattern
  [[ $call == $pattern ]] || return 0
  mv -- "$world/fail" "$world/failed"
  tail -n +3 -- "$world/failed" >&2
  if declare -F broken_off >/dev/null; then broken_off "${@:2}"; fi
  exit "$code"
}

# The public half of a key.
public() { if [[ $1 == *.pub ]]; then cat -- "$1"; elif [[ -e $1.pub ]]; then cat -- "$1.pub"; else ssh-keygen -y -P '' -f "$1"; fi; }

# Whether a machine lets a public key in.
takes() {
  local machine=$1 body keys
  read -r _ body _ <<<"$2"
  keys=$(grep -hsv '^#' -- "$machine/home/.ssh/authorized_keys" "$machine/other_keys") || true
  [[ $keys == *" $body"* ]]
}
