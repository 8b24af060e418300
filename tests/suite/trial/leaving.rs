//! What is left of a trial: nothing.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

use rustix::process::Signal;

use super::fixture::{Trial, names_in};
use crate::library::fixture::client;

#[test]
fn told_to_stop_it_leaves_nothing() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let temporary = tempfile::tempdir().unwrap();
        let mut trial = Trial::of_the_sample(temporary.path());
        assert_eq!(names_in(temporary.path()).len(), 1);
        trial.signal(signal);
        assert_eq!(trial.wait().code(), Some(0), "{signal:?}");
        assert_eq!(names_in(temporary.path()), [""; 0], "{signal:?}");
    }
}

#[test]
fn told_twice_it_does_not_wait_for_requests_and_leaves_nothing() {
    let temporary = tempfile::tempdir().unwrap();
    let mut trial = Trial::of_the_sample(temporary.path());
    // Given a request that does not come to its end,
    let address = trial
        .url
        .trim_start_matches("http://")
        .trim_end_matches('/');
    let mut begun = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /lib HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\nContent-Type: application/json\r\n\
         Content-Length: 100\r\nExpect: 100-continue\r\n\r\n",
        trial.key_of("alice")
    );
    begun.write_all(head.as_bytes()).unwrap();
    // (which is in hand once its body is asked for)
    let mut asked = [0; 25];
    std::io::Read::read_exact(&mut begun, &mut asked).unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    // when it is told to stop, and told again,
    trial.signal(Signal::INT);
    while TcpStream::connect(address).is_ok() {
        std::thread::yield_now();
    }
    trial.signal(Signal::INT);
    // then it stops, says so, and leaves nothing.
    assert_eq!(trial.wait().code(), Some(0));
    let said = trial.rest();
    let cut = "trial: stopped before every request had ended".to_owned();
    assert!(said.contains(&cut), "{said:?}");
    assert_eq!(names_in(temporary.path()), [""; 0]);
}

#[test]
fn what_a_killed_one_left_goes_with_the_next() {
    let temporary = tempfile::tempdir().unwrap();
    let mut killed = Trial::of_the_sample(temporary.path());
    let alive = Trial::of_the_sample(temporary.path());
    killed.signal(Signal::KILL);
    killed.wait();
    let before = names_in(temporary.path());
    assert_eq!(before.len(), 2);

    let next = Trial::of_the_sample(temporary.path());
    let after = names_in(temporary.path());
    assert_eq!(after.len(), 2);
    let gone: Vec<&String> = before.iter().filter(|name| !after.contains(name)).collect();
    let [gone] = gone.as_slice() else {
        panic!("{before:?} {after:?}");
    };
    let told = format!(
        "Removed {}, which an earlier trial had left.",
        temporary.path().join(gone).display()
    );
    assert!(next.said.contains(&told), "{:?}", next.said);
    drop((alive, next));
}

/// Root may remove anything; everybody else only what lies in a directory that they may write to.
#[tokio::test]
async fn what_was_closed_to_writing_goes_as_well() {
    let temporary = tempfile::tempdir().unwrap();
    let own = temporary.path().join("own");
    fs::create_dir(&own).unwrap();
    // Given a trial of an ordinary account, which can come by its program,
    let program = temporary.path().join("dtaas");
    fs::copy(crate::rig::binary(), &program).unwrap();
    fs::set_permissions(temporary.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = std::process::Command::new(&program);
    command.args(["trial", "--port", "0", "--jupyter", "/bin/false"]);
    command.env_clear().env("TMPDIR", &own);
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&own, Some(65534), Some(65534)).unwrap();
        command.uid(65534).gid(65534);
    }
    let mut trial = Trial::start(command, "");
    // whose user opened a workspace, in which a directory is kept from being written to,
    let user = trial.passwords[0].0.clone();
    let asked = client().get(format!("{}{user}/lab", trial.url));
    let answer = asked.header("Authorization", trial.key_of(&user)).send();
    assert_eq!(answer.await.unwrap().status(), 503);
    let scratch = own.join(&names_in(&own)[0]);
    let library = scratch.join("workspaces").join(&user).join("library");
    let mode = fs::metadata(&library).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o500);
    // when it is told to stop, then nothing of it is left.
    trial.signal(Signal::INT);
    assert_eq!(trial.wait().code(), Some(0), "{:?}", trial.rest());
    assert_eq!(names_in(&own), [""; 0]);
}
