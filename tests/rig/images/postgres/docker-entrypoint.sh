#!/bin/bash
# Behaves as the entrypoint of the published image: root gives the data to `postgres` and goes on as that one; an empty data directory
# becomes a cluster with the password of POSTGRES_PASSWORD_FILE, that others reach with it.
set -eu
PATH=/usr/lib/postgresql/15/bin:$PATH
PGDATA=${PGDATA:-/var/lib/postgresql/data}
if [[ ${1-} == postgres && $(id -u) == 0 ]]; then
  mkdir -p "$PGDATA"
  find "$PGDATA" ! -user postgres -exec chown postgres '{}' +
  exec setpriv --reuid postgres --regid postgres --init-groups "$0" "$@"
fi
if [[ ${1-} == postgres && ! -s $PGDATA/PG_VERSION ]]; then
  initdb --pgdata "$PGDATA" --username="${POSTGRES_USER:-postgres}" --pwfile="${POSTGRES_PASSWORD_FILE:?}" --auth-local=trust --auth-host=scram-sha-256 >/dev/null
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  echo "listen_addresses = '*'" >>"$PGDATA/postgresql.conf"
fi
exec "$@"
