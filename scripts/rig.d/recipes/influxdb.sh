# shellcheck shell=bash
# InfluxDB's image: a stand-in for the server, of which there is neither an image nor a package here, presented as published.
# Used by `scripts/rig`, whose functions it calls.
: "${standin_image:?}" "${influxdb_image:?}"

images_make_influxdb() {
  # Its settings are those of https://github.com/influxdata/influxdata-docker, influxdb/2.7.
  images_grow "$standin_image" "$influxdb_image" influxdb/install \
    --change 'ENTRYPOINT ["/entrypoint.sh"]' --change 'CMD ["influxd"]' --change 'EXPOSE 8086' \
    --change 'VOLUME /var/lib/influxdb2' --change 'VOLUME /etc/influxdb2' \
    --change 'ENV INFLUX_CONFIGS_PATH=/etc/influxdb2/influx-configs INFLUXD_INIT_PORT=9999 DOCKER_INFLUXDB_INIT_CLI_CONFIG_NAME=default'
}
