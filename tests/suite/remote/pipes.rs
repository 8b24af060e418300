//! What the two ends say to each other, over pipes to the real agent.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use dtaas::error::{Exit, failure_of};
use dtaas::machine::diff::DiffOptions;
use dtaas::machine::lock::Lock;
use dtaas::platform::desired::{Content, Desired, Directory, File};
use dtaas::remote::Agent;
use dtaas::remote::protocol::{Difference, DockerState, Hold, Look, Reply, Request};
use dtaas::secrets::Secret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::sshd::failure;

/// Two files, one of them secret, in a directory: what no engine is needed for.
pub fn desired(root: &Path) -> Desired {
    let mut desired = Desired::nothing("foo.com".parse().unwrap(), root.to_owned());
    let file = |path: &str, content| File {
        path: path.into(),
        mode: 0o600,
        owner: None,
        content,
        user: None,
        leads_to: None,
        reloads: None,
        kept: false,
    };
    desired.directories = vec![Directory::plain("config")];
    desired.files = vec![
        file("config/secret", Content::Secret(Secret::new("hunter2"))),
        file(
            "config/traefik.yml",
            Content::Plain("entryPoints: {}\n".into()),
        ),
    ];
    desired
}

pub fn hold(wait: Option<u64>) -> Hold {
    Hold {
        command: "dtaas up".into(),
        wait,
    }
}

pub fn to_look(desired: &Desired) -> Look {
    Look {
        desired: desired.clone(),
        options: DiffOptions::default(),
        lock: Some(hold(Some(0))),
        answers: true,
        pull_timeout: None,
    }
}

pub async fn ask(agent: &mut Agent, request: Request) -> anyhow::Result<Reply> {
    let never = watch::channel(false).1;
    agent.ask(request, &|_| {}, &|_| {}, never).await
}

pub async fn look(agent: &mut Agent, desired: &Desired) -> anyhow::Result<Difference> {
    match ask(agent, Request::Look(Box::new(to_look(desired)))).await? {
        Reply::Difference(difference) => Ok(*difference),
        other => panic!("{other:?}"),
    }
}

pub fn plan_lines(difference: &Difference) -> Vec<String> {
    difference
        .plan
        .steps
        .iter()
        .map(|step| step.describe())
        .collect()
}

/// The real agent, on a machine without an engine, with these programs before the others.
fn spawn(programs: Option<&Path>) -> Child {
    let mut command = Command::new(crate::rig::binary());
    command
        .arg("agent")
        .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    if let Some(programs) = programs {
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", programs.display()));
    }
    command.spawn().unwrap()
}

async fn connect(child: &mut Child) -> Agent {
    let stream = tokio::io::join(child.stdout.take().unwrap(), child.stdin.take().unwrap());
    Agent::over("dtaas", stream).await.unwrap()
}

async fn ends_within(child: &mut Child, seconds: u64) {
    tokio::time::timeout(Duration::from_secs(seconds), child.wait())
        .await
        .expect("it must come to an end")
        .unwrap();
}

fn root_only() -> bool {
    let test = std::thread::current();
    crate::rig::there_is(
        "root",
        rustix::process::geteuid().is_root(),
        test.name().unwrap_or_default(),
    )
}

#[tokio::test]
async fn a_machine_is_looked_at_changed_and_cleared() {
    if !root_only() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("opt/foo.com");
    let mut child = spawn(None);
    let mut agent = connect(&mut child).await;

    let (message, _) = failure(ask(&mut agent, Request::Apply).await);
    assert_eq!(message, "dtaas: nothing was looked for that could be done");

    let found = look(&mut agent, &desired(&root)).await.unwrap();
    assert_eq!(found.plan.steps.len(), 3);
    // The locks are kept until it is applied.
    Lock::take(&root, "dtaas down").unwrap_err();
    ask(&mut agent, Request::Apply).await.unwrap();
    Lock::take(&root, "dtaas down").unwrap();
    assert!(root.join("config/secret").exists());

    let purge = || Request::Purge {
        root: root.clone(),
        library: None,
        command: "dtaas down --purge".into(),
    };
    for _ in 0..2 {
        ask(&mut agent, purge()).await.unwrap();
        assert!(!root.exists());
    }
    let (message, _) = failure(
        ask(
            &mut agent,
            Request::Purge {
                root: "/".into(),
                library: None,
                command: "dtaas".into(),
            },
        )
        .await,
    );
    assert_eq!(
        message,
        "dtaas: / cannot be where a deployment lies on a machine"
    );
    agent.end().await;
    ends_within(&mut child, 5).await;
}

#[tokio::test]
async fn what_is_mounted_behind_a_link_is_not_removed() {
    if !root_only() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let place = |path: &str| directory.path().join(path);
    std::fs::create_dir_all(place("real/foo.com/data/share")).unwrap();
    std::fs::create_dir(place("share")).unwrap();
    std::fs::write(place("share/of-elsewhere"), "x").unwrap();
    std::os::unix::fs::symlink("real", place("link")).unwrap();
    let run = |words: &[&std::ffi::OsStr]| {
        let status = std::process::Command::new(words[0])
            .args(&words[1..])
            .status();
        assert!(status.unwrap().success(), "{words:?}");
    };
    let there = place("real/foo.com/data/share");
    let (from, to) = (place("share"), there.as_os_str());
    run(&["mount".as_ref(), "--bind".as_ref(), from.as_os_str(), to]);
    let mut child = spawn(None);
    let mut agent = connect(&mut child).await;

    let purge = Request::Purge {
        root: place("link/foo.com"),
        library: None,
        command: "dtaas down --purge".into(),
    };
    let came = ask(&mut agent, purge).await;
    run(&["umount".as_ref(), to]);
    let (message, _) = failure(came);
    assert_eq!(
        message,
        format!(
            "dtaas: something else is mounted at {}, and its files are not ours to remove",
            there.display()
        )
    );
    assert!(place("share/of-elsewhere").exists());
    agent.end().await;
    ends_within(&mut child, 5).await;
}

#[tokio::test]
async fn whoever_holds_the_deployment_there_is_waited_for() {
    if !root_only() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let held = std::sync::Mutex::new(Some(Lock::take(root.path(), "dtaas up of ann").unwrap()));
    let mut child = spawn(None);
    let mut agent = connect(&mut child).await;
    let mut request = to_look(&desired(root.path()));
    request.lock = Some(hold(None));
    let notes = std::sync::Mutex::new(Vec::new());
    let came = agent
        .ask(
            Request::Look(Box::new(request)),
            &|_| {},
            &|note| {
                notes.lock().unwrap().push(note);
                held.lock().unwrap().take();
            },
            watch::channel(false).1,
        )
        .await;
    came.unwrap();
    let notes = notes.into_inner().unwrap();
    assert!(
        notes[0].starts_with("waiting for dtaas up of ann (process "),
        "{notes:?}"
    );
}

#[tokio::test]
async fn told_to_stop_it_stops_and_still_answers() {
    if !root_only() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let held = Lock::take(root.path(), "dtaas up").unwrap();
    let mut child = spawn(None);
    let mut agent = connect(&mut child).await;
    let mut request = to_look(&desired(root.path()));
    request.lock = Some(hold(None));
    let (stop, stopped) = watch::channel(false);
    let error = agent
        .ask(
            Request::Look(Box::new(request)),
            &|_| {},
            &|_| {
                stop.send_replace(true);
            },
            stopped,
        )
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "dtaas: interrupted; nothing was changed");
    assert_eq!(failure_of(&error).unwrap().code(), Exit::Interrupted);
    // It can be asked again.
    drop(held);
    look(&mut agent, &desired(root.path())).await.unwrap();
}

#[tokio::test]
async fn what_needs_the_engine_says_that_there_is_none() {
    let mut child = spawn(None);
    let mut agent = connect(&mut child).await;
    let Reply::Facts(facts) = ask(&mut agent, Request::Facts).await.unwrap() else {
        panic!("another reply");
    };
    assert_eq!(facts.docker, DockerState::Absent);
    assert!(facts.processors > 0 && facts.memory > 1 << 20);
    let mut wanted = desired(Path::new("/tmp/nowhere"));
    wanted.images = vec![dtaas::platform::desired::Image::Pull {
        reference: "traefik:v3".into(),
    }];
    let mut request = to_look(&wanted);
    request.lock = None;
    let (message, _) = failure(ask(&mut agent, Request::Look(Box::new(request))).await);
    assert!(message.starts_with("dtaas: "), "{message}");
    assert!(message.contains("/nowhere/docker.sock"), "{message}");
}

#[tokio::test]
async fn a_package_manager_that_fails_is_quoted() {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let is_known = release.contains("ID=debian\n") || release.contains("ID=ubuntu\n");
    if !crate::rig::there_is(
        "Debian or Ubuntu",
        is_known,
        "a_package_manager_that_fails_is_quoted",
    ) {
        return;
    }
    let programs = tempfile::tempdir().unwrap();
    let script = programs.path().join("apt-get");
    fs::write(
        &script,
        "#!/bin/sh\necho \"$*\"\necho 'E: no such package' >&2\nexit 100\n",
    )
    .unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut child = spawn(Some(programs.path()));
    let mut agent = connect(&mut child).await;
    let notes = std::sync::Mutex::new(Vec::new());
    let came = agent
        .ask(
            Request::InstallDocker,
            &|_| {},
            &|note| notes.lock().unwrap().push(note),
            watch::channel(false).1,
        )
        .await;
    let (message, _) = failure(came);
    assert!(
        message.starts_with(
            "dtaas: apt-get install -y --no-install-recommends docker.io failed (exit status: 100): "
        ),
        "{message}"
    );
    assert!(message.contains("E: no such package"), "{message}");
    let notes = notes.into_inner().unwrap();
    let ran =
        "-q -o DPkg::Lock::Timeout=600 install -y --no-install-recommends docker.io".to_owned();
    assert!(notes.contains(&ran), "{notes:?}");
}

#[tokio::test]
async fn another_protocol_is_refused() {
    let (ours, mut theirs) = tokio::io::duplex(4096);
    theirs
        .write_all(b"Welcome to foo!\n{\"hello\":{\"protocol\":99,\"version\":\"9.9.9\"}}\n")
        .await
        .unwrap();
    let (message, hint) = failure(Agent::over("dtaas", ours).await);
    assert_eq!(
        message,
        format!(
            "dtaas: the program there is version 9.9.9 and speaks protocol 99; this one is {} and speaks 2",
            env!("CARGO_PKG_VERSION")
        )
    );
    assert_eq!(hint, "give one of the same version: --agent-binary FILE");
}

#[tokio::test]
async fn rubbish_is_answered_without_repeating_it() {
    let mut child = spawn(None);
    let (mut to, mut from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    to.write_all(b"{\"ask\":{\"look\":\"hunter2\"}}\n")
        .await
        .unwrap();
    drop(to);
    let mut said = String::new();
    from.read_to_string(&mut said).await.unwrap();
    ends_within(&mut child, 5).await;
    let lines: Vec<&str> = said.lines().filter(|line| *line != "\"beat\"").collect();
    assert_eq!(
        lines,
        [
            &format!(
                "{{\"hello\":{{\"protocol\":2,\"version\":\"{}\"}}}}",
                env!("CARGO_PKG_VERSION")
            ),
            "{\"reply\":{\"Err\":{\"message\":\"what the agent was told is of another kind than is known at column 24\",\
             \"hint\":null,\"exit\":1}}}"
        ]
    );
}

#[tokio::test]
async fn whatever_ends_the_other_end_ends_the_agent() {
    // Standard input ends.
    let mut child = spawn(None);
    drop(child.stdin.take());
    ends_within(&mut child, 5).await;
    // A signal.
    for signal in ["TERM", "HUP", "INT"] {
        let mut child = spawn(None);
        let mut from = child.stdout.take().unwrap();
        from.read_u8().await.unwrap();
        super::sshd::kill(child.id().unwrap(), signal);
        ends_within(&mut child, 5).await;
    }
    // Nobody reads any more.
    let mut child = spawn(None);
    drop(child.stdout.take());
    ends_within(&mut child, 5).await;
    // Nobody says anything any more.
    let mut child = spawn(None);
    let _silent = child.stdin.take().unwrap();
    let begun = Instant::now();
    ends_within(&mut child, 15).await;
    assert!(begun.elapsed() > Duration::from_secs(8));
}

#[tokio::test]
async fn what_is_not_taken_holds_up_nothing() {
    let mut child = spawn(None);
    let _unread = child.stdout.take().unwrap();
    let mut to = child.stdin.take().unwrap();
    // Each is answered with a line, and nobody reads them.
    let flood = async { while to.write_all(b"rubbish\n").await.is_ok() {} };
    tokio::select! {
        () = flood => {}
        () = tokio::time::sleep(Duration::from_secs(20)) => panic!("it goes on for ever"),
    }
    ends_within(&mut child, 5).await;
}
