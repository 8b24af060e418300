//! Users' accounts at services that keep them themselves: how they stand, and what is done about it, over each service's own interface.

mod client;
mod rabbitmq;

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{StreamExt, TryStreamExt};

use crate::machine::observed::AccountsState;
use crate::machine::step::Step;
use crate::platform::accounts::Accounts;
use crate::platform::desired::{Component, Desired};
use crate::spec::names::UserName;
use client::Client;
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
pub async fn observe(desired: &Desired) -> BTreeMap<String, AccountsState> {
    let looks = desired.accounts.iter().map(|accounts| async move {
        let state = tokio::time::timeout(TO_LOOK, look(accounts)).await;
        let state = match state {
            Ok(Ok(found)) => AccountsState::Known(found),
            Ok(Err(error)) if error.is::<client::Refused>() => AccountsState::Refused,
            Ok(Err(_)) | Err(_) => AccountsState::Silent,
        };
        (accounts.container.clone(), state)
    });
    join_all(looks).await.into_iter().collect()
}

async fn look(accounts: &Accounts) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let client = Client::new(accounts)?;
    match accounts.component {
        Component::RabbitMq => RabbitMq(&client).look(&accounts.users).await,
        _ => Ok(BTreeMap::new()),
    }
}

/// Does what a step says; where it was made without knowing what the service has, all that is due.
///
/// # Errors
/// The first that there is. What was done for other users stays done.
pub async fn settle(accounts: &Accounts, step: &Step) -> anyhow::Result<()> {
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
    let found = look(accounts).await?;
    let named = |user: &str| {
        let changed = change.iter().map(|(user, _)| user);
        make.iter()
            .chain(changed)
            .chain(remove)
            .any(|one| one == user)
    };
    let due = due(accounts, &found, |user| *blind || named(user));
    let client = Client::new(accounts)?;
    let service = match accounts.component {
        Component::RabbitMq => RabbitMq(&client),
        _ => return Ok(()),
    };
    let (service, users) = (&service, &accounts.users);
    let given = due.make.iter().map(|user| (user, &[][..]));
    let given = given.chain(
        due.change
            .iter()
            .map(|(user, differs)| (user, &differs[..])),
    );
    let gives = given.filter_map(|(user, differs)| {
        let (name, account) = users.iter().find(|(name, _)| name.as_str() == user)?;
        Some(service.give(name, account, differs))
    });
    all(gives).await?;
    all(due.remove.iter().map(|user| service.take(user))).await
}

async fn all(
    work: impl Iterator<Item = impl Future<Output = anyhow::Result<()>>>,
) -> anyhow::Result<()> {
    futures_util::stream::iter(work)
        .buffer_unordered(SIDE_BY_SIDE)
        .try_collect()
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::accounts::{Account, Endpoint};
    use crate::platform::desired::Probe;
    use crate::secrets::Secret;

    #[test]
    fn what_is_due_is_the_difference_of_who_is_looked_at() {
        let account = Account {
            password: Secret::new("p"),
            open: true,
        };
        let user = |name: &str| (name.parse().unwrap(), account.clone());
        let accounts = Accounts {
            component: Component::RabbitMq,
            container: "rabbitmq".into(),
            ready: Probe {
                questions: Vec::new(),
                deadline_seconds: 1,
            },
            service: Endpoint {
                address: "127.0.0.1:1".parse().unwrap(),
                host: "localhost".into(),
                authority: String::new(),
                administrator: "dtaas".into(),
                password: Secret::new("a"),
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
