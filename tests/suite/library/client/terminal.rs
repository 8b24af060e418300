//! On a terminal, which `script` (of Debian's bsdutils, on every Debian and Ubuntu) makes.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::super::fixture::Library;
use super::door::Door;

/// What `dtaas lib <line>` shows on a terminal, and what it exits with. Once it has shown the first of these, the other is typed.
async fn on_a_terminal(line: &str, typed: Option<(&str, &str)>) -> (i32, String) {
    let command = format!("'{}' lib {line}", env!("CARGO_BIN_EXE_dtaas"));
    let mut child = tokio::process::Command::new("script")
        .args(["-q", "-e", "-f", "-c", &command, "/dev/null"])
        .env("TERM", "xterm")
        .env("SHELL", "/bin/sh")
        .env("NO_COLOR", "1")
        .env_remove("DTAAS_LIB_PASSWORD")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut shown = Vec::new();
    if let Some((prompt, keys)) = typed {
        while !String::from_utf8_lossy(&shown).contains(prompt) {
            let read = stdout.read_buf(&mut shown).await.unwrap();
            assert!(read > 0, "{}", String::from_utf8_lossy(&shown));
        }
        // The prompt stands there a moment before the terminal stops showing what is typed, and what was typed by then is lost.
        while !is_silent(child.id().unwrap()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stdin.write_all(keys.as_bytes()).await.unwrap();
    }
    stdout.read_to_end(&mut shown).await.unwrap();
    let status = child.wait().await.unwrap();
    let shown = String::from_utf8(shown).unwrap().replace('\r', "");
    (status.code().unwrap(), shown)
}

/// Whether the terminal that `script` made does not show what is typed.
fn is_silent(script: u32) -> bool {
    let said = |program: &str, words: &[&str]| {
        let output = std::process::Command::new(program).args(words).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    let terminal = said("ps", &["--ppid", &script.to_string(), "-o", "tty="]);
    let state = said("stty", &["-F", &format!("/dev/{}", terminal.trim()), "-a"]);
    state.split_whitespace().any(|word| word == "-echo")
}

#[tokio::test]
async fn nothing_in_a_library_steers_the_terminal() {
    let library = Library::new();
    library.write("alice/tools/\u{1b}[2Jgone\nagain", "x");
    library.write("alice/tools/notes.txt", "fine\n");
    library.write("alice/tools/trap.txt", "fine\n\u{1b}]0;not\u{7}");
    library.write("alice/tools/binary", [0, 159, 146, 150]);
    let server = library.serve();
    let url = &server.url;
    assert_eq!(
        on_a_terminal(&format!("ls alice/tools --url {url}"), None).await,
        (
            0,
            "\\u{1b}[2Jgone\\nagain\nbinary\nnotes.txt\ntrap.txt\n".to_owned()
        )
    );
    assert_eq!(
        on_a_terminal(&format!("cat alice/tools/notes.txt --url {url}"), None).await,
        (0, "fine\n".to_owned())
    );
    for name in ["trap.txt", "binary"] {
        let (code, shown) =
            on_a_terminal(&format!("cat alice/tools/{name} --url {url}"), None).await;
        let message =
            format!("error: alice/tools/{name} is no text, and would upset the terminal\n");
        assert!(code == 1 && shown.starts_with(&message), "{shown:?}");
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
    }
    let (code, shown) = on_a_terminal(
        &format!("cat alice/tools/trap.txt --force --url {url}"),
        None,
    )
    .await;
    assert_eq!((code, shown.as_str()), (0, "fine\n\u{1b}]0;not\u{7}"));
}

#[tokio::test]
async fn a_password_is_asked_for_and_not_shown() {
    let library = Library::new();
    let server = library.serve_users();
    let door = Door::open(&server).await;
    let line = format!(
        "ls --user alice --url {} --cacert {}",
        door.url,
        door.authority.display()
    );
    let (code, shown) =
        on_a_terminal(&line, Some(("Password of alice: ", "alice's password\n"))).await;
    assert_eq!(code, 0, "{shown}");
    assert!(shown.ends_with("alice/\ncommon/\n"), "{shown:?}");
    assert!(shown.contains("Password of alice: "), "{shown:?}");
}
