//! Where the library is, who asks, and whom the password is shown to.

use std::io::{Read, Write};
use std::net::TcpListener;

use super::super::fixture::Library;
use super::door::{Door, password};
use super::ran::{Ran, run};

/// What was said for an error: the message, the hint.
fn failed(code: i32, message: &str, hint: &str) -> Ran {
    let hint = match hint {
        "" => String::new(),
        hint => format!("hint: {hint}\n"),
    };
    Ran {
        code,
        out: String::new(),
        talk: format!("error: {message}\n{hint}"),
    }
}

#[tokio::test]
async fn what_is_missing_or_wrong_is_said_before_anyone_is_asked() {
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("no.pem"), "nothing").unwrap();
    let url = "https://foo.com/lib";
    for (arguments, message, hint) in [
        (
            vec!["ls"],
            "nothing says which library is meant",
            "give --url https://foo.com/lib, set DTAAS_LIB_URL, or name a deployment on this machine with -C DIR",
        ),
        (
            vec!["ls", "--url", "foo.com/lib"],
            "this is no address of a library: it does not begin with https://",
            "write it as in --url https://foo.com/lib",
        ),
        (
            vec!["ls", "--url", "https://alice:secret@foo.com/lib"],
            "credentials do not belong into the address",
            "give the name with --user, and the password in DTAAS_LIB_PASSWORD or with --password-stdin",
        ),
        (
            vec!["ls", "--url", url, "--user", "alice"],
            "there is no password for alice",
            "set DTAAS_LIB_PASSWORD, or give it on standard input with --password-stdin",
        ),
        (
            vec!["ls", "--url", url, "--user", "alice", "--password-stdin"],
            "--password-stdin: standard input is empty",
            "",
        ),
        (
            vec![
                "ls",
                "--url",
                "http://foo.com/lib",
                "--user",
                "alice",
                "--password-stdin",
            ],
            "http://foo.com/lib speaks plain http, and the password would be read by whoever is on the way",
            "write https:// where the platform has a certificate, or accept it with --insecure-http",
        ),
        (
            vec!["ls", "--url", url, "--password-stdin"],
            "--password-stdin: whose password is it?",
            "give --user NAME, or set DTAAS_LIB_USER",
        ),
        (
            vec!["ls", "--url", url, "--user", "a:b"],
            "--user: this is no user's name",
            "",
        ),
        (
            vec!["ls", "--url", url, "--cacert", "no.pem"],
            "--cacert: the file holds no certificate (PEM)",
            "",
        ),
        (
            vec!["cat", "alice/../../etc/passwd", "--url", url],
            "alice/../../etc/passwd leads out of the library",
            "paths begin at the library's top, as in alice/models",
        ),
    ] {
        let ran = run(here.path(), &arguments, &[], "").await;
        assert_eq!(ran, failed(2, message, hint), "{arguments:?}");
    }
}

#[tokio::test]
async fn a_password_does_not_travel_in_the_open() {
    let here = tempfile::tempdir().unwrap();
    let arguments = ["ls", "--url", "http://dtaas.invalid/lib", "--user", "alice"];
    let ran = run(here.path(), &arguments, &[("DTAAS_LIB_PASSWORD", "x")], "").await;
    assert_eq!(
        ran,
        failed(
            2,
            "http://dtaas.invalid/lib speaks plain http, and the password would be read by whoever is on the way",
            "write https:// where the platform has a certificate, or accept it with --insecure-http",
        )
    );
    // Accepted, it is tried; nobody has such a name (RFC 2606).
    let accepted = [arguments.as_slice(), &["--insecure-http"]].concat();
    let ran = run(here.path(), &accepted, &[("DTAAS_LIB_PASSWORD", "x")], "").await;
    assert_eq!(ran.code, 1);
    assert!(
        ran.talk
            .starts_with("error: http://dtaas.invalid/lib cannot be reached: "),
        "{ran:?}"
    );
}

#[tokio::test]
async fn the_door_opens_with_the_right_password_alone() {
    let library = Library::new();
    let server = library.serve_users();
    let door = Door::open(&server).await;
    let here = tempfile::tempdir().unwrap();
    let listed = |out: &str| Ran {
        code: 0,
        out: out.to_owned(),
        talk: String::new(),
    };
    let flags = door.flags("alice");
    let ls = |more: &[&'static str]| [["ls"].as_slice(), more].concat();

    let arguments = [ls(&[]).as_slice(), &flags].concat();
    let ran = run(here.path(), &arguments, &password("alice"), "").await;
    assert_eq!(ran, listed("alice/\ncommon/\n"));

    let arguments = [ls(&["--password-stdin"]).as_slice(), &flags].concat();
    let ran = run(here.path(), &arguments, &[], "alice's password\n").await;
    assert_eq!(ran, listed("alice/\ncommon/\n"));

    let variables = [
        password("bob")[0],
        ("DTAAS_LIB_USER", "bob"),
        ("DTAAS_LIB_URL", &door.url),
    ];
    let ran = run(here.path(), &["ls", "--cacert", flags[3]], &variables, "").await;
    assert_eq!(ran, listed("bob/\ncommon/\n"));

    let arguments = [ls(&[]).as_slice(), &flags].concat();
    let ran = run(here.path(), &arguments, &password("bob"), "").await;
    assert_eq!(
        ran,
        failed(
            1,
            &format!("{} does not take this password of alice", door.url),
            "the operator sets a new one with `dtaas user passwd`, and opens a closed door with `dtaas user enable`",
        )
    );

    let ran = run(
        here.path(),
        &[ls(&[]).as_slice(), &flags[..4]].concat(),
        &[],
        "",
    )
    .await;
    assert_eq!(
        ran,
        failed(
            1,
            &format!("{} wants a user's name and password", door.url),
            "give --user NAME; the password is asked for, or read from DTAAS_LIB_PASSWORD or with --password-stdin",
        )
    );
    // Whoever was refused got nothing from behind the door.
    assert_eq!(door.passed(), ["POST /lib", "POST /lib", "POST /lib"]);
}

#[tokio::test]
async fn a_certificate_that_is_not_to_be_trusted_ends_it_before_the_password_is_sent() {
    let library = Library::new();
    let server = library.serve_users();
    let (door, other) = (Door::open(&server).await, Door::open(&server).await);
    let here = tempfile::tempdir().unwrap();
    let trust = "if it is the platform's own authority, get it on the platform's machine with `dtaas cert show --authority` and name the file with --cacert";
    let authority = door.authority.to_str().unwrap();
    let by_number = door.url.replace("localhost", "127.0.0.1");
    for (url, cacert, reason, hint) in [
        (
            &door.url,
            other.authority.to_str().unwrap(),
            "nobody whom this machine trusts has signed it",
            trust,
        ),
        (
            &by_number,
            authority,
            "it is for another name",
            "use the name that the platform is set up for (domain in dtaas.yaml)",
        ),
    ] {
        let arguments = ["ls", "--url", url, "--cacert", cacert, "--user", "alice"];
        let ran = run(here.path(), &arguments, &password("alice"), "").await;
        let message = format!("the certificate of {url} is not to be trusted: {reason}");
        assert_eq!(ran, failed(1, &message, hint));
    }
    assert_eq!(door.passed(), [""; 0]);
}

#[tokio::test]
async fn what_is_no_library_is_said_in_words() {
    let here = tempfile::tempdir().unwrap();
    // Each answers once, whatever it is asked.
    let answering = |head: &'static str, body: &'static str| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).unwrap();
            let length = body.len();
            let answer = format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).unwrap();
        });
        format!("http://127.0.0.1:{port}/lib")
    };
    let page = "the address ends in the library's path, as in https://foo.com/lib";
    for (head, body, message, hint) in [
        (
            "301 x\r\nLocation: https://elsewhere.example/lib",
            "",
            "URL leads on to https://elsewhere.example/lib, and credentials go nowhere but where they were meant to",
            "give that address with --url if it is the library's",
        ),
        (
            "404 x",
            "",
            "URL is no library: nothing answers questions there",
            page,
        ),
        (
            "200 x",
            "<html>",
            "URL is no library: what it answers is not JSON",
            page,
        ),
        (
            "200 x",
            "{\"data\":{}}",
            "URL is no library: its answer is not a listing",
            page,
        ),
        (
            "502 x",
            "",
            "the platform answers 502 Bad Gateway",
            "the platform is starting, stopping or busy: try again in a while",
        ),
        (
            "200 x",
            "{\"errors\":[{\"message\":\"\\u001b[2Jgone\"}]}",
            "\\u{1b}[2Jgone",
            "",
        ),
    ] {
        let url = answering(head, body);
        let ran = run(here.path(), &["ls", "--url", &url], &[], "").await;
        assert_eq!(
            ran,
            failed(1, &message.replace("URL", &url), hint),
            "{head}"
        );
    }
    // Nobody at all.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let ran = run(here.path(), &["ls", "--url", &url], &[], "").await;
    assert_eq!(
        ran,
        failed(
            1,
            &format!("{url} cannot be reached: Connection refused (os error 111)"),
            "nobody listens there: see the address and its port, and that the platform is up (`dtaas status`)",
        )
    );
}
