//! What an operator does day by day: reads logs, restarts a part, runs a program in a workspace, and sees who did what.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::deployment::{Deployment, Ran};
use super::engine::{self, docker};
use super::steps::Steps;
use crate::rig::rig;

#[test]
fn logs_restart_exec_and_history() {
    const TEST: &str = "platform::operating::logs_restart_exec_and_history";
    let Some(rig) = rig(TEST) else { return };
    let steps = Steps::of(TEST);
    let here = Deployment::init(&rig, "ops", "foo.com", "alice,bob", &[]);
    steps.step("up", || here.dtaas(&["up"]).succeeded());
    let (alice, bob) = (
        here.container("workspace-alice"),
        here.container("workspace-bob"),
    );

    steps.step("a program runs in a workspace", || {
        let ran = here.dtaas(&[
            "exec",
            "alice",
            "--",
            "sh",
            "-c",
            "echo out; echo err >&2; exit 7",
        ]);
        assert_eq!(
            (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
            (Some(7), "out\n", "err\n")
        );
        let mut command = here.command(&["exec", "bob", "--", "cat"]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"typed\n").unwrap();
        let ran = Ran::of(child.wait_with_output().unwrap());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "typed\n"));
        let ran = here.dtaas(&["exec", "carol", "--", "true"]);
        assert_eq!(ran.code, Some(2));
        assert!(
            ran.stderr
                .starts_with("error: there is no part and no user named carol\n"),
            "{}",
            ran.stderr
        );
        let ran = here.dtaas(&["exec", "workspace", "--", "true"]);
        assert!(
            ran.stderr.starts_with("error: workspace is 2 containers\n"),
            "{}",
            ran.stderr
        );
    });

    // What goes to its first process's standard output is its log.
    let say = |container: &str, text: &str| {
        let write = format!("echo '{text}' > /proc/1/fd/1");
        docker(&["exec", container, "sh", "-c", &write]);
    };
    steps.step("logs are in the order of time, and followed", || {
        say(&alice, "first marker");
        say(&bob, "second marker");
        say(&alice, "third marker");
        let logs = here
            .dtaas(&["logs", "--grep", "marker$"])
            .succeeded()
            .stdout;
        let told: Vec<&str> = logs
            .lines()
            .map(|line| line.split_once(' ').unwrap().1)
            .collect();
        assert_eq!(
            told,
            [
                "alice first marker",
                "bob second marker",
                "alice third marker"
            ]
        );
        let logs = here
            .dtaas(&["logs", "bob", "--since", "1h", "--grep", "marker", "--json"])
            .succeeded()
            .stdout;
        let line: Value = serde_json::from_str(&logs).unwrap();
        assert_eq!(
            (&line["part"], &line["text"]),
            (&"bob".into(), &"second marker".into())
        );

        let mut following =
            here.spawn(&["logs", "-f", "alice", "bob", "-n", "1", "--grep", "marker"]);
        let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
        let mut next = || {
            let line = lines.next().unwrap().unwrap();
            line.split_once(' ').unwrap().1.to_owned()
        };
        assert_eq!(
            (next(), next()),
            ("bob second marker".into(), "alice third marker".into())
        );
        say(&bob, "fourth marker");
        assert_eq!(next(), "bob fourth marker");
        // It goes on when the container was restarted.
        docker(&["restart", &bob]);
        say(&bob, "fifth marker");
        assert_eq!(next(), "bob fifth marker");
        kill_process(Pid::from_child(&following), Signal::INT).unwrap();
        assert_eq!(following.wait().unwrap().code(), Some(0));

        let ran = here.dtaas(&["logs", "alise"]);
        assert_eq!(
            (ran.code, ran.stderr.as_str()),
            (
                Some(2),
                "error: there is no part and no user named alise\nhint: did you mean alice?\n"
            )
        );
        assert_eq!(here.dtaas(&["logs", "--grep", "("]).code, Some(2));
    });

    steps.step(
        "a restart keeps the container, and asks where someone's work runs",
        || {
            let before = engine::life(&bob);
            let ran = here.dtaas(&["restart", "bob"]);
            assert_eq!(ran.code, Some(2), "{}", ran.stderr);
            assert_eq!(engine::life(&bob), before);
            docker(&["exec", &bob, "touch", "/root/installed"]);
            let ran = here.dtaas(&["restart", "bob", "--yes"]).succeeded();
            assert!(
                ran.stderr.contains(&format!("{bob} answers ")),
                "{}",
                ran.stderr
            );
            let after = engine::life(&bob);
            assert_eq!(after.0, before.0);
            assert_ne!(after.1, before.1);
            docker(&["exec", &bob, "test", "-e", "/root/installed"]);
            let others = engine::life(&alice);
            here.dtaas(&["restart", "website", "library"]).succeeded();
            assert_eq!(engine::life(&alice), others);
        },
    );

    steps.step("what was done is known, also where it broke off", || {
        docker(&["stop", "-t", "0", &here.container("website")]);
        let mut up = here.spawn(&["up"]);
        let mut told = BufReader::new(up.stderr.take().unwrap()).lines();
        // It has begun as soon as it says something.
        told.next();
        up.kill().unwrap();
        up.wait().unwrap();
        let runs = here.dtaas(&["history", "--json"]).succeeded().stdout;
        let runs: Value = serde_json::from_str(&runs).unwrap();
        let last = runs.as_array().unwrap().last().unwrap().clone();
        assert_eq!(
            (&last["exit"], &last["runs"]),
            (&Value::Null, &false.into())
        );
        assert!(last["command"].as_str().unwrap().ends_with(" up"), "{last}");
        let shown = here.dtaas(&["history"]).succeeded().stdout;
        let lines: Vec<&str> = shown.lines().collect();
        assert!(
            lines[1].contains(" init ") && lines[1].contains(" done "),
            "{shown}"
        );
        assert!(lines.last().unwrap().contains(" broke off "), "{shown}");
        assert!(!shown.contains(&here.password("alice")));
    });

    steps.step("a run that fails says where what it told is kept", || {
        // The gateway ends as soon as it starts.
        let broken = here.path("templates/gateway/static/traefik.yml.hbs");
        std::fs::create_dir_all(broken.parent().unwrap()).unwrap();
        std::fs::write(&broken, "entryPoints:\n  web:\n    address: nonsense\n").unwrap();
        let ran = here.dtaas(&["up"]);
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        let last = ran.stderr.lines().last().unwrap();
        let kept = last.strip_prefix("What this run told is kept in ").unwrap();
        let kept = std::fs::read_to_string(kept.trim_end_matches('.')).unwrap();
        assert!(kept.contains("error: "), "{kept}");
        std::fs::remove_file(&broken).unwrap();
        here.dtaas(&["up"]).succeeded();
    });
}
