# shellcheck shell=bash
# Grafana's image: a stand-in for the server, of which there is neither an image nor a package here, presented as published.
# Used by `scripts/rig`, whose functions it calls.
: "${standin_image:?}" "${grafana_image:?}"

images_make_grafana() {
  # Its settings are those of the Dockerfile of https://github.com/grafana/grafana, v11.6.0.
  images_grow "$standin_image" "$grafana_image" grafana/install \
    --change 'ENTRYPOINT ["/run.sh"]' --change 'CMD []' --change 'EXPOSE 3000' --change 'USER 472' --change 'WORKDIR /usr/share/grafana' \
    --change 'ENV GF_PATHS_CONFIG=/etc/grafana/grafana.ini GF_PATHS_DATA=/var/lib/grafana GF_PATHS_HOME=/usr/share/grafana' \
    --change 'ENV GF_PATHS_LOGS=/var/log/grafana GF_PATHS_PLUGINS=/var/lib/grafana/plugins GF_PATHS_PROVISIONING=/etc/grafana/provisioning'
}
