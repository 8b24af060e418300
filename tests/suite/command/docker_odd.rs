//! Something listens at docker's socket and is no engine that we work with: one clear paragraph, and nothing written.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;

use super::run::{Place, Ran, failed, is_root};

/// What a listener does with whoever asks it.
type Answer = fn(&mut UnixStream);

/// Answers everybody at `docker.sock` in a place, in threads that end with the tests.
fn listen(place: &Place, answer: Answer) {
    let listener = UnixListener::bind(place.path("docker.sock")).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let mut head = [0; 4096];
                let _ = stream.read(&mut head);
                answer(&mut stream);
            });
        }
    });
}

fn say(stream: &mut UnixStream, text: &str) {
    let _ = stream.write_all(text.as_bytes());
}

fn json(stream: &mut UnixStream, status: &str, body: &str) {
    let length = body.len();
    say(
        stream,
        &format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        ),
    );
}

/// `dtaas -C d …` with a `DOCKER_HOST`.
fn with_host(place: &Place, line: &str, host: &std::ffi::OsStr) -> Ran {
    let mut command = place.command();
    command.args(["-C", "d"]).args(line.split(' '));
    command.env("DOCKER_HOST", host);
    place.finish(command, "")
}

fn at_socket(place: &Place, line: &str) -> Ran {
    let host = format!("unix://{}", place.path("docker.sock").display());
    with_host(place, line, host.as_ref())
}

const COMMANDS: [&str; 6] = [
    "plan",
    "up",
    "status",
    "down --yes",
    "user add carl",
    "user passwd bob",
];

#[test]
fn what_answers_otherwise_is_said_to_be_no_engine() {
    if !is_root("what_answers_otherwise_is_said_to_be_no_engine") {
        return;
    }
    let answers: [(&str, Answer); 6] = [
        ("closes", |_| {}),
        ("garbage", |stream| say(stream, "SSH-2.0-OpenSSH_9.2\r\n")),
        ("a website", |stream| {
            json(stream, "200 OK", "<html>It works!</html>");
        }),
        ("half a body", |stream| {
            say(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{\"Version\": \"2",
            );
        }),
        ("fails", |stream| {
            json(
                stream,
                "500 Internal Server Error",
                "{\"message\":\"the store is damaged\"}",
            );
        }),
        ("not found", |stream| json(stream, "404 Not Found", "")),
    ];
    for (name, answer) in answers {
        let place = Place::with_deployment();
        listen(&place, answer);
        let before = place.tree("d");
        for line in COMMANDS {
            let ran = at_socket(&place, line);
            assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{name}: {ran:?}");
            let lines: Vec<&str> = ran.talk.lines().collect();
            let error = "error: what listens at DIR/docker.sock does not answer as a docker engine";
            assert!(
                lines[0].starts_with(&format!("{error}: ")),
                "{name}: {}",
                ran.talk
            );
            assert_eq!(
                lines[1..],
                ["hint: see what it says: journalctl -u docker"],
                "{name}"
            );
            if name == "fails" {
                assert!(lines[0].ends_with("the store is damaged"), "{}", ran.talk);
            }
        }
        assert_eq!(place.tree("d"), before, "{name}");
    }
}

#[test]
fn an_engine_that_is_not_worked_with_is_refused_by_its_name() {
    if !is_root("an_engine_that_is_not_worked_with") {
        return;
    }
    const ENGINE: &str =
        "use docker engine 20.10 or newer on Linux, run by root (apt-get install docker.io)";
    let answers: [(Answer, &str, &str); 3] = [
        (
            |stream| {
                json(
                    stream,
                    "200 OK",
                    "{\"Version\":\"18.09.1\",\"ApiVersion\":\"1.39\"}",
                );
            },
            "docker engine 18.09.1 is too old: it speaks interface 1.39, and 1.41 is needed",
            "upgrade it to 20.10 or newer",
        ),
        (
            |stream| {
                let body = "{\"Version\":\"4.3.1\",\"ApiVersion\":\"1.41\",\"Components\":[{\"Name\":\"Podman Engine\",\"Version\":\"4.3.1\"}]}";
                json(stream, "200 OK", body);
            },
            "Podman is not supported",
            ENGINE,
        ),
        (
            |stream| {
                let body = "{\"Version\":\"28.0.0\",\"ApiVersion\":\"1.48\",\"SecurityOptions\":[\"name=rootless\"]}";
                json(stream, "200 OK", body);
            },
            "rootless docker is not supported",
            ENGINE,
        ),
    ];
    for (answer, error, hint) in answers {
        let place = Place::with_deployment();
        listen(&place, answer);
        let before = place.tree("d");
        for line in COMMANDS {
            assert_eq!(at_socket(&place, line), failed(1, error, hint), "{line}");
        }
        assert_eq!(place.tree("d"), before);
    }
}

#[test]
fn an_engine_that_never_answers_is_not_waited_for_for_ever() {
    if !is_root("an_engine_that_never_answers") {
        return;
    }
    let place = Place::with_deployment();
    listen(&place, |_| {
        loop {
            std::thread::park();
        }
    });
    let before = place.tree("d");
    // Side by side: each waits for a minute.
    std::thread::scope(|scope| {
        for line in ["plan", "up", "status", "user add carl"] {
            let place = &place;
            scope.spawn(move || {
                assert_eq!(
                    at_socket(place, line),
                    failed(
                        1,
                        "the docker engine did not answer while asking which engine it is",
                        "see what it says (journalctl -u docker), restart it (systemctl restart docker), then run this again",
                    ),
                    "{line}"
                );
            });
        }
    });
    assert_eq!(place.tree("d"), before);
}

#[test]
fn a_docker_host_that_is_no_socket_is_named() {
    use std::os::unix::ffi::OsStrExt;
    if !is_root("a_docker_host_that_is_no_socket_is_named") {
        return;
    }
    let place = Place::with_deployment();
    let before = place.tree("d");
    let hosts: [(&[u8], &str); 6] = [
        (b"tcp://127.0.0.1:2375", "tcp://127.0.0.1:2375"),
        (b"ssh://root@foo.com", "ssh://root@foo.com"),
        (b"unix://", "unix://"),
        (b"unix://docker.sock", "unix://docker.sock"),
        (b"/var/run/docker.sock", "/var/run/docker.sock"),
        (b"unix\xff", "unix\u{fffd}"),
    ];
    for (host, shown) in hosts {
        for line in ["plan", "up", "status"] {
            let ran = with_host(&place, line, std::ffi::OsStr::from_bytes(host));
            let error = format!(
                "DOCKER_HOST is {shown:?}, and only engines behind a unix socket are worked with, such as unix:///var/run/docker.sock"
            );
            assert_eq!(
                ran,
                failed(
                    1,
                    &error,
                    "unset DOCKER_HOST; for another machine name it in the profile instead"
                ),
                "{line}"
            );
        }
    }
    assert_eq!(place.tree("d"), before);
}

#[test]
fn without_a_right_to_the_socket_that_is_said() {
    if !is_root("without_a_right_to_the_socket_that_is_said") {
        return;
    }
    // A deployment of nobody's own, and a socket of root's.
    let place = Place::with_deployment();
    std::fs::set_permissions(place.path(""), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_dtaas"), place.path("dtaas")).unwrap();
    listen(&place, |_| {});
    std::fs::set_permissions(
        place.path("docker.sock"),
        std::fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    let given = std::process::Command::new("chown")
        .args(["-R", "65534:65534"])
        .arg(place.path("d"))
        .status()
        .unwrap();
    assert!(given.success());
    let before = place.tree("d");
    let as_nobody = |line: &str| {
        let mut command = std::process::Command::new(place.path("dtaas"));
        command
            .current_dir(place.path(""))
            .args(["-C", "d"])
            .args(line.split(' '))
            .env(
                "DOCKER_HOST",
                format!("unix://{}", place.path("docker.sock").display()),
            )
            .uid(65534)
            .gid(65534)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        place.finish(command, "")
    };
    for command in ["plan", "up", "status"] {
        assert_eq!(
            as_nobody(command),
            failed(
                1,
                &format!(
                    "dtaas {command} works on the packet filter and on docker, which takes root"
                ),
                &format!("sudo dtaas {command}")
            )
        );
    }
    for line in ["user add carl", "user passwd bob", "user remove bob --yes"] {
        let ran = as_nobody(line);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{line}: {ran:?}");
        assert!(ran.talk.contains("\nhint: "), "{line}: {ran:?}");
        assert!(ran.talk.contains("root"), "{line}: {ran:?}");
    }
    assert_eq!(place.tree("d"), before);
}
