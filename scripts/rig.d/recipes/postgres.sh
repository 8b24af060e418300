# shellcheck shell=bash
# PostgreSQL's image: Debian's server, presented as the published image is.
# Used by `scripts/rig`, whose functions it calls.
: "${debian_image:?}" "${postgres_image:?}"

images_make_postgres() {
  # Its settings are those of https://github.com/docker-library/postgres, 15/bookworm.
  images_grow "$debian_image" "$postgres_image" postgres/install \
    --change 'ENTRYPOINT ["docker-entrypoint.sh"]' --change 'CMD ["postgres"]' \
    --change 'EXPOSE 5432' --change 'VOLUME /var/lib/postgresql/data' --change 'ENV PGDATA=/var/lib/postgresql/data' \
    --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/15/bin'
}
