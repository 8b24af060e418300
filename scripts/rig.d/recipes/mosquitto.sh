# shellcheck shell=bash
# Mosquitto's image: Debian's broker, presented as the published image is.
# Used by `scripts/rig`, whose functions it calls.
: "${debian_image:?}" "${mosquitto_image:?}"

images_make_mosquitto() {
  # Its settings are those of https://github.com/eclipse-mosquitto/mosquitto, docker/2.0.
  images_grow "$debian_image" "$mosquitto_image" mosquitto/install \
    --change 'ENTRYPOINT ["/docker-entrypoint.sh"]' --change 'CMD ["/usr/sbin/mosquitto", "-c", "/mosquitto/config/mosquitto.conf"]' \
    --change 'EXPOSE 1883' --change 'VOLUME /mosquitto/data' --change 'VOLUME /mosquitto/log'
}
