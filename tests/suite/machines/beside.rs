//! Services on the workspaces' own machine: workspaces reach them by a name that leads to it, through its packet filter, and nothing else
//! of it.

use std::fs;
use std::path::Path;

use super::services::TWIN;
use crate::platform::deployment::{Deployment, free_port};
use crate::platform::engine::{docker, run};
use crate::platform::steps::Steps;
use crate::rig::{Rig, rig_with_machines};

const PROFILE: &str = "version: 1
machines: {server: {kind: local}}
placement: {gateway: server, website: server, library: server, workspace: server, rabbitmq: server, mosquitto: server, influxdb: server,
  grafana: server}
";

/// Waits until no other test has RabbitMQ on this machine itself, in another run either: the port at which its nodes talk is the same for
/// all. Held until dropped.
pub fn alone() -> fs::File {
    let held = fs::File::create(std::env::temp_dir().join("dtaas-suite-rabbitmq")).unwrap();
    held.lock().unwrap();
    held
}

/// A deployment with all services on this machine, and their ports: AMQP, its management, MQTT, the same in the clear, InfluxDB, Grafana. Its
/// profile is written elsewhere.
pub fn with_services(rig: &Rig, label: &str, elsewhere: &Path) -> (Deployment, [String; 6]) {
    // Not in the deployment, where whatever is the operator's own would stay.
    let profile = elsewhere.join("own.yaml");
    fs::write(&profile, PROFILE).unwrap();
    let here = Deployment::init(rig, label, "localhost", "alice", &["--tls", "off"]);
    let ports = [(); 6].map(|()| free_port());
    let ports = ports.map(|port| port.to_string());
    let [amqp, manage, mqtt, plain, measure, page] = &ports;
    let path = here.path("dtaas.yaml");
    let text = fs::read_to_string(&path)
        .unwrap()
        .replace("\"single-host\"", profile.to_str().unwrap())
        .replace("  port: 5671\n", &format!("  port: {amqp}\n"))
        .replace(
            "management_port: 15672",
            &format!("management_port: {manage}"),
        )
        .replace(
            "  port: 8883\n  plain_port: \"none\"",
            &format!("  port: {mqtt}\n  plain_port: {plain}"),
        )
        .replace("  port: 8086\n", &format!("  port: {measure}\n"))
        .replace("  port: 3000\n", &format!("  port: {page}\n"));
    for port in &ports {
        assert!(text.contains(port.as_str()), "{text}");
    }
    fs::write(&path, text).unwrap();
    (here, ports)
}

#[test]
fn services_beside_the_workspaces_are_reached_by_tls_and_by_nobody_elses_account() {
    const TEST: &str = "machines::beside::services_beside_the_workspaces_are_reached_by_tls_and_by_nobody_elses_account";
    let Some((rig, _)) = rig_with_machines(TEST) else {
        return;
    };
    let steps = Steps::of(TEST);
    let _alone = alone();
    let elsewhere = tempfile::tempdir().unwrap();
    let (here, ports) = with_services(&rig, "beside", elsewhere.path());
    let [amqp, manage, mqtt, plain, measure, page] = ports;
    steps.step("up", || here.dtaas(&["up"]).succeeded());

    let workspace = here.container("workspace-alice");
    let says = |words: &[&str]| {
        let twin = ["exec", &workspace, "python3", "-c", TWIN];
        docker(&[&twin[..], words].concat())
    };
    steps.step("a twin talks with all", || {
        assert_eq!(says(&["amqp-talk", "42"]), "42");
        assert_eq!(says(&["mqtt-talk", "21.5"]), "21.5");
        assert_eq!(says(&["influx-talk", "21.5"]), "21.5");
        let grafana = "alice of DTaaS: alice; datasource is working. 1 buckets found";
        assert_eq!(says(&["grafana"]), grafana);
        let page = here.get("/vis/").by("alice").send();
        let who = "Stand-in for Grafana: alice is Editor of DTaaS: alice";
        assert!(page.body.contains(who), "{}", page.body);
        let host = ["exec", &workspace, "bash", "-lc", "echo $MQTT_HOST"];
        assert_eq!(docker(&host), "host.dtaas.internal");
    });
    steps.step(
        "the port in the clear is open where the spec says so, and others are not",
        || {
            let reach = |port: &str| {
                let connect = format!("timeout 2 bash -c ': </dev/tcp/host.dtaas.internal/{port}'");
                let ran = run("docker", &["exec", &workspace, "bash", "-c", &connect]);
                ran.status.success()
            };
            assert!(reach(&plain) && reach(&mqtt) && reach(&amqp) && reach(&manage));
            assert!(reach(&measure) && reach(&page));
            assert!(!reach(&here.ports.auth.to_string()));
            // RabbitMQ's own, on loopback.
            assert!(!reach("25672"));
        },
    );
    steps.step("nothing is left to do", || {
        let plan = here.dtaas(&["plan", "--exit-code"]);
        assert_eq!(plan.code, Some(0), "{plan:?}");
    });
    steps.step(
        "what only its user reads is closed to others of the machine",
        || {
            let mode = |path: &str| {
                use std::os::unix::fs::MetadataExt;
                fs::metadata(here.path(path)).unwrap().mode() & 0o7777
            };
            assert_eq!(mode("secrets"), 0o700);
            for closed in [
                "config/rabbitmq",
                "config/mosquitto",
                "config/influxdb",
                "config/grafana",
                "config/vis",
                "data/rabbitmq",
            ] {
                assert_eq!(mode(closed), 0o700, "{closed}");
            }
            for closed in ["config/mosquitto/users", "config/rabbitmq/definitions.json"] {
                assert_eq!(mode(closed), 0o400, "{closed}");
            }
            for service in ["rabbitmq", "influxdb", "grafana"] {
                let said = docker(&["inspect", &here.container(service), &workspace]);
                let file = format!("secrets/{service}");
                let password = fs::read_to_string(here.path(&file)).unwrap();
                assert!(!said.contains(password.trim()));
            }
        },
    );
    steps.step("with the user everything of theirs goes", || {
        here.dtaas(&["user", "remove", "alice", "--yes"])
            .succeeded();
        assert!(!here.path("secrets/accounts/alice").exists());
        assert!(!here.path("secrets/users/alice/services.env").exists());
        let users = fs::read_to_string(here.path("config/mosquitto/users")).unwrap();
        assert_eq!(users, "");
        let plan = here.dtaas(&["plan", "--exit-code"]);
        assert_eq!(plan.code, Some(0), "{plan:?}");
    });
}
