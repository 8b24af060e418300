//! The same on a terminal, which `script` (of Debian's bsdutils, on every Debian and Ubuntu) makes.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use super::run::{Place, is_root};

/// A program on a terminal of its own.
struct Terminal {
    child: Child,
    keys: ChildStdin,
    screen: Receiver<Vec<u8>>,
    seen: String,
}

impl Terminal {
    /// `dtaas <line>` in `d`.
    fn start(place: &Place, line: &str, variables: &[(&str, &str)]) -> Self {
        let command = format!("'{}' -C d {line}", env!("CARGO_BIN_EXE_dtaas"));
        let mut child = Command::new("script")
            .args(["-q", "-e", "-f", "-c", &command, "/dev/null"])
            .current_dir(place.path(""))
            .env("DOCKER_HOST", "unix:///nonexistent")
            .env("TERM", "xterm")
            .env("SHELL", "/bin/sh")
            .env_remove("NO_COLOR")
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = child.stdout.take().unwrap();
        let (sender, screen) = mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = output.read(&mut buffer) {
                if length == 0 || sender.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            keys: child.stdin.take().unwrap(),
            child,
            screen,
            seen: String::new(),
        }
    }

    /// Waits until it shows a text that it has not shown before.
    fn shows(&mut self, text: &str) -> &mut Self {
        loop {
            if let Some(at) = self.seen.find(text) {
                self.seen.drain(..at + text.len());
                return self;
            }
            match self.screen.recv_timeout(Duration::from_secs(60)) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => panic!("{text:?} is not in {:?}", self.seen),
            }
        }
    }

    fn type_keys(&mut self, keys: &str) -> &mut Self {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
        self
    }

    /// What it shows until it ends, and its exit code.
    fn ends(mut self) -> (String, i32) {
        while let Ok(bytes) = self.screen.recv_timeout(Duration::from_secs(60)) {
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        (self.seen, code)
    }
}

#[test]
fn init_asks_for_what_is_missing() {
    let place = Place::new();
    let mut terminal = Terminal::start(&place, "init", &[]);
    terminal
        .shows("Domain (what browsers call the platform)")
        .type_keys("foo.com\r");
    terminal
        .shows("First users, separated by commas")
        .type_keys("Alice\r");
    terminal.shows("\"Alice\" is not a user name");
    // What was refused stands in the line again.
    terminal
        .type_keys("\x15")
        .type_keys(&"\x7f".repeat(8))
        .type_keys("alice, j.doe\r");
    terminal.shows("PASSWORD");
    let (rest, code) = terminal.ends();

    assert_eq!(code, 0, "{rest}");
    assert!(rest.contains("then run `dtaas up`."), "{rest}");
    assert!(
        place
            .read("d/dtaas.yaml")
            .contains("\ndomain: \"foo.com\"\n")
    );
    assert!(place.path("d/users/alice.yaml").exists() && place.path("d/users/j.doe.yaml").exists());
}

#[test]
fn an_answer_can_be_left_at_its_default() {
    let place = Place::new();
    let mut terminal = Terminal::start(&place, "init --users alice", &[]);
    terminal.shows("[localhost]").type_keys("\r");
    let (rest, code) = terminal.ends();

    assert_eq!(code, 0, "{rest}");
    assert!(
        place
            .read("d/dtaas.yaml")
            .contains("\ndomain: \"localhost\"\n")
    );
}

#[test]
fn nothing_is_written_when_a_question_is_broken_off() {
    let place = Place::new();
    let mut terminal = Terminal::start(&place, "init --domain foo.com", &[]);
    terminal.shows("First users").type_keys("\x03");
    let (rest, code) = terminal.ends();

    assert_eq!(code, 130, "{rest}");
    assert!(place.tree("").is_empty());
}

#[test]
fn removing_asks_and_takes_no_for_an_answer() {
    let place = Place::with_deployment();
    let before = place.tree("");
    let mut terminal = Terminal::start(&place, "user remove bob", &[]);
    terminal
        .shows("Remove bob and the workspace with what was installed in it?")
        .type_keys("n");
    let (rest, code) = terminal.ends();

    assert_eq!(code, 130, "{rest}");
    assert!(rest.contains("nothing was changed"), "{rest}");
    assert_eq!(place.tree(""), before);
}

#[test]
fn nobody_is_asked_in_vain() {
    if !is_root("nobody_is_asked_in_vain") {
        return;
    }
    let place = Place::with_deployment();
    let (shown, code) = Terminal::start(&place, "down", &[]).ends();
    assert_eq!(code, 1, "{shown}");
    assert!(
        shown.contains("nothing answers at /nonexistent") && !shown.contains("Stop foo.com"),
        "{shown}"
    );
}

#[test]
fn colours_are_shown_on_a_terminal_unless_refused() {
    let place = Place::new();
    let coloured = |line: &str, variables: &[(&str, &str)]| {
        let (shown, code) = Terminal::start(&place, line, variables).ends();
        assert_eq!(code, 2, "{shown}");
        shown.contains("\x1b[31m")
    };
    assert!(coloured("render", &[]));
    assert!(!coloured("render", &[("NO_COLOR", "1")]));
    assert!(!coloured("--color never render", &[]));
}
