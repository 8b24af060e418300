//! Which keys a machine answers to: seen by asking it.

use std::path::Path;

use super::authorized_keys::INSECURE;
use super::guest::Guest;
use crate::error::Failure;
use crate::machine::files::Tree;
use crate::vagrant::process::Answer;

/// What a machine said to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Taken,
    Refused,
}

/// Checks that a machine takes our key, and none of Vagrant's. Only the public halves are needed: a server says whether it would
/// take a key before anything is signed (RFC 4252, 7). `mended` is where a key of Vagrant's is taken out, and what to do then.
///
/// # Errors
/// Also when it cannot be found out.
pub(super) async fn verify(
    guest: &Guest,
    own: &Path,
    tree: &Tree,
    mended: &str,
) -> anyhow::Result<()> {
    match verdict(&guest.try_key(own).await?) {
        Some(Verdict::Taken) => {}
        Some(Verdict::Refused) | None => {
            return Err(
                Failure::new(format!("the machine does not answer to {}", own.display()))
                    .hint("`vagrant ssh` in the same directory, then look at .ssh/authorized_keys")
                    .into(),
            );
        }
    }
    for insecure in &INSECURE {
        let name = format!("insecure-{}.pub", insecure.name);
        let line = format!(
            "{} {} vagrant insecure public key\n",
            insecure.kind, insecure.body
        );
        tree.write(Path::new(&name), 0o644, line.as_bytes())?;
        let answer = guest.try_key(&tree.root().join(&name)).await;
        tree.remove(Path::new(&name))?;
        let answer = answer?;
        match verdict(&answer) {
            Some(Verdict::Refused) => {}
            Some(Verdict::Taken) => {
                return Err(Failure::new(format!(
                    "the machine answers to Vagrant's insecure {} key, which everybody has",
                    insecure.name
                ))
                .hint(format!(
                    "do not use it: look which file of sshd_config's AuthorizedKeysFile holds that key, take it out there{mended}"
                ))
                .into());
            }
            None => {
                return Err(Failure::new(format!(
                    "it cannot be found out whether the machine answers to Vagrant's insecure {} key: {}",
                    insecure.name,
                    answer.err.lines().next_back().unwrap_or("ssh says nothing")
                ))
                .hint("run this again")
                .into());
            }
        }
    }
    Ok(())
}

/// Out of what `ssh` with `LogLevel=DEBUG1` says; `None` when the key was not even offered, or nobody said no.
fn verdict(answer: &Answer) -> Option<Verdict> {
    let says = |text: &str| answer.err.contains(text);
    if answer.status.success() || says("Server accepts key") {
        return Some(Verdict::Taken);
    }
    (says("Offering public key") && says("Permission denied (")).then_some(Verdict::Refused)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    fn answer(code: i32, err: &str) -> Answer {
        Answer {
            status: ExitStatus::from_raw(code << 8),
            out: String::new(),
            err: err.to_owned(),
        }
    }

    #[test]
    fn what_openssh_says_of_a_key() {
        let offered = "debug1: Offering public key: i.pub RSA SHA256:abc explicit\r\n";
        let taken =
            format!("{offered}debug1: Server accepts key: i.pub RSA SHA256:abc explicit\r\n");
        let denied = "vagrant@127.0.0.1: Permission denied (publickey).\r\n";
        for (code, said, expected) in [
            (0, String::new(), Some(Verdict::Taken)),
            // It cannot sign: it has the public half only.
            (255, format!("{taken}{denied}"), Some(Verdict::Taken)),
            (255, format!("{offered}{denied}"), Some(Verdict::Refused)),
            (255, denied.to_owned(), None),
            (255, offered.to_owned(), None),
            (
                255,
                "ssh: connect to host 127.0.0.1 port 2222: Connection refused\r\n".to_owned(),
                None,
            ),
        ] {
            assert_eq!(verdict(&answer(code, &said)), expected, "{said}");
        }
    }
}
