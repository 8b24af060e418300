//! InfluxDB's accounts: a bucket of the user's name, and a token that is good for it and nothing else. By its interface ("InfluxDB OSS v2
//! API"), which makes the token itself: nobody can choose it, and from 2.9 on nobody but whoever made it is told of it, once. Which one it
//! is stands in its description, as a digest.

use std::collections::BTreeMap;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::Client;
use super::somebody_elses;
use crate::error::Failure;
use crate::platform::accounts::Account;
use crate::platform::desired::sha256;
use crate::platform::services::influxdb::ORGANISATION;
use crate::secrets::Secret;
use crate::spec::names::UserName;

/// What the description of a bucket is that is ours, and what that of a token begins with; the user's name and the token's digest follow.
const OURS: &str = "dtaas-user";
/// How many buckets are asked for at a time; there are no larger pages.
const PAGE: usize = 100;

#[derive(Deserialize)]
struct Organisations {
    orgs: Vec<Organisation>,
}

#[derive(Deserialize)]
struct Organisation {
    id: String,
}

#[derive(Deserialize)]
struct Buckets {
    buckets: Vec<Bucket>,
}

#[derive(Deserialize)]
struct Bucket {
    id: String,
    name: String,
    description: Option<String>,
}

#[derive(Deserialize)]
struct Authorizations {
    authorizations: Vec<Authorization>,
}

#[derive(Deserialize)]
struct Authorization {
    id: String,
    status: String,
    #[serde(default)]
    description: String,
    permissions: Vec<Permission>,
}

/// One that was made just now.
#[derive(Deserialize)]
struct Made {
    id: String,
    token: Secret,
}

/// What a token is described as: before it is known, and then.
fn description(user: &str, token: Option<&Secret>) -> String {
    match token {
        None => format!("{OURS} {user}"),
        Some(token) => {
            let digest = sha256(token.expose());
            format!("{OURS} {user} {}", &digest[..16])
        }
    }
}

#[derive(Deserialize)]
struct Permission {
    action: String,
    resource: Resource,
}

#[derive(Deserialize)]
struct Resource {
    #[serde(rename = "type")]
    kind: String,
    id: Option<String>,
}

impl Bucket {
    fn is_ours(&self) -> bool {
        self.description.as_deref() == Some(OURS)
    }
}

impl Authorization {
    /// Whose it is, where it is ours.
    fn user(&self) -> Option<&str> {
        let rest = self.description.strip_prefix(OURS)?.strip_prefix(' ')?;
        rest.split(' ').next()
    }

    fn is_of(&self, user: &str, token: &Secret) -> bool {
        self.description == description(user, Some(token))
    }

    fn is_open(&self) -> bool {
        self.status == "active"
    }

    /// Whether it is good for reading and writing a bucket, and for nothing else.
    fn is_for(&self, bucket: &Bucket) -> bool {
        let mut actions: Vec<&str> = self
            .permissions
            .iter()
            .map(|permission| permission.action.as_str())
            .collect();
        actions.sort_unstable();
        actions == ["read", "write"]
            && self.permissions.iter().all(|permission| {
                let resource = &permission.resource;
                resource.kind == "buckets" && resource.id.as_deref() == Some(bucket.id.as_str())
            })
    }
}

/// What there is.
struct Found {
    organisation: String,
    buckets: Vec<Bucket>,
    authorizations: Vec<Authorization>,
}

impl Found {
    fn bucket(&self, name: &str) -> Option<&Bucket> {
        self.buckets.iter().find(|bucket| bucket.name == name)
    }

    fn of<'a>(&'a self, user: &'a str) -> impl Iterator<Item = &'a Authorization> {
        let all = self.authorizations.iter();
        all.filter(move |authorization| authorization.user() == Some(user))
    }

    /// The only one of a user, when it is what it should be but for being open.
    fn good<'a>(&'a self, user: &'a str, account: &Account) -> Option<&'a Authorization> {
        let mut all = self.of(user);
        let (one, None) = (all.next()?, all.next()) else {
            return None;
        };
        let bucket = self.bucket(user).filter(|bucket| bucket.is_ours())?;
        let token = account.token.as_ref();
        let is_known = token.is_some_and(|token| one.is_of(user, token));
        (is_known && one.is_for(bucket)).then_some(one)
    }
}

/// Its interface.
pub(super) struct InfluxDb<'a>(pub(super) Client<'a>);

impl InfluxDb<'_> {
    /// The accounts that are ours, and what of them differs.
    pub(super) async fn look(
        &self,
        wanted: &BTreeMap<UserName, Account>,
    ) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
        let found = self.find().await?;
        let buckets = found.buckets.iter().filter(|bucket| bucket.is_ours());
        let buckets = buckets.map(|bucket| bucket.name.as_str());
        let users = found.authorizations.iter().filter_map(Authorization::user);
        let ours = buckets.chain(users).map(|user| {
            let account = wanted.iter().find(|(name, _)| name.as_str() == user);
            let differs = account.map(|(_, account)| {
                let good = found.good(user, account);
                let bucket = found.bucket(user).filter(|bucket| bucket.is_ours());
                let parts = [
                    ("bucket", bucket.is_none()),
                    ("token", good.is_none()),
                    (
                        "rights",
                        good.is_some_and(|good| good.is_open() != account.open),
                    ),
                ];
                let parts = parts.into_iter().filter(|(_, differs)| *differs);
                parts.map(|(part, _)| part.to_owned()).collect()
            });
            (user.to_owned(), differs.unwrap_or_default())
        });
        Ok(ours.collect())
    }

    /// Makes an account, or sets right what differs of it. Answers the token where a new one was made; an older one opens nothing then.
    pub(super) async fn give(
        &self,
        name: &UserName,
        account: &Account,
        differs: Option<&[String]>,
    ) -> anyhow::Result<Option<Secret>> {
        let found = self.find().await?;
        let user = name.as_str();
        let status = match account.open {
            true => "active",
            false => "inactive",
        };
        if let Some(good) = found.good(user, account) {
            let path = format!("/api/v2/authorizations/{}", good.id);
            let body = json!({ "status": status });
            self.0.send(Method::PATCH, &path, &body).await?;
            return Ok(None);
        }
        let bucket = match found.bucket(user) {
            Some(bucket) if bucket.is_ours() || differs.is_some() => bucket.id.clone(),
            Some(_) => return Err(somebody_elses(self.0.service(), "a bucket", user)),
            None => self.make_bucket(user, &found.organisation).await?,
        };
        if found.bucket(user).is_some_and(|bucket| !bucket.is_ours()) {
            let path = format!("/api/v2/buckets/{bucket}");
            let body = json!({ "description": OURS });
            self.0.send(Method::PATCH, &path, &body).await?;
        }
        for old in found.of(user) {
            self.remove(old).await?;
        }
        let permission = |action: &str| {
            json!({
                "action": action,
                "resource": { "type": "buckets", "id": bucket, "orgID": found.organisation },
            })
        };
        let body = json!({
            "orgID": found.organisation,
            "description": description(user, None),
            "status": status,
            "permissions": [permission("read"), permission("write")],
        });
        let Made { id, token } = self.0.post("/api/v2/authorizations", &body).await?;
        let body = json!({ "description": description(user, Some(&token)) });
        let path = format!("/api/v2/authorizations/{id}");
        self.0.send(Method::PATCH, &path, &body).await?;
        Ok(Some(token))
    }

    /// Removes an account and all that is in its bucket: the door first.
    pub(super) async fn take(&self, name: &str) -> anyhow::Result<()> {
        let found = self.find().await?;
        for authorization in found.of(name) {
            self.remove(authorization).await?;
        }
        match found.bucket(name).filter(|bucket| bucket.is_ours()) {
            Some(bucket) => {
                let path = format!("/api/v2/buckets/{}", bucket.id);
                self.0.delete(&path).await
            }
            None => Ok(()),
        }
    }

    async fn remove(&self, authorization: &Authorization) -> anyhow::Result<()> {
        let path = format!("/api/v2/authorizations/{}", authorization.id);
        self.0.delete(&path).await
    }

    async fn make_bucket(&self, user: &str, organisation: &str) -> anyhow::Result<String> {
        let body: Value = json!({
            "orgID": organisation,
            "name": user,
            "description": OURS,
            "retentionRules": [],
        });
        let bucket: Bucket = self.0.post("/api/v2/buckets", &body).await?;
        Ok(bucket.id)
    }

    async fn find(&self) -> anyhow::Result<Found> {
        let path = format!("/api/v2/orgs?org={ORGANISATION}");
        let Organisations { orgs } = self.0.get(&path).await?;
        let Some(Organisation { id }) = orgs.into_iter().next() else {
            return Err(Failure::new(format!(
                "{}: there is no organisation {ORGANISATION}",
                self.0.service()
            ))
            .hint("it was set up by somebody else: give it fresh data, or make that organisation there")
            .into());
        };
        let path = format!("/api/v2/authorizations?orgID={id}");
        let (buckets, authorizations) =
            tokio::try_join!(self.buckets(&id), self.0.get::<Authorizations>(&path),)?;
        Ok(Found {
            organisation: id,
            buckets,
            authorizations: authorizations.authorizations,
        })
    }

    async fn buckets(&self, organisation: &str) -> anyhow::Result<Vec<Bucket>> {
        let mut all: Vec<Bucket> = Vec::new();
        loop {
            let mut path = format!("/api/v2/buckets?orgID={organisation}&limit={PAGE}");
            if let Some(last) = all.last() {
                path += &format!("&after={}", last.id);
            }
            let Buckets { buckets } = self.0.get(&path).await?;
            let is_last = buckets.len() < PAGE;
            all.extend(buckets);
            if is_last {
                return Ok(all);
            }
        }
    }
}
