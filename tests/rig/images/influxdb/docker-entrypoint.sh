#!/bin/bash
# Behaves as the entrypoint of the published image: an empty data directory is set up by a server that only this container reaches, and
# only then the real address listens; root gives data and settings to `influxdb` and goes on as that one.
set -eu

say() { echo "lvl=$1 msg=\"$2\" system=docker" >&2; }

# `influxd --option` and `influxd run` are the server; any other command is left alone.
server=no
if [[ $# == 0 || $1 == run || $1 == -* ]]; then
  server=yes
elif [[ $1 == influxd && ($# == 1 || $2 == run || $2 == -*) ]]; then
  server=yes
  shift
fi
if [[ $server == no ]]; then exec "$@"; fi
if [[ ${1-} == run ]]; then shift; fi

for name in PASSWORD USERNAME ADMIN_TOKEN; do
  plain=DOCKER_INFLUXDB_INIT_$name
  file=${plain}_FILE
  if [[ -z ${!file-} ]]; then continue; fi
  if [[ -e ${!file} ]]; then
    declare "$plain=$(cat -- "${!file}")"
  else
    echo "$file defined, but file not existing, skipping."
  fi
done

data=/var/lib/influxdb2
bolt=${INFLUXD_BOLT_PATH:-$data/influxd.bolt}
engine=${INFLUXD_ENGINE_PATH:-$data/engine}
address=${INFLUXD_HTTP_BIND_ADDRESS:-:8086}
settings=${INFLUX_CONFIGS_PATH%/*}

directories() {
  mkdir -p "${bolt%/*}" "$engine"
  chmod 700 "${bolt%/*}" "$engine" || true
  mkdir -p "$settings" || true
  chmod 775 "$settings" || true
  if [[ $(id -u) == 0 ]]; then find "${bolt%/*}" "$engine" "$settings" ! -user influxdb -exec chown influxdb '{}' +; fi
}

# What is half set up would pass for set up at the next start.
clean() {
  if [[ -n $pid ]]; then kill "$pid" || true; fi
  say warn "cleaning bolt and engine files to prevent conflicts on retry"
  rm -rf -- "$bolt" "${engine:?}"/*
}

set_up() {
  if [[ $DOCKER_INFLUXDB_INIT_MODE != setup ]]; then
    say error "found invalid DOCKER_INFLUXDB_INIT_MODE; the stand-in knows only 'setup'"
    exit 1
  fi
  local name missing=no options
  for name in USERNAME PASSWORD ORG BUCKET; do
    local variable=DOCKER_INFLUXDB_INIT_$name
    if [[ -z ${!variable-} ]]; then
      say error "missing parameter, cannot init InfluxDB: $variable"
      missing=yes
    fi
  done
  if [[ $missing == yes ]]; then exit 1; fi
  trap clean EXIT
  INFLUXD_HTTP_BIND_ADDRESS=:$INFLUXD_INIT_PORT INFLUXD_TLS_CERT='' INFLUXD_TLS_KEY='' influxd &
  pid=$!
  export INFLUX_HOST=http://localhost:$INFLUXD_INIT_PORT
  until influx ping >/dev/null 2>&1; do
    kill -0 "$pid" || exit 1
    sleep 0.2
  done
  options=(--force --username "$DOCKER_INFLUXDB_INIT_USERNAME" --password "$DOCKER_INFLUXDB_INIT_PASSWORD"
    --org "$DOCKER_INFLUXDB_INIT_ORG" --bucket "$DOCKER_INFLUXDB_INIT_BUCKET" --name "$DOCKER_INFLUXDB_INIT_CLI_CONFIG_NAME")
  if [[ -n ${DOCKER_INFLUXDB_INIT_RETENTION-} ]]; then options+=(--retention "$DOCKER_INFLUXDB_INIT_RETENTION"); fi
  if [[ -n ${DOCKER_INFLUXDB_INIT_ADMIN_TOKEN-} ]]; then options+=(--token "$DOCKER_INFLUXDB_INIT_ADMIN_TOKEN"); fi
  influx setup "${options[@]}"
  kill "$pid"
  wait "$pid" || true
  trap - EXIT
  local scheme=http
  if [[ -n ${INFLUXD_TLS_CERT-} && -n ${INFLUXD_TLS_KEY-} ]]; then scheme=https; fi
  sed -i "s#$INFLUX_HOST#$scheme://localhost:${address##*:}#" "$INFLUX_CONFIGS_PATH"
}

pid=
directories
if [[ -f $bolt ]]; then
  say info "found existing boltdb file, skipping setup wrapper"
elif [[ -n ${DOCKER_INFLUXDB_INIT_MODE-} ]]; then
  set_up
  directories
fi
if [[ $(id -u) == 0 ]]; then exec setpriv --reuid influxdb --regid influxdb --init-groups env HOME=/home/influxdb influxd "$@"; fi
exec influxd "$@"
