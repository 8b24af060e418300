//! A step of a plan: one thing to do, when its turn is, and its text.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::machine::plan::LOSES;
use crate::platform::desired::Limits;
use crate::platform::gateway::ROUTES;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum Step {
    /// Make a directory.
    MakeDirectory {
        /// Relative to the root.
        path: PathBuf,
        /// Permission bits.
        mode: u32,
    },
    /// Put a directory's mode right.
    SetMode {
        /// Relative to the root.
        path: PathBuf,
        /// Permission bits it has.
        from: u32,
        /// Permission bits it should have.
        to: u32,
    },
    /// Give a directory to whom it should belong, with the mode it should have.
    SetOwner {
        /// Relative to the root.
        path: PathBuf,
        /// Numeric owner and group it has.
        from: (u32, u32),
        /// Numeric owner and group it should have.
        to: (u32, u32),
    },
    /// Write a file.
    WriteFile {
        /// Relative to the root.
        path: PathBuf,
        /// How it differs.
        change: FileChange,
    },
    /// Remove a file that nothing desires, from a directory that is ours alone.
    RemoveFile {
        /// Relative to the root.
        path: PathBuf,
    },
    /// Set a folder aside.
    SetAside {
        /// Relative to the root, or absolute.
        from: PathBuf,
        /// Likewise.
        to: PathBuf,
        /// Whose it was.
        user: String,
    },
    /// Pull an image.
    PullImage {
        /// Its reference.
        reference: String,
    },
    /// Make our own image.
    MakeImage {
        /// Its reference.
        reference: String,
    },
    /// Remove an own image that nothing uses any more.
    RemoveImage {
        /// Its reference.
        reference: String,
    },
    /// Make a network.
    CreateNetwork {
        /// Its name.
        name: String,
        /// Its subnet.
        subnet: String,
    },
    /// Remove a network.
    RemoveNetwork {
        /// Its name.
        name: String,
        /// Whose it is.
        user: Option<String>,
        /// Why, where it is desired nevertheless.
        why: Option<String>,
    },
    /// Put the packet filter's rules in place.
    SetFirewall {
        /// The chain's name.
        chain: String,
        /// What differs.
        why: String,
    },
    /// Take the packet filter's rules away.
    RemoveFirewall {
        /// The chain's name.
        chain: String,
    },
    /// Have the machine look after its workspaces by itself.
    SetHealing {
        /// What differs.
        why: String,
    },
    /// Have it do so no more.
    RemoveHealing,
    /// Make a container, and start it.
    CreateContainer {
        /// Its name.
        name: String,
    },
    /// Remove a container and make it anew.
    RecreateContainer {
        /// Its name.
        name: String,
        /// What differs.
        differs: Vec<String>,
        /// Whether someone's work goes with it.
        loses: bool,
        /// Whether it is started afterwards.
        start: bool,
    },
    /// Start a container that does not run.
    StartContainer {
        /// Its name.
        name: String,
        /// How it stands.
        why: String,
    },
    /// Restart a container that keeps crashing.
    RestartContainer {
        /// Its name.
        name: String,
        /// How it stands.
        why: String,
    },
    /// Attach a container to its network again, at its address.
    AttachNetwork {
        /// The container's name.
        name: String,
        /// The network's.
        network: String,
    },
    /// Stop a container, and keep it.
    StopContainer {
        /// Its name.
        name: String,
    },
    /// Change limits of a container, live.
    UpdateLimits {
        /// Its name.
        name: String,
        /// What changes, such as `memory 2g → 4g`.
        changes: Vec<String>,
        /// The limits it gets.
        limits: Limits,
    },
    /// Have a container read its configuration anew, and write down what it read.
    Reload {
        /// Its name.
        name: String,
        /// The file that says what it read last, relative to the root.
        path: PathBuf,
    },
    /// Make, change and remove users' accounts at a service.
    SetAccounts {
        /// The service's container.
        name: String,
        /// Whose are made.
        make: Vec<String>,
        /// Whose are changed, and what of them differs.
        change: Vec<(String, Vec<String>)>,
        /// Whose are removed.
        remove: Vec<String>,
        /// Whether the service did not say what it has: then all that is due is found out when it does.
        blind: bool,
    },
    /// Remove a container.
    RemoveContainer {
        /// Its name.
        name: String,
        /// Whose it is.
        user: Option<String>,
        /// Why, where it is desired nevertheless.
        why: Option<String>,
    },
}

/// How a file on the machine differs from the desired one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileChange {
    /// It is not there.
    New,
    /// Its content differs: lines as `diff -u` shows them.
    Content(Vec<String>),
    /// Its content differs, and must not be shown.
    Secret,
    /// Its mode differs.
    Mode {
        /// Permission bits it has.
        from: u32,
        /// Permission bits it should have.
        to: u32,
    },
    /// Its owner differs.
    Owner,
    /// Something that is no regular file lies there: a symbolic link, say.
    Kind(crate::machine::observed::Kind),
}

/// Steps of one phase depend on nothing in the same phase; phases follow each other in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Files that go: a removed user's route before all else.
    RemoveFiles,
    /// Containers that go.
    RemoveContainers,
    /// Networks that go.
    RemoveNetworks,
    /// Folders of users who are gone.
    SetAside,
    /// Rules that go, when no container is left that they guard.
    RemoveFirewall,
    /// Directories, parents first.
    Directories,
    /// Files.
    Files,
    /// Files that the gateway reads as soon as they are there, after those that they name.
    Routes,
    /// Images.
    Images,
    /// Networks.
    Networks,
    /// The packet filter, before any container that it guards.
    Firewall,
    /// Containers, side by side.
    Containers,
    /// What is told to containers that run.
    Tell,
    /// Images that nothing uses any more.
    RemoveImages,
}

impl Step {
    /// When its turn is.
    pub fn phase(&self) -> Phase {
        match self {
            Step::RemoveFile { .. } => Phase::RemoveFiles,
            Step::RemoveContainer { .. } => Phase::RemoveContainers,
            Step::RemoveNetwork { .. } => Phase::RemoveNetworks,
            Step::SetAside { .. } => Phase::SetAside,
            Step::RemoveFirewall { .. } => Phase::RemoveFirewall,
            // What is about to go is not to be restarted.
            Step::RemoveHealing => Phase::RemoveFiles,
            Step::MakeDirectory { .. } | Step::SetMode { .. } | Step::SetOwner { .. } => {
                Phase::Directories
            }
            Step::WriteFile { path, .. } if path.starts_with(ROUTES) => Phase::Routes,
            Step::WriteFile { .. } => Phase::Files,
            Step::PullImage { .. } | Step::MakeImage { .. } => Phase::Images,
            Step::CreateNetwork { .. } => Phase::Networks,
            Step::SetFirewall { .. } => Phase::Firewall,
            Step::CreateContainer { .. }
            | Step::RecreateContainer { .. }
            | Step::StartContainer { .. }
            | Step::RestartContainer { .. }
            | Step::AttachNetwork { .. }
            | Step::StopContainer { .. }
            | Step::UpdateLimits { .. } => Phase::Containers,
            Step::Reload { .. } | Step::SetAccounts { .. } | Step::SetHealing { .. } => Phase::Tell,
            Step::RemoveImage { .. } => Phase::RemoveImages,
        }
    }

    /// One line: the same in `plan`, in progress and in the log.
    pub fn describe(&self) -> String {
        match self {
            Step::MakeDirectory { path, mode } => {
                format!("make directory {} ({mode:o})", shown(path))
            }
            Step::SetMode { path, from, to } => {
                format!("set mode of {} ({from:o} → {to:o})", shown(path))
            }
            Step::SetOwner { path, from, to } => format!(
                "set owner of {} ({}:{} → {}:{})",
                shown(path),
                from.0,
                from.1,
                to.0,
                to.1
            ),
            Step::WriteFile { path, change } => match change {
                FileChange::New => format!("write {}", shown(path)),
                FileChange::Content(_) => format!("change {}", shown(path)),
                FileChange::Secret => {
                    format!("change {} (secret content differs)", shown(path))
                }
                FileChange::Mode { from, to } => {
                    format!("set mode of {} ({from:o} → {to:o})", shown(path))
                }
                FileChange::Owner => format!("set owner of {}", shown(path)),
                FileChange::Kind(_) => {
                    format!("replace {}, which is no regular file", shown(path))
                }
            },
            Step::RemoveFile { path } => format!("remove {}", shown(path)),
            Step::SetAside { from, to, .. } => {
                format!("set {} aside as {}", shown(from), shown(to))
            }
            Step::PullImage { reference } => format!("pull image {reference}"),
            Step::MakeImage { reference } => {
                format!("make image {reference} of this executable")
            }
            Step::RemoveImage { reference } => format!("remove image {reference}"),
            Step::CreateNetwork { name, subnet } => format!("create network {name} ({subnet})"),
            Step::RemoveNetwork { name, why, .. } => {
                format!("remove network {name}{}", because(why.as_deref()))
            }
            Step::SetFirewall { chain, why } => format!("set firewall rules {chain} ({why})"),
            Step::RemoveFirewall { chain } => format!("remove firewall rules {chain}"),
            Step::SetHealing { why } => {
                format!("have this machine look after its workspaces ({why})")
            }
            Step::RemoveHealing => "have this machine look after its workspaces no more".to_owned(),
            Step::CreateContainer { name } => format!("create container {name}"),
            Step::RecreateContainer {
                name,
                differs,
                loses,
                start: _,
            } => {
                let loses = if *loses {
                    format!(": {LOSES}")
                } else {
                    String::new()
                };
                format!("recreate container {name} ({}){loses}", differs.join(", "))
            }
            Step::StartContainer { name, why } => format!("start container {name} ({why})"),
            Step::RestartContainer { name, why } => format!("restart container {name} ({why})"),
            Step::AttachNetwork { name, network } => {
                format!("attach container {name} to its network {network} again")
            }
            Step::StopContainer { name } => format!("stop container {name}"),
            Step::UpdateLimits { name, changes, .. } => {
                format!("change limits of {name} ({})", changes.join(", "))
            }
            Step::Reload { name, .. } => format!("have {name} read its configuration anew"),
            Step::SetAccounts {
                name,
                make,
                change,
                remove,
                blind: _,
            } => {
                let changed: Vec<String> = change
                    .iter()
                    .map(|(user, differs)| format!("{user} ({})", differs.join(", ")))
                    .collect();
                let parts: Vec<String> = [("make", make), ("change", &changed), ("remove", remove)]
                    .into_iter()
                    .filter(|(_, users)| !users.is_empty())
                    .map(|(what, users)| format!("{what} {}", some(users)))
                    .collect();
                format!("accounts at {name}: {}", parts.join("; "))
            }
            Step::RemoveContainer { name, why, .. } => {
                format!("remove container {name}{}", because(why.as_deref()))
            }
        }
    }

    /// The lines of a file's difference, where there is something to show.
    pub fn detail(&self) -> &[String] {
        match self {
            Step::WriteFile {
                change: FileChange::Content(lines),
                ..
            } => lines,
            Step::WriteFile { .. }
            | Step::MakeDirectory { .. }
            | Step::SetMode { .. }
            | Step::SetOwner { .. }
            | Step::RemoveFile { .. }
            | Step::SetAside { .. }
            | Step::PullImage { .. }
            | Step::MakeImage { .. }
            | Step::RemoveImage { .. }
            | Step::CreateNetwork { .. }
            | Step::RemoveNetwork { .. }
            | Step::SetFirewall { .. }
            | Step::RemoveFirewall { .. }
            | Step::SetHealing { .. }
            | Step::RemoveHealing
            | Step::CreateContainer { .. }
            | Step::RecreateContainer { .. }
            | Step::StartContainer { .. }
            | Step::RestartContainer { .. }
            | Step::AttachNetwork { .. }
            | Step::StopContainer { .. }
            | Step::UpdateLimits { .. }
            | Step::Reload { .. }
            | Step::SetAccounts { .. }
            | Step::RemoveContainer { .. } => &[],
        }
    }
}

fn shown(path: &Path) -> std::path::Display<'_> {
    path.display()
}

/// Users, or the first of many.
fn some(users: &[String]) -> String {
    const NAMED: usize = 5;
    match users.len().checked_sub(NAMED) {
        None | Some(0) => users.join(", "),
        Some(more) => format!("{} and {more} more", users[..NAMED].join(", ")),
    }
}

fn because(why: Option<&str>) -> String {
    why.map(|why| format!(" ({why})")).unwrap_or_default()
}
