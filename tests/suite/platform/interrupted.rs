//! A run that is interrupted says what is left, and the next one does it.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::client::within;
use super::deployment::Deployment;
use super::engine;
use super::steps::Steps;
use crate::engine_proxy::{Fault, Proxy, Which};
use crate::rig::rig;

/// Nothing that is waited for here takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came of a run that was sent signals.
struct Interrupted {
    code: Option<i32>,
    lines: Vec<Value>,
    talk: String,
}

#[test]
fn an_interrupted_run_says_what_is_left_and_the_next_does_it() {
    const TEST: &str =
        "platform::interrupted::an_interrupted_run_says_what_is_left_and_the_next_does_it";
    let Some(rig) = rig(TEST) else { return };
    let steps = Steps::of(TEST);
    let here = Deployment::init(&rig, "int", "localhost", "alice", &[]);
    std::fs::remove_dir_all(here.path("config")).unwrap();

    steps.step("Ctrl-C while the first step is in hand", || {
        let ran = interrupted(&here, &["up", "--json"], Signal::INT, |line| {
            line["event"] == "step-started"
        });
        ran.says_what_is_left(&here, "up");
    });
    steps.step("a lost connection while it is waited for answers", || {
        let ran = interrupted(&here, &["up", "--json"], Signal::HUP, |line| {
            line["event"] == "waiting" && line["container"] == here.container("workspace-alice")
        });
        let outcome = ran.outcome();
        assert_eq!(outcome["left"], Value::Array(Vec::new()), "{outcome}");
        assert_eq!((ran.code, &outcome["exit"]), (Some(130), &130.into()));
        assert!(
            ran.talk.contains("before everything answered"),
            "{}",
            ran.talk
        );
    });
    steps.step("the next run ends well, with nothing left to do", || {
        here.dtaas(&["up"]).succeeded();
        here.dtaas(&["plan", "--exit-code"]).succeeded();
    });
    steps.step("another profile is kept in one line of the spec", || {
        another_profile(&here)
    });
    steps.step("down asked to end, and run again", || {
        let ran = interrupted(&here, &["down", "--yes", "--json"], Signal::TERM, |line| {
            line["event"] == "step-started"
        });
        ran.says_what_is_left(&here, "down");
        here.dtaas(&["down", "--yes"]).succeeded();
        assert!(engine::objects(&here.name).is_empty());
    });
    steps.step("down --purge killed, and run again", || {
        here.dtaas(&["up"]).succeeded();
        let mut child = here.spawn(&["down", "--purge", "--yes", "--json"]);
        until(&mut child, |line| line["event"] == "step-done");
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        here.dtaas(&["down", "--purge", "--yes"]).succeeded();
        assert!(engine::objects(&here.name).is_empty());
        assert!(!here.root().exists());
    });
}

/// `plan` shows what it would mean, `up` keeps it.
fn another_profile(here: &Deployment) {
    let spec = here.path("dtaas.yaml");
    let profile = concat!(env!("CARGO_MANIFEST_DIR"), "/profiles/single-host.yaml");
    std::fs::copy(profile, here.path("mine.yaml")).unwrap();
    let written = std::fs::read_to_string(&spec).unwrap() + "# mine\n";
    let line = written.lines().find(|line| line.starts_with("profile:"));
    let expected = written.replace(line.unwrap(), "profile: ./mine.yaml");
    std::fs::write(&spec, &written).unwrap();

    here.dtaas(&["plan", "--profile", "./mine.yaml"])
        .succeeded();
    assert_eq!(std::fs::read_to_string(&spec).unwrap(), written);
    let said = "dtaas.yaml: profile is now ./mine.yaml\n";
    let up = || here.dtaas(&["up", "--profile", "./mine.yaml"]).succeeded();
    // Other deployments may have been waited for before.
    assert!(up().stderr.contains(said));
    assert_eq!(std::fs::read_to_string(&spec).unwrap(), expected);
    assert!(!up().stderr.contains(said));
    // Also away from one that is gone.
    std::fs::remove_file(here.path("mine.yaml")).unwrap();
    assert_eq!(here.dtaas(&["up"]).code, Some(2));
    here.dtaas(&["up", "--profile", "single-host"]).succeeded();
}

#[test]
fn two_deployments_take_turns_on_a_machine() {
    const TEST: &str = "platform::interrupted::two_deployments_take_turns_on_a_machine";
    let Some(rig) = rig(TEST) else { return };
    let here = Deployment::init(&rig, "turn", "localhost", "alice", &[]);
    let before = here.dtaas(&["plan"]).succeeded().stdout;

    // Another run has the machine: the kernel's own program takes the same lock.
    let mut holder = Command::new("flock")
        .args(["--no-fork", "/run/dtaas.lock", "sh", "-c"])
        .arg("echo 'dtaas up of foo.com (process 1, since then)' >/run/dtaas.lock; echo held; read line")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut held = String::new();
    BufReader::new(holder.stdout.as_mut().unwrap())
        .read_line(&mut held)
        .unwrap();
    assert_eq!(held, "held\n");

    let ran = interrupted(&here, &["up", "--json"], Signal::INT, |line| {
        line["text"] == "waiting for dtaas up of foo.com (process 1, since then)"
    });
    assert_eq!(ran.code, Some(130), "{}", ran.talk);
    assert_eq!(
        ran.talk, "error: interrupted; nothing was changed\n",
        "{:?}",
        ran.lines
    );
    assert_eq!(here.dtaas(&["plan"]).succeeded().stdout, before);

    let mut waits = here.spawn(&["up", "--json"]);
    until(&mut waits, |line| {
        line["text"] == "waiting for dtaas up of foo.com (process 1, since then)"
    });
    drop(holder.stdin.take());
    let (lines, talk) = rest(&mut waits);
    assert_eq!(waits.wait().unwrap().code(), Some(0), "{talk}");
    assert_eq!(lines.last().unwrap()["exit"], 0);
    holder.wait().unwrap();
}

#[test]
fn a_second_ctrl_c_stops_at_once() {
    const TEST: &str = "platform::interrupted::a_second_ctrl_c_stops_at_once";
    let Some(rig) = rig(TEST) else { return };
    let here = Deployment::init(&rig, "twice", "localhost", "alice", &["--tls", "off"]);
    // The engine does not answer, so the step in hand has no end.
    let proxy = Proxy::new();
    proxy.fail(Fault::Hangs, Which::First("/networks/create"));
    let mut run = here
        .command(&["up", "--json"])
        .env("DOCKER_HOST", proxy.host())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let asked = |part: &str| proxy.seen().iter().any(|line| line.contains(part));
    within(PATIENCE, "the step is in hand", || {
        asked("/networks/create")
    });

    send(&run, Signal::INT);
    let mut talk = BufReader::new(run.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("once more stops at once") {
        assert_ne!(talk.read_line(&mut said).unwrap(), 0, "{said}");
    }
    send(&run, Signal::INT);

    talk.read_to_string(&mut said).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(130), "{said}");
    let end = "Stopped at once. Run the command again to do the rest.\n";
    assert!(said.ends_with(end), "{said}");
    here.dtaas(&["up"]).succeeded();
    here.dtaas(&["plan", "--exit-code"]).succeeded();
}

impl Interrupted {
    fn outcome(&self) -> &Value {
        let last = self.lines.last().unwrap();
        assert_eq!(last["event"], "outcome", "{:?}", self.lines);
        last
    }

    /// What the plan had, and is not done, is what is left; it is told in both ways.
    fn says_what_is_left(&self, deployment: &Deployment, command: &str) {
        let outcome = self.outcome();
        let of = |event: &str| {
            self.lines
                .iter()
                .filter(|line| line["event"] == event)
                .count()
        };
        let plan = self.lines.iter().find(|line| line["event"] == "plan");
        let planned = plan.unwrap()["steps"].as_array().unwrap().len();
        let left = outcome["left"].as_array().unwrap();
        assert_eq!((self.code, &outcome["exit"]), (Some(130), &130.into()));
        assert_eq!(outcome["interrupted"], true);
        assert!(!left.is_empty(), "{outcome}");
        assert_eq!(outcome["done"], of("step-done"));
        assert_eq!(left.len() + of("step-done"), planned, "{:?}", self.lines);
        let first = format!("- {}\n", left[0].as_str().unwrap());
        assert!(self.talk.contains(&first), "{}", self.talk);
        let hint = format!(
            "hint: run `dtaas -C {} {command}` again to do the rest\n",
            deployment.root().display()
        );
        assert!(self.talk.ends_with(&hint), "{}", self.talk);
    }
}

/// Runs a command, and sends it a signal once it says a line like that.
fn interrupted(
    deployment: &Deployment,
    arguments: &[&str],
    signal: Signal,
    moment: impl Fn(&Value) -> bool,
) -> Interrupted {
    let mut child = deployment.spawn(arguments);
    let mut lines = until(&mut child, moment);
    send(&child, signal);
    let (others, talk) = rest(&mut child);
    lines.extend(others);
    Interrupted {
        code: child.wait().unwrap().code(),
        lines,
        talk,
    }
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Its lines up to the first like that. They are read byte by byte, so that none is taken that comes after it.
fn until(child: &mut Child, moment: impl Fn(&Value) -> bool) -> Vec<Value> {
    let out = child.stdout.as_mut().unwrap();
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        let mut byte = [0];
        while out.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
            line.push(byte[0]);
        }
        assert!(!line.is_empty(), "it ended before: {lines:?}");
        lines.push(serde_json::from_slice(&line).unwrap());
        if moment(lines.last().unwrap()) {
            return lines;
        }
    }
}

/// What it says from there on, until it ends.
fn rest(child: &mut Child) -> (Vec<Value>, String) {
    let (mut out, mut talk) = (String::new(), String::new());
    let mut says = child.stdout.take().unwrap();
    says.read_to_string(&mut out).unwrap();
    let mut talks = child.stderr.take().unwrap();
    talks.read_to_string(&mut talk).unwrap();
    let lines = out.lines().map(|line| serde_json::from_str(line).unwrap());
    (lines.collect(), talk)
}
