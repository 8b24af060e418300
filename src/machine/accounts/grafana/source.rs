//! The data source that leads from a user's organisation to their bucket in InfluxDB.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Grafana;
use crate::platform::accounts::Account;
use crate::platform::desired::hex;

/// What the data source of a user's bucket goes by, in each organisation.
const SOURCE: &str = "dtaas-influxdb";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Source {
    url: String,
    json_data: Value,
}

impl Grafana<'_> {
    async fn source(&self, organisation: u64) -> anyhow::Result<Option<Source>> {
        let path = self.at(&format!("datasources/uid/{SOURCE}"));
        self.within(organisation).find(&path).await
    }

    /// Whether a user's data source is not what it should be. Without a token there is none that it could have.
    pub(super) async fn source_differs(
        &self,
        user: &str,
        account: &Account,
        organisation: u64,
    ) -> anyhow::Result<bool> {
        let Some(wanted) = self.settings(user, account) else {
            return Ok(false);
        };
        let found = self.source(organisation).await?;
        Ok(found.is_none_or(|found| {
            Some(found.url.as_str()) != wanted["url"].as_str()
                || found.json_data != wanted["jsonData"]
        }))
    }

    pub(super) async fn set_source(
        &self,
        user: &str,
        account: &Account,
        organisation: u64,
    ) -> anyhow::Result<()> {
        let Some(wanted) = self.settings(user, account) else {
            return Ok(());
        };
        let within = self.within(organisation);
        let path = self.at("datasources");
        match self.source(organisation).await? {
            Some(_) => within.put(&format!("{path}/uid/{SOURCE}"), &wanted).await,
            None => within.send(Method::POST, &path, &wanted).await,
        }
    }

    /// A user's data source. What is secret in it cannot be read again: a digest of that says whether it is the same.
    fn settings(&self, user: &str, account: &Account) -> Option<Value> {
        let (source, token) = (self.source?, account.token.as_ref()?);
        let secrets = [token.expose(), source.authority.as_str()].concat();
        Some(json!({
            "name": "InfluxDB",
            "uid": SOURCE,
            "type": "influxdb",
            "access": "proxy",
            "url": source.url,
            "isDefault": true,
            "jsonData": {
                "version": "Flux",
                "organization": source.organisation,
                "defaultBucket": user,
                "tlsAuthWithCACert": true,
                "dtaas": hex(&Sha256::digest(secrets)),
            },
            "secureJsonData": {
                "token": token.expose(),
                "tlsCACert": source.authority,
            },
        }))
    }
}
