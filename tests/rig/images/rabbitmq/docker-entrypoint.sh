#!/bin/bash
# Behaves as the entrypoint of the published image: the server and its tools run as `rabbitmq`, who is given the data.
set -eu
if [[ ${1-} == rabbitmq* && $(id -u) == 0 ]]; then
  if [[ $1 == rabbitmq-server ]]; then find /var/lib/rabbitmq ! -user rabbitmq -exec chown rabbitmq '{}' +; fi
  exec setpriv --reuid rabbitmq --regid rabbitmq --init-groups "$0" "$@"
fi
exec "$@"
