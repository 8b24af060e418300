//! What is found on a machine, and brought there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use dtaas::error::Exit;
use dtaas::machine::doors::Door;
use dtaas::platform::desired::Component;
use dtaas::remote::agent::Options;
use dtaas::remote::asks::Nobody;
use dtaas::remote::protocol::{Reply, Request};
use dtaas::remote::{Agent, Target};
use tokio::sync::watch;

use super::pipes::{ask, desired, look, plan_lines};
use super::sshd::{Setup, Sshd, binary, failure, sshd, start, until};

/// The executable's versions there.
fn versions(sshd: &Sshd) -> Vec<PathBuf> {
    let directory = sshd.there("/var/lib/dtaas/agent");
    let mut found: Vec<PathBuf> = fs::read_dir(directory)
        .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
        .unwrap_or_default();
    found.sort();
    found
}

#[tokio::test]
async fn the_executable_is_uploaded_once_and_repaired() {
    let Some(sshd) = sshd() else { return };
    let agent = start(&sshd.target()).await.unwrap();
    assert!(agent.uploaded());
    agent.end().await;
    let [version] = versions(&sshd).try_into().unwrap();
    let path = version.join("dtaas");
    assert_eq!(fs::read(&path).unwrap(), fs::read(binary()).unwrap());
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
        0o755
    );
    assert_eq!(fs::read_dir(&version).unwrap().count(), 1);

    let agent = start(&sshd.target()).await.unwrap();
    assert!(!agent.uploaded());
    agent.end().await;

    // Damaged: half of it is there.
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(1_000_000)
        .unwrap();
    let agent = start(&sshd.target()).await.unwrap();
    assert!(agent.uploaded());
    agent.end().await;
    assert_eq!(fs::read(&path).unwrap(), fs::read(binary()).unwrap());
}

#[tokio::test]
async fn two_versions_are_kept() {
    let Some(sshd) = sshd() else { return };
    let there = sshd.there("/var/lib/dtaas/agent");
    for name in ["0000000000000001", "0000000000000002", "notes"] {
        fs::create_dir_all(there.join(name)).unwrap();
        // Each later than the one before.
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    fs::write(there.join("0000000000000002/dtaas.12345678"), "half").unwrap();
    start(&sshd.target()).await.unwrap().end().await;
    let names: Vec<String> = versions(&sshd)
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(
        names.contains(&"0000000000000002".to_owned()) && names.contains(&"notes".to_owned()),
        "{names:?}"
    );
}

#[tokio::test]
async fn a_full_disk_is_said_and_nothing_is_left_on_it() {
    let setup = Setup {
        room: "1m",
        ..Setup::default()
    };
    let Some(sshd) = Sshd::start(setup) else {
        return;
    };
    let (message, hint) = failure(start(&sshd.target()).await);
    assert!(
        message.starts_with("dtaas: cannot write /var/lib/dtaas/agent/"),
        "{message}"
    );
    assert!(message.contains("No space left on device"), "{message}");
    assert_eq!(
        hint,
        "make room on dtaas (df -h /var/lib/dtaas/agent), then run this again"
    );
    let [version] = versions(&sshd).try_into().unwrap();
    assert_eq!(fs::read_dir(&version).unwrap().count(), 0);
}

fn with_programs(programs: &[(&'static str, &str)]) -> Option<Sshd> {
    Sshd::start(Setup {
        programs: programs
            .iter()
            .map(|(name, script)| (*name, (*script).to_owned()))
            .collect(),
        ..Setup::default()
    })
}

#[tokio::test]
async fn another_architecture_says_which_file_to_give() {
    let Some(sshd) = with_programs(&[("uname", "echo Linux aarch64")]) else {
        return;
    };
    let options = Options {
        asks: Arc::new(Nobody),
        binary: None,
    };
    assert_eq!(
        failure(Agent::start(&sshd.target(), &options).await),
        (
            "dtaas has processors of the kind aarch64, and this program is for x86_64".to_owned(),
            "give the program for aarch64 as a file: --agent-binary FILE".to_owned()
        )
    );
    let (message, _) = failure(start(&sshd.target()).await);
    assert!(
        message.ends_with("is for x86_64, and dtaas has processors of the kind aarch64"),
        "{message}"
    );
}

#[tokio::test]
async fn another_system_is_refused() {
    let Some(sshd) = with_programs(&[("uname", "echo welcome; echo FreeBSD amd64")]) else {
        return;
    };
    let (message, _) = failure(start(&sshd.target()).await);
    assert_eq!(message, "dtaas runs FreeBSD, and only Linux is worked with");
}

#[tokio::test]
async fn without_roots_rights_nothing_is_done() {
    let programs = [
        ("id", "echo 1000"),
        ("sudo", "echo 'sudo: a password is required' >&2; exit 1"),
    ];
    let Some(sshd) = with_programs(&programs) else {
        return;
    };
    let (message, hint) = failure(start(&sshd.target()).await);
    assert_eq!(
        message,
        "dtaas: the work there takes root, and the login has not its rights: sudo: a password is required"
    );
    assert!(hint.contains("NOPASSWD"), "{hint}");
    assert!(versions(&sshd).is_empty());
}

#[tokio::test]
async fn with_sudo_all_goes_through_it() {
    // What sudo is told is kept, and done.
    let log = tempfile::NamedTempFile::new().unwrap();
    let sudo = format!(
        "echo \"$*\" >> {}; shift 2; exec \"$@\"",
        log.path().display()
    );
    let Some(sshd) = with_programs(&[("id", "echo 1000"), ("sudo", &sudo)]) else {
        return;
    };
    start(&sshd.target()).await.unwrap().end().await;
    let said = fs::read_to_string(log.path()).unwrap();
    let programs: Vec<&str> = said
        .lines()
        .map(|line| {
            line.strip_prefix("-n -- ")
                .unwrap()
                .split(' ')
                .next()
                .unwrap()
        })
        .collect();
    assert_eq!(
        programs[..9],
        [
            "true",
            "sha256sum",
            "install",
            "find",
            "env",
            "sha256sum",
            "chmod",
            "mv",
            "ls"
        ]
    );
    assert!(
        said.lines().last().unwrap().ends_with("/dtaas agent"),
        "{said}"
    );
}

#[tokio::test]
async fn files_are_written_there_as_here() {
    let Some(sshd) = sshd() else { return };
    let root = sshd.path("opt/dtaas/foo.com");
    let desired = desired(&root);
    let mut agent = start(&sshd.target()).await.unwrap();

    let found = look(&mut agent, &desired).await.unwrap();
    assert_eq!(
        plan_lines(&found),
        [
            "make directory config (755)",
            "write config/secret",
            "write config/traefik.yml"
        ]
    );
    let Reply::Outcome(outcome) = ask(&mut agent, Request::Apply).await.unwrap() else {
        panic!("another reply");
    };
    assert_eq!(outcome.done, 3);
    assert_eq!(
        fs::read_to_string(root.join("config/secret")).unwrap(),
        "hunter2"
    );
    for above in [root.clone(), sshd.path("opt")] {
        assert_eq!(
            fs::metadata(above).unwrap().permissions().mode() & 0o7777,
            0o755
        );
    }
    let found = look(&mut agent, &desired).await.unwrap();
    assert!(found.plan.is_empty());
    // No secret is in any process's arguments or environment.
    for (pid, arguments) in sshd.processes() {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        assert!(!arguments.contains("hunter2"));
        assert!(!String::from_utf8_lossy(&environment).contains("hunter2"));
    }
    agent.end().await;
    until("the agent ended", || sshd.agents().is_empty());
}

#[tokio::test]
async fn a_failure_there_keeps_its_exit_code() {
    let Some(sshd) = sshd() else { return };
    let root = sshd.path("root");
    fs::create_dir(&root).unwrap();
    let _held = dtaas::machine::lock::Lock::take(&root, "dtaas up").unwrap();
    let mut agent = start(&sshd.target()).await.unwrap();
    let error = look(&mut agent, &desired(&root)).await.unwrap_err();
    let failed = dtaas::error::failure_of(&error).unwrap();
    assert_eq!(failed.code(), Exit::Locked);
    assert!(
        failed.to_string().starts_with(&format!(
            "dtaas: {} is held by dtaas up (process ",
            root.display()
        )),
        "{failed}"
    );
}

#[tokio::test]
async fn doors_are_tried_from_there() {
    let Some(sshd) = sshd() else { return };
    let mut agent = start(&sshd.target()).await.unwrap();
    let closed = crate::machine_lab::free_port();
    let doors = [sshd.port, closed].map(|port| Door {
        host: "127.0.0.1".into(),
        port,
        component: Component::RabbitMq,
    });
    let doors = doors.to_vec();
    let Reply::Doors(closed) = ask(&mut agent, Request::Doors { doors }).await.unwrap() else {
        panic!("another reply");
    };
    let refused = "nothing listens there, or it is refused".to_owned();
    assert_eq!(closed, [None, Some(refused)]);
}

#[tokio::test]
async fn machines_are_worked_on_side_by_side() {
    let (Some(one), Some(two)) = (sshd(), super::sshd::sshd()) else {
        return;
    };
    let named = |name: &str, sshd: &Sshd| Target {
        name: name.into(),
        ..sshd.target()
    };
    let (one_there, two_there) = (named("one", &one), named("two", &two));
    let (first, second) = tokio::join!(start(&one_there), start(&two_there));
    let (mut first, mut second) = (first.unwrap(), second.unwrap());
    let never = watch::channel(false).1;
    let (a, b) = tokio::join!(
        first.ask(Request::Facts, &|_| {}, &|_| {}, never.clone()),
        second.ask(Request::Facts, &|_| {}, &|_| {}, never)
    );
    let (Reply::Facts(a), Reply::Facts(b)) = (a.unwrap(), b.unwrap()) else {
        panic!("another reply");
    };
    assert_eq!(a, b);
    assert_eq!(a.version, env!("CARGO_PKG_VERSION"));
}
