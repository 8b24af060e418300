#!/bin/sh
# Behaves as the entrypoint of the published image: flags and Traefik's own subcommands go to Traefik, other words are run as they are.
set -eu
case "${1-}" in
  -* | healthcheck | version) set -- traefik "$@" ;;
esac
exec "$@"
