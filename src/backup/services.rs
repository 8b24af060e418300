//! Taking the data of services that run.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::{STAGED, STAGING, copy};
use crate::error::Failure;
use crate::machine::docker::Engine;
use crate::machine::files::Tree;
use crate::machine::purge;
use crate::platform::services::data::{Data, Means, PostgreSql, Said};

/// How long PostgreSQL may take to give a copy of itself.
const TO_COPY: Duration = Duration::from_secs(6 * 3600);
/// How long Mosquitto may take to write what it holds.
const TO_WRITE: Duration = Duration::from_secs(20);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(50);
/// PostgreSQL's copy of itself, until it is moved away.
const COPY: &str = ".dtaas-backup";

/// What was taken, besides what is read where it lies.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// What lies in the staging directory instead: where it belongs, relative to the deployment.
    pub(super) staged: Vec<PathBuf>,
    /// What is not read at all, relative to the deployment.
    pub(super) left: Vec<PathBuf>,
    /// What is to be said: sentences without a full stop.
    pub(super) notes: Vec<String>,
}

/// Takes them, one after the other.
pub(super) struct Taker<'a> {
    /// Where containers are.
    pub(super) engine: &'a Engine,
    /// The deployment's directory.
    pub(super) tree: &'a Tree,
    /// Who is told what happens.
    pub(super) say: &'a dyn Fn(&str),
}

impl Taker<'_> {
    /// Takes the data of a service whose container runs.
    pub(super) async fn take(&self, data: &Data, taken: &mut Taken) -> anyhow::Result<()> {
        let service = &data.service;
        match &data.means {
            Means::Paused(said) => {
                if let Some(said) = said {
                    self.ask(data, said, taken).await?;
                }
                self.paused(data, taken).await
            }
            Means::Signalled(file) => {
                (self.say)(&format!("{service} writes down what it holds"));
                if !self.signalled(data, file).await? {
                    taken.notes.push(format!(
                        "{service} did not write down what it holds when it was told to: what it wrote last is in the backup"
                    ));
                }
                Ok(())
            }
            Means::PostgreSql(cluster) => match self.copied(data, cluster, taken).await? {
                None => Ok(()),
                Some(why) => {
                    taken.notes.push(format!(
                        "{service} gave no copy of itself ({why}): its container stood still while its data were copied"
                    ));
                    self.paused(data, taken).await
                }
            },
        }
    }

    fn path(&self, path: &Path) -> PathBuf {
        self.tree.root().join(path)
    }

    async fn ask(&self, data: &Data, said: &Said, taken: &mut Taken) -> anyhow::Result<()> {
        let ended = self.engine.run_in(&data.container, said.argv, "").await?;
        match ended.code {
            0 => {
                let path = Path::new(STAGING).join(said.file);
                self.tree.write(&path, 0o600, ended.out.as_bytes())?;
            }
            _ => taken.notes.push(format!(
                "{}: {} is not in the backup: {}; the data are",
                data.service,
                said.file,
                short(&ended.err)
            )),
        }
        Ok(())
    }

    /// Copies the data while the container stands still.
    async fn paused(&self, data: &Data, taken: &mut Taken) -> anyhow::Result<()> {
        let (from, to) = (
            self.path(&data.path),
            self.path(STAGED.as_ref()).join(&data.path),
        );
        self.require_room(&from, &data.service)?;
        make_above(&to)?;
        self.engine.pause_container(&data.container).await?;
        let since = Instant::now();
        let copied = copy::tree(&from, &to).await;
        // Whatever came of it.
        self.engine.unpause_container(&data.container).await?;
        copied?;
        (self.say)(&format!(
            "{} stood still for {:.1} s while its data were copied",
            data.service,
            since.elapsed().as_secs_f32()
        ));
        taken.staged.push(data.path.clone());
        taken.left.push(data.path.clone());
        Ok(())
    }

    /// Answers whether the file was written anew.
    async fn signalled(&self, data: &Data, file: &str) -> anyhow::Result<bool> {
        let path = self.path(&data.path).join(file);
        let written = || -> Option<SystemTime> { path.metadata().ok()?.modified().ok() };
        let before = written();
        self.engine
            .signal_container(&data.container, "SIGUSR1")
            .await?;
        let since = Instant::now();
        while since.elapsed() < TO_WRITE {
            if written().is_some_and(|now| Some(now) != before) {
                return Ok(true);
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(false)
    }

    /// Has PostgreSQL copy its cluster; answers why it did not.
    async fn copied(
        &self,
        data: &Data,
        cluster: &PostgreSql,
        taken: &mut Taken,
    ) -> anyhow::Result<Option<String>> {
        let folder = data.path.join(&cluster.folder);
        let (live, made) = (folder.join(&cluster.cluster), folder.join(COPY));
        // What a run that was killed has left.
        self.clear(&made)?;
        self.require_room(&self.path(&live), &data.service)?;
        (self.say)(&format!("{} gives a copy of itself", data.service));
        let inside = cluster.inside.join(COPY);
        let inside = inside.to_string_lossy();
        let argv = [
            "pg_basebackup",
            "--pgdata",
            &inside,
            "--username",
            &cluster.administrator,
            "--checkpoint=fast",
            "--wal-method=stream",
            "--no-password",
        ];
        let ended = self
            .engine
            .run_in_within(TO_COPY, &data.container, &argv, "")
            .await?;
        if ended.code != 0 {
            self.clear(&made)?;
            return Ok(Some(short(&ended.err)));
        }
        let to = self.path(STAGED.as_ref()).join(&live);
        make_above(&to)?;
        copy::moved(&self.path(&made), &to).await?;
        copy::given_like(&self.path(&live), &to).await?;
        taken.staged.push(live.clone());
        taken.left.extend([live, made]);
        Ok(None)
    }

    fn clear(&self, path: &Path) -> anyhow::Result<()> {
        Ok(purge::remove(&self.path(path))?)
    }

    /// Fails before anything stands still, where there is no room for a copy.
    fn require_room(&self, from: &Path, service: &str) -> anyhow::Result<()> {
        let wanted = copy::size(from);
        let found = rustix::fs::statvfs(self.tree.root())?;
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        if wanted <= free {
            return Ok(());
        }
        let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
        Err(Failure::new(format!(
            "the copy of the data of {service} takes {:.1} GiB, and {:.1} GiB are free at {}",
            gib(wanted),
            gib(free),
            self.tree.root().display()
        ))
        .hint("make room there, then run this again")
        .into())
    }
}

/// Makes the directories above a path; the staging directory is closed to others already.
fn make_above(path: &Path) -> anyhow::Result<()> {
    match path.parent() {
        Some(above) => Ok(std::fs::create_dir_all(above)?),
        None => Ok(()),
    }
}

fn short(text: &str) -> String {
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty());
    line.unwrap_or("it said nothing")
        .chars()
        .take(200)
        .collect()
}
