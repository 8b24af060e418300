//! Running the command, and looking at what it said.

use std::path::Path;
use std::process::Stdio;

use tokio::io::AsyncWriteExt;

/// What a run said and exited with.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub talk: String,
}

/// `dtaas lib <arguments>` in a directory, with nothing in its environment but these variables.
pub async fn run(place: &Path, arguments: &[&str], variables: &[(&str, &str)], input: &str) -> Ran {
    let output = run_for_bytes(place, arguments, variables, input).await;
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        talk: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The same for what is no text.
pub async fn run_for_bytes(
    place: &Path,
    arguments: &[&str],
    variables: &[(&str, &str)],
    input: &str,
) -> std::process::Output {
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_dtaas"))
        .arg("lib")
        .args(arguments)
        .current_dir(place)
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    child.wait_with_output().await.unwrap()
}

/// A file's bytes in this directory.
pub fn read(place: &Path, path: &str) -> Vec<u8> {
    std::fs::read(place.join(path)).unwrap()
}

/// All that is in a directory, by name.
pub fn all_in(place: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(place)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// So many bytes that differ from place to place.
pub fn bytes(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    };
    std::iter::repeat_with(next).take(length).collect()
}
