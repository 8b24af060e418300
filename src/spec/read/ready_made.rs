//! Services that others have as well, ready to be taken over by `use`: what is not written beside it is as here.

/// By name: the text of the service.
const ALL: &[(&str, &str)] = &[
    (
        "postgresql",
        // PGDATA below the volume, as the image's page says for one that is a mount point.
        "image: postgres:16\n\
         ports: [5432]\n\
         volumes: {data: /var/lib/postgresql/data}\n\
         environment: {POSTGRES_PASSWORD_FILE: /run/secrets/password, PGDATA: /var/lib/postgresql/data/pgdata}\n\
         secrets: [password]\n\
         accounts: postgresql\n\
         certificate_group: 999\n\
         command: [postgres, -c, ssl=on, -c, ssl_cert_file=/run/dtaas/cert.pem, -c, ssl_key_file=/run/dtaas/key.pem]\n\
         health: {port: 5432}\n",
    ),
    (
        "mongodb",
        "image: mongo:7\n\
         ports: [27017]\n\
         volumes: {data: /data/db, config: /data/configdb}\n\
         environment: {MONGO_INITDB_ROOT_USERNAME: dtaas, MONGO_INITDB_ROOT_PASSWORD_FILE: /run/secrets/password}\n\
         secrets: [password]\n\
         health: {port: 27017}\n",
    ),
    (
        "telegraf",
        "image: telegraf:1.30\n\
         volumes: {config: /etc/telegraf}\n",
    ),
];

/// What they are called.
pub(super) fn names() -> Vec<&'static str> {
    ALL.iter().map(|(name, _)| *name).collect()
}

/// The text of one.
pub(super) fn text(name: &str) -> Option<&'static str> {
    let (_, text) = ALL.iter().find(|(known, _)| *known == name)?;
    Some(text)
}
