#!/bin/sh
# Behaves as the entrypoint of the published image: root gives the data to `mosquitto`; whoever it is, the command takes over.
set -e
if [ "$(id -u)" = 0 ] && [ -d /mosquitto ]; then chown -R mosquitto:mosquitto /mosquitto; fi
exec "$@"
