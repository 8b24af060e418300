//! Twenty machines on paper: the real protocol and the real difference, each machine a task at the other end of a pipe. Time stands
//! still but for what they wait for, so what a run takes is exact.

mod simulated;

use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::*;
use crate::remote::Agent;
use simulated::{End, LOOK, Simulated};

const MACHINES: usize = 20;

/// Remembers what it is told, by machine and in order.
#[derive(Default)]
struct Heard(Mutex<Vec<(String, Event)>>);

impl Tell for Heard {
    fn event(&self, machine: Option<&str>, event: Event) {
        let machine = machine.unwrap_or_default().to_owned();
        self.0.lock().unwrap().push((machine, event));
    }

    fn note(&self, machine: Option<&str>, text: &str) {
        panic!("{machine:?}: {text}");
    }
}

/// A run over twenty machines, the first with one step to do, the last with twenty.
struct Run {
    looked: Duration,
    applied: Duration,
    events: Vec<(String, Event)>,
    done: Vec<Option<usize>>,
    result: anyhow::Result<()>,
}

async fn run(end: impl Fn(usize) -> End, stop: watch::Receiver<bool>) -> Run {
    let sites: Vec<Site> = (1..=MACHINES).map(simulated::site).collect();
    let mut members = Vec::new();
    for (number, site) in (1..).zip(&sites) {
        let stream = Simulated::new(end(number)).start();
        let agent = Agent::over(&site.name, stream).await.unwrap();
        let hand = Hand::remote(agent, Duration::from_secs(600));
        members.push(Member::new(site, Ok(hand), false));
    }
    let heard = Heard::default();
    let wish = |site: &Site| {
        Ok(Wish {
            desired: simulated::desired(site),
            options: DiffOptions::default(),
            holder: Some("dtaas up"),
            answers: false,
        })
    };
    let began = Instant::now();
    let looks = look(&mut members, wish, &heard, stop.clone()).await;
    let looked = began.elapsed();
    let outcomes = apply(&mut members, &looks, &heard, stop).await;
    let applied = began.elapsed() - looked;
    let done = outcomes
        .iter()
        .map(|outcome| Some(outcome.as_ref()?.done))
        .collect();
    Run {
        looked,
        applied,
        events: heard.0.into_inner().unwrap(),
        done,
        result: result(members, outcomes, "dtaas up"),
    }
}

fn running() -> (watch::Sender<bool>, watch::Receiver<bool>) {
    watch::channel(false)
}

#[tokio::test(start_paused = true)]
async fn twenty_machines_take_as_long_as_the_slowest_and_not_as_all_together() {
    let (_stop, stop) = running();
    let run = run(|_| End::Well, stop).await;

    run.result.unwrap();
    assert_eq!(run.looked, LOOK);
    // A second a step: 20 for the last machine, 210 for all of them.
    assert_eq!(run.applied, Duration::from_secs(20));
    assert_eq!(run.done, (1..=MACHINES).map(Some).collect::<Vec<_>>());
    // Live: in the first second all have begun before any is done, and each tells of its own steps in their order.
    let first = &run.events[..MACHINES];
    assert!(
        first
            .iter()
            .all(|(_, event)| matches!(event, Event::StepStarted { step: 0, .. }))
    );
    for number in 1..=MACHINES {
        let name = simulated::name(number);
        let steps: Vec<usize> = run
            .events
            .iter()
            .filter(|(machine, _)| *machine == name)
            .filter_map(|(_, event)| match event {
                Event::StepDone { step, .. } => Some(*step),
                _ => None,
            })
            .collect();
        assert_eq!(steps, (0..number).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn what_three_of_twenty_do_wrong_holds_up_none_of_the_others() {
    let (_stop, stop) = running();
    let run = run(
        |number| match number {
            7 => End::Fails,
            13 => End::Leaves,
            19 => End::FallsSilent,
            _ => End::Well,
        },
        stop,
    )
    .await;

    let done: Vec<Option<usize>> = (1..=MACHINES)
        .map(|number| match number {
            7 => Some(6),
            13 | 19 => None,
            other => Some(other),
        })
        .collect();
    assert_eq!(run.done, done);
    // The last word of the silent one was its first step's; the slowest of the others takes longer than noticing that.
    assert_eq!(run.applied, Duration::from_secs(20));
    assert_eq!(
        run.result.unwrap_err().to_string(),
        "3 machines failed:\n\
         - machine-07: make directory directory-6 (755): the disk is on fire (mend that, then run this again: what is done stays done)\n\
         - machine-13: the agent ended (run the same again; if that happens again, see whether the machine is short of memory or its \
         /var may run programs)\n\
         - lost the connection to machine-19 (nothing was heard for 10 s): its run finishes the step in hand and stops (run the same \
         again when the network is back)"
    );
}

#[tokio::test(start_paused = true)]
async fn told_to_stop_all_twenty_finish_the_step_in_hand_and_no_more() {
    let (wanted, stop) = running();
    let stopping = async {
        tokio::time::sleep(LOOK + Duration::from_millis(5_500)).await;
        wanted.send_replace(true);
    };
    let (run, ()) = tokio::join!(run(|_| End::Well, stop), stopping);

    assert_eq!(run.applied, Duration::from_secs(6));
    let done: Vec<Option<usize>> = (1..=MACHINES).map(|number| Some(number.min(6))).collect();
    assert_eq!(run.done, done);
    let error = run.result.unwrap_err();
    assert_eq!(failure_of(&error).unwrap().code(), Exit::Interrupted);
    assert!(
        error.to_string().starts_with("14 machines failed:\n"),
        "{error}"
    );
}
