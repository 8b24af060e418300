//! Host keys against known_hosts.

use std::fs;
use std::process::Command;

use dtaas::remote::asks::Answer;

use super::sshd::{Operator, Setup, Sshd, failure, sshd, start, start_with};

#[tokio::test]
async fn an_unknown_host_key_fails_where_nobody_can_answer() {
    let Some(sshd) = sshd() else { return };
    fs::write(sshd.known_hosts(), "").unwrap();
    let (message, hint) = failure(start(&sshd.target()).await);
    let (port, known) = (sshd.port, sshd.known_hosts());
    assert_eq!(
        message,
        format!(
            "dtaas: the host key of [127.0.0.1]:{port} is not known (ssh-ed25519 {}), and nobody is there to be asked",
            sshd.fingerprint("ed25519")
        )
    );
    assert_eq!(
        hint,
        format!(
            "compare that with what the machine itself says (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), then: \
             ssh-keyscan -t ed25519 -p {port} 127.0.0.1 >> {}",
            known.display()
        )
    );
    assert_eq!(fs::read_to_string(known).unwrap(), "");
}

#[tokio::test]
async fn one_that_is_accepted_is_written_down_and_not_asked_for_again() {
    let Some(sshd) = sshd() else { return };
    fs::remove_file(sshd.known_hosts()).unwrap();
    let refuses = Operator::new(Answer::Refuse, None);
    let (message, _) = failure(start_with(&sshd.target(), refuses).await);
    assert_eq!(
        message,
        format!(
            "dtaas: the host key of [127.0.0.1]:{} was not accepted",
            sshd.port
        )
    );
    assert!(!sshd.known_hosts().exists());

    let accepts = Operator::new(Answer::Accept, None);
    start_with(&sshd.target(), accepts.clone()).await.unwrap();
    let asked = format!(
        "dtaas: [127.0.0.1]:{} ssh-ed25519 {}",
        sshd.port,
        sshd.fingerprint("ed25519")
    );
    assert_eq!(accepts.asked(), [asked]);
    let known = fs::read_to_string(sshd.known_hosts()).unwrap();
    assert_eq!(known, sshd.known_line("ed25519"));

    start(&sshd.target()).await.unwrap();
}

#[tokio::test]
async fn a_changed_or_revoked_host_key_always_fails() {
    let Some(sshd) = sshd() else { return };
    let Some(other) = super::sshd::sshd() else {
        return;
    };
    let (port, known) = (sshd.port, sshd.known_hosts());
    fs::write(
        &known,
        format!(
            "# known\n[127.0.0.1]:{port} {}\n",
            other.host_key("ed25519")
        ),
    )
    .unwrap();
    let accepts = Operator::new(Answer::Accept, None);
    let (message, hint) = failure(start_with(&sshd.target(), accepts.clone()).await);
    assert_eq!(
        message,
        format!(
            "dtaas: [127.0.0.1]:{port} shows another host key (ssh-ed25519 {}) than {}:2 holds (ssh-ed25519); either it was \
             set up anew, or somebody stands between you and it",
            sshd.fingerprint("ed25519"),
            known.display()
        )
    );
    assert!(hint.contains(&format!("ssh-keygen -R '[127.0.0.1]:{port}'")));

    let line = sshd.known_line("ed25519");
    fs::write(
        &known,
        format!("{line}@revoked * {}\n", sshd.host_key("ed25519")),
    )
    .unwrap();
    let (message, _) = failure(start_with(&sshd.target(), accepts.clone()).await);
    assert!(
        message.ends_with(&format!("is revoked, says {}:2", known.display())),
        "{message}"
    );

    fs::write(
        &known,
        format!("@cert-authority * {}\n", sshd.host_key("ed25519")),
    )
    .unwrap();
    let (message, _) = failure(start_with(&sshd.target(), accepts.clone()).await);
    assert!(
        message.contains("host certificates are not read here"),
        "{message}"
    );
    assert!(accepts.asked().is_empty());
}

#[tokio::test]
async fn the_server_is_asked_for_the_type_of_key_that_is_known() {
    let setup = Setup {
        host_keys: &["ed25519", "ecdsa", "rsa"],
        ..Setup::default()
    };
    let Some(sshd) = Sshd::start(setup) else {
        return;
    };
    for kind in ["rsa", "ecdsa", "ed25519"] {
        fs::write(sshd.known_hosts(), sshd.known_line(kind)).unwrap();
        start(&sshd.target()).await.unwrap();
    }
}

#[tokio::test]
async fn a_hashed_entry_is_known() {
    let Some(sshd) = sshd() else { return };
    let hashed = Command::new("ssh-keygen")
        .args(["-H", "-f"])
        .arg(sshd.known_hosts())
        .output()
        .unwrap();
    assert!(hashed.status.success());
    let known = fs::read_to_string(sshd.known_hosts()).unwrap();
    assert!(known.starts_with("|1|"), "{known}");
    start(&sshd.target()).await.unwrap();
}
