//! RabbitMQ's image is what the published one is, as far as a deployment has to do with it.

use std::time::{Duration, Instant};

use super::fixture::Machine;
use crate::rig::rig_with_machines;

/// Read besides the image's own settings.
const SETTINGS: &str = "default_user = foo
default_pass = a secret of the rig
listeners.tcp.1 = 0.0.0.0:5672
management.tcp.ip = 127.0.0.1
management.tcp.port = 15672
";

#[test]
fn rabbitmq_serves_the_other_machine_and_keeps_the_rest_to_itself() {
    const TEST: &str =
        "machines::rabbitmq::rabbitmq_serves_the_other_machine_and_keeps_the_rest_to_itself";
    let Some((rig, machines)) = rig_with_machines(TEST) else {
        return;
    };
    let services = Machine::start(&machines, "rabbitmq-services");
    let write = format!("mkdir /opt/data && printf '%s' '{SETTINGS}' >/opt/settings.conf");
    services.exec(&["sh", "-c", &write]);

    services.exec(&[
        "docker",
        "run",
        "--detach",
        "--name=rabbitmq",
        "--network=host",
        "--memory=512m",
        "--volume=/opt/data:/var/lib/rabbitmq",
        "--volume=/opt/settings.conf:/etc/rabbitmq/conf.d/90-settings.conf:ro",
        "--env=RABBITMQ_NODENAME=rabbit@localhost",
        "--env=RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}",
        "--env=ERL_EPMD_ADDRESS=127.0.0.1",
        &machines.rabbitmq,
    ]);
    // Not with rabbitmqctl as root, who would make a cookie that the server may not read, here as in the published image.
    let log = || services.exec(&["docker", "logs", "rabbitmq"]);
    let deadline = Instant::now() + Duration::from_secs(90);
    while !log().contains("Server startup complete") {
        assert!(Instant::now() < deadline, "{}", log());
        std::thread::sleep(Duration::from_millis(200));
    }

    let listening = services.exec(&["ss", "-Htln"]);
    let mut listening: Vec<&str> = listening
        .lines()
        .map(|line| line.split_whitespace().nth(3).unwrap())
        .filter(|address| {
            ["4369", "5672", "15672", "25672"]
                .iter()
                .any(|port| address.ends_with(&format!(":{port}")))
        })
        .collect();
    listening.sort_unstable();
    assert_eq!(
        listening,
        [
            "0.0.0.0:5672",
            "127.0.0.1:15672",
            "127.0.0.1:25672",
            "127.0.0.1:4369"
        ]
    );

    // Who may ask is who the settings say, and no guest.
    let ask = |who: &str| {
        let url = "http://127.0.0.1:15672/api/overview";
        services.exec(&[
            "curl",
            "-s",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "-u",
            who,
            url,
        ])
    };
    assert_eq!(ask("foo:a secret of the rig"), "200");
    assert_eq!(ask("guest:guest"), "401");

    // It runs as its own user, who has the data.
    let owner = services.exec(&["stat", "-c", "%u:%g", "/opt/data/mnesia"]);
    assert_eq!(owner, "999:999");
    let user = [
        "docker", "exec", "rabbitmq", "ps", "-o", "user=", "-C", "beam.smp",
    ];
    assert_eq!(services.exec(&user), "rabbitmq");
    let tool = [
        "docker",
        "exec",
        "rabbitmq",
        "rabbitmqctl",
        "-q",
        "list_users",
    ];
    assert!(services.exec(&tool).contains("foo\t[administrator]"));

    // A container on the other machine speaks with it.
    let dtaas = Machine::start(&machines, "rabbitmq-dtaas");
    let greet = format!(
        r"exec 3<>/dev/tcp/{}/5672 && printf 'AMQP\0\0\11\1' >&3 && head -c 1 <&3 | od -An -tx1",
        services.address
    );
    let debian = format!("{}rig/debian:bookworm", rig.registry);
    let greeted = dtaas.exec(&["docker", "run", "--rm", &debian, "bash", "-c", &greet]);
    // A method's frame: Connection.Start.
    assert_eq!(greeted.trim(), "01");
}
