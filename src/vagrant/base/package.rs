//! The packed box: made, added to Vagrant's boxes, and tried.

use std::path::Path;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::guest::Guest;
use super::software::words;
use super::{AtWork, Source, answers, key_pair};
use crate::error::Failure;
use crate::spec::quantity::Bytes;
use crate::vagrant::machine::{MadeBy, Ports, Provider, VirtualBox, VirtualMachine};
use crate::vagrant::{boxes, destroy, ssh_config, up};

/// What a box says of itself; `vagrant box list -i` shows it.
const INFO: &str = "info.json";
/// Tells our boxes from those of others.
const MADE_BY: &str = "dtaas box build";
/// Where the machine lies that the box is tried with.
const TRIAL: &str = "check";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Info {
    description: String,
    made_by: String,
    /// The box that it was made of.
    base: String,
    software: String,
    /// The fingerprint of the key that it answers to.
    key: String,
    /// When; tells one packing from the next.
    built: String,
}

impl AtWork<'_> {
    /// Whether what is wanted now lies there, packed. `info.json` is written while no packed box is there, so the two belong together.
    pub(super) fn is_packed(&self) -> anyhow::Result<bool> {
        if self.tree.stat(&self.build.package())?.is_none() {
            return Ok(false);
        }
        let Some(found) = self.info()? else {
            return Ok(false);
        };
        let Some(public) = self.tree.read(Path::new(key_pair::PUBLIC))? else {
            return Ok(false);
        };
        let key = super::authorized_keys::PublicKey::parse(&String::from_utf8_lossy(&public))?;
        let wanted = self.wanted_info(key.fingerprint(), found.built.clone());
        Ok(found == wanted)
    }

    fn info(&self) -> anyhow::Result<Option<Info>> {
        let text = self.tree.read(Path::new(INFO))?;
        // One that cannot be read is none: the box is packed anew.
        Ok(text.and_then(|text| serde_json::from_slice(&text).ok()))
    }

    fn wanted_info(&self, key: String, built: String) -> Info {
        let base = match &self.build.source {
            Source::VirtualBox { base, .. } => base,
            Source::Docker(docker) => &docker.image,
        };
        Info {
            description: "Base box of the Digital-Twin-as-a-Service platform".to_owned(),
            made_by: MADE_BY.to_owned(),
            base: base.clone(),
            software: words(&self.build.software).join(", "),
            key,
            built,
        }
    }

    /// Packs the base machine.
    pub(super) async fn pack(&self) -> anyhow::Result<()> {
        let package = self.build.package();
        let new = format!("{}.new", package.display());
        for left in [package.as_path(), Path::new(&new)] {
            self.tree.remove(left)?;
        }
        let built = OffsetDateTime::now_utc().format(&Rfc3339)?;
        let info = self.wanted_info(self.own_key().await?.fingerprint(), built);
        let text = serde_json::to_string_pretty(&info)? + "\n";
        self.tree.write(Path::new(INFO), 0o644, text.as_bytes())?;
        // By its name in VirtualBox, and not by Vagrant's: then Vagrant does not put the private key into the box.
        let machine = self.build.machine()?;
        let arguments = [
            "package",
            "--base",
            machine.hostname.as_str(),
            "--info",
            INFO,
            "--output",
            &new,
        ];
        self.vagrant()?.follow(&arguments, self.watch).await?;
        self.tree.rename(Path::new(&new), &package)
    }

    /// Whether Vagrant has this very box.
    pub(super) async fn is_added(&self) -> anyhow::Result<bool> {
        let Some(info) = self.info()? else {
            return Ok(false);
        };
        let there = boxes(&self.vagrant()?).await?;
        Ok(there.iter().any(|one| {
            one.is(&self.build.name, Provider::VirtualBox)
                && one.info("built") == Some(info.built.as_str())
        }))
    }

    /// Adds the box, in place of an older one of ours.
    pub(super) async fn add(&self) -> anyhow::Result<()> {
        let name = self.build.name.as_str();
        let vagrant = self.vagrant()?;
        let there = boxes(&vagrant).await?;
        let older = there.iter().find(|one| one.is(name, Provider::VirtualBox));
        let force = match older.map(|older| older.info("made_by")) {
            None => false,
            Some(Some(MADE_BY)) => true,
            Some(_) => {
                return Err(Failure::new(format!(
                    "Vagrant has a box {name} for virtualbox that `dtaas box build` did not make"
                ))
                .hint(format!(
                    "choose another name with --name, or take that box away: vagrant box remove {name} --provider virtualbox"
                ))
                .into());
            }
        };
        let package = Path::new(".").join(self.build.package());
        let package = package.display().to_string();
        let mut arguments = vec!["box", "add", "--name", name];
        arguments.extend(force.then_some("--force"));
        arguments.push(&package);
        vagrant.follow(&arguments, self.watch).await
    }

    /// Makes a machine of the box, asks it which keys it answers to, and takes it away.
    pub(super) async fn check(&self) -> anyhow::Result<()> {
        let directory = self.path(TRIAL);
        let own = self.path(key_pair::PRIVATE);
        // One that an earlier run left may be of an older box.
        destroy(&directory, self.watch).await?;
        let machine = VirtualMachine {
            name: TRIAL.into(),
            hostname: format!("{}-check", self.build.name).parse()?,
            private_key: Some(own.clone()),
            ports: Ports::default(),
            made_by: MadeBy::VirtualBox(VirtualBox {
                base: self.build.name.clone(),
                memory: Bytes(2 << 30),
                cpus: 2,
                mac: None,
                bridge: None,
            }),
            software: Vec::new(),
        };
        up(&directory, &[machine], self.watch).await?;
        let guest = Guest::new(ssh_config(&directory, TRIAL).await?, &own)?;
        // What is packed stays as it is, whatever becomes of the base machine.
        let mended = format!(
            ", in the base machine (`vagrant up` and `vagrant ssh` in {}); remove {}, then run this again",
            self.directory.display(),
            self.path(self.build.package()).display()
        );
        let verified = answers::verify(&guest, &own, &self.tree, &mended).await;
        let destroyed = destroy(&directory, self.watch).await;
        // What it answers to matters more than that it is still there, which the next run finds.
        verified?;
        destroyed?;
        std::fs::remove_dir_all(&directory)?;
        Ok(())
    }
}
