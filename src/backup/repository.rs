//! A repository as we use it: which backups are in it, whether it is whole, and whose it is.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use super::manifest::{FILE, FORM, Manifest};
use super::restic::Restic;
use crate::error::Failure;
use crate::spec::names::DeploymentName;

/// The tag of snapshots that are backups of a deployment.
pub const TAG: &str = "dtaas";
/// The tag of those that hold a library outside of its deployment.
pub const LIBRARY_TAG: &str = "dtaas-library";

/// A backup in a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its name: 64 hexadecimal digits, of which the first eight do.
    pub id: String,
    /// When it was made (RFC 3339).
    pub time: String,
    /// What it is marked with.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The deployment's name: what it was told its host is.
    #[serde(default)]
    pub hostname: String,
}

impl Snapshot {
    /// The first eight digits of its name.
    pub fn short(&self) -> &str {
        self.id.get(..8).unwrap_or(&self.id)
    }

    /// When it was made, in whole seconds (RFC 3339).
    pub fn when(&self) -> String {
        OffsetDateTime::parse(&self.time, &Rfc3339)
            .ok()
            .and_then(|time| time.to_offset(UtcOffset::UTC).replace_nanosecond(0).ok())
            .and_then(|time| time.format(&Rfc3339).ok())
            .unwrap_or_else(|| self.time.clone())
    }

    /// The deployment that it is of.
    pub fn deployment(&self) -> &str {
        &self.hostname
    }
}

impl Restic {
    /// All backups of deployments, the oldest first.
    ///
    /// # Errors
    /// When the repository is not there, does not open, or holds snapshots and none is ours.
    pub async fn backups(&self) -> anyhow::Result<Vec<Snapshot>> {
        let doing = "reading the list of snapshots";
        let text = self
            .must(doing, &["snapshots", "--no-lock", "--json"])
            .await?;
        let all: Vec<Snapshot> = serde_json::from_str(text.trim()).map_err(|error| {
            anyhow::Error::new(error).context(Failure::new(format!("{doing} failed")))
        })?;
        let any = !all.is_empty();
        let mut ours: Vec<Snapshot> = all
            .into_iter()
            .filter(|snapshot| snapshot.tags.iter().any(|tag| tag == TAG))
            .collect();
        // As times, for each is written in the zone where it was made.
        ours.sort_by_key(|one| {
            OffsetDateTime::parse(&one.time, &Rfc3339)
                .map_or(0, OffsetDateTime::unix_timestamp_nanos)
        });
        if any && ours.is_empty() {
            return Err(Failure::new(format!(
                "what is in {} was not made by dtaas backup",
                self.repository()
            ))
            .hint("give each its own repository; nothing was changed")
            .into());
        }
        Ok(ours)
    }

    /// Those of one deployment.
    ///
    /// # Errors
    /// Those of [`Self::backups`], and when there are backups, and none is of this deployment.
    pub async fn backups_of(&self, name: &DeploymentName) -> anyhow::Result<Vec<Snapshot>> {
        let all = self.backups().await?;
        let others: BTreeSet<String> = all.iter().map(|one| one.deployment().to_owned()).collect();
        let own: Vec<Snapshot> = all
            .into_iter()
            .filter(|snapshot| snapshot.deployment() == name.as_str())
            .collect();
        match own.is_empty() && !others.is_empty() {
            true => Err(Failure::new(format!(
                "{} holds backups of {}, and none of {name}",
                self.repository(),
                others.into_iter().collect::<Vec<_>>().join(" and ")
            ))
            .hint("give each deployment its own repository; nothing was changed")
            .into()),
            false => Ok(own),
        }
    }

    /// Makes the repository, where there is none. `is_first` is whether no backup of the deployment was ever made.
    ///
    /// # Errors
    /// When something else is there.
    pub async fn prepare(&self, is_first: bool) -> anyhow::Result<bool> {
        let said = self.run(&["cat", "config", "--no-lock"], None).await?;
        if said.code == Some(0) {
            // What a run that was killed has left; restic takes no lock away that somebody holds.
            self.must("taking stale locks away", &["unlock"]).await?;
            return Ok(false);
        }
        if !self.is_absent(&said) {
            return Err(self.failed("opening the repository", &said));
        }
        if let Some(directory) = self.repository().directory()
            && std::fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some())
        {
            return Err(Failure::new(format!(
                "{} is not empty, and no repository of backups",
                directory.display()
            ))
            .hint("name an empty directory, or one that is to be made; nothing was changed")
            .into());
        }
        // The disk that it is on may not be mounted, and this one would fill up.
        if !is_first
            && self
                .repository()
                .directory()
                .is_some_and(|place| !place.exists())
        {
            return Err(Failure::new(format!(
                "there were backups of this deployment, and {} is not there",
                self.repository()
            ))
            .hint("mount its disk; for a new repository make that directory yourself")
            .into());
        }
        let said = self.run(&["init"], None).await?;
        if said.code != Some(0) {
            return Err(self.went_wrong("making the repository", &said));
        }
        Ok(true)
    }

    /// Reads all that is in the repository, and fails unless it is whole.
    pub async fn check(&self) -> anyhow::Result<()> {
        // Only what it says of a repository that opens is about damage.
        let opened = self.run(&["cat", "config", "--no-lock"], None).await?;
        if opened.code != Some(0) {
            return Err(self.failed("opening the repository", &opened));
        }
        let said = self
            .run(&["check", "--read-data", "--no-lock"], None)
            .await?;
        if said.code == Some(0) {
            return Ok(());
        }
        let first = said
            .err
            .lines()
            .map(str::trim)
            .find(|line| !line.is_empty());
        let first: String = first
            .unwrap_or("restic check failed")
            .chars()
            .take(200)
            .collect();
        Err(Failure::new(format!(
            "the repository {} is damaged: {first}",
            self.repository()
        ))
        .hint("restore from another copy of it; what restic can still save is in its manual, \"Troubleshooting\". Nothing was changed")
        .into())
    }

    /// The backup that is named by the beginning of its name, or the newest.
    ///
    /// # Errors
    /// When there is none, or not exactly one that could be meant.
    pub async fn backup(&self, named: Option<&str>) -> anyhow::Result<Snapshot> {
        let all = self.backups().await?;
        let place = self.repository();
        let Some(named) = named else {
            let names: BTreeSet<&str> = all.iter().map(Snapshot::deployment).collect();
            if names.len() > 1 {
                let names: Vec<&str> = names.into_iter().collect();
                return Err(Failure::usage(format!(
                    "{place} holds backups of {}",
                    names.join(" and ")
                ))
                .hint("say which snapshot: `dtaas backup list --to …` of each deployment, or `restic snapshots`")
                .into());
            }
            return all.last().cloned().ok_or_else(|| {
                Failure::new(format!("there is no backup in {place} yet"))
                    .hint("look for a typing error; nothing was changed")
                    .into()
            });
        };
        let mut meant = all
            .iter()
            .filter(|one| named.len() >= 4 && one.id.starts_with(named));
        match (meant.next(), meant.next()) {
            (Some(one), None) => Ok(one.clone()),
            (None, _) | (Some(_), Some(_)) => Err(Failure::usage(format!(
                "{named:?} names no backup in {place}"
            ))
            .hint(match all.last() {
                Some(last) => format!("the newest is {}, of {}", last.short(), last.when()),
                None => "there is none yet".to_owned(),
            })
            .into()),
        }
    }

    /// What a backup says of itself.
    ///
    /// # Errors
    /// When it says nothing, or what only a newer program understands.
    pub async fn manifest(&self, snapshot: &Snapshot) -> anyhow::Result<Manifest> {
        let arguments = ["dump", "--no-lock", &snapshot.id, &format!("/{FILE}")];
        let foreign = || {
            Failure::new(format!(
                "snapshot {} in {} was not made by dtaas backup",
                snapshot.short(),
                self.repository()
            ))
            .hint("nothing was changed")
        };
        let said = self.run(&arguments, None).await?;
        if said.code != Some(0) {
            return Err(foreign().into());
        }
        let form: Form = serde_json::from_str(&said.out)
            .map_err(|error| anyhow::Error::new(error).context(foreign()))?;
        if form.form != FORM {
            return Err(Failure::new(format!(
                "snapshot {} is of form {}, and this program knows {FORM}",
                snapshot.short(),
                form.form
            ))
            .hint("restore it with the version of dtaas that made it, or a newer one")
            .into());
        }
        let manifest: Manifest = serde_json::from_str(&said.out)
            .map_err(|error| anyhow::Error::new(error).context(foreign()))?;
        match manifest.deployment.as_str() == snapshot.deployment() {
            true => Ok(manifest),
            false => Err(foreign().into()),
        }
    }
}

/// The part that every form has.
#[derive(Deserialize)]
struct Form {
    form: u32,
}
