//! Users' files, the endpoint over them, and visitors.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dtaas::auth::{password, store};
use dtaas::secrets::Secret;
use dtaas::spec::names::UserName;

use crate::loopback::{Answer, Server};

/// Users' files in a directory, and the endpoint over them.
pub struct Platform {
    directory: tempfile::TempDir,
}

impl Platform {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for name in ["auth", "users", "sessions", "shares", "credentials"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        fs::write(
            directory.path().join("key"),
            "what sessions are signed with\n",
        )
        .unwrap();
        Self { directory }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn with(self, user: &str, password: &str, account: &str) -> Self {
        self.set_password(user, password);
        fs::write(self.path(&format!("users/{user}.json")), account).unwrap();
        self
    }

    pub fn set_password(&self, user: &str, password: &str) {
        let hash = password::hash(&Secret::new(password)).unwrap();
        let user: UserName = user.parse().unwrap();
        self.replace(
            &format!("auth/{user}"),
            store::entry_line(&user, &hash).expose(),
        );
    }

    pub fn replace(&self, path: &str, text: &str) {
        let new = self.path("new");
        fs::write(&new, text).unwrap();
        fs::rename(&new, self.path(path)).unwrap();
    }

    pub fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    pub fn serve_with(&self, more: &[&str]) -> Server {
        let mut words = ["auth", "serve", "--realm", "foo.com", "--platform", "foo"]
            .map(str::to_owned)
            .to_vec();
        for (flag, name) in [
            ("--htpasswd", "auth"),
            ("--users", "users"),
            ("--sessions", "sessions"),
            ("--shares", "shares"),
            ("--credentials", "credentials"),
            ("--key-file", "key"),
        ] {
            words.extend([
                flag.to_owned(),
                self.path(name).to_str().unwrap().to_owned(),
            ]);
        }
        words.extend(more.iter().map(|&word| word.to_owned()));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Server::start("auth", &words)
    }
}

pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

pub fn sign_in(server: &Server, path: &str, user: &str, password: &str) -> Answer {
    server.get(path, &[("Authorization", &basic(user, password))])
}

/// Waits until the status is the expected one, and fails when that takes longer than a second.
pub fn within_a_second(expected: u16, ask: impl Fn() -> u16) {
    let start = Instant::now();
    loop {
        // An answer that was asked for in time counts, also when hashing made it late.
        let asked = start.elapsed();
        let status = ask();
        if status == expected {
            return;
        }
        assert!(
            asked < Duration::from_secs(1),
            "still {status}, not {expected}"
        );
    }
}

/// Asks until the answer comes sooner than bcrypt could have given it.
pub fn until_from_memory(server: &Server, user: &str, password: &str) {
    for _ in 0..100 {
        let start = Instant::now();
        assert_eq!(sign_in(server, "/authz", user, password).status, 200);
        if start.elapsed() < Duration::from_millis(10) {
            return;
        }
    }
    panic!("no answer came from memory");
}
