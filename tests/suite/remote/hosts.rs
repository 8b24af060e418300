//! How a machine is reached, and what is said when it is not.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dtaas::remote::Target;
use dtaas::remote::asks::Answer;

use super::sshd::{Operator, failure, keygen, sshd, start, start_with};

#[tokio::test]
async fn nothing_listens() {
    let Some(sshd) = sshd() else { return };
    let port = crate::machine_lab::free_port();
    let target = Target {
        port: Some(port),
        ..sshd.target()
    };
    assert_eq!(
        failure(start(&target).await),
        (
            format!(
                "dtaas: cannot connect to 127.0.0.1:{port}: the machine is there and refuses the connection"
            ),
            "start the SSH server there (systemctl start ssh), or name its port with `port:`"
                .into()
        )
    );
}

#[tokio::test]
async fn a_name_that_is_not_known() {
    let Some(sshd) = sshd() else { return };
    let target = Target {
        host: "no-such-machine.invalid".into(),
        ..sshd.target()
    };
    let (message, _) = failure(start(&target).await);
    assert!(
        message.starts_with("dtaas: the name no-such-machine.invalid is not known here: "),
        "{message}"
    );
}

/// A port at which one answer is given, again and again.
fn port_that_says(words: &'static [u8], forever: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                while stream.write_all(words).is_ok() && forever {}
                std::thread::sleep(Duration::from_secs(60));
            });
        }
    });
    port
}

#[tokio::test]
async fn what_is_no_ssh_server_is_called_so_within_seconds() {
    let Some(sshd) = sshd() else { return };
    for (words, forever) in [
        (&b""[..], false),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", false),
        (b"rubbish without an end ", true),
        (b"many\nlines\n", true),
        (b"SSH-2.0-x\r\n\xff\xff\xff\xff\xff\xff\xff", true),
    ] {
        let port = port_that_says(words, forever);
        let target = Target {
            port: Some(port),
            ..sshd.target()
        };
        let begun = Instant::now();
        let (message, _) = failure(start(&target).await);
        // What begins well may break off later as well, with nothing in common by then.
        let says = [
            format!("dtaas: what answers at 127.0.0.1:{port} does not speak SSH: "),
            format!("dtaas: 127.0.0.1:{port} and this program found no way to encrypt"),
        ];
        assert!(
            says.iter().any(|words| message.starts_with(words)),
            "{message}"
        );
        assert!(begun.elapsed() < Duration::from_secs(15), "{words:?}");
    }
}

#[tokio::test]
async fn nothing_answers_within_ten_seconds() {
    let Some(sshd) = sshd() else { return };
    // A listener whose backlog is full takes no connection, and refuses none.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&any.into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let _filling: Vec<_> = (0..4)
        .map(|_| std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200)))
        .collect();
    let target = Target {
        port: Some(address.port()),
        ..sshd.target()
    };
    let (message, _) = failure(start(&target).await);
    assert_eq!(
        message,
        format!("dtaas: cannot connect to {address}: nothing answered within 10 s")
    );
}

#[tokio::test]
async fn an_alias_of_the_ssh_configuration_is_enough() {
    let Some(sshd) = sshd() else { return };
    let config = sshd.path("config.d");
    fs::write(
        &config,
        format!(
            "Host box\n  HostName 127.0.0.1\n  Port {}\n  User root\n  IdentityFile {}\n  UserKnownHostsFile {}\n",
            sshd.port,
            sshd.path("key").display(),
            sshd.known_hosts().display()
        ),
    )
    .unwrap();
    let target = Target {
        config: Some(config),
        ..Target::new("dtaas", "box", "/opt/dtaas/foo.com")
    };
    start(&target).await.unwrap();
}

#[tokio::test]
async fn the_way_leads_through_other_hosts() {
    let (Some(hop), Some(sshd)) = (sshd(), super::sshd::sshd()) else {
        return;
    };
    let mut known = fs::OpenOptions::new()
        .append(true)
        .open(sshd.known_hosts())
        .unwrap();
    known
        .write_all(hop.known_line("ed25519").as_bytes())
        .unwrap();
    let config = sshd.path("ssh_config");
    fs::write(
        &config,
        format!(
            "Host hop\n  HostName 127.0.0.1\n  Port {}\n  User root\n  IdentityFile {}\n",
            hop.port,
            hop.path("key").display()
        ),
    )
    .unwrap();
    let through = |jump: &str| Target {
        jump: Some(jump.into()),
        config: Some(config.clone()),
        ..sshd.target()
    };
    start(&through("hop")).await.unwrap();
    // Twice through the same one.
    start(&through("hop,hop")).await.unwrap();

    // The host on the way is checked as well.
    fs::write(sshd.known_hosts(), sshd.known_line("ed25519")).unwrap();
    let (message, _) = failure(start(&through("hop")).await);
    assert!(
        message.starts_with(&format!(
            "dtaas: the host key of [127.0.0.1]:{} is not known",
            hop.port
        )),
        "{message}"
    );
    // Behind it, nothing listens.
    fs::write(sshd.known_hosts(), hop.known_line("ed25519")).unwrap();
    let port = crate::machine_lab::free_port();
    let target = Target {
        port: Some(port),
        ..through("hop")
    };
    let (message, _) = failure(start(&target).await);
    assert!(
        message.starts_with(&format!(
            "dtaas: the host on the way cannot connect to 127.0.0.1:{port}: "
        )),
        "{message}"
    );
}

#[tokio::test]
async fn a_key_that_is_not_let_in() {
    let Some(sshd) = sshd() else { return };
    fs::write(sshd.path("authorized_keys"), "").unwrap();
    let key = sshd.path("key").display().to_string();
    assert_eq!(
        failure(start(&sshd.target()).await),
        (
            format!(
                "dtaas: 127.0.0.1:{} does not let root in; tried: {key}; it takes: publickey",
                sshd.port
            ),
            format!(
                "let your key in there: ssh-copy-id -p {} root@127.0.0.1; or name the key that is let in, with `key:`",
                sshd.port
            )
        )
    );
    let target = Target {
        key: Some("/nowhere/key".into()),
        ..sshd.target()
    };
    let (message, _) = failure(start(&target).await);
    assert!(
        message.contains(
            "tried: /nowhere/key (cannot be read: No such file or directory (os error 2))"
        ),
        "{message}"
    );
}

#[tokio::test]
async fn an_encrypted_key_asks_for_its_passphrase() {
    let Some(sshd) = sshd() else { return };
    let key = sshd.path("locked");
    keygen(&key, "ed25519", "open sesame");
    fs::copy(sshd.path("locked.pub"), sshd.path("authorized_keys")).unwrap();
    let target = Target {
        key: Some(key.clone()),
        ..sshd.target()
    };

    let (message, hint) = failure(start(&target).await);
    assert!(
        message.contains("locked (needs its passphrase)"),
        "{message}"
    );
    assert!(
        hint.ends_with(&format!("ssh-add {}", key.display())),
        "{hint}"
    );

    let wrong = Operator::new(Answer::Nobody, Some("open barley"));
    let (message, _) = failure(start_with(&target, wrong.clone()).await);
    assert!(
        message.contains("locked (the passphrase was wrong)"),
        "{message}"
    );
    assert!(!message.contains("barley"), "{message}");
    assert_eq!(
        wrong.asked(),
        [
            "passphrase of locked, again: false",
            "passphrase of locked, again: true",
            "passphrase of locked, again: true"
        ]
    );

    let right = Operator::new(Answer::Nobody, Some("open sesame"));
    start_with(&target, right).await.unwrap();
}

/// What this very test program does when it is run again with an ssh-agent in its environment.
#[tokio::test]
async fn ssh_agent_holds_the_key() {
    if std::env::var_os("REMOTE_TEST_PORT").is_some() {
        return inside_agent().await;
    }
    let Some(sshd) = sshd() else { return };
    let key = sshd.path("locked");
    keygen(&key, "rsa", "");
    fs::copy(sshd.path("locked.pub"), sshd.path("authorized_keys")).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let script = "ssh-add -q \"$1\" && rm \"$1\" && exec \"$2\" --exact remote::hosts::ssh_agent_holds_the_key --nocapture";
    let output = Command::new("ssh-agent")
        .args(["sh", "-c", script, "sh"])
        .arg(&key)
        .arg(std::env::current_exe().unwrap())
        .env("REMOTE_TEST_PORT", sshd.port.to_string())
        .env("REMOTE_TEST_KNOWN", sshd.known_hosts())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

async fn inside_agent() {
    let value = |name: &str| std::env::var(name).unwrap();
    let target = Target {
        port: Some(value("REMOTE_TEST_PORT").parse().unwrap()),
        user: Some("root".into()),
        known_hosts: Some(value("REMOTE_TEST_KNOWN").into()),
        config: Some("/dev/null".into()),
        ..Target::new("dtaas", "127.0.0.1", "/opt/dtaas/foo.com")
    };
    start(&target).await.unwrap();
}
