//! No secret is in anything that a command says, but the passwords that it was asked to show.

use std::collections::BTreeSet;

use dtaas::deployment::{Deployment, Missing};
use dtaas::machine::diff::{self, DiffOptions};
use dtaas::machine::observed::Observed;

use super::run::Place;

#[test]
fn no_output_holds_a_secret() {
    let place = Place::new();
    let mut said = String::new();
    let mut listen = |line: &str, input: &str| {
        let mut arguments = vec!["-C", "d"];
        arguments.extend(line.split(' '));
        let ran = place.with_input(&arguments, input);
        said += &format!("$ {line}\n{}{}", ran.out, ran.talk);
    };
    listen(
        "init --domain foo.com --users alice,bob --auth basic --credentials-file c1",
        "",
    );
    listen("init --domain foo.com --users alice", "");
    listen("user add carl --credentials-file c2", "");
    listen(
        "user passwd bob --password-stdin",
        "bob's own new password\n",
    );
    for (path, (_, bytes)) in place.tree("d/config") {
        if !path.ends_with('/') {
            let text = String::from_utf8(bytes).unwrap();
            place.write(&format!("d/config/{path}"), &format!("{text}# changed\n"));
        }
    }
    for line in [
        "render --check",
        "render",
        "render",
        "plan",
        "plan --json",
        "up",
        "status",
        "status --json",
        "down --yes",
        "user list",
        "user list --json",
        "user remove alice --yes",
        "--help",
        "--version",
    ] {
        listen(line, "");
    }
    // What `plan --json` says of a machine that has nothing, and of one where every file is another.
    let deployment = Deployment::open(&place.path("d")).unwrap();
    let desired = deployment.desired(Missing::Pretend).unwrap();
    let plan = diff::diff(&desired, &Observed::default(), &DiffOptions::default());
    said += &serde_json::to_string_pretty(&plan).unwrap();
    for file in &desired.files {
        place.write(&format!("d/{}", file.path.display()), "other\n");
    }
    let plan = deployment.render_plan(Missing::Pretend).unwrap();
    said += &serde_json::to_string_pretty(&plan).unwrap();
    assert!(
        said.contains("platform.yml") && said.contains("+ change"),
        "{said}"
    );

    let secrets = secrets(&place);
    assert!(secrets.len() > 12, "{secrets:?}");
    for secret in secrets {
        assert!(!said.contains(&secret), "{secret:?} is in\n{said}");
    }
}

/// Every value that must not be seen: secrets, lines of keys, hashes, passwords.
fn secrets(place: &Place) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (path, (_, bytes)) in place.tree("d/secrets") {
        // Certificates are public.
        if !path.ends_with('/') && !path.ends_with("authority.pem") && !path.ends_with("cert.pem") {
            let text = String::from_utf8(bytes).unwrap();
            all.extend(
                text.lines()
                    .filter(|line| !line.starts_with("-----"))
                    .map(str::to_owned),
            );
        }
    }
    for (_, (_, bytes)) in place.tree("d/auth") {
        let entry = String::from_utf8(bytes).unwrap();
        all.extend(
            entry
                .trim_end()
                .split_once(':')
                .map(|(_, hash)| hash.to_owned()),
        );
    }
    for file in ["c1", "c2"] {
        let text = place.read(file);
        all.extend(
            text.lines()
                .map(|line| line.split_once(':').unwrap().1.to_owned()),
        );
    }
    all.insert("bob's own new password".into());
    all
}
