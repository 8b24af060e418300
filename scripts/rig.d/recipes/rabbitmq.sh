# shellcheck shell=bash
# RabbitMQ's image: Debian's server, presented as the published image is.
# Used by `scripts/rig`, whose functions it calls.
: "${debian_image:?}" "${rabbitmq_image:?}"

images_make_rabbitmq() {
  # Its settings are those of https://github.com/docker-library/rabbitmq, 3.13/ubuntu and 3.13/ubuntu/management.
  images_grow "$debian_image" "$rabbitmq_image" rabbitmq/install \
    --change 'ENTRYPOINT ["docker-entrypoint.sh"]' --change 'CMD ["rabbitmq-server"]' \
    --change 'EXPOSE 4369 5671 5672 15671 15672 15691 15692 25672' --change 'VOLUME /var/lib/rabbitmq' \
    --change 'ENV RABBITMQ_DATA_DIR=/var/lib/rabbitmq HOME=/var/lib/rabbitmq LANG=C.UTF-8 LANGUAGE=C.UTF-8 LC_ALL=C.UTF-8' \
    --change 'ENV PATH=/usr/lib/rabbitmq/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
}
