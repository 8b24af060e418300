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
        "gitlab",
        // In the host's network its parts must not meet the gateway's or other programs' ports; its own SSH server finds port 22 taken, so Git
        // goes by HTTP. The settings are Ruby (GitLab, "Install GitLab in a Docker container", on pre-configuring it).
        "image: gitlab/gitlab-ce:18.2.0-ce.0\n\
         ports: [8929]\n\
         volumes: {config: /etc/gitlab, logs: /var/log/gitlab, data: /var/opt/gitlab}\n\
         secrets: [root-password]\n\
         environment:\n  \
           GITLAB_OMNIBUS_CONFIG: >-\n    \
             nginx['listen_port'] = 8929;\n    \
             nginx['listen_https'] = false;\n    \
             puma['port'] = 8930;\n    \
             sidekiq['metrics_enabled'] = false;\n    \
             sidekiq['health_checks_enabled'] = false;\n    \
             prometheus_monitoring['enable'] = false;\n    \
             gitlab_rails['initial_root_password'] = File.read('/run/secrets/root-password').strip\n\
         health: {port: 8929, path: /users/sign_in, within: 900}\n",
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::names;
    use crate::spec::load;

    #[test]
    fn each_is_a_service_by_itself() {
        for name in names() {
            let text = format!(
                "version: 1\ndomain: foo.com\nservices:\n  custom:\n    mine: {{use: {name}}}\n"
            );
            let spec = load::from_texts(&text, &BTreeMap::new()).unwrap();
            let service = &spec.custom["mine"];
            assert!(!service.image.is_empty(), "{name}");
        }
    }

    #[test]
    fn gitlab_reads_its_password_where_it_is() {
        let text = "version: 1\ndomain: foo.com\nservices:\n  custom:\n    git: {use: gitlab}\n";
        let spec = load::from_texts(text, &BTreeMap::new()).unwrap();
        let settings = &spec.custom["git"].environment["GITLAB_OMNIBUS_CONFIG"];
        assert_eq!(
            settings,
            "nginx['listen_port'] = 8929; nginx['listen_https'] = false; puma['port'] = 8930; sidekiq['metrics_enabled'] = false; \
             sidekiq['health_checks_enabled'] = false; prometheus_monitoring['enable'] = false; \
             gitlab_rails['initial_root_password'] = File.read('/run/secrets/root-password').strip"
        );
        assert_eq!(spec.custom["git"].health.as_ref().unwrap().within, 900);
    }
}
