//! Connections that break: both ends come to an end, and neither waits for the other without one.

use std::time::{Duration, Instant};

use dtaas::machine::lock::Lock;
use dtaas::remote::Target;
use dtaas::remote::protocol::{Look, Request};
use tokio::sync::watch;

use super::pipes::{desired, hold, look};
use super::sshd::{Sshd, failure, kill, sshd, start, until};
use super::wire::Wire;

fn over(wire: &Wire, sshd: &Sshd) -> Target {
    // known_hosts goes by the port that is connected to.
    let known = sshd.known_line("ed25519");
    let known = known.replace(&format!(":{} ", sshd.port), &format!(":{} ", wire.port));
    std::fs::write(sshd.known_hosts(), known).unwrap();
    Target {
        port: Some(wire.port),
        ..sshd.target()
    }
}

/// Something that takes until the end of the world: waiting for a lock.
fn endless(sshd: &Sshd) -> (Lock, Request) {
    let root = sshd.path("root");
    std::fs::create_dir(&root).unwrap();
    let lock = Lock::take(&root, "dtaas up").unwrap();
    let look = Look {
        lock: Some(hold(None)),
        ..super::pipes::to_look(&desired(&root))
    };
    (lock, Request::Look(Box::new(look)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_is_cut_without_a_word_is_noticed_at_both_ends() {
    let Some(sshd) = sshd() else { return };
    let wire = Wire::to(sshd.port);
    let mut agent = start(&over(&wire, &sshd)).await.unwrap();
    let (_lock, endless) = endless(&sshd);
    let (told, notes) = std::sync::mpsc::channel();
    let cut = std::thread::spawn(move || {
        let note: String = notes.recv().unwrap();
        wire.cut();
        (note, Instant::now(), wire)
    });
    let told = std::sync::Mutex::new(told);
    let came = agent
        .ask(
            endless,
            &|_| {},
            &|note| told.lock().unwrap().send(note).unwrap(),
            watch::channel(false).1,
        )
        .await;
    let (note, at, _wire) = cut.join().unwrap();
    assert!(note.starts_with("waiting for dtaas up (process "), "{note}");
    assert!(at.elapsed() < Duration::from_secs(15), "{:?}", at.elapsed());
    assert_eq!(
        failure(came),
        (
            "lost the connection to dtaas (nothing was heard for 10 s): its run finishes the step in hand and stops".into(),
            "run the same again when the network is back".into()
        )
    );
    until("the agent ended", || sshd.agents().is_empty());
    // Asked again, it still says so, and at once.
    let (message, _) = failure(look(&mut agent, &desired(&sshd.path("root"))).await);
    assert!(
        message.contains("lost the connection to dtaas"),
        "{message}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_in_the_middle_of_the_upload_nothing_is_left_that_runs() {
    let Some(sshd) = sshd() else { return };
    let wire = Wire::to(sshd.port);
    let target = over(&wire, &sshd);
    let (came, _wire) = tokio::join!(
        tokio::time::timeout(Duration::from_secs(90), start(&target)),
        async {
            while wire.carried() < 4_000_000 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            wire.cut();
            wire
        }
    );
    let (message, _) = failure(came.expect("it must not hang"));
    assert!(
        message.starts_with("lost the connection to dtaas: "),
        "{message}"
    );
    // By the way that is not cut it works, and the half upload was never taken for the whole.
    std::fs::write(sshd.known_hosts(), sshd.known_line("ed25519")).unwrap();
    assert!(start(&sshd.target()).await.unwrap().uploaded());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_sshd_that_is_killed_is_noticed_at_once() {
    let Some(sshd) = sshd() else { return };
    let mut agent = start(&sshd.target()).await.unwrap();
    let (_lock, endless) = endless(&sshd);
    let begun = Instant::now();
    let killed = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        for (pid, arguments) in sshd.processes() {
            if arguments.starts_with("sshd: ") {
                kill(pid, "KILL");
            }
        }
    };
    let never = watch::channel(false).1;
    let (came, ()) = tokio::join!(agent.ask(endless, &|_| {}, &|_| {}, never), killed);
    let (message, _) = failure(came);
    assert!(
        message.starts_with("lost the connection to dtaas ("),
        "{message}"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    until("the agent ended", || sshd.agents().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_killed_is_not_taken_for_a_lost_connection() {
    let Some(sshd) = sshd() else { return };
    let mut agent = start(&sshd.target()).await.unwrap();
    let [pid] = sshd.agents().try_into().unwrap();
    kill(pid, "KILL");
    let (message, _) = failure(look(&mut agent, &desired(&sshd.path("root"))).await);
    assert_eq!(message, "dtaas: the agent ended by signal KILL");
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_it_ends_there_as_well() {
    let Some(sshd) = sshd() else { return };
    let agent = start(&sshd.target()).await.unwrap();
    assert_eq!(sshd.agents().len(), 1);
    drop(agent);
    until("the agent ended", || sshd.agents().is_empty());
}
