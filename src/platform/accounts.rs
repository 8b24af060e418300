//! Accounts of users at a service that keeps them itself, and is told of them over its own interface.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};

use super::probe::Probe;
use crate::secrets::Secret;
use crate::spec::names::UserName;

/// The accounts that a service should have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounts {
    /// Its container.
    pub container: String,
    /// When it can be told of accounts.
    pub ready: Probe,
    /// How it is told.
    pub way: Way,
    /// Users' accounts. A user who is looked at and has none here should have none there.
    pub users: BTreeMap<UserName, Account>,
}

/// How a service is told of accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// By RabbitMQ's management interface.
    RabbitMq(Endpoint),
    /// By InfluxDB's interface; the administrator's password is a token.
    InfluxDb(Endpoint),
    /// By Grafana's interface.
    Grafana {
        /// Where it is.
        endpoint: Endpoint,
        /// The path below which all of it is, with slashes at both ends.
        path: String,
        /// What a user's data source leads to; `None` where there is nothing that it could.
        source: Option<DataSource>,
    },
    /// By `psql` in PostgreSQL's own container, as the administrator of this name, whom the image lets in there.
    PostgreSql {
        /// Its name.
        administrator: String,
    },
}

/// An interface that is reached by TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Where it listens.
    pub address: SocketAddrV4,
    /// The name in its certificate.
    pub host: String,
    /// The authority that signed that, PEM; no other is trusted.
    pub authority: String,
    /// The administrator's name.
    pub administrator: String,
    /// The administrator's password.
    pub password: Secret,
}

/// An InfluxDB, as Grafana knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataSource {
    /// Its address, from where Grafana is.
    pub url: String,
    /// The organisation there.
    pub organisation: String,
    /// The authority that its certificate is by, PEM.
    pub authority: String,
}

/// One user's account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The password.
    pub password: Secret,
    /// Whether it opens anything: a disabled user keeps what is theirs there, and cannot log in.
    pub open: bool,
    /// The token that InfluxDB made for the user, as far as it is known.
    pub token: Option<Secret>,
}
