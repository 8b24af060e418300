//! What this process takes of the machine, as Linux tells it.

/// Memory that is in use, in bytes: `VmRSS` of proc(5).
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// How many descriptors are open, the one that it takes to look aside.
pub fn open_descriptors() -> Option<usize> {
    let open = std::fs::read_dir("/proc/self/fd").ok()?.count();
    open.checked_sub(1)
}
