//! The machine's clock: certificates, sessions and one-time passwords hang on it.

use futures_util::FutureExt;
use time::OffsetDateTime;
use time::macros::datetime;

use super::{Check, Subject};
use crate::doctor::{Finding, Fix, Severity};
use crate::machine::firewall::{find, run};

pub const CHECK: Check = Check {
    name: "clock",
    run: |subject| check(subject).boxed_local(),
};

/// No clock that is right shows less.
const AGE: OffsetDateTime = datetime!(2026-11-01 00:00 UTC);

async fn check(subject: &Subject) -> Vec<Finding> {
    let now = OffsetDateTime::now_utc();
    if now < AGE {
        return vec![wrong(now)];
    }
    if !subject.has_systemd() {
        return Vec::new();
    }
    let asked = [
        "show",
        "--property=NTPSynchronized",
        "--property=NTP",
        "--property=CanNTP",
    ];
    let Ok(answer) = async { run(&find("timedatectl")?, &asked, None).await }.await else {
        return Vec::new();
    };
    if answer.lines().any(|line| line == "NTPSynchronized=yes") {
        return Vec::new();
    }
    let says = |line: &str| answer.lines().any(|one| one == line);
    let seen = answer.trim().replace('\n', ", ");
    if says("NTP=yes") {
        return vec![
            Finding::new(
                CHECK.name,
                Severity::Note,
                "the clock is kept, and not in step yet",
                "look again in some minutes; if it stays, see timedatectl timesync-status",
            )
            .seen(seen),
        ];
    }
    let found = Finding::new(
        CHECK.name,
        Severity::Note,
        "systemd does not keep the machine's clock right; something else may, such as its hypervisor",
        "timedatectl set-ntp true (package systemd-timesyncd or chrony)",
    )
    .seen(seen);
    match says("CanNTP=yes") {
        true => vec![found.fixed_by(Fix::KeepClock)],
        false => vec![found],
    }
}

fn wrong(now: OffsetDateTime) -> Finding {
    Finding::new(
        CHECK.name,
        Severity::Error,
        "the machine's clock is wrong: certificates and sessions do not count",
        "timedatectl set-ntp true, or set it by hand (date -s …)",
    )
    .seen(format!("it is {now} there"))
    .fixed_by(Fix::KeepClock)
}
