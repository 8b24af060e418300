//! Grafana's accounts: a login, and an organisation that is the user's alone, for whoever is in one can query all of its data sources
//! (Grafana, "Data source management"). By its HTTP API.

mod source;

use std::collections::BTreeMap;

use futures_util::{StreamExt, TryStreamExt};
use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::client::{Client, Refused};
use super::{SIDE_BY_SIDE, somebody_elses};
use crate::error::Failure;
use crate::machine::docker::Engine;
use crate::platform::accounts::{Account, DataSource, Endpoint};
use crate::spec::names::UserName;

/// What the names of organisations begin with that are ours; the user's name follows.
const OURS: &str = "DTaaS: ";
/// How many are asked for at a time.
const PAGE: usize = 1000;
/// What a user may do in their organisation: everything but rename it, and let others in.
const ROLE: &str = "Editor";
/// The organisation that every Grafana has.
const MAIN: u64 = 1;

#[derive(Deserialize)]
struct User {
    id: u64,
    login: String,
}

#[derive(Deserialize)]
struct Named {
    id: u64,
}

#[derive(Deserialize)]
struct Organisation {
    id: u64,
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewOrganisation {
    org_id: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Member {
    user_id: u64,
    login: String,
    role: String,
}

/// Its interface.
pub(super) struct Grafana<'a> {
    pub(super) client: Client<'a>,
    pub(super) engine: &'a Engine,
    pub(super) administrator: &'a Endpoint,
    pub(super) path: &'a str,
    pub(super) source: Option<&'a DataSource>,
}

impl Grafana<'_> {
    /// The accounts that are ours, and what of them differs.
    pub(super) async fn look(
        &self,
        wanted: &BTreeMap<UserName, Account>,
    ) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
        // Asked once, and not by all at a time: after five wrong passwords Grafana takes none for minutes.
        self.client.get::<Value>(&self.at("org")).await?;
        let (users, organisations) = tokio::try_join!(
            self.pages::<User>("users", 1),
            self.pages::<Organisation>("orgs", 0)
        )?;
        let users: BTreeMap<&str, &User> = users
            .iter()
            .map(|user| (user.login.as_str(), user))
            .collect();
        let ours = organisations.iter().filter_map(|organisation| {
            let user = organisation.name.strip_prefix(OURS)?;
            Some((user, organisation.id))
        });
        let looks = ours.map(|(name, organisation)| {
            let account = wanted.iter().find(|(known, _)| known.as_str() == name);
            let user = users.get(name).copied();
            async move {
                let differs = match account {
                    Some((_, account)) => self.differs(name, account, user, organisation).await?,
                    None => Vec::new(),
                };
                anyhow::Ok((name.to_owned(), differs))
            }
        });
        futures_util::stream::iter(looks)
            .buffer_unordered(SIDE_BY_SIDE)
            .try_collect()
            .await
    }

    async fn differs(
        &self,
        name: &str,
        account: &Account,
        user: Option<&User>,
        organisation: u64,
    ) -> anyhow::Result<Vec<String>> {
        let Some(user) = user else {
            return Ok(vec!["login".to_owned()]);
        };
        let members = self.members(organisation).await?;
        let role = members.iter().find(|member| member.user_id == user.id);
        let who = self.at("user");
        let enters = self.client.lets_in(&who, name, &account.password).await?;
        let parts = [
            ("password", enters != account.open),
            ("rights", role.is_none_or(|one| one.role != ROLE)),
            (
                "data source",
                self.source_differs(name, account, organisation).await?,
            ),
        ];
        let parts = parts.into_iter().filter(|(_, differs)| *differs);
        Ok(parts.map(|(part, _)| part.to_owned()).collect())
    }

    /// Makes an account, or sets right what differs of it. Who was in with another password, or may not be any more, is put out.
    pub(super) async fn give(
        &self,
        name: &UserName,
        account: &Account,
        differs: Option<&[String]>,
    ) -> anyhow::Result<()> {
        let user = name.as_str();
        let found = self.user(user).await?;
        let organisation = self.organisation(user).await?;
        if differs.is_none() && found.is_some() {
            return Err(somebody_elses(self.client.service(), "a user", user));
        }
        // It bears the mark, and so comes first.
        let organisation = match organisation {
            Some(id) => id,
            None => {
                let body = json!({ "name": organisation_of(user) });
                let made: NewOrganisation = self.client.post(&self.at("orgs"), &body).await?;
                made.org_id
            }
        };
        // Grafana disables nobody whom the gateway has brought (they count as external): who may not enter has a password that nobody is told.
        let password = match account.open {
            true => account.password.clone(),
            false => account.password.derived("closed"),
        };
        let password = password.expose();
        let mut parts = differs.into_iter().flatten();
        let id = match found {
            None => self.make_user(user, password, organisation).await?,
            Some(id) if parts.any(|part| part == "password") => {
                self.set_password(user, id, password, organisation).await?
            }
            Some(id) => id,
        };
        self.enroll(user, id, organisation).await?;
        if self.source_differs(user, account, organisation).await? {
            self.set_source(user, account, organisation).await?;
        }
        Ok(())
    }

    async fn make_user(
        &self,
        user: &str,
        password: &str,
        organisation: u64,
    ) -> anyhow::Result<u64> {
        let body = json!({
            "name": user,
            "login": user,
            "password": password,
            "OrgId": organisation,
        });
        let made: Named = self.client.post(&self.at("admin/users"), &body).await?;
        Ok(made.id)
    }

    /// Sets a user's password, and puts out who is in. Grafana sets none for whom the gateway has brought (they count as external): they are
    /// made anew, and their organisation stays with all that is in it. Answers the number that they have now.
    async fn set_password(
        &self,
        user: &str,
        id: u64,
        password: &str,
        organisation: u64,
    ) -> anyhow::Result<u64> {
        let path = self.at(&format!("admin/users/{id}"));
        let body = json!({ "password": password });
        let is_set = self
            .client
            .put_if_allowed(&format!("{path}/password"), &body)
            .await?;
        if is_set {
            self.put_out(id).await?;
            return Ok(id);
        }
        self.client.delete(&path).await?;
        self.make_user(user, password, organisation).await
    }

    /// Removes a login and its organisation, with all that is in it. The organisation, which bears the mark, goes last: half done it is
    /// found again.
    pub(super) async fn take(&self, name: &str) -> anyhow::Result<()> {
        let Some(organisation) = self.organisation(name).await? else {
            return Ok(());
        };
        let members = self.members(organisation).await?;
        if let Some(member) = members.iter().find(|member| member.login == name) {
            let path = self.at(&format!("admin/users/{}", member.user_id));
            self.client.delete(&path).await?;
        }
        // The administrator may have gone there in a browser, and nobody can remove the organisation that they are in.
        let path = self.at(&format!("orgs/{organisation}"));
        self.within(MAIN).delete(&path).await
    }

    /// Sees to it that the administrator's password is what we know it to be: where somebody changed it, or the data is older, it is set by
    /// Grafana's own program in its container, which is told by standard input.
    pub(super) async fn enter(&self) -> anyhow::Result<()> {
        let entered = self.client.get::<Value>(&self.at("org")).await;
        match entered {
            Err(error) if error.is::<Refused>() => {}
            other => return other.map(|_| ()),
        }
        let argv = [
            "grafana",
            "cli",
            "admin",
            "reset-admin-password",
            "--password-from-stdin",
        ];
        let container = self.client.service();
        let password = format!("{}\n", self.administrator.password.expose());
        let ended = self.engine.run_in(container, &argv, &password).await?;
        match ended.code {
            0 => Ok(()),
            _ => {
                let said: String = ended.err.chars().take(300).collect();
                Err(Failure::new(format!(
                    "{container}: the administrator's password cannot be set again: {}",
                    said.trim()
                ))
                .hint(format!(
                    "try it there: docker exec -it {container} {}",
                    argv.join(" ")
                ))
                .into())
            }
        }
    }

    fn at(&self, path: &str) -> String {
        format!("{}api/{path}", self.path)
    }

    fn within(&self, organisation: u64) -> Client<'_> {
        let id = organisation.to_string();
        self.client.with("X-Grafana-Org-Id", id)
    }

    /// All of a kind, whose pages are counted from `first` on: those of users from 1, those of organisations from 0.
    async fn pages<T: DeserializeOwned>(&self, what: &str, first: usize) -> anyhow::Result<Vec<T>> {
        let mut all = Vec::new();
        for page in first.. {
            let path = self.at(&format!("{what}?perpage={PAGE}&page={page}"));
            let found: Vec<T> = self.client.get(&path).await?;
            let is_last = found.len() < PAGE;
            all.extend(found);
            if is_last {
                break;
            }
        }
        Ok(all)
    }

    async fn user(&self, login: &str) -> anyhow::Result<Option<u64>> {
        let path = self.at(&format!("users/lookup?loginOrEmail={login}"));
        let found: Option<Named> = self.client.find(&path).await?;
        Ok(found.map(|user| user.id))
    }

    async fn organisation(&self, user: &str) -> anyhow::Result<Option<u64>> {
        let name = organisation_of(user).replace(' ', "%20");
        let found: Option<Named> = self
            .client
            .find(&self.at(&format!("orgs/name/{name}")))
            .await?;
        Ok(found.map(|organisation| organisation.id))
    }

    async fn members(&self, organisation: u64) -> anyhow::Result<Vec<Member>> {
        let path = self.at(&format!("orgs/{organisation}/users"));
        self.client.get(&path).await
    }

    /// Has a user be in their organisation, with the rights there.
    async fn enroll(&self, user: &str, id: u64, organisation: u64) -> anyhow::Result<()> {
        let members = self.members(organisation).await?;
        let path = self.at(&format!("orgs/{organisation}/users"));
        match members.iter().find(|member| member.user_id == id) {
            Some(member) if member.role == ROLE => Ok(()),
            Some(_) => {
                let body = json!({ "role": ROLE });
                let path = format!("{path}/{id}");
                self.client.send(Method::PATCH, &path, &body).await
            }
            None => {
                let body = json!({ "loginOrEmail": user, "role": ROLE });
                self.client.send(Method::POST, &path, &body).await
            }
        }
    }

    async fn put_out(&self, id: u64) -> anyhow::Result<()> {
        let path = self.at(&format!("admin/users/{id}/logout"));
        self.client.send(Method::POST, &path, &json!({})).await
    }
}

fn organisation_of(user: &str) -> String {
    format!("{OURS}{user}")
}
