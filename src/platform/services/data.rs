//! How the data of each service is taken while it runs, so that what is taken can be started again. Whatever the way, it is put back where it
//! lay, and the next start of the service needs nothing else.

use std::path::{Path, PathBuf};

use super::{custom, grafana, influxdb, mosquitto, rabbitmq};
use crate::platform::desired::Component;
use crate::platform::naming;
use crate::spec::custom::{AccountsOf, Custom};
use crate::spec::names::DeploymentName;

/// The data of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data {
    /// What the operator calls the service.
    pub service: String,
    /// Its container.
    pub container: String,
    /// Where its data lie, relative to the deployment.
    pub path: PathBuf,
    /// How they are taken while the container runs.
    pub means: Means,
}

/// How data are taken from a service that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Means {
    /// The container stands still while they are copied: what is taken is what a power failure would leave, which the service is made to
    /// recover from. With a program that says first, by its own words, what is there: its argv, and the file that it is kept in.
    Paused(Option<Said>),
    /// By `pg_basebackup` in the container.
    PostgreSql(PostgreSql),
    /// It writes this file (relative to the data) when it gets SIGUSR1, beside the old one and renamed (mosquitto(8), on signals).
    Signalled(&'static str),
}

/// What a program in the container says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// The program and its arguments.
    pub argv: &'static [&'static str],
    /// What the file is called.
    pub file: &'static str,
}

/// A cluster of PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgreSql {
    /// Its administrator.
    pub administrator: String,
    /// A folder of the data, relative to them, that the container can write to.
    pub folder: PathBuf,
    /// Where that is in the container.
    pub inside: PathBuf,
    /// Where the cluster is, relative to that folder.
    pub cluster: PathBuf,
}

/// The data of a part of the platform; `None` where it keeps none that cannot be made again, or none of its own.
pub fn of(deployment: &DeploymentName, component: Component) -> Option<Data> {
    let (path, means) = match component {
        // The message stores have no way out but the directory; definitions have, and are kept for who wants to read them
        // (RabbitMQ, "Backup and Restore").
        Component::RabbitMq => (
            rabbitmq::DATA,
            Means::Paused(Some(Said {
                argv: &["rabbitmqctl", "--quiet", "export_definitions", "-"],
                file: "rabbitmq-definitions.json",
            })),
        ),
        Component::Mosquitto => (mosquitto::DATA, Means::Signalled("mosquitto.db")),
        // Its write-ahead log and SQLite's journal are there for that.
        Component::InfluxDb => (influxdb::ABOVE, Means::Paused(None)),
        // SQLite: the database with its journal; the image has no program of SQLite's.
        Component::Grafana => (grafana::DATA, Means::Paused(None)),
        Component::Gateway
        | Component::Auth
        | Component::Website
        | Component::Library
        | Component::Workspace
        | Component::Custom => return None,
    };
    Some(Data {
        service: component.as_str().to_owned(),
        container: naming::container(deployment, component, None),
        path: path.into(),
        means,
    })
}

/// The data of a service of the operator's own; `None` where it has no volumes.
pub fn of_custom(deployment: &DeploymentName, name: &str, custom: &Custom) -> Option<Data> {
    if custom.volumes.is_empty() {
        return None;
    }
    let means = match custom.accounts {
        Some(AccountsOf::PostgreSql) => postgresql(custom),
        None => None,
    };
    Some(Data {
        service: name.to_owned(),
        container: naming::custom(deployment, name),
        path: Path::new(custom::DATA).join(name),
        means: means.unwrap_or(Means::Paused(None)),
    })
}

/// `None` where the cluster is a volume itself: then there is no room beside it that the container could write to.
fn postgresql(custom: &Custom) -> Option<Means> {
    let cluster = custom.environment.get("PGDATA");
    let cluster = Path::new(cluster.map_or("/var/lib/postgresql/data", String::as_str));
    let (folder, inside, below) = custom.volumes.iter().find_map(|(folder, inside)| {
        let below = cluster.strip_prefix(inside).ok()?;
        (!below.as_os_str().is_empty()).then_some((folder, inside, below))
    })?;
    let administrator = custom.environment.get("POSTGRES_USER");
    Some(Means::PostgreSql(PostgreSql {
        administrator: administrator.map_or("postgres", String::as_str).to_owned(),
        folder: folder.into(),
        inside: inside.clone(),
        cluster: below.to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::spec::load;

    #[test]
    fn a_ready_made_postgresql_is_taken_by_its_own_means() {
        let text = "version: 1\ndomain: foo.com\nservices:\n  custom:\n    db: {use: postgresql}\n";
        let spec = load::from_texts(text, &BTreeMap::new()).unwrap();
        let data = of_custom(&spec.name, "db", &spec.custom["db"]).unwrap();
        assert_eq!(data.path, Path::new("data/services/db"));
        assert_eq!(
            data.means,
            Means::PostgreSql(PostgreSql {
                administrator: "postgres".into(),
                folder: "data".into(),
                inside: "/var/lib/postgresql/data".into(),
                cluster: "pgdata".into(),
            })
        );
    }

    #[test]
    fn a_service_without_volumes_has_nothing_to_take() {
        let text = "version: 1\ndomain: foo.com\nservices:\n  custom:\n    pages: {image: 'x:1'}\n";
        let spec = load::from_texts(text, &BTreeMap::new()).unwrap();
        assert_eq!(of_custom(&spec.name, "pages", &spec.custom["pages"]), None);
    }
}
