//! Logging in: by a key that was named, by the agent's, by the usual ones.

use std::path::Path;
use std::sync::PoisonError;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ssh2::Session;

use super::session::ASKING;
use super::target::Hop;
use crate::error::Failure;
use crate::ui::prompt;

/// Logs in. What was tried, and what the server would take, is in the error.
pub(super) fn log_in(
    name: &str,
    session: &Session,
    hop: &Hop,
    can_ask: bool,
) -> anyhow::Result<()> {
    let methods = session
        .auth_methods(&hop.user)
        .map(str::to_owned)
        .unwrap_or_default();
    let mut tried = Vec::new();
    // A key that was asked for comes before whatever the agent holds, which servers soon tire of.
    if !session.authenticated() && !hop.chosen {
        by_agent(session, hop, &mut tried);
    }
    for key in &hop.keys {
        if session.authenticated() {
            return Ok(());
        }
        by_key(session, hop, key, can_ask, &mut tried)?;
    }
    if !session.authenticated() && hop.chosen {
        by_agent(session, hop, &mut tried);
    }
    if session.authenticated() {
        return Ok(());
    }
    let tried = match tried.is_empty() {
        true => "there is no key to try".to_owned(),
        false => format!("tried {}", tried.join("; ")),
    };
    let takes = match methods.as_str() {
        "" => String::new(),
        methods => format!("; the server takes {}", methods.replace(',', ", ")),
    };
    Err(Failure::new(format!(
        "{}@{}:{} lets nobody in: {tried}{takes}",
        hop.user, hop.host, hop.port
    ))
    .hint(format!(
        "name a key in dtaas.yaml (machines.{name}.key), or add one there: ssh-copy-id -p {} {}@{}",
        hop.port, hop.user, hop.host
    ))
    .into())
}

fn by_agent(session: &Session, hop: &Hop, tried: &mut Vec<String>) {
    if std::env::var_os("SSH_AUTH_SOCK").is_none() {
        return;
    }
    let keys = session.agent().and_then(|mut agent| {
        agent.connect()?;
        agent.list_identities()?;
        let keys = agent.identities()?;
        Ok((agent, keys))
    });
    match keys {
        Ok((agent, keys)) => {
            for key in &keys {
                if agent.userauth(&hop.user, key).is_ok() {
                    return;
                }
            }
            tried.push(format!("{} keys of the agent", keys.len()));
        }
        Err(error) => tried.push(format!("the agent ({})", error.message())),
    }
}

fn by_key(
    session: &Session,
    hop: &Hop,
    key: &Path,
    can_ask: bool,
    tried: &mut Vec<String>,
) -> anyhow::Result<()> {
    let text = match std::fs::read_to_string(key) {
        Ok(text) => text,
        // Of the usual ones most are not there.
        Err(_) if !hop.chosen => return Ok(()),
        Err(error) => {
            tried.push(format!("{} ({error})", key.display()));
            return Ok(());
        }
    };
    let passphrase = match is_encrypted(&text) {
        false => None,
        true if can_ask => {
            let _one = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
            Some(prompt::ask_password(&format!(
                "Passphrase of {}",
                key.display()
            ))?)
        }
        true => {
            tried.push(format!(
                "{} (encrypted, and nobody can be asked for its passphrase: ssh-add it)",
                key.display()
            ));
            return Ok(());
        }
    };
    if let Err(error) = session.userauth_pubkey_file(&hop.user, None, key, passphrase.as_deref()) {
        tried.push(format!("{} ({})", key.display(), error.message()));
    }
    Ok(())
}

/// Whether a private key takes a passphrase: PEM says so in words, OpenSSH's own format by its cipher (its PROTOCOL.key).
fn is_encrypted(text: &str) -> bool {
    if text.contains("ENCRYPTED") {
        return true;
    }
    let body: String = text
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .map(str::trim)
        .collect();
    let Ok(bytes) = STANDARD.decode(body) else {
        return false;
    };
    match bytes.strip_prefix(b"openssh-key-v1\0") {
        Some([0, 0, 0, 4, b'n', b'o', b'n', b'e', ..]) | None => false,
        Some(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encrypted_key_is_told_from_a_plain_one() {
        let key = |inside: &[u8]| {
            format!(
                "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----\n",
                STANDARD.encode(inside)
            )
        };
        assert!(!is_encrypted(&key(b"openssh-key-v1\0\0\0\0\x04none rest")));
        assert!(is_encrypted(&key(
            b"openssh-key-v1\0\0\0\0\x0aaes256-ctr rest"
        )));
        assert!(is_encrypted(
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
        ));
        assert!(!is_encrypted("nothing of that kind"));
    }
}
