//! InfluxDB and Grafana, as what stands in for them: each user has a bucket and a page of their own, and nobody else's.

use std::fs;

use super::services::{Twin, nothing_to_do, plan};
use super::two::Pair;
use crate::platform::steps::Steps;
use crate::rig::rig_with_machines;

const WRONG: &str = "Invalid username or password";

/// What is asked of a service on its machine, as its administrator; answers the status and the text.
struct Administrator<'a> {
    pair: &'a Pair,
    /// What curl has to say who asks.
    who: [String; 2],
    root: &'static str,
}

impl<'a> Administrator<'a> {
    fn of_influxdb(pair: &'a Pair) -> Self {
        let token = std::fs::read_to_string(pair.deployment.path("secrets/influxdb")).unwrap();
        Self {
            pair,
            who: [
                "-H".into(),
                format!("Authorization: Token {}", token.trim()),
            ],
            root: "https://127.0.0.1:8086/api/v2/",
        }
    }

    fn of_grafana(pair: &'a Pair) -> Self {
        let password = std::fs::read_to_string(pair.deployment.path("secrets/grafana")).unwrap();
        Self {
            pair,
            who: ["-u".into(), format!("_dtaas:{}", password.trim())],
            root: "https://127.0.0.1:3000/vis/api/",
        }
    }

    fn asks(&self, method: &str, path: &str, body: &str) -> serde_json::Value {
        let [how, who] = &self.who;
        let url = format!("{}{path}", self.root);
        let kind = "Content-Type: application/json";
        let say = [
            "curl", "-ksS", "-X", method, how, who, "-H", kind, "-d", body, &url,
        ];
        let said = self.pair.services.exec(&say);
        serde_json::from_str(&said).unwrap_or_default()
    }

    /// The number of what has a field like that, in a list.
    fn find(list: &serde_json::Value, field: &str, begins: &str) -> String {
        let mut all = list.as_array().unwrap().iter();
        let is = |one: &&serde_json::Value| one[field].as_str().unwrap().starts_with(begins);
        let id = &all.find(is).unwrap()["id"];
        id.as_str().map_or_else(|| id.to_string(), str::to_owned)
    }
}

/// What a twin hears whose bucket and page are there, and its own.
fn gets_in(twin: &Twin<'_>, user: &str) {
    assert!(twin.says(&["influx-talk", "21.5"]).ends_with("21.5"));
    assert_eq!(
        twin.says(&["grafana"]),
        format!("{user} of DTaaS: {user}; datasource is working. 1 buckets found")
    );
}

fn is_refused(twin: &Twin<'_>, bucket: &str) {
    assert_eq!(twin.says(&["influx-enter", bucket]), "401 401");
    assert_eq!(twin.says(&["grafana"]), WRONG);
}

#[test]
fn each_user_has_a_bucket_and_a_page_of_their_own_and_nobody_elses() {
    const TEST: &str =
        "machines::measurements::each_user_has_a_bucket_and_a_page_of_their_own_and_nobody_elses";
    let Some((rig, machines)) = rig_with_machines(TEST) else {
        return;
    };
    let steps = Steps::of(TEST);
    let pair = steps.step("two machines, and init", || {
        Pair::new(&rig, &machines, "measured", "alice,bob")
    });
    steps.step("up", || pair.dtaas(&["up"]).succeeded());
    let (alice, bob) = (Twin::of(&pair, "alice"), Twin::of(&pair, "bob"));
    steps.step("twins measure with what they find", || {
        gets_in(&alice, "alice");
        gets_in(&bob, "bob");
        nothing_to_do(&pair);
    });
    steps.step("nobody gets at what is another's", || {
        assert_eq!(alice.says(&["influx-enter", "bob"]), "404 403");
        assert_eq!(alice.says(&["influx-enter", "dtaas"]), "404 403");
    });
    steps.step(
        "the gateway says who somebody is, and nobody else can",
        || {
            let here = &pair.deployment;
            for user in ["alice", "bob"] {
                let forged = here.get("/vis/api/user").by(user);
                let answer = forged.with("X-JWT-Assertion", "forged").send();
                let said = format!("\"login\": \"{user}\"");
                let text = answer.body;
                assert_eq!(answer.status, 200, "{text}");
                assert!(text.contains(&said), "{text}");
            }
            assert_eq!(here.get("/vis/api/user").send().status, 401);
            let address = format!("https://{}:3000/vis/api/user", pair.services.address);
            let forged = "X-JWT-Assertion: eyJhbGciOiJub25lIn0.eyJzdWIiOiJib2IifQ.";
            let said = pair.dtaas.exec(&["curl", "-ks", "-H", forged, &address]);
            assert!(said.contains("jwt.invalid"), "{said}");
        },
    );
    let (influxdb, grafana) = (
        Administrator::of_influxdb(&pair),
        Administrator::of_grafana(&pair),
    );
    steps.step("new tokens reach a workspace and Grafana", || {
        let before = alice.as_now("alice");
        pair.dtaas(&["secret", "rotate", "alice"]).succeeded();
        is_refused(&before, "alice");
        gets_in(&alice, "alice");
        nothing_to_do(&pair);
    });
    steps.step("what somebody changed there is put right", || {
        let all = &influxdb.asks("GET", "authorizations", "")["authorizations"];
        let bobs = Administrator::find(all, "description", "dtaas-user bob");
        let path = format!("authorizations/{bobs}");
        influxdb.asks("PATCH", &path, r#"{"status": "inactive"}"#);
        let of = Administrator::find(&grafana.asks("GET", "orgs", ""), "name", "DTaaS: alice");
        let her = Administrator::find(&grafana.asks("GET", "users", ""), "login", "alice");
        grafana.asks("PATCH", &format!("orgs/{of}/users/{her}"), r#"{"role": "Admin"}"#);
        let name = |part: &str| pair.deployment.container(part);
        assert_eq!(
            plan(&pair),
            format!(
                "+ accounts at {}: change bob (rights)\n+ accounts at {}: change alice (rights)\n2 steps.\n",
                name("influxdb"),
                name("grafana")
            )
        );
        pair.dtaas(&["up"]).succeeded();
        gets_in(&bob, "bob");
        nothing_to_do(&pair);
    });
    steps.step("a lost administrator of Grafana is one again", || {
        let other = r#"{"password": "nobody knows it"}"#;
        grafana.asks("PUT", "admin/users/1/password", other);
        assert_eq!(grafana.asks("GET", "org", "")["message"], WRONG);
        pair.dtaas(&["up"]).succeeded();
        assert_eq!(grafana.asks("GET", "org", "")["name"], "Main Org.");
        nothing_to_do(&pair);
    });
    steps.step("a lost token of InfluxDB's operator is told", || {
        let file = pair.deployment.path("secrets/influxdb");
        let token = fs::read_to_string(&file).unwrap();
        fs::write(&file, "another\n").unwrap();
        let ran = pair.dtaas(&["up"]);
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        assert!(
            ran.stderr.contains("influxd recovery auth create-operator"),
            "{}",
            ran.stderr
        );
        fs::write(&file, token).unwrap();
        pair.dtaas(&["up"]).succeeded();
        nothing_to_do(&pair);
    });
    steps.step("a disabled user's accounts open nothing", || {
        let claimed = bob.as_now("alice");
        pair.dtaas(&["user", "disable", "bob"]).succeeded();
        // The token is known, and good for nothing.
        assert_eq!(claimed.says(&["influx-enter", "bob"]), "404 403");
        assert_eq!(claimed.says(&["grafana"]), WRONG);
        nothing_to_do(&pair);
        pair.dtaas(&["user", "enable", "bob"]).succeeded();
        gets_in(&claimed, "bob");
    });
    steps.step("a removed user's accounts are gone", || {
        let claimed = bob.as_now("alice");
        pair.dtaas(&["user", "remove", "bob", "--yes"]).succeeded();
        is_refused(&claimed, "bob");
        for list in [
            grafana.asks("GET", "orgs", ""),
            grafana.asks("GET", "users", ""),
        ] {
            assert!(!list.to_string().contains("bob"), "{list}");
        }
        let buckets = influxdb.asks("GET", "buckets?limit=100", "").to_string();
        assert!(!buckets.contains("bob"), "{buckets}");
        assert!(!pair.deployment.path("secrets/influxdb-tokens/bob").exists());
        nothing_to_do(&pair);
    });
    steps.step("a user who comes later has accounts at once", || {
        let added = ["user", "add", "carol"];
        pair.deployment.dtaas_with_password(&added).succeeded();
        gets_in(&Twin::of(&pair, "carol"), "carol");
        nothing_to_do(&pair);
    });
    steps.step("what somebody else has there is left alone", || {
        let user = r#"{"login": "dave", "password": "of somebody else"}"#;
        grafana.asks("POST", "admin/users", user);
        let added = ["user", "add", "dave"];
        let refused = pair.deployment.dtaas_with_password(&added);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        let said = "there is a user dave already, which dtaas did not make";
        assert!(refused.stderr.contains(said), "{refused:?}");
        pair.dtaas(&["user", "remove", "dave", "--yes"]).succeeded();
        let users = grafana.asks("GET", "users", "").to_string();
        assert!(users.contains("dave"), "{users}");
    });
    steps.step(
        "killed services start again, and have what they had",
        || {
            let before = alice.says(&["influx-talk", "1"]);
            for service in ["influxdb", "grafana"] {
                let name = pair.deployment.container(service);
                pair.services.exec(&["docker", "kill", &name]);
            }
            pair.dtaas(&["up"]).succeeded();
            assert_eq!(alice.says(&["influx-talk", "2"]), format!("{before} 2.0"));
            gets_in(&alice, "alice");
        },
    );
    steps.step("data from a copy is taken up again", || {
        let parts = ["rabbitmq", "influxdb", "grafana"];
        let parts = parts.map(|part| pair.deployment.container(part));
        let all = |what: &str| {
            for name in &parts {
                pair.services.exec(&["docker", what, name]);
            }
        };
        let data = format!("/opt/dtaas/{}/data", pair.deployment.name);
        let copy = format!("{data}-copy");
        alice.says(&["amqp-keep", "worth keeping"]);
        let measured = alice.says(&["influx-talk", "3"]);
        all("stop");
        pair.services.exec(&["cp", "-a", &data, &copy]);
        pair.dtaas(&["up"]).succeeded();
        pair.dtaas(&["secret", "rotate", "alice"]).succeeded();
        let added = ["user", "add", "erin"];
        pair.deployment.dtaas_with_password(&added).succeeded();

        all("stop");
        pair.services.exec(&["rm", "-r", &data]);
        pair.services.exec(&["mv", &copy, &data]);
        pair.dtaas(&["up"]).succeeded();
        let said = alice.says(&["influx-talk", "4"]);
        assert_eq!(said, format!("{measured} 4.0"));
        assert_eq!(alice.says(&["amqp-kept"]), "1");
        gets_in(&alice, "alice");
        let erin = Twin::of(&pair, "erin");
        gets_in(&erin, "erin");
        assert_eq!(erin.says(&["amqp-talk", "42"]), "42");
        nothing_to_do(&pair);
    });
}
