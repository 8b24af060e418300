//! `export compose`: what is written, with which modes, and what is refused.

use super::run::{Place, done, failed, is_root};

const LEFT_OUT: &str = "What compose does not do:\n  \
    The packet filter: without the rules in firewall.rules users' programs reach every port of this machine.\n  \
    Users who come, go or change: an entry in auth/, a file in config/auth/ and one in config/gateway/dynamic/ are a user's, and a service in compose.yaml.\n  \
    Waiting until all of it answers, and the certificate's renewal.\n";
const MADE: &str = "The project is in DIR/foo.com-compose. README.md there says how to run it; `dtaas down` first.\n";
const NOT_ROOT: &str = "Note: what is written here is yours, and the platform's containers read root's: export it as root.\n";

fn says() -> String {
    let note = match is_root("command::export") {
        true => "",
        false => NOT_ROOT,
    };
    format!("{note}{LEFT_OUT}{MADE}")
}

#[test]
fn a_project_is_written_with_everything_that_it_mounts() {
    let place = Place::with_deployment();
    let before = place.tree("d");

    let ran = place.in_d("export compose");

    assert_eq!(ran, done("", &says()));
    assert_eq!(place.tree("d"), before);
    assert_eq!(
        place.modes("foo.com-compose"),
        "644 .env\n\
         644 README.md\n\
         700 auth/\n\
         600 auth/alice\n\
         600 auth/bob\n\
         644 compose.yaml\n\
         755 config/\n\
         755 config/auth/\n\
         644 config/auth/alice.json\n\
         644 config/auth/bob.json\n\
         755 config/client/\n\
         644 config/client/env.js\n\
         755 config/gateway/\n\
         600 config/gateway/auth\n\
         700 config/gateway/dynamic/\n\
         600 config/gateway/dynamic/platform.yml\n\
         644 config/gateway/dynamic/tls.yml\n\
         644 config/gateway/dynamic/user-alice.yml\n\
         644 config/gateway/dynamic/user-bob.yml\n\
         755 config/gateway/static/\n\
         644 config/gateway/static/traefik.yml\n\
         700 config/gateway/tls/\n\
         644 config/gateway/tls/cert.pem\n\
         600 config/gateway/tls/key.pem\n\
         644 config/lib.env\n\
         755 config/library/\n\
         400 config/library/gateway-secret\n\
         700 config/session/\n\
         600 config/session/gateway\n\
         600 config/session/key\n\
         755 config/website/\n\
         400 config/website/gateway-secret\n\
         700 env/\n\
         600 env/workspace-alice.env\n\
         600 env/workspace-bob.env\n\
         644 firewall-v6.rules\n\
         644 firewall.rules\n\
         755 image/\n\
         644 image/Dockerfile\n\
         755 image/dtaas\n\
         700 sessions/\n\
         700 shares/"
    );
    assert_eq!(place.tree("")["foo.com-compose/"].0, 0o700);
    let library = place.path("d/files");
    assert_eq!(
        place.read("foo.com-compose/.env"),
        format!("DTAAS_LIBRARY='{}'\n", library.display())
    );
    let program = std::fs::read(env!("CARGO_BIN_EXE_dtaas")).unwrap();
    assert!(std::fs::read(place.path("foo.com-compose/image/dtaas")).unwrap() == program);
    for (path, (_, content)) in place.tree("d") {
        if let Some((_, written)) = place.tree("foo.com-compose").get(&path) {
            assert!(content == *written, "{path}");
        }
    }
}

#[test]
fn an_export_is_made_anew_and_nothing_of_the_one_before_is_left() {
    let place = Place::with_deployment();
    place.in_d("export compose --output out/compose");
    place.write("d/shares/alice.json", "[]\n");
    assert_eq!(place.in_d("user remove bob --yes").code, 0);
    // Killed half-way it has no project's file yet.
    std::fs::remove_file(place.path("out/compose/compose.yaml")).unwrap();
    place.write("out/compose/.unfinished-export", "");

    let ran = place.in_d("export compose --output out/compose");

    assert_eq!(ran.code, 0, "{ran:?}");
    let now = place.tree("out/compose");
    let bobs: Vec<&String> = now.keys().filter(|path| path.contains("bob")).collect();
    assert_eq!(bobs, [""; 0]);
    assert_eq!(now["shares/alice.json"], (0o600, b"[]\n".to_vec()));
    assert!(!now.contains_key(".unfinished-export"));
    assert!(!place.read("out/compose/compose.yaml").contains("bob"));
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let place = Place::with_deployment();
    place.write("thesis/chapter.tex", "years of work");
    place.write("theirs/compose.yaml", "services: {}\n");
    let before = place.tree("");
    for directory in ["thesis", "theirs"] {
        assert_eq!(
            place.in_d(&format!("export compose --output {directory}")),
            failed(
                2,
                &format!("DIR/{directory} is not empty, and what is in it is no export of ours"),
                "name another directory with --output; nothing was written"
            )
        );
    }
    for directory in ["d", "d/compose", "d/files/alice/x", "."] {
        let ran = place.in_d(&format!("export compose --output {directory}"));
        assert_eq!(ran.code, 2, "{directory}: {ran:?}");
        assert!(
            ran.talk.contains("would lie in one another"),
            "{directory}: {ran:?}"
        );
    }
    let ran = place.run(&["-C", "nowhere", "export", "compose"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert_eq!(place.tree(""), before);
}

#[test]
fn what_runs_on_other_machines_is_not_in_it() {
    let place = Place::with_deployment();
    let spec = place.read("d/dtaas.yaml");
    let spec = spec
        .replace("profile: \"single-host\"", "profile: single-vagrant")
        .replace("machines: {}", "machines: {dtaas: {bridge: eno1}}");
    place.write("d/dtaas.yaml", &spec);
    let ran = place.in_d("export compose");
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(
        ran.talk
            .starts_with("error: nothing of the platform runs on this machine\n"),
        "{ran:?}"
    );
    assert!(!place.path("foo.com-compose").exists());
}
