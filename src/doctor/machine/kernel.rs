//! What the kernel must allow.

use super::{Check, Subject, at_once};
use crate::doctor::{Finding, Fix, Severity};

pub const CHECK: Check = Check {
    name: "kernel",
    run: at_once!(check),
};

/// JupyterLab, VS Code and a file manager take about so many inotify instances in one workspace (inotify(7)).
const INSTANCES: u64 = 16;
/// VS Code alone watches about so many directories of a middling project.
const WATCHES: u64 = 16_384;
/// A table that is fuller than this drops connections soon, in percent.
const FULL: u64 = 90;

fn check(subject: &Subject) -> Vec<Finding> {
    let read = |path: &str| subject.kernel(path);
    of_settings(
        &read,
        subject.workspaces(),
        !subject.desired.networks.is_empty(),
    )
}

/// What settings mean for so many workspaces, and for networks of containers where there are some.
fn of_settings(
    read: &dyn Fn(&str) -> Option<String>,
    workspaces: u64,
    networks: bool,
) -> Vec<Finding> {
    let mut found = Vec::new();
    let number = |path: &str| read(path)?.parse::<u64>().ok();
    if networks && number("proc/sys/net/ipv4/ip_forward") == Some(0) {
        found.push(sysctl(
            Severity::Error,
            "the kernel forwards no packets, so workspaces reach nothing outside",
            "net.ipv4.ip_forward",
            0,
            1,
        ));
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel of the machine that tests run on is shared, so these are told and not set.
    fn found(settings: &[(&str, &str)], workspaces: u64) -> Vec<(String, Option<Fix>)> {
        let read = |path: &str| {
            let told = settings.iter().find(|(name, _)| path.ends_with(name));
            told.map(|(_, value)| (*value).to_owned())
        };
        let found = of_settings(&read, workspaces, true);
        found
            .into_iter()
            .map(|one| (one.evidence.unwrap_or_default(), one.fix))
            .collect()
    }

    fn set(key: &str, value: &str) -> Option<Fix> {
        Some(Fix::Sysctl {
            key: key.to_owned(),
            value: value.to_owned(),
        })
    }

    #[test]
    fn what_the_kernel_forbids_is_told_with_what_allows_it() {
        let well = [
            ("ip_forward", "1"),
            ("max_user_instances", "1024"),
            ("max_user_watches", "1048576"),
            ("nf_conntrack_count", "89"),
            ("nf_conntrack_max", "100"),
        ];
        assert_eq!(found(&well, 40), []);
        assert_eq!(
            found(&[("ip_forward", "0")], 1),
            [(
                "net.ipv4.ip_forward = 0".into(),
                set("net.ipv4.ip_forward", "1")
            )]
        );
        assert_eq!(
            found(&[("max_user_instances", "128")], 9),
            [(
                "fs.inotify.max_user_instances = 128".into(),
                set("fs.inotify.max_user_instances", "256")
            )]
        );
        assert_eq!(
            found(
                &[("nf_conntrack_count", "90"), ("nf_conntrack_max", "100")],
                1
            ),
            [("90 of 100 (nf_conntrack_count)".into(), None)]
        );
    }
}
