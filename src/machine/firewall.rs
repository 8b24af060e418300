//! The packet filter: what workspaces may reach on the machine they run on.
//!
//! One chain in table `mangle`, hooked from PREROUTING for the bridges of a deployment. That comes before the engine's
//! own address translation, so ports that it publishes for others are covered like any other port of the machine.

mod program;

use anyhow::Result;
use ipnet::Ipv4Net;
use sha2::{Digest, Sha256};

pub(crate) use program::{find, run};

use crate::machine::observed::{Boot, ChainState, FirewallState, Owner};
use crate::machine::systemd;
use crate::platform::desired::{Desired, Firewall, hex};
use crate::platform::naming;
use crate::spec::names::DeploymentName;

/// Goes into the hash. Raised when the rules for the same desired state change.
const WAY_OF_MAKING: u32 = 3;

/// What the comment begins with by which a chain is told to be ours.
const MARK: &str = "dtaas:";

/// How sources that are not the sender's own are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoofing {
    /// By the route back (`-m rpfilter`): a workspace can send as itself only.
    ReversePath,
    /// By the pool, where the kernel has no `rpfilter`: a workspace can send as another one, but not as the outside.
    Pool,
}

/// The address family a table is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Family {
    fn program(self, what: &str) -> String {
        match self {
            Family::V4 => format!("iptables{what}"),
            Family::V6 => format!("ip6tables{what}"),
        }
    }
}

/// The hash that the last rule's comment carries.
pub fn hash(firewall: &Firewall) -> String {
    let Firewall {
        chain,
        bridge_prefix,
        pool,
        ports,
        address,
    } = firewall;
    let text = format!("{WAY_OF_MAKING} {chain} {bridge_prefix} {pool} {ports:?} {address:?}");
    hex(&Sha256::digest(text))[..16].to_owned()
}

/// Whose the chain is: two directories' deployments of one name have one chain's name as well.
fn comment(desired: &Desired, firewall: &Firewall) -> String {
    format!(
        "{MARK}{}:{}:{}",
        desired.deployment,
        hash(firewall),
        desired.instance()
    )
}

/// The chain's rules for IPv4, in the words of `iptables-save`, without the leading `-A <chain>`.
pub fn rules(desired: &Desired, firewall: &Firewall, spoofing: Spoofing) -> Vec<String> {
    let local = "-m addrtype --dst-type LOCAL";
    let mut rules = vec![
        match spoofing {
            Spoofing::ReversePath => "-m rpfilter --invert -j DROP".to_owned(),
            Spoofing::Pool => format!("! -s {} -j DROP", firewall.pool),
        },
        // Answers to what the gateway asked a workspace, and what belongs to connections let through below.
        "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN".to_owned(),
        // The engine routes these to the machine when it runs without its userland proxy.
        "-d 127.0.0.0/8 -j DROP".to_owned(),
        // Cloud providers' metadata.
        "-d 169.254.0.0/16 -j DROP".to_owned(),
        "-m addrtype --dst-type MULTICAST -j DROP".to_owned(),
        "-m addrtype --dst-type BROADCAST -j DROP".to_owned(),
    ];
    // At the gateway's own address: at another one the same port is somebody else's.
    let at = firewall
        .address
        .map(|address| format!("-d {address}/32 "))
        .unwrap_or_default();
    rules.extend(
        firewall
            .ports
            .iter()
            .map(|port| format!("{at}-p tcp {local} -m tcp --dport {port} -j RETURN")),
    );
    rules.extend([
        format!("-p icmp {local} -m icmp --icmp-type echo-request -j RETURN"),
        format!("{local} -j DROP"),
        // Other workspaces.
        format!("-d {} -j DROP", firewall.pool),
        format!(
            "-m comment --comment \"{}\" -j RETURN",
            comment(desired, firewall)
        ),
    ]);
    rules
}

/// IPv6 is off on these bridges; whatever comes from them all the same is dropped.
fn rules_v6(desired: &Desired, firewall: &Firewall) -> Vec<String> {
    vec![format!(
        "-m comment --comment \"{}\" -j DROP",
        comment(desired, firewall)
    )]
}

/// What differs on the machine, if anything does.
pub fn differs(wanted: &Firewall, found: &FirewallState) -> Option<String> {
    let hash = hash(wanted);
    // Only the number of rules matters here, and it does not depend on the deployment's name.
    let wanted_rules = |family: Family| match family {
        Family::V4 => 10 + wanted.ports.len(),
        Family::V6 => 1,
    };
    let chain = |family: Family, state: &ChainState| {
        let name = family.program("");
        if !state.present {
            Some(format!("{name} has none"))
        } else if state.hash.as_deref() != Some(hash.as_str())
            || state.rules != wanted_rules(family)
            || found.chain != wanted.chain
        {
            Some(format!("those of {name} differ"))
        } else if state.jumps != [jump(wanted)] {
            Some(format!("{name} does not go through them"))
        } else {
            None
        }
    };
    chain(Family::V4, &found.v4)
        .or_else(|| found.v6.as_ref().and_then(|state| chain(Family::V6, state)))
        .or(match found.boot {
            Boot::NoSystemd | Boot::Installed => None,
            Boot::Missing => Some("they would not survive a reboot".to_owned()),
            Boot::Differs => Some("others would be set at the next start".to_owned()),
        })
}

/// The rule that leads into the chain, in the words of `iptables-save`.
fn jump(wanted: &Firewall) -> String {
    format!(
        "-A PREROUTING -i {}+ -j {}",
        wanted.bridge_prefix, wanted.chain
    )
}

/// Whether a chain has the desired name and is not ours.
pub fn foreign(found: &FirewallState) -> bool {
    let foreign = |state: &ChainState| state.present && !state.is_ours();
    foreign(&found.v4) || found.v6.as_ref().is_some_and(foreign)
}

/// Whether the chain is that of another deployment with this one's name.
pub fn is_namesakes(found: &FirewallState, desired: &Desired) -> bool {
    let namesakes = |state: &ChainState| state.is_namesakes(desired);
    namesakes(&found.v4) || found.v6.as_ref().is_some_and(namesakes)
}

/// Whether anything of ours is there.
pub fn anything_left(found: &FirewallState) -> bool {
    found.v4.is_ours()
        || found.v6.as_ref().is_some_and(ChainState::is_ours)
        || matches!(found.boot, Boot::Differs | Boot::Installed)
}

/// Looks at the packet filter. A machine without `iptables` has no rules.
pub(super) async fn observe(desired: &Desired) -> Result<FirewallState> {
    // The chain that is to go as well: emptied by somebody, it carries no mark to find it by.
    let usual = naming::chain(&desired.deployment);
    let chain = match &desired.firewall {
        Some(firewall) => firewall.chain.as_str(),
        None => usual.as_str(),
    };
    let (saved, saved_v6) = tokio::try_join!(saved(Family::V4), async {
        match has_v6() {
            true => saved(Family::V6).await.map(Some),
            false => Ok(None),
        }
    })?;
    let v4 = read(&saved, &desired.deployment, chain);
    let v6 = saved_v6.map(|saved| read(&saved, &desired.deployment, chain));
    let pools = pools(&saved, &desired.deployment);
    let found_chain =
        |found: &(String, ChainState)| Some(found.0.clone()).filter(|name| !name.is_empty());
    Ok(FirewallState {
        chain: found_chain(&v4)
            .or_else(|| v6.as_ref().and_then(found_chain))
            .unwrap_or_default(),
        v4: v4.1,
        v6: v6.map(|found| found.1),
        boot: systemd::observe(desired),
        pools,
    })
}

/// What `iptables-save` writes; nothing where there is none.
async fn saved(family: Family) -> Result<String> {
    match find(&family.program("-save")) {
        Ok(program) => run(&program, &["-t", "mangle"], None).await,
        Err(_) => Ok(String::new()),
    }
}

/// What a chain's mark says.
struct Mark<'a> {
    deployment: &'a str,
    hash: String,
    /// Chains of earlier versions do not say it.
    instance: Option<String>,
}

/// The mark in a rule's comment.
fn mark(line: &str) -> Option<Mark<'_>> {
    let (_, behind) = line
        .split_once(&format!("--comment \"{MARK}"))
        .or_else(|| line.split_once(&format!("--comment {MARK}")))?;
    let mut fields = behind.split(':');
    let deployment = fields.next()?;
    let digits = |field: &str| {
        let digits: String = field.chars().take_while(char::is_ascii_hexdigit).collect();
        (digits.len() == 16).then_some(digits)
    };
    Some(Mark {
        deployment,
        hash: digits(fields.next()?)?,
        instance: fields.next().and_then(digits),
    })
}

/// The chain that a rule is in.
fn chain_of(line: &str) -> Option<&str> {
    let (chain, _) = line.strip_prefix("-A ")?.split_once(' ')?;
    Some(chain)
}

/// Other deployments' pools: what a marked chain drops by its destination, and is not special to everyone.
fn pools(saved: &str, own: &DeploymentName) -> Vec<(Owner, Ipv4Net)> {
    let mut pools = Vec::new();
    for line in saved.lines() {
        let (Some(chain), Some(mark)) = (chain_of(line), mark(line)) else {
            continue;
        };
        if mark.deployment == own.as_str() {
            continue;
        }
        let owner = Owner {
            deployment: Some(mark.deployment.to_owned()),
            instance: mark.instance,
        };
        let dropped = saved.lines().filter_map(|line| {
            let rule = line.strip_prefix(&format!("-A {chain} -d "))?;
            rule.strip_suffix(" -j DROP")?.parse().ok()
        });
        pools.extend(
            dropped
                .filter(|net: &Ipv4Net| !net.addr().is_loopback() && !net.addr().is_link_local())
                .map(|net| (owner.clone(), net)),
        );
    }
    pools
}

/// Finds our chain in what `iptables-save` wrote: by the deployment's name in a comment, or else by the desired name.
fn read(saved: &str, deployment: &DeploymentName, chain: &str) -> (String, ChainState) {
    let marked = saved.lines().find_map(|line| {
        let mark = mark(line).filter(|mark| mark.deployment == deployment.as_str())?;
        Some((chain_of(line)?.to_owned(), mark))
    });
    let (name, mark) = match marked {
        Some((name, mark)) => (name, Some(mark)),
        None => (chain.to_owned(), None),
    };
    let declared = format!(":{name} ");
    if !saved.lines().any(|line| line.starts_with(&declared)) {
        return (String::new(), ChainState::default());
    }
    let target = format!(" -j {name}");
    let state = ChainState {
        present: true,
        instance: mark.as_ref().and_then(|mark| mark.instance.clone()),
        hash: mark.map(|mark| mark.hash),
        rules: saved
            .lines()
            .filter(|line| chain_of(line) == Some(name.as_str()))
            .count(),
        jumps: saved
            .lines()
            .filter(|line| line.starts_with("-A PREROUTING ") && line.ends_with(&target))
            .map(str::to_owned)
            .collect(),
    };
    (name, state)
}

/// Puts the rules in place, at once in each family, and has them put back after a reboot where systemd runs.
pub(super) async fn apply(desired: &Desired, wanted: &Firewall) -> Result<()> {
    let found = observe(desired).await?;
    let over = Some((found.chain.as_str(), &found.v4));
    let mut spoofing = Spoofing::ReversePath;
    let by_route = script(&rules(desired, wanted, spoofing), wanted, over);
    if restore(Family::V4, &by_route).await.is_err() {
        spoofing = Spoofing::Pool;
        let by_pool = script(&rules(desired, wanted, spoofing), wanted, over);
        restore(Family::V4, &by_pool).await?;
    }
    if let Some(state) = &found.v6 {
        let over = Some((found.chain.as_str(), state));
        let all = script(&rules_v6(desired, wanted), wanted, over);
        restore(Family::V6, &all).await?;
    }
    let boot = at_boot(desired, wanted, spoofing, found.v6.is_some());
    systemd::install(desired, &boot).await
}

/// What the packet filter's programs are fed with at the next start.
pub(super) fn at_boot(
    desired: &Desired,
    wanted: &Firewall,
    spoofing: Spoofing,
    v6: bool,
) -> systemd::Rules {
    systemd::Rules {
        v4: script(&rules(desired, wanted, spoofing), wanted, None),
        v6: v6.then(|| script(&rules_v6(desired, wanted), wanted, None)),
    }
}

/// Takes the rules away, and what would put them back.
pub(super) async fn remove(desired: &Desired) -> Result<()> {
    let found = observe(desired).await?;
    for (family, state) in [
        (Family::V4, Some(&found.v4)),
        (Family::V6, found.v6.as_ref()),
    ] {
        let Some(state) = state.filter(|state| state.is_ours() && !state.is_namesakes(desired))
        else {
            continue;
        };
        let mut lines = vec!["*mangle".to_owned()];
        lines.extend(clear(&found.chain, state));
        lines.push(format!("-X {}", found.chain));
        restore(family, &commit(lines)).await?;
    }
    systemd::remove(desired).await
}

/// What sets the rules in one go, over what was found.
fn script(rules: &[String], wanted: &Firewall, found: Option<(&str, &ChainState)>) -> String {
    let chain = &wanted.chain;
    let mut lines = vec!["*mangle".to_owned()];
    // Declaring a chain makes it, or empties it.
    lines.push(format!(":{chain} - [0:0]"));
    if let Some((old, state)) = found {
        lines.extend(clear(old, state));
        if old != chain && state.present {
            lines.push(format!("-X {old}"));
        }
    }
    lines.extend(rules.iter().map(|rule| format!("-A {chain} {rule}")));
    lines.push(format!(
        "-I PREROUTING 1 -i {}+ -j {chain}",
        wanted.bridge_prefix
    ));
    commit(lines)
}

/// Takes the jumps to a chain away, and empties it.
fn clear(chain: &str, state: &ChainState) -> Vec<String> {
    if !state.present {
        return Vec::new();
    }
    state
        .jumps
        .iter()
        .map(|jump| jump.replacen("-A ", "-D ", 1))
        .chain([format!("-F {chain}")])
        .collect()
}

fn commit(mut lines: Vec<String>) -> String {
    lines.push("COMMIT\n".to_owned());
    lines.join("\n")
}

async fn restore(family: Family, script: &str) -> Result<()> {
    let program = find(&family.program("-restore"))?;
    run(&program, &["-w", "--noflush"], Some(script)).await?;
    Ok(())
}

/// Whether the machine speaks IPv6 at all.
fn has_v6() -> bool {
    std::fs::exists("/proc/net/if_inet6").unwrap_or(false) && find("ip6tables-restore").is_ok()
}

#[cfg(test)]
mod tests;
