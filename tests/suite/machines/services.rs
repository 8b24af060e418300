//! Services on a second machine, used by digital twins in workspaces on the first: each user by their own accounts and nobody else's.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::two::Pair;
use crate::platform::steps::Steps;
use crate::rig::rig_with_machines;

pub const TWIN: &str = include_str!("services/twin.py");

/// A user's digital twin.
pub struct Twin<'a> {
    pair: &'a Pair,
    user: &'a str,
    /// In whose workspace it runs.
    at: &'a str,
    /// Whose name and which passwords it uses, in place of those that it finds.
    claims: Vec<String>,
}

impl<'a> Twin<'a> {
    pub fn of(pair: &'a Pair, user: &'a str) -> Self {
        Self {
            pair,
            user,
            at: user,
            claims: Vec::new(),
        }
    }

    /// The same in somebody's workspace, with the name and the passwords that it has now, whatever becomes of them.
    pub fn as_now(&self, at: &'a str) -> Self {
        let variable = |name, value: String| format!("--env={name}={value}");
        Self {
            at,
            claims: vec![
                variable("NAME", self.user.to_owned()),
                variable("PASSWORD_OF_AMQP", self.variable("RABBITMQ_PASSWORD")),
                variable("PASSWORD_OF_MQTT", self.variable("MQTT_PASSWORD")),
                variable("TOKEN", self.variable("INFLUXDB_V2_TOKEN")),
                variable("PASSWORD_OF_GRAFANA", self.variable("GRAFANA_PASSWORD")),
            ],
            ..*self
        }
    }

    fn workspace(&self) -> String {
        let part = format!("workspace-{}", self.at);
        self.pair.deployment.container(&part)
    }

    /// What a new terminal has in a variable.
    fn variable(&self, name: &str) -> String {
        let workspace = self.workspace();
        let print = format!("printf %s \"${name}\"");
        let shell = ["docker", "exec", &workspace, "bash", "-lc", &print];
        self.pair.dtaas.exec(&shell)
    }

    /// What it says.
    pub fn says(&self, words: &[&str]) -> String {
        let workspace = self.workspace();
        let mut argv = vec!["docker", "exec"];
        argv.extend(self.claims.iter().map(String::as_str));
        argv.extend([workspace.as_str(), "python3", "-c", TWIN]);
        argv.extend(words);
        self.pair.dtaas.exec(&argv).trim().to_owned()
    }

    /// One that stays connected until it is put out: by its last word.
    fn stays(&self) -> std::process::Child {
        let workspace = self.workspace();
        let mut command = Command::new("docker");
        command.args(["exec", &self.pair.dtaas.name, "docker", "exec", &workspace]);
        command.args(["python3", "-c", TWIN, "amqp-stay"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut word = [0; 3];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut word).unwrap();
        assert_eq!(&word, b"in\n");
        child
    }

    /// Both brokers take it in.
    fn gets_in(&self) {
        assert_eq!(self.says(&["amqp-talk", "42"]), "42");
        assert_eq!(self.says(&["mqtt-talk", "21.5"]), "21.5");
    }

    /// Neither broker takes it in.
    fn is_refused(&self) {
        let refused = "ProbableAuthenticationError";
        assert_eq!(self.says(&["amqp-enter", self.user]), refused);
        assert_eq!(self.says(&["mqtt-talk", "x"]), "Not authorized");
    }
}

/// RabbitMQ's own interface, asked as its administrator on its machine.
fn manage(pair: &Pair, method: &str, path: &str, body: &str) -> String {
    let password = std::fs::read_to_string(pair.deployment.path("secrets/rabbitmq")).unwrap();
    let who = format!("_dtaas:{}", password.trim());
    let url = format!("https://127.0.0.1:15672/api/{path}");
    let say = ["-ksS", "-X", method, "-u", &who, "-d", body, &url];
    pair.services.exec(&[&["curl"], &say[..]].concat())
}

pub fn plan(pair: &Pair) -> String {
    let plan = pair.dtaas(&["plan"]).succeeded().stdout;
    plan.rsplit_once("machine services\n").unwrap().1.to_owned()
}

pub fn nothing_to_do(pair: &Pair) {
    let plan = pair.dtaas(&["plan", "--exit-code"]);
    assert_eq!(plan.code, Some(0), "{plan:?}");
}

#[test]
fn each_user_has_accounts_of_their_own_and_nobody_elses() {
    const TEST: &str = "machines::services::each_user_has_accounts_of_their_own_and_nobody_elses";
    let Some((rig, machines)) = rig_with_machines(TEST) else {
        return;
    };
    let steps = Steps::of(TEST);
    let pair = steps.step("two machines, and init", || {
        Pair::new(&rig, &machines, "accounts", "alice,bob")
    });
    steps.step("up", || pair.dtaas(&["up"]).succeeded());
    let (alice, bob) = (Twin::of(&pair, "alice"), Twin::of(&pair, "bob"));
    steps.step("twins talk by TLS with what they find", || {
        alice.gets_in();
        bob.gets_in();
        assert_eq!(alice.variable("MQTT_TOPIC_PREFIX"), "alice/");
        let plain = ["ss", "-Htln", "sport = :5672 or sport = :1883"];
        assert_eq!(pair.services.exec(&plain), "");
        nothing_to_do(&pair);
    });
    steps.step("nobody gets at what is another's", || {
        let refused = "ProbableAccessDeniedError";
        assert_eq!(alice.says(&["amqp-enter", "bob"]), refused);
        assert_eq!(alice.says(&["amqp-enter", "/"]), refused);
        bob.says(&["mqtt-say", "bob/temperature", "21.5"]);
        assert_eq!(bob.says(&["mqtt-hear", "bob/temperature"]), "21.5");
        assert_eq!(alice.says(&["mqtt-hear", "bob/temperature"]), "nothing");
        assert_eq!(alice.says(&["mqtt-hear", "#"]), "nothing");
        alice.says(&["mqtt-say", "bob/temperature", "forged"]);
        assert_eq!(bob.says(&["mqtt-hear", "bob/temperature"]), "21.5");
        // Who the workspace belongs to reads this, and nobody else on the machine.
        let root = format!("/opt/dtaas/{}/secrets", pair.deployment.name);
        let mode = pair.dtaas.exec(&["stat", "-c", "%a", &root]);
        assert_eq!(mode, "700");
    });
    alice.says(&["amqp-keep", "worth keeping"]);
    steps.step("new passwords reach a workspace that runs", || {
        let before = alice.as_now("alice");
        let mut stays = alice.stays();
        pair.dtaas(&["secret", "rotate", "alice"]).succeeded();
        let mut last = String::new();
        std::io::Read::read_to_string(stays.stdout.as_mut().unwrap(), &mut last).unwrap();
        assert_eq!(last, "out\n");
        stays.wait().unwrap();
        before.is_refused();
        alice.gets_in();
        bob.gets_in();
        nothing_to_do(&pair);
    });
    steps.step("what somebody changed there is put right", || {
        manage(&pair, "DELETE", "permissions/alice/alice", "");
        let user = r#"{"password": "chosen by somebody", "tags": "administrator,dtaas-user"}"#;
        manage(&pair, "PUT", "users/bob", user);
        let name = pair.deployment.container("rabbitmq");
        assert_eq!(
            plan(&pair),
            format!(
                "+ accounts at {name}: change alice (permissions), bob (password, rights)\n1 step.\n"
            )
        );
        pair.dtaas(&["up"]).succeeded();
        alice.gets_in();
        bob.gets_in();
    });
    steps.step("a lost administrator is one again", || {
        let other = r#"{"password": "nobody knows it", "tags": "administrator"}"#;
        manage(&pair, "PUT", "users/_dtaas", other);
        assert!(manage(&pair, "GET", "whoami", "").contains("Login failed"));
        pair.dtaas(&["up"]).succeeded();
        assert!(manage(&pair, "GET", "whoami", "").contains("administrator"));
        assert_eq!(alice.says(&["amqp-kept"]), "1");
        nothing_to_do(&pair);
    });
    steps.step("a disabled user's accounts open nothing", || {
        let claimed = bob.as_now("alice");
        pair.dtaas(&["user", "disable", "bob"]).succeeded();
        claimed.is_refused();
        pair.dtaas(&["user", "enable", "bob"]).succeeded();
        until(|| bob.says(&["amqp-enter", "bob"]) == "open");
        bob.gets_in();
    });
    steps.step("a removed user's accounts are gone", || {
        let claimed = bob.as_now("alice");
        pair.dtaas(&["user", "remove", "bob", "--yes"]).succeeded();
        claimed.is_refused();
        assert!(manage(&pair, "GET", "users/bob", "").contains("Not Found"));
        assert!(manage(&pair, "GET", "vhosts/bob", "").contains("Not Found"));
        assert!(!pair.deployment.path("secrets/accounts/bob").exists());
        nothing_to_do(&pair);
    });
    steps.step("a user who comes later has accounts at once", || {
        let added = ["user", "add", "carol"];
        pair.deployment.dtaas_with_password(&added).succeeded();
        Twin::of(&pair, "carol").gets_in();
        nothing_to_do(&pair);
    });
    steps.step(
        "killed services start again, and have what they had",
        || {
            for service in ["rabbitmq", "mosquitto"] {
                let name = pair.deployment.container(service);
                pair.services.exec(&["docker", "stop", "-t", "10", &name]);
            }
            let status = pair.dtaas(&["status"]);
            assert!(status.stdout.contains("rabbitmq"), "{status:?}");
            pair.dtaas(&["up"]).succeeded();
            assert_eq!(alice.says(&["amqp-kept"]), "1");
            alice.gets_in();
        },
    );
}

fn until(is: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !is() {
        assert!(Instant::now() < end, "it never was so");
        std::thread::sleep(Duration::from_millis(200));
    }
}
