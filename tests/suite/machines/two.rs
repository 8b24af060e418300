//! The platform on two machines that are reached by SSH: users' side on one, services on the other.

use std::fs;
use std::time::{Duration, Instant};

use super::fixture::{Kind, Machine, OPERATOR};
use crate::platform::deployment::{Deployment, Ran};
use crate::platform::steps::Steps;
use crate::rig::{Machines, Rig, rig_with_machines};

/// A deployment whose machines are others than this one.
pub struct Pair {
    // Dropped first: its machines are needed for that.
    pub deployment: Deployment,
    /// Gateway, website, library, workspaces.
    pub dtaas: Machine,
    /// RabbitMQ and the other services.
    pub services: Machine,
}

impl Pair {
    /// Two machines, and what `init` makes with their details written into `dtaas.yaml`; nothing is on them yet.
    pub fn new(rig: &Rig, machines: &Machines, label: &str, users: &str) -> Self {
        Self::with_services(rig, machines, label, users, &Kind::default())
    }

    /// The same, with a machine for the services that is in some way unusual.
    pub fn with_services(
        rig: &Rig,
        machines: &Machines,
        label: &str,
        users: &str,
        services: &Kind<'_>,
    ) -> Self {
        let deployment = Deployment::init(rig, label, "foo.com", users, &[]);
        let ports = [deployment.ports.http, deployment.ports.https];
        let kind = Kind {
            ports: &ports,
            ..Kind::default()
        };
        let dtaas = Machine::start_as(machines, &format!("{label}-dtaas"), &kind);
        let services = Machine::start_as(machines, &format!("{label}-services"), services);
        let pair = Self {
            deployment,
            dtaas,
            services,
        };
        pair.describe("two-machine");
        pair
    }

    /// Writes the machines' details into `dtaas.yaml`.
    fn describe(&self, profile: &str) {
        let path = self.deployment.path("dtaas.yaml");
        let text = fs::read_to_string(&path).unwrap();
        let of = |name: &str, machine: &Machine, user: &str| {
            format!(
                "  {name}:\n    kind: ssh\n    address: 127.0.0.1\n    port: {}\n    user: {user}\n    key: {}\n    known_hosts: {}\n    \
                 hostname: {}\n",
                machine.ssh_port,
                machine.key.display(),
                machine.known_hosts().display(),
                machine.address
            )
        };
        let machines = format!(
            "machines:\n{}{}",
            of("dtaas", &self.dtaas, OPERATOR),
            of("services", &self.services, "root")
        );
        let text = text
            .replace("machines: {}\n", &machines)
            .replace("profile: \"single-host\"", &format!("profile: {profile}"));
        assert!(text.contains(&machines) && text.contains(profile));
        fs::write(&path, text).unwrap();
    }

    pub fn dtaas(&self, arguments: &[&str]) -> Ran {
        self.deployment.dtaas(arguments)
    }

    /// The names of the containers that run on a machine.
    pub fn running(machine: &Machine) -> Vec<String> {
        let names = machine.exec(&["docker", "ps", "--format", "{{.Names}}"]);
        let mut names: Vec<String> = names.lines().map(str::to_owned).collect();
        names.sort();
        names
    }
}

#[test]
fn from_nothing_to_two_machines_and_back() {
    const TEST: &str = "machines::two::from_nothing_to_two_machines_and_back";
    let Some((rig, machines)) = rig_with_machines(TEST) else {
        return;
    };
    let steps = Steps::of(TEST);
    let pair = steps.step("two machines, and init", || {
        Pair::new(&rig, &machines, "pair", "alice")
    });
    let here = &pair.deployment;
    steps.step("up", || pair.dtaas(&["up"]).succeeded());
    steps.step("every part is ready, on its machine", || {
        assert_eq!(
            here.status(),
            [
                "gateway: ready",
                "auth: ready",
                "website: ready",
                "library: ready",
                "workspace alice: ready",
                "rabbitmq: ready",
                "mosquitto: ready",
                "influxdb: ready",
                "grafana: ready",
            ]
        );
        let parts = ["auth", "gateway", "library", "website", "workspace-alice"];
        assert_eq!(
            Pair::running(&pair.dtaas),
            parts.map(|part| here.container(part))
        );
        let services =
            ["grafana", "influxdb", "mosquitto", "rabbitmq"].map(|part| here.container(part));
        assert_eq!(Pair::running(&pair.services), services);
    });
    steps.step("a second up, and a plan, have nothing to do", || {
        let plan = pair.dtaas(&["plan"]).succeeded();
        assert_eq!(
            plan.stdout,
            "machine dtaas\nNothing to do.\nmachine services\nNothing to do.\n"
        );
        let again = pair.dtaas(&["up"]).succeeded();
        assert!(
            again
                .stderr
                .contains("Nothing to do: everything is as it should be, and answers."),
            "{again:?}"
        );
    });
    steps.step("alice enters by the gateway", || {
        let page = here.get("/alice/lab").by("alice").send();
        assert_eq!(page.status, 200);
        assert_eq!(here.get("/alice/lab").send().status, 401);
    });
    steps.step("RabbitMQ knows its administrator, and no guest", || {
        let ask = |who: &str| {
            let url = "https://127.0.0.1:15672/api/whoami";
            pair.services.exec(&["curl", "-ks", "-u", who, url])
        };
        let password = fs::read_to_string(here.path("secrets/rabbitmq")).unwrap();
        let known = ask(&format!("_dtaas:{}", password.trim()));
        assert!(known.contains(r#""tags":["administrator"]"#), "{known}");
        let guest = ask("guest:guest");
        assert!(guest.contains("Login failed"), "{guest}");
    });
    steps.step("users come, change and go", || users(&pair));
    steps.step("down leaves files, and purge nothing", || {
        pair.dtaas(&["down", "--yes"]).succeeded();
        for machine in [&pair.dtaas, &pair.services] {
            assert_eq!(Pair::running(machine), Vec::<String>::new());
        }
        let root = format!("/opt/dtaas/{}", here.name);
        pair.dtaas
            .exec(&["test", "-d", &format!("{root}/files/alice")]);
        pair.services
            .exec(&["test", "-d", &format!("{root}/data/rabbitmq/mnesia")]);

        pair.dtaas(&["down", "--purge", "--yes"]).succeeded();
        for machine in [&pair.dtaas, &pair.services] {
            assert!(!machine.run(&["test", "-e", &root]).status.success());
        }
        assert!(!here.path("dtaas.yaml").exists());
    });
}

/// Users are added, their passwords changed, and removed, on the machine where their workspaces are.
fn users(pair: &Pair) {
    let here = &pair.deployment;
    let root = format!("/opt/dtaas/{}", here.name);
    here.dtaas_with_password(&["user", "add", "bob"])
        .succeeded();
    until(|| here.get("/bob/lab").by("bob").send().status == 200);

    let before = here.password("alice");
    here.dtaas_with_password(&["user", "passwd", "alice"])
        .succeeded();
    assert_ne!(before, here.password("alice"));
    until(|| here.get("/alice/lab").by("alice").send().status == 200);

    // Their own change of the password, made there, is not undone by another command.
    let entry = format!("{root}/auth/bob");
    pair.dtaas.exec(&["sed", "-i", "s/^bob:.*/bob:x/", &entry]);
    pair.dtaas(&["up"]).succeeded();
    assert_eq!(pair.dtaas.exec(&["cat", &entry]), "bob:x");

    pair.dtaas
        .exec(&["touch", &format!("{root}/files/bob/data/measured.csv")]);
    pair.dtaas(&["user", "remove", "bob", "--yes"]).succeeded();
    assert!(!Pair::running(&pair.dtaas).contains(&here.container("workspace-bob")));
    assert!(!pair.dtaas.run(&["test", "-e", &entry]).status.success());
    assert!(
        !pair
            .dtaas
            .run(&["test", "-e", &format!("{root}/files/bob")])
            .status
            .success()
    );
    let aside = pair.dtaas.exec(&[
        "find",
        &format!("{root}/files/.removed"),
        "-name",
        "measured.csv",
    ]);
    assert_eq!(aside.lines().count(), 1, "{aside}");
}

fn until(is: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !is() {
        assert!(Instant::now() < end, "it never was so");
        std::thread::sleep(Duration::from_millis(100));
    }
}
