//! Signals that whoever started the process wants ignored, as `nohup` and a shell's `&` do. Listening to one of them would
//! undo that. And programs that would go on when this process ends at once.

use std::sync::{Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::signal::unix::SignalKind;

/// Whether this process was told to ignore a signal when it began. Where that cannot be read, it was not.
pub fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored_in(&status) & (1 << (kind.as_raw_value() - 1)) != 0
}

/// The ignored signals as a set of bits: the first is signal 1.
fn ignored_in(status: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|set| u64::from_str_radix(set.trim(), 16).ok())
        .unwrap_or_default()
}

/// A group of processes that we started, led by one of them. It has Ctrl-C from us alone, and it ends when this is dropped: before
/// that, wait for its leader and say [`Follower::has_ended`].
#[derive(Debug)]
pub struct Follower(Option<Pid>);

/// Those that run.
static FOLLOWERS: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

impl Follower {
    /// Of the process that leads it.
    pub fn led_by(leader: Pid) -> Self {
        followers().push(leader);
        Self(Some(leader))
    }

    /// Asks the group to end, as Ctrl-C does.
    pub fn interrupt(&self) {
        if let Some(leader) = self.0 {
            // It may have ended by itself.
            let _ = kill_process_group(leader, Signal::INT);
        }
    }

    /// Its leader was waited for; the number may be another's from now on.
    pub fn has_ended(mut self) {
        if let Some(leader) = self.0.take() {
            followers().retain(|known| *known != leader);
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if let Some(leader) = self.0.take() {
            followers().retain(|known| *known != leader);
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

/// Kills every group that runs: this process is about to end at once.
pub fn kill_followers() {
    for leader in std::mem::take(&mut *followers()) {
        let _ = kill_process_group(leader, Signal::KILL);
    }
}

fn followers() -> std::sync::MutexGuard<'static, Vec<Pid>> {
    FOLLOWERS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nohup_ignores_is_known() {
        assert_eq!(ignored_in("Name:\tdtaas\nSigIgn:\t0000000000000001\n"), 1);
        assert_eq!(ignored_in("Name:\tdtaas\n"), 0);
    }
}
