# shellcheck shell=bash
# What stands in for InfluxDB's and Grafana's images: NOT the published ones, but programs of ours that check requests against the published
# descriptions of their APIs.
# Used by `scripts/rig`, whose functions it calls.
: "${debian_image:?}" "${influxdb_image:?}" "${grafana_image:?}"

images_make_standins() {
  images_grow "$debian_image" "$influxdb_image" standins/install-influxdb \
    --change 'ENTRYPOINT ["/opt/standin/influxdb.py"]' --change 'EXPOSE 8086' \
    --change 'VOLUME /var/lib/influxdb2' --change 'VOLUME /etc/influxdb2'
  images_grow "$debian_image" "$grafana_image" standins/install-grafana \
    --change 'ENTRYPOINT ["/opt/standin/grafana.py"]' --change 'EXPOSE 3000' --change 'USER 472'
}
