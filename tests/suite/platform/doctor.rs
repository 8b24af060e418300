//! What stops a platform is found, said and, where nobody's work is lost by it, mended: each cause is a real one.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use serde_json::Value;

use super::client::within;
use super::deployment::Deployment;
use super::engine::{docker, hook, out, run};
use super::steps::Steps;
use crate::rig::rig;

/// `check: message` of all findings that are no notes, but for the domain, which no name server knows.
fn found(here: &Deployment) -> Vec<String> {
    let told = here.dtaas(&["doctor", "--json"]).stdout;
    let told: Value = serde_json::from_str(&told).unwrap();
    let findings = told["findings"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut lines: Vec<String> = findings
        .iter()
        .filter(|one| one["severity"] != "note")
        .map(|one| format!("{}: {}", text(&one["check"]), text(&one["message"])))
        .filter(|line| !line.starts_with("dns: nobody knows foo.com"))
        .collect();
    lines.sort();
    lines
}

#[test]
fn what_is_wrong_is_found_and_mended() {
    const TEST: &str = "platform::doctor::what_is_wrong_is_found_and_mended";
    let Some(rig) = rig(TEST) else { return };
    let steps = Steps::of(TEST);
    let here = Deployment::init(&rig, "doc", "foo.com", "alice,bob", &[]);
    let spec = fs::read_to_string(here.path("dtaas.yaml")).unwrap();

    steps.step("before it is up", || {
        assert_eq!(found(&here), [""; 0]);
        // Nothing is written by looking.
        assert!(!here.path("config/gateway/traefik.yml.tmp").exists());
        let port = here.ports.http;
        let held = TcpListener::bind(("0.0.0.0", port)).unwrap();
        let taken = found(&here);
        let begin = format!("ports: {} needs 0.0.0.0:{port}", here.container("gateway"));
        assert!(taken[0].starts_with(&begin), "{taken:?}");
        assert!(taken[0].ends_with("listens there already"), "{taken:?}");
        assert_eq!(taken.len(), 1, "{taken:?}");
        drop(held);

        let elsewhere = spec.replace(&rig.registry, &format!("{}none/", rig.registry));
        fs::write(here.path("dtaas.yaml"), elsewhere).unwrap();
        let images = found(&here);
        assert!(images.len() >= 2, "{images:?}");
        for line in &images {
            let middle = "its registry does not offer it";
            assert!(
                line.starts_with("images: ") && line.contains(middle),
                "{line}"
            );
        }

        fs::write(here.path("dtaas.yaml"), spec.replace("users:", "user:")).ok();
        fs::write(here.path("dtaas.yaml"), format!("{spec}\nwrong: key\n")).unwrap();
        let ran = here.dtaas(&["doctor"]);
        assert_eq!(ran.code, Some(1));
        assert!(ran.stdout.starts_with("✗ spec: "), "{}", ran.stdout);
        assert!(ran.stdout.contains("wrong"), "{}", ran.stdout);
        fs::write(here.path("dtaas.yaml"), &spec).unwrap();
    });
    steps.step("up: all is well", || {
        here.dtaas(&["up"]).succeeded();
        assert_eq!(found(&here), [""; 0]);
    });

    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (alice, bob) = (
        here.container("workspace-alice"),
        here.container("workspace-bob"),
    );
    steps.step("much is wrong, and all of it is found", || {
        docker(&["stop", &here.container("website")]);
        // A busy machine does not freeze everything at once.
        within(Duration::from_secs(30), "it is paused", || {
            run("docker", &["pause", &bob]).status.success()
        });
        fs::remove_file(here.path("config/client/env.js")).unwrap();
        fs::write(here.path("config/gateway/dynamic/zzz.yml"), "x").unwrap();
        let entry = fs::read(here.path("auth/bob")).unwrap();
        fs::remove_file(here.path("auth/bob")).unwrap();
        // Somebody opens a port of the machine to workspaces.
        let (_, chain) = hook(&here.name);
        let port = port.to_string();
        let accept = ["-p", "tcp", "--dport", &port, "-j", "ACCEPT"];
        let insert = ["-w", "-t", "mangle", "-I", &chain, "1"];
        out("iptables", &[&insert[..], &accept].concat());

        let program = format!("(process {})", std::process::id());
        let all = found(&here);
        let has = |begin: &str, end: &str| {
            let met = all
                .iter()
                .any(|line| line.starts_with(begin) && line.ends_with(end));
            assert!(met, "{begin} … {end}: {all:#?}");
        };
        has(&format!("components: {bob} is paused"), "");
        has(
            &format!("isolation: {alice} reaches port {port} of the machine, "),
            &program,
        );
        has("passwords: bob has no password, and cannot sign in", "");
        has("drift: missing: config/client/env.js", "");
        has("drift: unexpected: config/gateway/dynamic/zzz.yml", "");
        has(
            &format!("drift: drifted: container {}", here.container("website")),
            "",
        );
        has(&format!("drift: drifted: firewall rules {chain}"), "");
        fs::write(here.path("auth/bob"), entry).unwrap();
    });
    steps.step("--fix mends it", || {
        let ran = here.dtaas(&["doctor", "--fix"]);
        assert!(ran.stderr.contains("set firewall rules"), "{}", ran.stderr);
        assert_eq!(found(&here), [""; 0]);
        assert!(here.path("config/client/env.js").exists());
    });
    steps.step("a workspace without its network gets it back, and goes on", || {
        let before = super::engine::life(&alice);
        let network = format!("dtaas-{}-net-alice", here.name);
        docker(&["network", "disconnect", "-f", &network, &alice]);
        let all = found(&here);
        for line in [
            format!("drift: drifted: container {alice}"),
            format!("isolation: {alice} does not reach the platform's own gateway: its network is gone, or its packets are dropped"),
        ] {
            assert!(all.contains(&line), "{line}: {all:#?}");
        }
        let up = here.dtaas(&["up"]).succeeded();
        let step = format!("attach container {alice} to its network {network} again");
        assert!(up.stderr.contains(&step), "{}", up.stderr);
        assert_eq!(found(&here), [""; 0]);
        assert_eq!(super::engine::life(&alice), before);
    });
    steps.step("a part that hangs is restarted", || {
        let website = here.container("website");
        let made = super::engine::life(&website).0;
        let process = super::engine::container(&website)["State"]["Pid"].to_string();
        out("kill", &["-STOP", &process]);
        let silent = format!("components: {website} runs and does not answer");
        // One that has just started is given its time.
        within(Duration::from_secs(120), "it is found", || {
            found(&here).contains(&silent)
        });
        let ran = here.dtaas(&["doctor", "--fix"]);
        let restarts = format!("doctor restarts {website}");
        assert!(ran.stderr.contains(&restarts), "{}", ran.stderr);
        within(Duration::from_secs(60), "it answers", || {
            found(&here).is_empty()
        });
        assert_eq!(super::engine::life(&website).0, made);
    });
    steps.step("what runs in a workspace is not ended unasked", || {
        let before = super::engine::life(&alice);
        let process = super::engine::container(&alice)["State"]["Pid"].to_string();
        // Attached again, its interface has another name.
        let inside = ["-t", &process, "-n", "ip"];
        let links = out("nsenter", &[&inside[..], &["-br", "link"]].concat());
        let link = links.lines().find_map(|line| line.split('@').next().filter(|name| name.starts_with("eth")));
        out("nsenter", &[&inside[..], &["link", "set", link.unwrap(), "down"]].concat());
        let lost = format!("isolation: {alice} does not reach the platform's own gateway: its network is gone, or its packets are dropped");
        assert!(found(&here).contains(&lost), "{:#?}", found(&here));
        here.dtaas(&["doctor", "--fix"]);
        assert_eq!(super::engine::life(&alice), before);
        here.dtaas(&["restart", "alice", "--yes"]).succeeded();
        assert_eq!(found(&here), [""; 0]);
    });
}

#[test]
fn without_an_engine_that_is_what_is_said() {
    const TEST: &str = "platform::doctor::without_an_engine_that_is_what_is_said";
    let Some(rig) = rig(TEST) else { return };
    let here = Deployment::init(&rig, "docno", "foo.com", "alice", &[]);
    let ran = super::deployment::Ran::of(
        here.command(&["doctor"])
            .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
            .output()
            .unwrap(),
    );
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    let line = "✗ engine: the docker engine is not installed or not running: nothing answers at /nowhere/docker.sock";
    assert!(ran.stdout.contains(line), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("apt-get install docker.io"),
        "{}",
        ran.stdout
    );
}
