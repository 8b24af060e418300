//! Users' accounts at services that keep them themselves: how they stand, and what is done about it, over each service's own interface.

mod client;
mod grafana;
mod influxdb;
mod postgresql;
mod rabbitmq;

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;

use crate::error::Failure;
use crate::machine::docker::Engine;
use crate::machine::observed::AccountsState;
use crate::machine::step::Step;
use crate::platform::accounts::{Account, Accounts, Way};
use crate::platform::desired::Desired;
use crate::secrets::Secret;
use crate::spec::names::UserName;
use client::{By, Client};
use grafana::Grafana;
use influxdb::InfluxDb;
use postgresql::PostgreSql;
use rabbitmq::RabbitMq;

/// How long a look may take; a service that is slower counts as silent.
const TO_LOOK: Duration = Duration::from_secs(15);
/// How many users are seen to side by side.
const SIDE_BY_SIDE: usize = 8;

/// What is to be done at a service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Due {
    /// Whose accounts are made.
    pub make: Vec<String>,
    /// Whose are changed, and what of them differs.
    pub change: Vec<(String, Vec<String>)>,
    /// Whose are removed.
    pub remove: Vec<String>,
}

/// The difference of what a service should have and what it has, of the users that `covers` says are looked at.
pub fn due(
    accounts: &Accounts,
    found: &BTreeMap<String, Vec<String>>,
    covers: impl Fn(&str) -> bool,
) -> Due {
    let mut due = Due::default();
    for user in accounts.users.keys().map(UserName::as_str) {
        match found.get(user) {
            _ if !covers(user) => {}
            None => due.make.push(user.to_owned()),
            Some(differs) if differs.is_empty() => {}
            Some(differs) => due.change.push((user.to_owned(), differs.clone())),
        }
    }
    let gone = |user: &&String| {
        covers(user) && !accounts.users.keys().any(|known| known.as_str() == **user)
    };
    due.remove = found.keys().filter(gone).cloned().collect();
    due
}

/// How accounts stand at the services that should have any, by container.
pub async fn observe(engine: &Engine, desired: &Desired) -> BTreeMap<String, AccountsState> {
    let looks = desired.accounts.iter().map(|accounts| async move {
        let state = tokio::time::timeout(TO_LOOK, look(engine, accounts)).await;
        let state = match state {
            Ok(Ok(found)) => AccountsState::Known(found),
            Ok(Err(error)) if error.is::<client::Refused>() => AccountsState::Refused,
            Ok(Err(_)) | Err(_) => AccountsState::Silent,
        };
        (accounts.container.clone(), state)
    });
    join_all(looks).await.into_iter().collect()
}

/// A service that is told of accounts.
enum Service<'a> {
    RabbitMq(RabbitMq<'a>),
    InfluxDb(InfluxDb<'a>),
    Grafana(Grafana<'a>),
    PostgreSql(PostgreSql<'a>),
}

impl<'a> Service<'a> {
    fn of(engine: &'a Engine, accounts: &'a Accounts) -> anyhow::Result<Self> {
        let container = accounts.container.as_str();
        Ok(match &accounts.way {
            Way::RabbitMq(endpoint) => {
                Self::RabbitMq(RabbitMq(Client::new(container, endpoint, By::Password)?))
            }
            Way::InfluxDb(endpoint) => {
                Self::InfluxDb(InfluxDb(Client::new(container, endpoint, By::Token)?))
            }
            Way::Grafana {
                endpoint,
                path,
                source,
            } => Self::Grafana(Grafana {
                client: Client::new(container, endpoint, By::Password)?,
                engine,
                administrator: endpoint,
                path,
                source: source.as_ref(),
            }),
            Way::PostgreSql { administrator } => Self::PostgreSql(PostgreSql {
                engine,
                container,
                administrator,
            }),
        })
    }

    async fn look(
        &self,
        users: &BTreeMap<UserName, Account>,
    ) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
        match self {
            Self::RabbitMq(service) => service.look(users).await,
            Self::InfluxDb(service) => service.look(users).await,
            Self::Grafana(service) => service.look(users).await,
            Self::PostgreSql(service) => service.look(users).await,
        }
    }

    /// `differs` is what of it is to be set right; `None` where it is to be made. Answers a token that the service made.
    async fn give(
        &self,
        name: &UserName,
        account: &Account,
        differs: Option<&[String]>,
    ) -> anyhow::Result<Option<Secret>> {
        match self {
            Self::InfluxDb(service) => return service.give(name, account, differs).await,
            Self::RabbitMq(service) => service.give(name, account, differs).await?,
            Self::Grafana(service) => service.give(name, account, differs).await?,
            Self::PostgreSql(service) => service.give(name, account, differs).await?,
        }
        Ok(None)
    }

    async fn take(&self, name: &str) -> anyhow::Result<()> {
        match self {
            Self::RabbitMq(service) => service.take(name).await,
            Self::InfluxDb(service) => service.take(name).await,
            Self::Grafana(service) => service.take(name).await,
            Self::PostgreSql(service) => service.take(name).await,
        }
    }
}

async fn look(
    engine: &Engine,
    accounts: &Accounts,
) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    Service::of(engine, accounts)?.look(&accounts.users).await
}

/// Does what a step says; where it was made without knowing what the service has, all that is due. `made` is told of every token that
/// the service made for a user.
///
/// # Errors
/// The first that there is. What was done for other users stays done, and who comes after is seen to as well.
pub async fn settle(
    engine: &Engine,
    accounts: &Accounts,
    step: &Step,
    made: &(dyn Fn(&UserName, Secret) + Sync),
) -> anyhow::Result<()> {
    let Step::SetAccounts {
        make,
        change,
        remove,
        blind,
        ..
    } = step
    else {
        return Ok(());
    };
    let service = &Service::of(engine, accounts)?;
    if let Service::Grafana(grafana) = service {
        grafana.enter().await?;
    }
    let found = service.look(&accounts.users).await;
    let found = found.map_err(|error| told(error, accounts))?;
    let named = |user: &str| {
        let changed = change.iter().map(|(user, _)| user);
        make.iter()
            .chain(changed)
            .chain(remove)
            .any(|one| one == user)
    };
    let due = due(accounts, &found, |user| *blind || named(user));
    let new = due.make.iter().map(|user| (user, None));
    let changed = due.change.iter();
    let given = new.chain(changed.map(|(user, differs)| (user, Some(&differs[..]))));
    let gives = given.filter_map(|(user, differs)| {
        let mut users = accounts.users.iter();
        let (name, account) = users.find(|(name, _)| name.as_str() == user)?;
        Some(async move {
            if let Some(token) = service.give(name, account, differs).await? {
                made(name, token);
            }
            Ok(())
        })
    });
    let gave = all(gives).await;
    let took = all(due.remove.iter().map(|user| service.take(user))).await;
    gave.and(took)
}

/// With what helps where a service does not take its administrator's token, and cannot be given another one from outside.
fn told(error: anyhow::Error, accounts: &Accounts) -> anyhow::Error {
    let refused = error.is::<client::Refused>();
    if !refused || !matches!(accounts.way, Way::InfluxDb(_)) {
        return error;
    }
    let name = &accounts.container;
    error.context(
        Failure::new(format!("the accounts at {name} cannot be seen to")).hint(format!(
            "put data/influxdb and secrets/influxdb back from one backup; or stop {name}, make another token by InfluxDB's own tool (influxd recovery \
             auth create-operator --org dtaas --username _dtaas --bolt-path data/influxdb/influxd.bolt), and write it into secrets/influxdb; then run this again"
        )),
    )
}

async fn all(
    work: impl Iterator<Item = impl Future<Output = anyhow::Result<()>>>,
) -> anyhow::Result<()> {
    let done = futures_util::stream::iter(work).buffer_unordered(SIDE_BY_SIDE);
    let done: Vec<anyhow::Result<()>> = done.collect().await;
    done.into_iter().collect()
}

/// A name that somebody else has at a service: what is theirs must not be changed, nor removed with the user some day.
fn somebody_elses(service: &str, what: &str, name: &str) -> anyhow::Error {
    Failure::new(format!(
        "{service}: there is {what} {name} already, which dtaas did not make"
    ))
    .hint("rename or remove it there, or give the user another name; then run this again")
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::desired::Probe;

    #[test]
    fn what_is_due_is_the_difference_of_who_is_looked_at() {
        let account = Account {
            password: Secret::new("p"),
            open: true,
            token: None,
        };
        let user = |name: &str| (name.parse().unwrap(), account.clone());
        let accounts = Accounts {
            container: "rabbitmq".into(),
            ready: Probe {
                questions: Vec::new(),
                deadline_seconds: 1,
            },
            way: Way::PostgreSql {
                administrator: "postgres".into(),
            },
            users: ["alice", "bob", "carol"].map(user).into(),
        };
        let found = [
            ("alice", vec![]),
            ("bob", vec!["password".to_owned()]),
            ("dave", vec![]),
            ("eve", vec![]),
        ];
        let found = found
            .map(|(user, differs)| (user.to_owned(), differs))
            .into();
        let all = Due {
            make: vec!["carol".into()],
            change: vec![("bob".into(), vec!["password".into()])],
            remove: vec!["dave".into(), "eve".into()],
        };
        assert_eq!(due(&accounts, &found, |_| true), all);
        let some = Due {
            remove: vec!["eve".into()],
            ..Due::default()
        };
        let looked_at = ["alice", "eve"];
        assert_eq!(
            due(&accounts, &found, |user| looked_at.contains(&user)),
            some
        );
    }
}
