//! RabbitMQ's accounts: a user and a virtual host of the same name, which is the user's alone. By its management interface ("RabbitMQ
//! Management HTTP API", as it comes with the server).

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use super::client::Client;
use super::somebody_elses;
use crate::platform::accounts::Account;
use crate::platform::services::rabbitmq::{HASHING, password_hash};
use crate::spec::names::UserName;

/// Marks accounts that are ours; it gives no rights by itself.
const OURS: &str = "dtaas-user";
/// Lets a user look at their own virtual host in the management page.
const MAY_LOOK: &str = "management";

#[derive(Deserialize)]
struct User {
    name: String,
    password_hash: String,
    hashing_algorithm: Option<String>,
    tags: Tags,
}

/// A list from 3.9 on, before that a text with commas.
#[derive(Deserialize)]
#[serde(untagged)]
enum Tags {
    List(Vec<String>),
    Text(String),
}

impl Tags {
    fn all(&self) -> BTreeSet<&str> {
        match self {
            Tags::List(tags) => tags.iter().map(String::as_str).collect(),
            Tags::Text(text) => text.split(',').filter(|tag| !tag.is_empty()).collect(),
        }
    }
}

#[derive(Deserialize)]
struct VirtualHost {
    name: String,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Deserialize, PartialEq)]
struct Permission {
    user: String,
    vhost: String,
    configure: String,
    write: String,
    read: String,
}

/// The tags of an account.
fn tags(account: &Account) -> &'static [&'static str] {
    match account.open {
        true => &[MAY_LOOK, OURS],
        false => &[OURS],
    }
}

/// Its interface.
pub(super) struct RabbitMq<'a>(pub(super) Client<'a>);

impl RabbitMq<'_> {
    /// The accounts that are ours, and what of them differs.
    pub(super) async fn look(
        &self,
        wanted: &BTreeMap<UserName, Account>,
    ) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
        let (users, hosts, permissions) = tokio::try_join!(
            self.0.get::<Vec<User>>("/api/users"),
            self.0.get::<Vec<VirtualHost>>("/api/vhosts?columns=name"),
            self.0.get::<Vec<Permission>>("/api/permissions"),
        )?;
        let hosts: BTreeSet<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
        let allowed: BTreeSet<&str> = permissions
            .iter()
            .filter(|one| one.user == one.vhost && one.is_all())
            .map(|one| one.user.as_str())
            .collect();
        let ours = users.iter().filter(|user| user.tags.all().contains(OURS));
        Ok(ours
            .map(|user| {
                let name = user.name.as_str();
                let wanted = wanted.iter().find(|(known, _)| known.as_str() == name);
                let differs = wanted.map(|(_, account)| {
                    let parts = [
                        ("password", !user.has_password(account)),
                        (
                            "rights",
                            user.tags.all() != tags(account).iter().copied().collect(),
                        ),
                        ("virtual host", !hosts.contains(name)),
                        ("permissions", !allowed.contains(name)),
                    ];
                    let parts = parts.into_iter().filter(|(_, differs)| *differs);
                    parts.map(|(part, _)| part.to_owned()).collect()
                });
                (user.name.clone(), differs.unwrap_or_default())
            })
            .collect())
    }

    /// Makes an account, or sets right what differs of it. Who was logged in with another password, or may not be any more, is put out.
    pub(super) async fn give(
        &self,
        name: &UserName,
        account: &Account,
        differs: Option<&[String]>,
    ) -> anyhow::Result<()> {
        if differs.is_none() {
            self.require_free(name).await?;
        }
        let what = json!({ "description": format!("{name}'s alone"), "tags": OURS });
        self.0.put(&format!("/api/vhosts/{name}"), &what).await?;
        let user = json!({
            // Without a hash nobody gets in by a password.
            "password_hash": match account.open {
                true => password_hash(account.password.expose(), rand::random()),
                false => String::new(),
            },
            "hashing_algorithm": HASHING,
            "tags": tags(account).join(","),
        });
        self.0.put(&format!("/api/users/{name}"), &user).await?;
        let all = json!({ "configure": ".*", "write": ".*", "read": ".*" });
        self.0
            .put(&format!("/api/permissions/{name}/{name}"), &all)
            .await?;
        match differs.into_iter().flatten().any(|part| part == "password") {
            true => self.put_out(name.as_str()).await,
            false => Ok(()),
        }
    }

    /// Removes an account and all that is in it. Who is logged in is put out. The user, who bears the mark, goes last: half done it is
    /// found again.
    pub(super) async fn take(&self, name: &str) -> anyhow::Result<()> {
        let closed = json!({ "password_hash": "", "hashing_algorithm": HASHING, "tags": OURS });
        self.0.put(&format!("/api/users/{name}"), &closed).await?;
        self.put_out(name).await?;
        self.0.delete(&format!("/api/vhosts/{name}")).await?;
        self.0.delete(&format!("/api/users/{name}")).await
    }

    /// Fails where the name is somebody else's: a user without our mark, or a virtual host without it, which is not from a run that was
    /// broken off.
    async fn require_free(&self, name: &UserName) -> anyhow::Result<()> {
        let (users, hosts) = tokio::try_join!(
            self.0.get::<Vec<User>>("/api/users"),
            self.0
                .get::<Vec<VirtualHost>>("/api/vhosts?columns=name,tags"),
        )?;
        let taken = |what| somebody_elses(self.0.service(), what, name.as_str());
        if users.iter().any(|user| user.name == name.as_str()) {
            return Err(taken("a user"));
        }
        let mut hosts = hosts.iter();
        match hosts.find(|host| host.name == name.as_str()) {
            Some(host) if !host.tags.iter().any(|tag| tag == OURS) => Err(taken("a virtual host")),
            Some(_) | None => Ok(()),
        }
    }

    async fn put_out(&self, name: &str) -> anyhow::Result<()> {
        self.0
            .delete(&format!("/api/connections/username/{name}"))
            .await
    }
}

impl Permission {
    fn is_all(&self) -> bool {
        [&self.configure, &self.write, &self.read]
            .iter()
            .all(|pattern| *pattern == ".*")
    }
}

impl User {
    /// Whether its hash is the password's; of a closed account, whether it has none.
    fn has_password(&self, account: &Account) -> bool {
        if !account.open {
            return self.password_hash.is_empty();
        }
        let salt = STANDARD.decode(&self.password_hash).ok();
        let salt = salt.and_then(|hash| hash.get(..4)?.try_into().ok());
        self.hashing_algorithm.as_deref() == Some(HASHING)
            && salt.is_some_and(|salt: [u8; 4]| {
                password_hash(account.password.expose(), salt) == self.password_hash
            })
    }
}
