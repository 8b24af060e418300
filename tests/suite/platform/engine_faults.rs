//! The engine stops, fails or hangs in the middle of `up`: one clear paragraph, whole files, and the next `up` does the rest.

use std::collections::BTreeSet;

use super::deployment::{Deployment, Ran};
use super::{engine, snapshot};
use crate::engine_proxy::{Fault, Proxy, Which};
use crate::rig::rig;

fn up_through(here: &Deployment, proxy: &Proxy) -> Ran {
    Ran::of(
        here.command(&["up"])
            .env("DOCKER_HOST", proxy.host())
            .output()
            .unwrap(),
    )
}

/// Fails unless it ended with one error and one hint behind all that it said of its progress.
fn one_paragraph(ran: &Ran, what: &str) {
    assert_eq!(ran.code, Some(1), "{what}: {}", ran.stderr);
    assert_eq!(ran.stdout, "", "{what}");
    let begins = |word: &str| {
        ran.stderr
            .lines()
            .filter(|line| line.starts_with(word))
            .count()
    };
    assert_eq!(
        (begins("error: "), begins("hint: ")),
        (1, 1),
        "{what}: {}",
        ran.stderr
    );
    // Where something was told before, it is said last where that is kept.
    let mut lines = ran.stderr.lines().rev();
    let last = lines.find(|line| !line.starts_with("What this run told is kept in "));
    assert!(
        last.unwrap().starts_with("hint: "),
        "{what}: {}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("panicked"), "{what}: {}", ran.stderr);
}

fn nothing_half_written(here: &Deployment, what: &str) {
    let left: Vec<String> = snapshot::files(&here.root())
        .into_keys()
        .filter(|path| path.contains("dtaas-new"))
        .collect();
    assert!(left.is_empty(), "{what}: {left:?}");
}

fn converges(here: &Deployment, what: &str) {
    here.dtaas(&["up"]).succeeded();
    let again = here.dtaas(&["up"]).succeeded();
    assert!(
        again
            .stderr
            .contains("Nothing to do: everything is as it should be, and answers."),
        "{what}: {}",
        again.stderr
    );
}

#[test]
fn an_engine_that_stops_in_the_middle_of_up() {
    const TEST: &str = "platform::engine_faults::an_engine_that_stops_in_the_middle_of_up";
    let Some(rig) = rig(TEST) else { return };
    let here = Deployment::init(&rig, "stops", "localhost", "alice", &["--tls", "off"]);
    let proxy = Proxy::new();
    up_through(&here, &proxy).succeeded();
    let seen = proxy.seen();
    let writes: Vec<usize> = (0..seen.len())
        .filter(|at| !seen[*at].starts_with("GET"))
        .collect();
    assert!(writes.len() > 8, "{seen:#?}");
    here.dtaas(&["down", "--yes"]).succeeded();

    // While it only looks, nothing at all is changed.
    let before = snapshot::of(&here.root(), &here.name);
    for (at, request) in seen.iter().enumerate().take(writes[0]) {
        for fault in [Fault::Cut, Fault::Half, Fault::Fails] {
            let what = format!("{fault:?} from request {at}, {request}");
            proxy.fail(fault, Which::From(at));
            one_paragraph(&up_through(&here, &proxy), &what);
            snapshot::same(&before, &snapshot::of(&here.root(), &here.name));
        }
    }

    // Then a part of it is done, and the rest is done by the next.
    let chosen: BTreeSet<usize> = writes
        .iter()
        .enumerate()
        .step_by(3)
        // At the request itself, or at what follows it.
        .map(|(turn, at)| (at + turn % 2).min(seen.len() - 1))
        .collect();
    for (turn, at) in chosen.into_iter().enumerate() {
        let (fault, which) = match turn % 4 {
            0 => (Fault::Cut, Which::From(at)),
            1 => (Fault::Fails, Which::Only(at)),
            2 => (Fault::Half, Which::Only(at)),
            _ => (Fault::Half, Which::From(at)),
        };
        let what = format!("{fault:?} {which:?}, {}", seen[at]);
        proxy.fail(fault, which);
        let ran = up_through(&here, &proxy);
        // One request alone may be one that need not be answered.
        if ran.code != Some(0) || matches!(which, Which::From(_)) {
            one_paragraph(&ran, &what);
        }
        nothing_half_written(&here, &what);
        converges(&here, &what);
        here.dtaas(&["down", "--yes"]).succeeded();
    }
}

#[test]
fn an_engine_that_hangs_is_named_with_the_call() {
    const TEST: &str = "platform::engine_faults::an_engine_that_hangs_is_named_with_the_call";
    let Some(rig) = rig(TEST) else { return };
    let here = Deployment::init(&rig, "hangs", "localhost", "alice", &["--tls", "off"]);
    let before = snapshot::of(&here.root(), &here.name);
    let proxies: Vec<(&str, &str)> = vec![
        ("/containers/json", "listing containers"),
        ("/networks", "listing networks"),
    ];
    std::thread::scope(|scope| {
        for (part, doing) in proxies {
            let here = here.root();
            scope.spawn(move || {
                let proxy = Proxy::new();
                proxy.fail(Fault::Hangs, Which::First(part));
                let ran = std::process::Command::new(crate::rig::binary())
                    .arg("-C")
                    .arg(here)
                    .arg("plan")
                    .env("DOCKER_HOST", proxy.host())
                    .output()
                    .unwrap();
                let ran = Ran::of(ran);
                one_paragraph(&ran, doing);
                assert!(names_a_listing(&ran.stderr), "{doing}: {}", ran.stderr);
            });
        }
    });
    snapshot::same(&before, &snapshot::of(&here.root(), &here.name));
    assert!(engine::objects(&here.name).is_empty());
}

/// Several questions are asked side by side: where the engine is so busy that another of them takes as long, that one is named.
fn names_a_listing(said: &str) -> bool {
    said.starts_with("error: the docker engine did not answer while listing ")
}
