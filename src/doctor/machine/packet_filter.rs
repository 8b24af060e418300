//! The packet filter besides our own chain: whether it lets visitors to the gateway.

use futures_util::FutureExt;

use super::{Check, Subject};
use crate::doctor::{Finding, Severity};
use crate::machine::firewall::{find, run};
use crate::platform::desired::Component;

pub const CHECK: Check = Check {
    name: "packet-filter",
    run: |subject| check(subject).boxed_local(),
};

async fn check(subject: &Subject) -> Vec<Finding> {
    let gateway = subject
        .desired
        .containers
        .iter()
        .find(|one| one.component == Component::Gateway);
    let Some(gateway) = gateway else {
        return Vec::new();
    };
    let rules = async { run(&find("iptables")?, &["-w", "-S"], None).await };
    let Ok(rules) = rules.await else {
        // Without the program `up` says so.
        return Vec::new();
    };
    // Behind a proxy it listens on loopback alone.
    let outside = gateway.listens.iter().filter(|one| !one.ip().is_loopback());
    let closed: Vec<u16> = outside
        .map(|one| one.port())
        .filter(|port| verdict(&rules, "INPUT", *port, 0) == Verdict::Dropped)
        .collect();
    if closed.is_empty() {
        return Vec::new();
    }
    let words = |how: &str, between: &str| {
        let all: Vec<String> = closed.iter().map(|port| format!("{how}{port}")).collect();
        all.join(between)
    };
    let message = format!(
        "the machine's own firewall drops what comes for port {}, so nobody outside reaches the platform",
        words("", " and ")
    );
    let remedy = format!("open it, such as by: {}", words("ufw allow ", "; "));
    let policy = rules.lines().find(|line| line.starts_with("-P INPUT"));
    vec![
        Finding::new(CHECK.name, Severity::Warning, message, remedy)
            .seen(policy.unwrap_or_default()),
    ]
}

/// What becomes of a stranger's first packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Accepted,
    Dropped,
    /// The chain comes to its end.
    Passed,
    /// It hangs on what is not known here: who sends it, through which interface.
    Unknown,
}

/// Chains do not jump in circles, and seldom so deep.
const DEEPEST: usize = 16;

/// What rules, as `iptables -S` shows them, do with the first packet of a connection to a port of this machine from somewhere outside.
fn verdict(rules: &str, chain: &str, port: u16, depth: usize) -> Verdict {
    let begin = format!("-A {chain} ");
    for rule in rules.lines().filter_map(|line| line.strip_prefix(&begin)) {
        let words: Vec<&str> = rule.split(' ').collect();
        let meets = meets(&words, port);
        if meets == Some(false) {
            continue;
        }
        let target = words
            .windows(2)
            .find(|pair| matches!(pair[0], "-j" | "-g"))
            .map(|pair| pair[1]);
        let came = match target {
            Some("ACCEPT") => Verdict::Accepted,
            Some("DROP" | "REJECT") => Verdict::Dropped,
            Some("RETURN") => match meets {
                Some(_) => return Verdict::Passed,
                None => Verdict::Unknown,
            },
            Some(other) if rules.contains(&format!("-N {other}\n")) && depth < DEEPEST => {
                verdict(rules, other, port, depth + 1)
            }
            // Counts, marks and writes logs.
            Some(_) | None => Verdict::Passed,
        };
        match (came, meets) {
            (Verdict::Passed, _) | (Verdict::Dropped, None) => {}
            (Verdict::Accepted | Verdict::Unknown, None) | (Verdict::Unknown, Some(_)) => {
                return Verdict::Unknown;
            }
            (came, Some(_)) => return came,
        }
    }
    let policy = format!("-P {chain} ");
    match rules.lines().find_map(|line| line.strip_prefix(&policy)) {
        Some("DROP") => Verdict::Dropped,
        Some(_) => Verdict::Accepted,
        None => Verdict::Passed,
    }
}

/// Whether a rule is about such a packet; `None` where that cannot be told.
fn meets(words: &[&str], port: u16) -> Option<bool> {
    let mut sure = true;
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        match *word {
            "-j" | "-g" => break,
            "-p" => match rest.next() {
                Some(&"tcp" | &"all") => {}
                _ => return Some(false),
            },
            "-m" => match rest.next() {
                Some(&"tcp" | &"conntrack" | &"state" | &"multiport" | &"comment") => {}
                _ => sure = false,
            },
            "--comment" => {
                // It may have blanks in it.
                let mut open = rest
                    .clone()
                    .next()
                    .is_some_and(|text| text.starts_with('"'));
                rest.next()
                    .inspect(|text| open &= !text[1..].ends_with('"'));
                while open && rest.next().is_some_and(|text| !text.ends_with('"')) {}
            }
            "--ctstate" | "--state" => match rest.next() {
                Some(states) if states.split(',').any(|state| state == "NEW") => {}
                _ => return Some(false),
            },
            "--dport" | "--dports" => {
                let ports = rest.next()?;
                if !ports.split(',').any(|range| within(range, port)) {
                    return Some(false);
                }
            }
            "-i" => match rest.next() {
                Some(&"lo") => return Some(false),
                _ => sure = false,
            },
            _ => sure = false,
        }
    }
    sure.then_some(true)
}

/// Whether a port is that one, or in `80:443`.
fn within(range: &str, port: u16) -> bool {
    let (first, last) = range.split_once(':').unwrap_or((range, range));
    match (first.parse::<u16>(), last.parse::<u16>()) {
        (Ok(first), Ok(last)) => (first..=last).contains(&port),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rules: &str, port: u16) -> Verdict {
        verdict(rules, "INPUT", port, 0)
    }

    #[test]
    fn a_firewall_that_drops_by_default_must_let_the_port_in() {
        use Verdict::{Accepted, Dropped, Unknown};
        let open = "-P INPUT ACCEPT\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT";
        assert_eq!(of(open, 443), Accepted);
        let closed = "-P INPUT DROP\n-A INPUT -i lo -j ACCEPT\n-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n\
                      -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT";
        assert_eq!(of(closed, 443), Dropped);
        assert_eq!(of(closed, 22), Accepted);
        let last = "-P INPUT ACCEPT\n-A INPUT -p tcp -m multiport --dports 80,8000:8100 -j ACCEPT\n-A INPUT -j REJECT --reject-with icmp-host-prohibited";
        assert_eq!(
            (of(last, 80), of(last, 8080), of(last, 443)),
            (Accepted, Accepted, Dropped)
        );
        for maybe in ["-i eth0", "-s 10.0.0.0/8", "-m set --match-set friends src"] {
            let rules = format!("-P INPUT DROP\n-A INPUT {maybe} -j ACCEPT");
            assert_eq!(of(&rules, 443), Unknown, "{maybe}");
        }
    }

    #[test]
    fn chains_are_followed_as_ufw_has_them() {
        let ufw = |user: &str| {
            format!(
                "-P INPUT DROP\n-N ufw-before-input\n-N ufw-user-input\n-N ufw-user-limit\n\
                 -A INPUT -j ufw-before-input\n-A ufw-before-input -i lo -j ACCEPT\n\
                 -A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n\
                 -A ufw-before-input -p udp -m udp --dport 5353 -j ACCEPT\n-A ufw-before-input -j ufw-user-input\n\
                 -A ufw-user-input -p tcp -m tcp --dport 22 -m comment --comment \"by ann, for ssh\" -j ACCEPT\n{user}"
            )
        };
        assert_eq!(of(&ufw(""), 443), Verdict::Dropped);
        assert_eq!(of(&ufw(""), 22), Verdict::Accepted);
        let opened = ufw("-A ufw-user-input -p tcp -m tcp --dport 443 -j ACCEPT\n");
        assert_eq!(of(&opened, 443), Verdict::Accepted);
    }
}
