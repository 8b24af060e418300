//! `dtaas doctor`: what would stop this from working.

mod told;

use std::collections::BTreeMap;
use std::path::Path;

use clap::Args;
use futures_util::future::join_all;
use time::OffsetDateTime;

use super::cert::renew::Renew;
use super::interrupt::Interrupt;
use super::patience::Patience;
use super::reaching::Reaching;
use super::report::Report;
use super::run::Told;
use super::up::Up;
use crate::deployment::Deployment;
use crate::deployment::sites::Site;
use crate::doctor::machine::Examined;
use crate::doctor::{self, Finding, Fix, Severity};
use crate::error::Failure;
use crate::fleet::{self, Docker, Hand, How, Member};
use crate::machine::files::is_root;
use crate::ui;
use told::Diagnosis;

/// Find what stops the platform from working, or will, and say what to do about it: the engine, ports, names, the certificate, clocks,
/// room, the kernel, the packet filter, isolation tried from inside workspaces, images, virtual machines, the spec, and drift.
///
/// Exits with 1 when there is an error among what it found. Writes nothing without --fix.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Put right what can be put right without losing anyone's work, then look again.
    #[arg(long)]
    fix: bool,
    /// Give it as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    reaching: Reaching,
}

impl Doctor {
    /// Runs the command.
    pub async fn run(self, directory: &Path) -> anyhow::Result<()> {
        let interrupt = Interrupt::listen()?;
        let mut diagnosis = self.examine(directory, &interrupt).await?;
        let mut failed = Vec::new();
        // What does not answer may do so when all else is right: only then is it restarted.
        for restarts in [false, true] {
            let is_due = |fix: &Fix| matches!(fix, Fix::Restart { .. }) == restarts;
            let due = diagnosis.findings.iter().filter_map(|one| one.fix.as_ref());
            if self.fix && due.clone().any(is_due) {
                failed.extend(
                    self.mend(directory, &diagnosis, &is_due, &interrupt)
                        .await?,
                );
                diagnosis = self.examine(directory, &interrupt).await?;
            }
        }
        diagnosis.failed = failed;
        match self.json {
            true => ui::json(&diagnosis)?,
            false => ui::data(told::text(&diagnosis, self.fix)),
        }
        match diagnosis.count(Severity::Error) {
            0 => Ok(()),
            1 => Err(Failure::new("1 thing is wrong").into()),
            many => Err(Failure::new(format!("{many} things are wrong")).into()),
        }
    }

    /// Looks at everything.
    async fn examine(&self, directory: &Path, interrupt: &Interrupt) -> anyhow::Result<Diagnosis> {
        let mut diagnosis = Diagnosis::default();
        diagnosis.checks.push("spec".to_owned());
        let deployment = match Deployment::open(directory) {
            Ok(deployment) => deployment,
            Err(error) => {
                diagnosis.findings.push(Finding::of("spec", &error));
                return Ok(diagnosis);
            }
        };
        let here = deployment.sites.iter().any(Site::is_local);
        if here && !is_root() {
            diagnosis.findings.push(Finding::new(
                "engine",
                Severity::Error,
                "this machine and the deployment's secrets can be looked at by root alone",
                "sudo dtaas doctor",
            ));
            return Ok(diagnosis);
        }
        diagnosis
            .checks
            .extend(doctor::here::CHECKS.map(str::to_owned));
        let looked = interrupt.or(async { Ok(doctor::here::examine(&deployment).await) });
        diagnosis.findings.extend(looked.await?);
        self.machines(&deployment, interrupt, &mut diagnosis)
            .await?;
        diagnosis.findings.sort_by_key(|one| one.severity);
        Ok(diagnosis)
    }

    /// Has each machine looked at, side by side.
    async fn machines(
        &self,
        deployment: &Deployment,
        interrupt: &Interrupt,
        diagnosis: &mut Diagnosis,
    ) -> anyhow::Result<()> {
        let report = Report::new(self.json);
        let told = Told::by(&report);
        let mut members = self.reach(deployment, &told, interrupt).await?;
        let alone = fleet::is_alone(deployment);
        let local = deployment.sites.iter().filter(|site| site.is_local());
        let here = join_all(local.map(|site| async move {
            let examined = match deployment.desired_to_look(site) {
                Ok(desired) => Ok(doctor::machine::examine(desired).await),
                Err(error) => Err(error),
            };
            (site.name.clone(), examined)
        }));
        let stop = interrupt.wanted();
        let there = join_all(members.iter_mut().map(|member| {
            let desired = deployment.desired_to_look(member.site);
            let stop = stop.clone();
            async move {
                let examined = examine_there(member, desired, stop).await;
                (member.site.name.clone(), examined)
            }
        }));
        let looked = async { Ok(futures_util::future::join(here, there).await) };
        let (here, there) = interrupt.or(looked).await?;
        for (name, examined) in here.into_iter().chain(there) {
            let mut findings = match examined {
                Ok(examined) => {
                    for check in examined.checks {
                        if !diagnosis.checks.contains(&check) {
                            diagnosis.checks.push(check);
                        }
                    }
                    examined.findings
                }
                Err(error) => vec![Finding::of("machine", &error)],
            };
            for finding in &mut findings {
                finding.machine = (!alone).then(|| name.clone());
            }
            diagnosis.findings.extend(findings);
        }
        for note in deployment.take_notes() {
            let remedy = "see `dtaas plan`";
            diagnosis
                .findings
                .push(Finding::new("spec", Severity::Note, note, remedy));
        }
        Ok(())
    }

    /// The other machines.
    async fn reach<'a>(
        &self,
        deployment: &'a Deployment,
        told: &Told<'_>,
        interrupt: &Interrupt,
    ) -> anyhow::Result<Vec<Member<'a>>> {
        let others = deployment.sites.iter().filter(|site| !site.is_local());
        let how = How {
            // That there is none is a finding.
            docker: Docker::Spared,
            ..self.reaching.how()
        };
        fleet::reach(deployment, others, how, told, interrupt.wanted()).await
    }

    /// Does what is due of what can be done about what was found; answers with what could not.
    async fn mend(
        &self,
        directory: &Path,
        diagnosis: &Diagnosis,
        is_due: &dyn Fn(&Fix) -> bool,
        interrupt: &Interrupt,
    ) -> anyhow::Result<Vec<String>> {
        let mut failed = Vec::new();
        let deployment = Deployment::open(directory)?;
        let mut by_machine: BTreeMap<Option<&str>, Vec<Fix>> = BTreeMap::new();
        let mut of_all = Vec::new();
        for finding in &diagnosis.findings {
            let Some(fix) = finding.fix.as_ref().filter(|fix| is_due(fix)) else {
                continue;
            };
            let list = match fix.is_of_machine() {
                true => by_machine.entry(finding.machine.as_deref()).or_default(),
                false => &mut of_all,
            };
            if !list.contains(fix) {
                list.push(fix.clone());
            }
        }
        if !by_machine.is_empty() {
            let report = Report::new(false);
            let told = Told::by(&report);
            // Whoever else changes the platform just now does so first.
            let (_, lock) = self
                .patience
                .locked(directory, "dtaas doctor --fix", None, interrupt)
                .await?;
            let mut members = self.reach(&deployment, &told, interrupt).await?;
            for (machine, fixes) in by_machine {
                failed.extend(mend_one(&mut members, machine, fixes, interrupt).await);
            }
            drop(lock);
        }
        // The certificate first: it goes out with the rest.
        of_all.sort_by_key(|fix| *fix == Fix::Up);
        for fix in of_all {
            let done = match fix {
                Fix::RenewCertificate => Renew::now().run(directory).await,
                Fix::Up => {
                    Up::plainly(self.patience, self.reaching.clone())
                        .run(directory)
                        .await
                }
                Fix::StartDocker | Fix::Sysctl { .. } | Fix::KeepClock | Fix::Restart { .. } => {
                    Ok(())
                }
            };
            if let Err(error) = done {
                failed.push(format!("{error:#}"));
            }
        }
        Ok(failed)
    }
}

async fn examine_there(
    member: &mut Member<'_>,
    desired: anyhow::Result<crate::platform::desired::Desired>,
    stop: tokio::sync::watch::Receiver<bool>,
) -> anyhow::Result<Examined> {
    let hand = match &mut member.hand {
        Ok(hand) => hand,
        Err(error) => return Err(std::mem::replace(error, anyhow::anyhow!("it is lost"))),
    };
    let began = OffsetDateTime::now_utc().unix_timestamp();
    let mut examined = hand.examine(desired?, &|note| ui::say(note), stop).await?;
    let ended = OffsetDateTime::now_utc().unix_timestamp();
    let clocks = doctor::here::clocks(examined.clock, ended, ended - began);
    examined.findings.extend(clocks);
    Ok(examined)
}

/// Does on one machine what is to be done there; answers with what could not.
async fn mend_one(
    members: &mut [Member<'_>],
    machine: Option<&str>,
    fixes: Vec<Fix>,
    interrupt: &Interrupt,
) -> Vec<String> {
    let other = members
        .iter_mut()
        .find(|member| machine == Some(member.site.name.as_str()));
    let mended = match other {
        None => Ok(doctor::mend::mend(fixes, interrupt.wanted()).await),
        Some(Member { hand: Ok(hand), .. }) => {
            let hand: &mut Hand = hand;
            hand.mend(fixes, &|note| ui::say(note), interrupt.wanted())
                .await
        }
        Some(_) => return Vec::new(),
    };
    let mended = match mended {
        Ok(mended) => mended,
        Err(error) => return vec![format!("{error:#}")],
    };
    let mut failed = Vec::new();
    for one in mended {
        let what = ui::of(machine, &one.fix.describe());
        match one.failure {
            None => ui::say(format!("doctor {what}")),
            Some(failure) => failed.push(format!("doctor {what}: {}", failure.message)),
        }
    }
    failed
}
