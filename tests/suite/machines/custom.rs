//! Services of the operator's own: a database on the second machine, and a page at the gateway.

use std::fs;

use super::services::TWIN;
use super::two::Pair;
use crate::platform::steps::Steps;
use crate::rig::rig_with_machines;

const SERVICES: &str = "services:
  custom:
    db: {use: postgresql, image: 'postgres:15', machine: services}
    pages:
      image: mltooling/ml-workspace:0.13.2
      command: [python3, -m, http.server, '8090']
      ports: [8090]
      health: {port: 8090, path: /}
      route: {port: 8090, strip: true}
";

#[test]
fn a_database_and_a_page_of_the_operators_own() {
    const TEST: &str = "machines::custom::a_database_and_a_page_of_the_operators_own";
    let Some((rig, machines)) = rig_with_machines(TEST) else {
        return;
    };
    let steps = Steps::of(TEST);
    let pair = steps.step("two machines, and init", || {
        let pair = Pair::new(&rig, &machines, "own", "alice,bob");
        let path = pair.deployment.path("dtaas.yaml");
        let text = fs::read_to_string(&path).unwrap();
        let (before, after) = text.split_once("services:\n  custom: {}\n").unwrap();
        fs::write(&path, format!("{before}{SERVICES}{after}")).unwrap();
        pair
    });
    let here = &pair.deployment;
    let database = here.container("service-db");
    let sql = |question: &str| {
        let ask = [
            "docker", "exec", "-u", "postgres", &database, "psql", "-At", "-c", question,
        ];
        pair.services.exec(&ask)
    };
    steps.step("up", || pair.dtaas(&["up"]).succeeded());
    steps.step("both are ready, and nothing is left to do", || {
        let status = here.status();
        assert!(status.contains(&"db: ready".to_owned()), "{status:?}");
        assert!(status.contains(&"pages: ready".to_owned()), "{status:?}");
        let plan = pair.dtaas(&["plan", "--exit-code"]);
        assert_eq!(plan.code, Some(0), "{plan:?}");
    });
    steps.step("the database takes its password, and no other", || {
        assert_eq!(
            sql("create table kept (n int); insert into kept values (42)"),
            "CREATE TABLE\nINSERT 0 1"
        );
        let password = fs::read_to_string(here.path("secrets/services/db/password")).unwrap();
        let log_in = |password: &str| {
            let variable = format!("PGPASSWORD={password}");
            let ask = [
                "docker",
                "exec",
                "-e",
                &variable,
                &database,
                "psql",
                "-At",
                "-h",
                "127.0.0.1",
                "-U",
                "postgres",
                "-c",
                "select n from kept",
            ];
            let asked = pair.services.run(&ask);
            String::from_utf8(asked.stdout).unwrap().trim().to_owned()
        };
        assert_eq!(log_in(password.trim()), "42");
        assert_eq!(log_in("guessed"), "");
    });
    let twin = |claims: &[&str], words: &[&str]| {
        let workspace = here.container("workspace-alice");
        let twin = [workspace.as_str(), "python3", "-c", TWIN];
        let argv = [&["docker", "exec"], claims, &twin[..], words].concat();
        pair.dtaas.exec(&argv)
    };
    steps.step(
        "alice has a database of her own, by TLS, and nobody else's",
        || {
            let make = "create table mine as select 7 as n";
            assert_eq!(twin(&[], &["sql", "alice", make]), "done");
            assert_eq!(twin(&[], &["sql", "alice", "select n from mine"]), "7");
            let speaks = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
            assert_eq!(twin(&[], &["sql", "alice", speaks]), "True");
            for other in ["bob", "postgres", "template1"] {
                let refused = twin(&[], &["sql", other, "select 1"]);
                assert!(
                    refused.ends_with("User does not have CONNECT privilege."),
                    "{other}: {refused}"
                );
            }
            let grab = twin(&[], &["sql", "alice", "create role eve superuser"]);
            assert!(grab.starts_with("InsufficientPrivilege"), "{grab}");
        },
    );
    steps.step("what somebody changed there is put right", || {
        sql("alter role alice superuser");
        sql("grant connect on database bob to public");
        let plan = pair.dtaas(&["plan"]).succeeded().stdout;
        let due = format!("+ accounts at {database}: change alice (rights), bob (privileges)\n");
        assert!(plan.contains(&due), "{plan}");
        pair.dtaas(&["up"]).succeeded();
        let rights = "select rolsuper from pg_roles where rolname = 'alice'";
        assert_eq!(sql(rights), "f");
    });
    steps.step("new passwords and removed users count at once", || {
        let workspace = here.container("workspace-alice");
        let shell = [
            "docker",
            "exec",
            &workspace,
            "bash",
            "-lc",
            "echo $DB_PASSWORD",
        ];
        let old = pair.dtaas.exec(&shell);
        pair.dtaas(&["secret", "rotate", "alice"]).succeeded();
        let claim = format!("--env=PASSWORD_OF_DB={old}");
        let refused = twin(&[&claim], &["sql", "alice", "select 1"]);
        let expected = "OperationalError password authentication failed for user \"alice\"";
        assert_eq!(refused, expected);
        assert_eq!(twin(&[], &["sql", "alice", "select n from mine"]), "7");
        pair.dtaas(&["user", "remove", "bob", "--yes"]).succeeded();
        for left in ["pg_roles where rolname", "pg_database where datname"] {
            assert_eq!(sql(&format!("select count(*) from {left} = 'bob'")), "0");
        }
        let plan = pair.dtaas(&["plan", "--exit-code"]);
        assert_eq!(plan.code, Some(0), "{plan:?}");
    });
    steps.step(
        "users see the page at the gateway, and nobody else does",
        || {
            let page = here.get("/pages/").by("alice").send();
            assert_eq!(page.status, 200);
            assert_eq!(here.get("/pages/").send().status, 401);
        },
    );
    steps.step("stopped, it is started again with its data", || {
        pair.services.exec(&["docker", "stop", &database]);
        let status = here.status();
        assert!(status.contains(&"db: stopped".to_owned()), "{status:?}");
        pair.dtaas(&["up"]).succeeded();
        assert_eq!(sql("select n from kept"), "42");
    });
    steps.step("out of the spec, it goes, and its data stay", || {
        let path = here.path("dtaas.yaml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace(SERVICES, "")).unwrap();
        pair.dtaas(&["up"]).succeeded();
        assert!(!Pair::running(&pair.services).contains(&database));
        assert_eq!(here.get("/pages/").by("alice").send().status, 404);
        let data = format!("/opt/dtaas/{}/data/services/db/data/pgdata", here.name);
        pair.services.exec(&["test", "-d", &data]);
    });
}
