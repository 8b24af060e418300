use super::*;

/// A key of a type, told from others by its last letter.
fn key(kind: &str, letter: u8) -> Vec<u8> {
    let mut key = (kind.len() as u32).to_be_bytes().to_vec();
    key.extend(kind.as_bytes());
    key.extend([0, 0, 0, 1, letter]);
    key
}

fn written(key: &[u8]) -> String {
    format!("{} {}", kind(key), STANDARD.encode(key))
}

fn known(text: &str) -> KnownHosts {
    KnownHosts {
        files: vec![("known_hosts".into(), text.into())],
    }
}

fn place(line: usize, kind: &str) -> Place {
    Place {
        file: "known_hosts".into(),
        line,
        kind: kind.into(),
    }
}

#[test]
fn a_key_is_known_unknown_or_another_one() {
    let (a, b, rsa) = (
        key("ssh-ed25519", b'a'),
        key("ssh-ed25519", b'b'),
        key("ssh-rsa", b'r'),
    );
    let hosts = known(&format!(
        "# a comment\nfoo.com,10.0.0.5 {}\n[foo.com]:2222 {}\nfoo.com {}\n",
        written(&a),
        written(&b),
        written(&rsa)
    ));
    for (host, port, shown, verdict) in [
        ("foo.com", 22, &a, Verdict::Known),
        ("FOO.com", 22, &a, Verdict::Known),
        ("10.0.0.5", 22, &a, Verdict::Known),
        ("foo.com", 22, &rsa, Verdict::Known),
        ("foo.com", 2222, &b, Verdict::Known),
        ("foo.com", 22, &b, Verdict::Changed(place(2, "ssh-ed25519"))),
        (
            "foo.com",
            2222,
            &a,
            Verdict::Changed(place(3, "ssh-ed25519")),
        ),
        (
            "foo.com",
            2222,
            &rsa,
            Verdict::Changed(place(3, "ssh-ed25519")),
        ),
        ("foo.com", 2200, &a, Verdict::Unknown),
        ("bar.com", 22, &a, Verdict::Unknown),
    ] {
        assert_eq!(hosts.judge(host, port, shown), verdict, "{host}:{port}");
    }
}

#[test]
fn patterns_and_marks_count() {
    let (a, b) = (key("ssh-ed25519", b'a'), key("ssh-ed25519", b'b'));
    let hosts = known(&format!(
        "@revoked * {}\n*.foo.com,!no.foo.com {}\n@cert-authority *.bar.com {}\n@other x {}\nrubbish\n",
        written(&b),
        written(&a),
        written(&a),
        written(&a)
    ));
    let judge = |host, key| hosts.judge(host, 22, key);
    assert_eq!(judge("one.foo.com", &a), Verdict::Known);
    assert_eq!(judge("no.foo.com", &a), Verdict::Unknown);
    assert_eq!(
        judge("one.foo.com", &b),
        Verdict::Revoked(place(1, "ssh-ed25519"))
    );
    assert_eq!(
        judge("one.bar.com", &a),
        Verdict::Certificate(place(3, "ssh-ed25519"))
    );
    assert_eq!(judge("x", &a), Verdict::Unknown);
}

#[test]
fn a_hashed_name_is_recognised() {
    // ssh-keygen -H of `[localhost]:2222`'s form: the salt is its key.
    let salt = [7u8; 20];
    let mut mac = Hmac::<Sha1>::new_from_slice(&salt).unwrap();
    mac.update(b"foo.com");
    let hash = STANDARD.encode(mac.finalize().into_bytes());
    let a = key("ssh-ed25519", b'a');
    let hosts = known(&format!(
        "|1|{}|{hash} {}\n|1|x|y z w\n",
        STANDARD.encode(salt),
        written(&a)
    ));
    assert_eq!(hosts.judge("foo.com", 22, &a), Verdict::Known);
    assert_eq!(hosts.judge("bar.com", 22, &a), Verdict::Unknown);
}

#[test]
fn the_known_types_are_asked_for_first() {
    let hosts = known(&format!("foo.com {}\n", written(&key("ssh-rsa", b'r'))));
    let all = ["ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"];
    assert_eq!(
        hosts.preferred("foo.com", 22, &all),
        ["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa", "ssh-ed25519"]
    );
    assert_eq!(hosts.preferred("bar.com", 22, &all), all);
}

#[test]
fn a_key_that_is_accepted_is_known_from_then_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ssh/known_hosts");
    let (a, b) = (key("ssh-ed25519", b'a'), key("ssh-ed25519", b'b'));
    let read = || KnownHosts::read(std::slice::from_ref(&path)).unwrap();
    read().accept("Foo.com", 2222, &a).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text, format!("[foo.com]:2222 {}\n", written(&a)));
    fs::write(&path, text.trim_end()).unwrap();
    read().accept("bar.com", 22, &b).unwrap();
    assert_eq!(read().judge("foo.com", 2222, &a), Verdict::Known);
    assert_eq!(read().judge("bar.com", 22, &b), Verdict::Known);
}
