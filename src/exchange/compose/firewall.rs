//! The packet filter's rules, which compose knows nothing of: what `iptables-restore` sets them with.

use crate::machine::firewall::{Spoofing, rules};
use crate::platform::desired::{Desired, Firewall};

/// Where they are written, relative to the project.
pub const FILE: &str = "firewall.rules";

/// The chain that `up` makes, without the mark by which that one is known as a deployment's.
pub fn text(desired: &Desired, wanted: &Firewall) -> String {
    let chain = &wanted.chain;
    let rules = rules(desired, wanted, Spoofing::ReversePath);
    let lines = rules.iter().map(|rule| match rule.contains("--comment") {
        true => format!("-A {chain} -j RETURN\n"),
        false => format!("-A {chain} {rule}\n"),
    });
    format!(
        "*mangle\n:{chain} - [0:0]\n{}-I PREROUTING 1 -i {}+ -j {chain}\nCOMMIT\n",
        lines.collect::<String>(),
        wanted.bridge_prefix
    )
}
