//! Signals that whoever started the process wants ignored, as `nohup` and a shell's `&` do. Listening to one of them would
//! undo that.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nohup_ignores_is_known() {
        assert_eq!(ignored_in("Name:\tdtaas\nSigIgn:\t0000000000000001\n"), 1);
        assert_eq!(ignored_in("Name:\tdtaas\n"), 0);
    }
}
