//! What is on the machine: docker's objects and the packet filter's rules, looked at with other programs than ours.

use std::path::Path;
use std::process::{Command, Output};

use dtaas::platform::naming;
use serde_json::Value;

/// What all the names of these tests' deployments begin with; the process's id follows.
pub const MARK: &str = "suite-";

/// On containers that stand for someone else's.
pub const FOREIGN: &str = "dtaas-suite-foreign";

/// Runs a program to its end.
pub fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program} cannot be run: {error}"))
}

/// Runs a program that must succeed; what it wrote, without the last line's end.
pub fn out(program: &str, arguments: &[&str]) -> String {
    let output = run(program, arguments);
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

/// Asks docker.
pub fn docker(arguments: &[&str]) -> String {
    out("docker", arguments)
}

/// Everything that docker says of an object, always in the same order.
pub fn inspect(kind: &str, name: &str) -> String {
    let mut found: Value = serde_json::from_str(&docker(&[kind, "inspect", name])).unwrap();
    if let Some(mounts) = found[0]["Mounts"].as_array_mut() {
        mounts.sort_by_key(Value::to_string);
    }
    format!("{found:#}")
}

/// `docker inspect` of a container that is there.
pub fn container(name: &str) -> Value {
    let text = docker(&["container", "inspect", name]);
    serde_json::from_str::<Value>(&text).unwrap()[0].take()
}

/// Which container it is, and since when it runs: the same as long as nobody made it anew or restarted it.
pub fn life(name: &str) -> (String, String) {
    let found = container(name);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&found["Id"]), text(&found["State"]["StartedAt"]))
}

/// Everything of a deployment on the machine but its files: docker's objects in full, and every rule of the packet filter
/// that names its chain, its bridges or its mark.
pub fn objects(deployment: &str) -> Vec<String> {
    let mut all = Vec::new();
    for (kind, ids) in docker_objects(deployment) {
        for id in ids {
            all.push(format!("{kind} {id} {}", inspect(kind, &id)));
        }
    }
    all.extend(rules(deployment));
    all
}

fn docker_objects(deployment: &str) -> Vec<(&'static str, Vec<String>)> {
    let label = format!("label=dtaas.deployment={deployment}");
    let name = format!("name=dtaas-{deployment}-");
    let reference = format!("reference=dtaas-self/{deployment}");
    let list = |arguments: &[&str]| {
        docker(arguments)
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let both = |command: &[&str], filters: [&str; 2]| {
        let mut found: Vec<String> = filters
            .iter()
            .flat_map(|filter| list(&[command, &["--no-trunc", "--filter", filter]].concat()))
            .collect();
        found.sort();
        found.dedup();
        found
    };
    vec![
        ("container", both(&["ps", "-aq"], [&label, &name])),
        ("network", both(&["network", "ls", "-q"], [&label, &name])),
        ("image", both(&["image", "ls", "-q"], [&label, &reference])),
    ]
}

/// The packet filter's rules that have to do with a deployment, without their counters.
pub fn rules(deployment: &str) -> Vec<String> {
    let (bridges, chain) = hook(deployment);
    let ours = [
        chain,
        bridges.trim_end_matches('+').to_owned(),
        format!("dtaas:{deployment}:"),
    ];
    ["iptables-save", "ip6tables-save"]
        .iter()
        .flat_map(|program| {
            let saved = out(program, &[]);
            saved
                .lines()
                .filter(|line| ours.iter().any(|mark| line.contains(mark)))
                .map(|line| format!("{program}: {}", line.split(" [").next().unwrap()))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The bridges as the packet filter names them, and the chain that they go through.
pub fn hook(deployment: &str) -> (String, String) {
    let name = deployment.parse().unwrap();
    let bridges = format!("{}+", naming::bridge_prefix(&name));
    (bridges, naming::chain(&name))
}

/// Takes away what a deployment left, without asking our own program for help.
pub fn sweep(deployment: &str) {
    for (kind, ids) in docker_objects(deployment) {
        for id in ids {
            let force: &[&str] = match kind {
                "network" => &[],
                _ => &["-f"],
            };
            run("docker", &[&[kind, "rm"], force, &[id.as_str()]].concat());
        }
    }
    let (bridges, chain) = hook(deployment);
    for program in ["iptables", "ip6tables"] {
        let mangle = |rest: &[&str]| run(program, &[&["-w", "-t", "mangle"], rest].concat());
        mangle(&["-D", "PREROUTING", "-i", &bridges, "-j", &chain]);
        mangle(&["-F", &chain]);
        mangle(&["-X", &chain]);
    }
}

/// Takes away what runs of these tests left that were killed.
pub fn sweep_the_dead() {
    let saved = out("iptables-save", &["-t", "mangle"]);
    let marked = saved
        .lines()
        .filter_map(|line| line.split_once("\"dtaas:")?.1.split(':').next());
    let listed = [
        marked.collect::<Vec<_>>().join("\n"),
        docker(&["ps", "-a", "--format", "{{.Label \"dtaas.deployment\"}}"]),
        docker(&[
            "network",
            "ls",
            "--format",
            "{{.Label \"dtaas.deployment\"}}",
        ]),
    ];
    for deployment in listed.iter().flat_map(|list| list.lines()) {
        if is_of_the_dead(deployment) {
            sweep(deployment);
        }
    }
    let foreign = format!("label={FOREIGN}");
    for name in docker(&["ps", "-a", "--filter", &foreign, "--format", "{{.Names}}"]).lines() {
        if is_of_the_dead(name.trim_start_matches("dtaas-")) {
            run("docker", &["rm", "-f", name]);
        }
    }
    for entry in std::fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
        if entry.file_name().to_str().is_some_and(is_of_the_dead) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether a name is one of these tests', of a process that runs no more.
pub fn is_of_the_dead(name: &str) -> bool {
    name.strip_prefix(MARK)
        .and_then(|rest| rest.split('-').next())
        .and_then(|id| id.parse::<u32>().ok())
        .is_some_and(|id| !Path::new(&format!("/proc/{id}")).exists())
}
