//! What the kernel must allow.

use super::{Check, Subject, at_once};
use crate::doctor::{Finding, Fix, Severity};

pub const CHECK: Check = Check {
    name: "kernel",
    looks_at: "settings of the kernel: forwarding, inotify, connections that are tracked",
    run: at_once!(check),
};

/// JupyterLab, VS Code and a file manager take about so many inotify instances in one workspace (inotify(7)).
const INSTANCES: u64 = 16;
/// VS Code alone watches about so many directories of a middling project.
const WATCHES: u64 = 16_384;
/// A table that is fuller than this drops connections soon, in percent.
const FULL: u64 = 90;

fn check(subject: &Subject) -> Vec<Finding> {
    let mut found = Vec::new();
    let number = |path: &str| subject.kernel(path)?.parse::<u64>().ok();
    if !subject.desired.networks.is_empty() && number("proc/sys/net/ipv4/ip_forward") == Some(0) {
        found.push(sysctl(
            Severity::Error,
            "the kernel forwards no packets, so workspaces reach nothing outside",
            "net.ipv4.ip_forward",
            0,
            1,
        ));
    }
    let workspaces = subject.workspaces();
    let wanted = [
        ("max_user_instances", INSTANCES, "inotify instances"),
        ("max_user_watches", WATCHES, "inotify watches"),
    ];
    for (name, each, what) in wanted {
        // All workspaces share root's.
        let enough = workspaces.saturating_mul(each).next_power_of_two();
        if let Some(has) = number(&format!("proc/sys/fs/inotify/{name}"))
            && has < workspaces.saturating_mul(each)
        {
            found.push(sysctl(
                Severity::Warning,
                &format!("there are too few {what} for {workspaces} workspaces: editors and notebooks stop seeing changes, or do not start"),
                &format!("fs.inotify.{name}"),
                has,
                enough,
            ));
        }
    }
    let tracked = number("proc/sys/net/netfilter/nf_conntrack_count");
    let most = number("proc/sys/net/netfilter/nf_conntrack_max");
    if let (Some(tracked), Some(most @ 1..)) = (tracked, most)
        && tracked.saturating_mul(100) / most >= FULL
    {
        found.push(
            Finding::new(
                CHECK.name,
                Severity::Error,
                "the table of connections is nearly full, and new ones will be dropped",
                format!("raise it: sysctl -w net.netfilter.nf_conntrack_max={}; and see who has so many: conntrack -L", most.saturating_mul(2)),
            )
            .seen(format!("{tracked} of {most} (nf_conntrack_count)")),
        );
    }
    found
}

fn sysctl(severity: Severity, message: &str, key: &str, has: u64, wanted: u64) -> Finding {
    Finding::new(
        CHECK.name,
        severity,
        message,
        format!("sysctl -w {key}={wanted}, and the same in a file of /etc/sysctl.d"),
    )
    .seen(format!("{key} = {has}"))
    .fixed_by(Fix::Sysctl {
        key: key.to_owned(),
        value: wanted.to_string(),
    })
}
