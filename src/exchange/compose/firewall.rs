//! The packet filter's rules, which compose knows nothing of: what `iptables-restore` and `ip6tables-restore` set them with.

use crate::machine::firewall::{Spoofing, rules};
use crate::platform::desired::{Desired, Firewall};

/// Where they are written, relative to the project.
pub const FILE: &str = "firewall.rules";
/// The same for IPv6.
pub const FILE_V6: &str = "firewall-v6.rules";

/// The chain that `up` makes, without the mark by which that one is known as a deployment's.
pub fn v4(desired: &Desired, wanted: &Firewall) -> String {
    let rules = rules(desired, wanted, Spoofing::ReversePath);
    let rules = rules.iter().map(|rule| match rule.contains("--comment") {
        true => "-j RETURN",
        false => rule.as_str(),
    });
    script(wanted, rules)
}

/// Nothing passes by IPv6, which the workspaces' networks have not.
pub fn v6(wanted: &Firewall) -> String {
    script(wanted, ["-j DROP"])
}

fn script<'a>(wanted: &Firewall, rules: impl IntoIterator<Item = &'a str>) -> String {
    let chain = &wanted.chain;
    let rules = rules.into_iter().map(|rule| format!("-A {chain} {rule}\n"));
    format!(
        "*mangle\n:{chain} - [0:0]\n{}-I PREROUTING 1 -i {}+ -j {chain}\nCOMMIT\n",
        rules.collect::<String>(),
        wanted.bridge_prefix
    )
}
