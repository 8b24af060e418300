#!/bin/bash
# Stands for `ip` (iproute2) on a machine whose routes are the lines of the file `routes`, as `ip -o -4 route show default` writes
# them, and whose interfaces are those of the file `links`: NAME up|down|tunnel [ADDRESS/LENGTH…]. Both lie in the directory that
# STAND_IN_IP names. Changes are made there, and written down in `log`. A test holds what it writes against the real one.
set -euo pipefail
place=${STAND_IN_IP:?}
tuning='mtu advmss initcwnd initrwnd'

# Splits what follows the word `default` into values by their names, and flags.
parse() {
  values=() flags=()
  while (($#)); do
    case $1 in
      onlink | linkdown | dead) flags+=("$1"); shift ;;
      *) values[$1]=$2; shift 2 ;;
    esac
  done
}
declare -A values=()
flags=()

# Words as a list of JSON's strings, without its brackets.
strings() {
  local word text=''
  for word; do text+="${text:+,}\"$word\""; done
  printf '%s' "$text"
}

route_json() {
  local words name text='"dst":"default"' metrics=''
  read -ra words <<<"$1"
  if [[ ${words[0]} != default ]]; then
    printf '{"type":"%s","dst":"default","metric":%s,"flags":[]}' "${words[0]}" "${words[3]}"
    return
  fi
  if [[ $1 == *nexthop* ]]; then
    printf '{"dst":"default","flags":[],"nexthops":[{"gateway":"192.0.2.1","dev":"eth0","weight":1,"flags":[]}]}'
    return
  fi
  parse "${words[@]:1}"
  for name in via:gateway dev:dev proto:protocol scope:scope src:prefsrc; do
    [[ -z ${values[${name%:*}]-} ]] || text+=",\"${name#*:}\":\"${values[${name%:*}]}\""
  done
  [[ -z ${values[metric]-} ]] || text+=",\"metric\":${values[metric]}"
  text+=",\"flags\":[$(strings "${flags[@]}")]"
  for name in $tuning; do
    [[ -z ${values[$name]-} ]] || metrics+="${metrics:+,}\"$name\":${values[$name]}"
  done
  [[ -z $metrics ]] || text+=",\"metrics\":[{$metrics}]"
  [[ -z ${values[realm]-} ]] || text+=",\"flow\":{\"to\":\"${values[realm]}\"}"
  printf '{%s}' "$text"
}

# Flags of an interface, by its kind.
link_flags() {
  case $1 in
    up) echo BROADCAST MULTICAST UP LOWER_UP ;;
    down) echo NO-CARRIER BROADCAST MULTICAST UP ;;
    tunnel) echo POINTOPOINT NOARP UP LOWER_UP ;;
  esac
}

link_type() { if [[ $1 == tunnel ]]; then echo none; else echo ether; fi; }

link_json() {
  local words address text='' flags
  read -ra words <<<"$1"
  read -ra flags < <(link_flags "${words[1]}")
  for address in "${words[@]:2}"; do
    text+="{\"family\":\"inet\",\"local\":\"${address%/*}\",\"prefixlen\":${address#*/},\"scope\":\"global\"},"
  done
  text+='{"family":"inet6","local":"fe80::1","prefixlen":64,"scope":"link"}'
  printf '{"ifindex":1,"ifname":"%s","flags":[%s],"link_type":"%s","addr_info":[%s]}' \
    "${words[0]}" "$(strings "${flags[@]}")" "$(link_type "${words[1]}")" "$text"
}

# Each line of a file by a function, as a list of JSON.
list() {
  local line lines text=''
  mapfile -t lines <"$place/$1"
  for line in "${lines[@]}"; do text+="${text:+,}$("$2" "$line")"; done
  printf '[%s]\n' "$text"
}

# A route in the words and the order in which it is shown.
written() {
  local name text=default
  parse "${@:2}"
  for name in via dev proto scope src metric; do
    case $name:${values[$name]-} in
      *: | proto:boot | metric:0) ;;
      *) text+=" $name ${values[$name]}" ;;
    esac
  done
  [[ " ${flags[*]-} " != *' onlink '* ]] || text+=' onlink'
  for name in $tuning; do
    [[ -z ${values[$name]-} ]] || text+=" $name ${values[$name]}"
  done
  printf '%s' "$text"
}

metric() { [[ $1 =~ metric\ ([0-9]+) ]] && echo "${BASH_REMATCH[1]}" || echo 0; }

change() {
  local verb=$1 wanted line lines found='' kept=()
  echo "$*" >>"$place/log"
  wanted=$(written "${@:2}")
  mapfile -t lines <"$place/routes"
  for line in "${lines[@]}"; do
    if [[ -z $found && ${line%% linkdown*} == "$wanted" ]]; then
      found=1
      [[ $verb == append ]] || continue
    fi
    kept+=("$(metric "$line") $line")
  done
  case $verb:$found in
    append:1) echo "RTNETLINK answers: File exists" >&2; exit 2 ;;
    append:) kept+=("$(metric "$wanted") $wanted") ;;
    del:) echo "RTNETLINK answers: No such process" >&2; exit 2 ;;
  esac
  # In the order of metrics; what comes later is behind what has the same.
  for line in "${kept[@]}"; do echo "$line"; done | sort -s -n -k 1,1 | cut -d ' ' -f 2- >"$place/routes"
}

case $* in
  '-json -4 route show default') list routes route_json ;;
  '-json address show') list links link_json ;;
  '-o -4 route show default' | '-4 route show default') sed 's/$/ /' "$place/routes" ;;
  '-o link show')
    while read -r name kind _; do
      set_flags=$(link_flags "$kind")
      echo "1: $name: <${set_flags// /,}> mtu 1500 qlen 1000\\    link/$(link_type "$kind") brd"
    done <"$place/links"
    ;;
  '-o -4 address show')
    while read -r name _ addresses; do
      for address in $addresses; do
        echo "1: $name    inet $address brd + scope global dynamic x\\       valid_lft 86389sec"
      done
    done <"$place/links"
    ;;
  '-4 route append '* | '-4 route del '*) change "${@:3}" ;;
  *) echo "the stand-in for ip does not know $*" >&2; exit 1 ;;
esac
