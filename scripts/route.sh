#!/usr/bin/env bash
# The default-route fix of virtual machines, for machines without `dtaas`: the same as `dtaas route`.
#
# VirtualBox gives its guests a default route through its NAT, which can win over that of the bridged network; the machine is
# then not reached by its name. This puts the NAT's route behind the others (a metric so large that it is used only while there
# is no other), and keeps it there across DHCP renewals and reboots: by a service of systemd, or else by cron.
#
#   sudo bash route.sh apply [--interface NAME]   puts it behind the others, where it is in the way, and keeps it there;
#                                                 NAME is the NAT's interface, where it is not found by looking
#   bash route.sh status                          shows the default routes, and whether the fix is installed and works
#   sudo bash route.sh remove                     takes the fix away, and puts the route back where it was
#
# It takes nothing but bash and iproute2. What is installed lies in /usr/local/lib/dtaas, /etc/systemd/system/dtaas-route.service
# and /etc/cron.d/dtaas-route. Why it is done this way, and how the NAT is told from the rest: src/route/ in the source of dtaas.
set -euo pipefail
export LC_ALL=C
PATH=${PATH:-}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin

home=/usr/local/lib/dtaas
units=/etc/systemd/system
unit=dtaas-route.service
wants=multi-user.target.wants
crontab=/etc/cron.d/dtaas-route
# What is added to the metric of a route that is put behind the others; it says what its metric was.
behind=1000000000

say() { printf '%s\n' "$*" >&2; }
# fail CODE MESSAGE [HINT]
fail() {
  say "error: $2"
  [[ -z ${3-} ]] || say "hint: $3"
  exit "$1"
}

# Whether a program is there; `command -v` also names a file that cannot be run.
has() {
  local found
  found=$(command -v "$1") && [[ -x $found ]]
}

usage() { sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}"; }

# ---- what there is ----

# Fills the arrays of routes, one element each (r_words is what `ip route append` and `del` know it by), and those of interfaces.
look() {
  local routes links addresses line words
  if ! routes=$(ip -o -4 route show default) || ! links=$(ip -o link show) || ! addresses=$(ip -o -4 address show); then
    return 1
  fi
  r_device=() r_gateway=() r_metric=() r_down=() r_whole=() r_words=()
  several_ways=
  while IFS= read -r line; do
    read -ra words <<<"$line"
    [[ ${words[0]-} != default ]] || route "${words[@]:1}"
  done <<<"$routes"
  declare -gA l_up=() l_ethernet=() l_addresses=()
  while IFS= read -r line; do
    [[ -z $line ]] || link "$line"
  done <<<"$links"
  while IFS= read -r line; do
    read -ra words <<<"$line"
    ((${#words[@]} < 4)) || address "${words[@]:1}"
  done <<<"$addresses"
}

# One default route, from what follows the word `default`.
route() {
  local gateway='' device='' protocol=boot scope='' source='' metric=0 tuning='' onlink='' down='' whole=1
  local -A tuned=()
  local name words
  while (($#)); do
    case $1 in
      nexthop) several_ways=1; return ;;
      via | dev | proto | scope | src | metric | mtu | advmss | initcwnd | initrwnd)
        case $1 in
          via) if [[ ${2-} == *.*.*.* ]]; then gateway=$2; else whole=; fi ;;
          dev) device=${2-} ;;
          proto) protocol=${2-} ;;
          scope) scope=${2-} ;;
          src) source=${2-} ;;
          metric) metric=${2-} ;;
          *) if [[ ${2-} =~ ^[0-9]+$ ]]; then tuned[$1]=$2; else whole=; fi ;;
        esac
        shift
        (($#)) || break
        ;;
      onlink) onlink=1 ;;
      linkdown | dead) down=1 ;;
      pervasive | offload | rt_offload | trap | rt_trap | unresolved) ;;
      *) whole= ;;
    esac
    shift
  done
  [[ -n $device ]] || return 0
  for name in mtu advmss initcwnd initrwnd; do
    [[ -z ${tuned[$name]-} ]] || tuning+=" $name ${tuned[$name]}"
  done
  words="default${gateway:+ via $gateway} dev $device proto $protocol${scope:+ scope $scope}${source:+ src $source}"
  r_device+=("$device") r_gateway+=("$gateway") r_metric+=("$metric") r_down+=("$down") r_whole+=("$whole")
  # Where the metric goes is filled in by words_at.
  r_words+=("$words metric @$tuning${onlink:+ onlink}")
}

# One interface, from a line of `ip -o link show`.
link() {
  local name flags
  read -r _ name flags _ <<<"$1"
  name=${name%:} name=${name%%@*} flags=,${flags:1:-1},
  l_up[$name]='' l_ethernet[$name]='' l_addresses[$name]=''
  [[ $flags != *,UP,* || $flags != *,LOWER_UP,* ]] || l_up[$name]=1
  [[ $1 != *link/ether* ]] || l_ethernet[$name]=1
}

# One address, from a line of `ip -o -4 address show` without its number: NAME inet ADDRESS[/LENGTH] [peer ADDRESS/LENGTH] … scope global …
address() {
  local name=$1 own=$3 scope=''
  shift 3
  [[ ${1-} != peer ]] || own=${own%/*}/${2##*/}
  while (($#)); do
    [[ $1 != scope ]] || { scope=${2-}; break; }
    shift
  done
  [[ $scope != global ]] || l_addresses[$name]+=" $own"
}

words_at() { printf '%s' "${r_words[$1]/@/$2}"; }
# As a sentence names it: shown INDEX [METRIC]
shown() { printf "%s's default route (%smetric %s)" "${r_device[$1]}" "${r_gateway[$1]:+via ${r_gateway[$1]}, }" "${2-${r_metric[$1]}}"; }
is_behind() { ((r_metric[$1] >= behind && r_metric[$1] < 2 * behind)); }

# Whether gateway and address are what a hypervisor's NAT hands out: VirtualBox's and QEMU's, libvirt's.
looks_like_nat() {
  local gateway=${r_gateway[$1]} own
  for own in ${l_addresses[${r_device[$1]}]-}; do
    [[ -n $gateway && ${own%.*} == "${gateway%.*}" ]] || continue
    if [[ $own =~ ^10\.0\.[2-9]\.15/24$ && ${gateway##*.} == 2 ]]; then return 0; fi
    if [[ $own =~ ^192\.168\.12[12]\.[0-9]+/24$ && ${gateway##*.} == 1 ]]; then return 0; fi
  done
  return 1
}

is_nat() {
  if [[ -n $interface ]]; then [[ ${r_device[$1]} == "$interface" ]]; else looks_like_nat "$1"; fi
}

# Why a route cannot take the NAT's place; nothing when it can.
obstacle() {
  local device=${r_device[$1]}
  if [[ -z ${l_up[$device]-} || -n ${r_down[$1]} ]]; then printf 'is down'
  elif [[ -z ${l_addresses[$device]-} ]]; then printf 'has no global address'
  elif ((r_metric[$1] >= 2 * behind)); then printf 'has a metric that is too large'
  elif [[ -z ${l_ethernet[$device]-} && -z $interface ]]; then printf 'is no Ethernet interface'
  fi
}

# The index of the one that wins among these.
first() {
  local index best=''
  for index; do
    if [[ -z $best ]] || ((r_metric[index] < r_metric[best])); then best=$index; fi
  done
  printf '%s' "$best"
}

# The interfaces of these: `enp0s3, enp0s8 and enp0s9`.
devices() {
  local index names=()
  (($#)) || return 0
  mapfile -t names < <(for index; do printf '%s\n' "${r_device[$index]}"; done | sort -u)
  local last=${names[-1]} text=''
  unset 'names[-1]'
  for index in "${names[@]}"; do text+="${text:+, }$index"; done
  printf '%s' "${text:+$text and }$last"
}

# ---- what to do: the same as src/route/decide.rs ----

# Sets verdict, why, hint, and move_back: the indices of the routes that are to go behind the others.
decide() {
  local index nat=() others=() fit=() back=() best preferred reason through
  verdict='' why='' hint='' move_back=()
  if [[ -n $interface && ! -v l_up[$interface] ]]; then
    verdict=no-interface why="there is no interface $interface"
    through=$(devices "${!r_device[@]}")
    hint="default routes go through $through"
    [[ -n $through ]] || hint="there are no default routes here: \`ip link\` lists the interfaces"
    return
  fi
  if [[ -n $several_ways ]]; then
    verdict=unclear why="a default route leads several ways at once"
    hint="make it one route a way, each with its metric: \`ip route show default\` shows it"
    return
  fi
  for index in "${!r_device[@]}"; do
    if is_behind "$index"; then back+=("$index")
    elif is_nat "$index"; then nat+=("$index")
    else others+=("$index")
    fi
  done
  if ((${#nat[@]} == 0)); then
    without_nat
    return
  fi
  best=$(first "${nat[@]}")
  for index in "${others[@]}"; do
    reason=$(obstacle "$index")
    if [[ -z $reason ]]; then fit+=("$index"); else why+="; ${r_device[$index]} $reason"; fi
  done
  if ((${#fit[@]} == 0)); then
    for index in "${back[@]}"; do
      [[ ${r_device[$index]} == "${r_device[$best]}" ]] || why+="; ${r_device[$index]}'s was put behind the others: remove the fix first"
    done
    verdict=only-nat why="no other default route could take the place of $(shown "$best")$why"
    ((${#others[@]} + ${#back[@]})) ||
      hint="a bridged network needs a default route of its own: Vagrant leaves it DHCP's where public_network in the Vagrantfile says use_dhcp_assigned_default_route: true"
    return
  fi
  preferred=$(first "${fit[@]}")
  for index in "${nat[@]}"; do
    ((r_metric[index] > r_metric[preferred])) || move_back+=("$index")
  done
  if ((${#move_back[@]} == 0)); then
    verdict=outweighed why="$(shown "$best") is behind $(shown "$preferred") by itself"
    return
  fi
  for index in "${move_back[@]}"; do
    if [[ -z ${r_whole[$index]} ]] || ((r_metric[index] >= behind)); then
      verdict=unclear why="$(shown "$index") has properties that would be lost if it were moved"
      hint="give it a larger metric than ${r_metric[$preferred]} where it is configured: \`ip route show default\` shows it"
      move_back=()
      return
    fi
  done
  verdict=conflict why="$(shown "$best") is in the way of $(shown "$preferred")"
}

# The part of decide for when there is no NAT's route before the others; uses its variables.
without_nat() {
  if ((${#back[@]})); then
    verdict=behind why="$(shown "$(first "${back[@]}")") is behind the others"
    ((${#others[@]})) || why="$(shown "$(first "${back[@]}")") is in use, for there is no other"
    return
  fi
  through=$(devices "${others[@]}")
  if [[ -z $through ]]; then
    verdict=no-default why="there is no IPv4 default route"
  elif [[ -n $interface ]]; then
    verdict=no-conflict why="$interface has no default route"
  elif [[ $through != *' and '* ]]; then
    verdict=no-conflict why="only $through has a default route"
  else
    verdict=unclear why="default routes go through $through, and none looks like a virtual machine's NAT"
    through=${through%% *}
    hint="say which interface is the NAT's, for example: bash route.sh apply --interface ${through%,}"
  fi
}

# ---- doing it ----

# Whether a route with these words is there.
is_there() {
  local index
  for index in "${!r_words[@]}"; do
    [[ $(words_at "$index" "${r_metric[$index]}") != "$1" ]] || return 0
  done
  return 1
}

# change append|del WORDS. What `ip` says about a failure is kept in refused.
change() {
  local words
  read -ra words <<<"$2"
  refused=$(ip -4 route "$1" "${words[@]}" 2>&1)
}

# Puts behind the others what is in the way; nothing_to_do is set when that was nothing. The new place is taken before the old
# one is given up: there is a default route at every moment.
move_back() {
  local index other new wanted=''
  decide
  nothing_to_do=
  if ((${#move_back[@]} == 0)); then nothing_to_do=1; return 0; fi
  for index in "${move_back[@]}"; do
    wanted+="|$(words_at "$index" "$((r_metric[index] + behind))")|"
  done
  for index in "${move_back[@]}"; do
    new=$(words_at "$index" "$((r_metric[index] + behind))")
    is_there "$new" || change append "$new" || return 1
    # An earlier lease's: with another gateway, or another address.
    for other in "${!r_device[@]}"; do
      if is_behind "$other" && [[ ${r_device[$other]} == "${r_device[$index]}" && $wanted != *"|$(words_at "$other" "${r_metric[$other]}")|"* ]]; then
        change del "$(words_at "$other" "${r_metric[$other]}")" || return 1
      fi
    done
    change del "$(words_at "$index" "${r_metric[$index]}")" || return 1
    say "$(shown "$index") goes behind the others: its metric is $((r_metric[index] + behind)) now, and it is used only while there is no other."
    did=1
  done
}

# Puts back where they were all that are behind the others.
move_forth() {
  local index new
  nothing_to_do=1
  for index in "${!r_device[@]}"; do
    is_behind "$index" || continue
    nothing_to_do=
    new=$(words_at "$index" "$((r_metric[index] - behind))")
    is_there "$new" || change append "$new" || return 1
    change del "$(words_at "$index" "${r_metric[$index]}")" || return 1
    say "$(shown "$index" "$((r_metric[index] - behind))") is back where it was."
    did=1
  done
}

# Looks and does until there is nothing left to do: a DHCP client may do the same, or the opposite, at the same time.
settle() {
  local tries=0
  did='' refused=''
  while ((tries++ < 5)); do
    look || return 1
    # In a condition, so that after a command that failed it is looked again.
    if "$1" && [[ -n $nothing_to_do ]]; then return 0; fi
  done
  if [[ -n $refused ]]; then
    say "error: a default route cannot be moved: $refused"
    say "hint: in a container that takes the capability NET_ADMIN"
  else
    say "error: a default route comes back as fast as it is moved"
    say "hint: \`ip monitor route\` shows when; look for the program that writes it (v0.2's crontab line is one: crontab -l)"
  fi
  return 1
}

# ---- what keeps it so ----

systemd_runs() { [[ -d /run/systemd/system ]]; }
cron_is_there() { [[ -d ${crontab%/*} ]] && { has cron || has crond; }; }
is_enabled() { [[ -L $units/$wants/$unit ]]; }
is_active() { systemctl is-active --quiet "$unit"; }

# program dtaas|route.sh, once or not: the command line.
command_line() {
  local line="$home/dtaas route watch"
  [[ $1 == dtaas ]] || line="/bin/bash $home/route.sh watch"
  printf '%s%s%s' "$line" "${2:+ --once}" "${interface:+ --interface $interface}"
}

unit_text() {
  cat <<END
[Unit]
Description=Keeps the default route of a virtual machine's NAT behind the others
After=network-pre.target
StartLimitIntervalSec=0

[Service]
ExecStart=$(command_line "$1" '')
Restart=always
RestartSec=1
CapabilityBoundingSet=CAP_NET_ADMIN
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes

[Install]
WantedBy=multi-user.target
END
}

crontab_text() {
  cat <<END
# Keeps the default route of a virtual machine's NAT behind the others; \`dtaas route remove\` or \`route.sh remove\` takes this away.
* * * * * root $(command_line "$1" once)
END
}

# Sets kept (systemd, cron or nothing), named (the interface) and trouble.
observe() {
  local found='' program
  kept=nothing named='' trouble=''
  if [[ -e $units/$unit ]]; then kept=systemd found=$(<"$units/$unit")
  elif [[ -e $crontab ]]; then kept=cron found=$(<"$crontab")
  else return 0
  fi
  [[ ! $found =~ --interface\ ([^[:space:]]+) ]] || named=${BASH_REMATCH[1]}
  local interface=$named
  trouble="it was installed by another version"
  for program in dtaas route.sh; do
    if [[ $kept == systemd && $found == "$(unit_text "$program")" || $kept == cron && $found == "$(crontab_text "$program")" ]]; then
      trouble=
      if [[ ! -e $home/$program ]]; then trouble="$home/$program is missing"
      elif [[ $kept == cron ]]; then cron_is_there || trouble="cron is not installed"
      elif ! systemd_runs; then trouble="systemd does not run here"
      elif ! is_enabled; then trouble="$unit is not enabled"
      elif ! is_active; then trouble="it does not run (journalctl -u $unit)"
      fi
    fi
  done
}

# write FILE MODE: from standard input, whole or not at all, and only where it differs. Sets changed.
write() {
  local new=${1%/*}/.${1##*/}.dtaas-new
  rm -f -- "$new"
  (umask 077 && cat >"$new")
  if cmp -s -- "$new" "$1"; then rm -f -- "$new"; return; fi
  chmod "$2" -- "$new"
  mv -f -- "$new" "$1"
  changed=1
}

take_away() {
  [[ -e $1 || -L $1 ]] || return 0
  rm -f -- "$1"
  changed=1
}

install_keeper() {
  local own=${BASH_SOURCE[0]}
  changed='' kept=nothing
  if systemd_runs; then kept=systemd; elif cron_is_there; then kept=cron; else return 0; fi
  [[ -f $own ]] || fail 1 "this script is not read from a file, and so cannot be kept" "save it as route.sh, then: sudo bash route.sh apply"
  [[ -d $home ]] || (umask 022 && mkdir -p -- "$home")
  [[ $own -ef $home/route.sh ]] || write "$home/route.sh" 755 <"$own"
  if [[ $kept == systemd ]]; then
    write "$units/$unit" 644 < <(unit_text route.sh)
    if [[ -n $changed ]] || ! is_enabled || ! is_active; then
      systemctl daemon-reload
      systemctl enable "$unit"
      systemctl restart "$unit"
      changed=1
    fi
    take_away "$crontab"
  else
    write "$crontab" 644 < <(crontab_text route.sh)
  fi
  take_away "$home/dtaas"
}

uninstall() {
  changed=
  if [[ -e $units/$unit ]]; then
    if systemd_runs; then systemctl disable --now "$unit"; else take_away "$units/$wants/$unit"; fi
    take_away "$units/$unit"
    if systemd_runs; then systemctl daemon-reload; fi
  fi
  take_away "$crontab"
  take_away "$home/dtaas"
  take_away "$home/route.sh"
  rmdir -- "$home" 2>/dev/null || true
}

note() {
  local line
  line=$(grep -m 1 '^[^#]*route del default' /var/spool/cron/crontabs/root 2>/dev/null) || return 0
  printf '%s' "root's crontab still has v0.2's line, which takes the route away instead of leaving it as a way out: delete \`$line\` (crontab -e)"
}

# ---- the commands ----

require_root() {
  ((EUID == 0)) || fail 1 "route.sh $1 changes this machine's routes, which takes root" "sudo bash route.sh $1"
}

apply() {
  local before_verdict before_why before_hint before_kept text moved
  require_root apply
  observe
  before_kept=$kept
  interface=${interface:-$named}
  look || fail 1 "ip failed"
  decide
  before_verdict=$verdict before_why=$why before_hint=$hint
  settle move_back || exit 1
  moved=$did changed=
  case $before_verdict in
    no-interface | unclear) kept=nothing ;;
    conflict | behind) install_keeper ;;
    *) if [[ $before_kept != nothing || -n $moved ]]; then install_keeper; else kept=none-needed; fi ;;
  esac
  case $kept in
    systemd) [[ -z $changed ]] || say "$unit keeps it so, across DHCP renewals and reboots." ;;
    cron) [[ -z $changed ]] || say "cron keeps it so: it looks every minute, for systemd does not run here." ;;
    nothing)
      [[ $before_verdict == no-interface || $before_verdict == unclear ]] ||
        say "Note: this lasts until the next DHCP renewal or reboot, for there is neither systemd nor cron here: have \`bash route.sh watch${interface:+ --interface $interface}\` started with the machine."
      ;;
  esac
  text=$(note)
  [[ -z $text ]] || say "Note: $text."
  case $before_verdict in
    unclear) fail 1 "$before_why" "$before_hint" ;;
    no-interface) fail 2 "$before_why" "$before_hint" ;;
    *)
      [[ -n $moved$changed ]] || say "Nothing to do: $before_why."
      [[ -z $before_hint ]] || say "Note: $before_hint."
      ;;
  esac
}

status() {
  local text line
  observe
  interface=$named
  look || fail 1 "ip failed"
  decide
  ip -4 route show default
  echo "routes  $why"
  [[ -z $hint ]] || echo "        $hint"
  case $kept in
    systemd) line="kept by $unit" ;;
    cron) line="kept by cron, every minute" ;;
    *) line="not installed" ;;
  esac
  echo "fix     $line${trouble:+, but $trouble: run \`bash route.sh apply\` again}"
  text=$(note)
  [[ -z $text ]] || echo "note    $text"
}

remove() {
  local uninstalled
  require_root remove
  # First, or else it would put them behind again.
  uninstall
  uninstalled=$changed
  [[ -z $uninstalled ]] || say "The fix is not kept any more."
  settle move_forth || exit 1
  if [[ -z $uninstalled && -z $did ]]; then
    say "Nothing to do: the fix is not there."
  elif [[ -z $did ]]; then
    say "No route was behind the others: one that is missing comes back with the next DHCP renewal or reboot."
  fi
}

# Stays, and looks at every change, or at least once a minute: what the service runs.
watch() {
  local patience=1 many changes
  require_root watch
  if [[ -n $once ]]; then
    settle move_back
    return
  fi
  exec {changes}< <(exec ip -4 monitor link address route)
  monitor=$!
  # Signals are left to end it as they do: bash 5.2 fails on a trap of theirs that comes while it reads a `$(`.
  trap 'kill "$monitor" 2>/dev/null || true' EXIT
  while :; do
    settle move_back || true
    # Two programs that disagree about a route must not keep the machine busy.
    [[ -z $did ]] || sleep 1
    if read -r -t "$patience" -u "$changes" _; then
      # Many come at once when a container starts.
      many=0
      while ((many++ < 100)) && read -r -t 0.05 -u "$changes" _; do :; done
    elif (($? <= 128)); then
      fail 1 "ip monitor ended"
    fi
    patience=60
  done
}

command=${1-} interface='' once=''
shift || true
case $command in
  apply | status | remove | watch) ;;
  -h | --help) usage; exit ;;
  *) usage >&2; exit 2 ;;
esac
while (($#)); do
  case $command:$1 in
    apply:--interface | watch:--interface) interface=${2-}; shift ;;
    apply:--interface=* | watch:--interface=*) interface=${1#*=} ;;
    watch:--once) once=1; shift; continue ;;
    *) usage >&2; exit 2 ;;
  esac
  # It goes into a unit and a crontab.
  [[ $interface =~ ^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$ ]] ||
    fail 2 "'$interface' is no interface's name" "\`ip link\` lists them, without what follows an @"
  (($#)) && shift
done
has ip || fail 1 "ip is not installed" "install it with: apt-get install iproute2"
"$command"
