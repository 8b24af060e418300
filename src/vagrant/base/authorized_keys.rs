//! Who may log in: the lines of `authorized_keys` (sshd(8), "AUTHORIZED_KEYS FILE FORMAT"). Keys are compared by their bodies;
//! options before them and comments behind them may be anything.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

use crate::error::Failure;

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PublicKey {
    /// As it stands in its file, without the line's end.
    pub(super) line: String,
    /// The key itself, in base64.
    pub(super) body: String,
}

impl PublicKey {
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let line = text.trim();
        match body(line) {
            Some(found) if line.lines().count() == 1 && STANDARD.decode(found).is_ok() => {
                Ok(Self {
                    line: line.to_owned(),
                    body: found.to_owned(),
                })
            }
            Some(_) | None => Err(Failure::new(format!("this is no public key: {line:?}"))),
        }
    }

    /// Its fingerprint, as `ssh-keygen -l` shows it.
    pub(super) fn fingerprint(&self) -> String {
        let blob = STANDARD.decode(&self.body).unwrap_or_default();
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(blob)))
    }
}

/// A key whose private half is published with Vagrant.
pub(super) struct Insecure {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    pub(super) body: &'static str,
}

/// Vagrant's: of all versions, and of 2.4 and newer (github.com/hashicorp/vagrant, `keys/`).
pub(super) const INSECURE: [Insecure; 2] = [
    Insecure {
        name: "rsa",
        kind: "ssh-rsa",
        body: "AAAAB3NzaC1yc2EAAAABIwAAAQEA6NF8iallvQVp22WDkTkyrtvp9eWW6A8YVr+kz4TjGYe7gHzIw+niNltGEFHzD8+v1I2YJ6oXevct1YeS0o9H\
               ZyN1Q9qgCgzUFtdOKLv6IedplqoPkcmF0aYet2PkEDo3MlTBckFXPITAMzF8dJSIFo9D8HfdOV0IAdx4O7PtixWKn5y2hMNG0zQPyUecp4pzC6ki\
               vAIhyfHilFR61RGL+GPXQ2MWZWFYbAGjyiYJnAmCP3NOTd0jMZEnDkbUvxhMmBYSdETk1rRgm+R4LOzFUGaHqHDLKLX+FIPKcF96hrucXzcWyLbI\
               bEgE98OHlnVYCzRdK8jlqm8tehUc9c9WhQ==",
    },
    Insecure {
        name: "ed25519",
        kind: "ssh-ed25519",
        body: "AAAAC3NzaC1lZDI1NTE5AAAAIN1YdxBpNlzxDqfJyw/QKow1F+wvG9hXGoqiysfJOn5Y",
    },
];

/// Whether a key may log in.
pub(super) fn holds(text: &str, key: &str) -> bool {
    text.lines().any(|line| body(line) == Some(key))
}

/// With one more key, unless it is there.
pub(super) fn with(text: &str, line: &str) -> String {
    let mut all = text.to_owned();
    if body(line).is_some_and(|key| holds(text, key)) {
        return all;
    }
    if !all.is_empty() && !all.ends_with('\n') {
        all.push('\n');
    }
    all.push_str(line);
    all.push('\n');
    all
}

/// Without Vagrant's keys; every other line stays as it is.
pub(super) fn without_insecure(text: &str) -> String {
    text.split_inclusive('\n')
        .filter(|line| {
            !INSECURE
                .iter()
                .any(|insecure| body(line) == Some(insecure.body))
        })
        .collect()
}

/// The key of a line: what stands behind the first word that is a kind of key, where options may stand before.
fn body(line: &str) -> Option<&str> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let mut rest = line;
    // Options are one word, in which quotes keep blanks; so there are two words at most before the key.
    for _ in 0..2 {
        let (word, behind) = word(rest);
        if is_kind(word) {
            return Some(self::word(behind).0).filter(|key| !key.is_empty());
        }
        rest = behind;
    }
    None
}

fn is_kind(word: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-"]
        .iter()
        .any(|prefix| word.starts_with(prefix))
        && !word.contains(['=', '"', ','])
}

/// The first word and what is behind it.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let mut quoted = false;
    let mut escaped = false;
    let end = text.find(|c: char| {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        c.is_whitespace() && !quoted
    });
    text.split_at(end.unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insecure(at: usize) -> String {
        format!("{} {}", INSECURE[at].kind, INSECURE[at].body)
    }

    #[test]
    fn every_insecure_key_goes_wherever_it_stands_and_whatever_is_around_it() {
        let kept = "# of the lab\n\
                    ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAB lab@foo.com\n\
                    \n\
                    command=\"echo ssh-rsa AAAA\",no-pty ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAA other\n";
        let text = format!(
            "{0} vagrant insecure public key\n{kept}no-pty,command=\"say \\\"hello you\\\"\" {1} somebody\n  {0}\n{1}",
            insecure(0),
            insecure(1)
        );
        assert!(INSECURE.iter().all(|key| holds(&text, key.body)));
        let left = without_insecure(&text);
        assert_eq!(left, kept);
        assert!(!INSECURE.iter().any(|key| holds(&left, key.body)));
    }

    #[test]
    fn a_key_that_was_commented_out_lets_nobody_in() {
        assert!(!holds(&format!("# {}", insecure(0)), INSECURE[0].body));
    }

    #[test]
    fn our_key_comes_in_once() {
        let own = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAB dtaas";
        assert_eq!(with("", own), format!("{own}\n"));
        let both = format!("{}\n{own}\n", insecure(1));
        assert_eq!(with(&insecure(1), own), both);
        assert_eq!(with(&both, own), both);
    }

    #[test]
    fn a_fingerprint_is_what_ssh_keygen_shows() {
        // `ssh-keygen -l` of Vagrant's ed25519 key.
        let key = PublicKey::parse(&format!("{} comment\n", insecure(1))).unwrap();
        assert_eq!(
            key.fingerprint(),
            "SHA256:WkvqjnyPAeC0cbPErYiGP9vqHdgL1MqqvPdIe3lvHgI"
        );
        for text in ["", "ssh-rsa", "a b c", "ssh-rsa not-base64!"] {
            assert_eq!(
                PublicKey::parse(text).unwrap_err().to_string(),
                format!("this is no public key: {text:?}")
            );
        }
    }
}
