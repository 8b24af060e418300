//! The packet filter besides our own chain: what else may close the gateway's ports.

use futures_util::FutureExt;

use super::{Check, Subject};
use crate::doctor::{Finding, Severity};
use crate::machine::firewall::{find, run};

pub const CHECK: Check = Check {
    name: "packet-filter",
    looks_at: "the machine's own firewall: that it leaves the gateway's ports open",
    run: |subject| check(subject).boxed_local(),
};

async fn check(subject: &Subject) -> Vec<Finding> {
    let Some(firewall) = &subject.desired.firewall else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let rules = async { run(&find("iptables")?, &["-w", "-S", "INPUT"], None).await };
    let Ok(rules) = rules.await else {
        return found;
    };
    let closed: Vec<u16> = firewall
        .ports
        .iter()
        .copied()
        .filter(|port| is_closed(&rules, *port))
        .collect();
    if !closed.is_empty() {
        let ports: Vec<String> = closed.iter().map(ToString::to_string).collect();
        let ports = ports.join(" and ");
        found.push(
            Finding::new(
                CHECK.name,
                Severity::Warning,
                format!("the machine's own firewall seems to drop what comes for port {ports}, so nobody outside reaches the platform"),
                format!("open it: ufw allow {}/tcp, or an ACCEPT rule in INPUT", closed[0]),
            )
            .seen(rules.lines().next().unwrap_or_default()),
        );
    }
    found
}

/// Whether rules as `iptables -S INPUT` shows them drop by default and name the port nowhere. Jumps into chains of others are not
/// followed: then there is no verdict.
fn is_closed(rules: &str, port: u16) -> bool {
    let drops = rules.lines().any(|line| line == "-P INPUT DROP");
    let port = format!("--dport {port} ");
    let named = rules
        .lines()
        .any(|line| line.contains(&port) && line.ends_with("-j ACCEPT"));
    let elsewhere = rules.lines().any(|line| {
        let target = line.rsplit_once("-j ").map(|(_, target)| target);
        line.starts_with("-A INPUT")
            && target.is_some_and(|target| {
                let word = target.split(' ').next().unwrap_or_default();
                !["ACCEPT", "DROP", "REJECT", "LOG", "RETURN"].contains(&word)
                    && !word.starts_with("ufw-")
            })
    });
    let ufw_accepts = rules.contains("ufw-user-input") || !rules.contains("ufw-");
    drops && !named && !elsewhere && ufw_accepts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_firewall_that_drops_by_default_must_name_the_port() {
        let open = "-P INPUT ACCEPT\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT";
        let closed = "-P INPUT DROP\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT";
        let named = "-P INPUT DROP\n-A INPUT -p tcp -m tcp --dport 443 -j ACCEPT";
        let elsewhere = "-P INPUT DROP\n-A INPUT -j MINE";
        assert!(!is_closed(open, 443));
        assert!(is_closed(closed, 443));
        assert!(!is_closed(named, 443));
        assert!(is_closed(named, 80));
        assert!(!is_closed(elsewhere, 443));
    }
}
