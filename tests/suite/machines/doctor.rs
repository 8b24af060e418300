//! What is wrong on other machines is found there.

use serde_json::Value;

use super::fixture::Service;
use super::two::Pair;
use crate::platform::steps::Steps;
use crate::rig::rig_with_machines;

fn found(pair: &Pair) -> Vec<String> {
    let told = pair.dtaas(&["doctor", "--json"]).stdout;
    let told: Value = serde_json::from_str(&told).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let findings = told["findings"].as_array().unwrap().iter();
    findings
        .filter(|one| one["severity"] != "note")
        .map(|one| {
            format!(
                "{} {}: {}",
                text(&one["machine"]),
                text(&one["check"]),
                text(&one["message"])
            )
        })
        .filter(|line| !line.starts_with(" dns: nobody knows foo.com"))
        .collect()
}

#[test]
fn each_machine_is_examined_by_itself() {
    const TEST: &str = "machines::doctor::each_machine_is_examined_by_itself";
    let Some((rig, machines)) = rig_with_machines(TEST) else {
        return;
    };
    let steps = Steps::of(TEST);
    let pair = Pair::new(&rig, &machines, "doctor", "alice");
    steps.step("up: all is well", || {
        pair.dtaas(&["up"]).succeeded();
        assert_eq!(found(&pair), [""; 0]);
    });
    steps.step("a firewall of the machine's own", || {
        let ssh = [
            "iptables", "-I", "INPUT", "-p", "tcp", "--dport", "22", "-j", "ACCEPT",
        ];
        pair.dtaas.exec(&ssh);
        pair.dtaas.exec(&["iptables", "-P", "INPUT", "DROP"]);
        let all = found(&pair);
        let line = "dtaas packet-filter: the machine's own firewall drops what comes for port ";
        assert!(all.iter().any(|one| one.starts_with(line)), "{all:#?}");
        pair.dtaas.exec(&["iptables", "-P", "INPUT", "ACCEPT"]);
    });
    steps.step("a service that was killed", || {
        let broker = format!("dtaas-{}-rabbitmq", pair.deployment.name);
        pair.services.exec(&["docker", "stop", &broker]);
        let all = found(&pair);
        let line = format!("services drift: drifted: container {broker}");
        assert!(all.contains(&line), "{all:#?}");
        pair.dtaas(&["doctor", "--fix"]);
        assert_eq!(found(&pair), [""; 0]);
    });
    steps.step("an engine that is gone, and a machine that is", || {
        pair.services.hold(Service::Docker);
        let all = found(&pair);
        let line = "services engine: the docker engine is not installed or not running: nothing answers at /var/run/docker.sock";
        assert!(all.iter().any(|one| one.starts_with(line)), "{all:#?}");
        pair.services.release(Service::Docker);
        pair.services.hold(Service::Sshd);
        let all = found(&pair);
        assert!(all.iter().any(|one| one.starts_with("services machine: services: ")), "{all:#?}");
        pair.services.release(Service::Sshd);
    });
}
