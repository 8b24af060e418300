//! Proving who we are: with the keys that were named, or ssh-agent's and the usual ones.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Result;
use ssh2::{ErrorCode, Session};

use crate::error::Failure;
use crate::remote::asks::Asks;
use crate::remote::key;
use crate::remote::target::Hop;

/// How often a passphrase is asked for.
const TRIES: usize = 3;
/// LIBSSH2_ERROR_FILE: the key could not be read, which with a passphrase means that it is not the right one.
const NOT_READ: i32 = -16;
/// LIBSSH2_ERROR_AUTHENTICATION_FAILED and LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED: the server does not take the key.
const NOT_TAKEN: [i32; 2] = [-18, -19];

struct Login<'a> {
    session: &'a Session,
    hop: &'a Hop,
    machine: &'a str,
    asks: &'a dyn Asks,
    /// What was tried, for the error.
    tried: Vec<String>,
    /// The keys that the server has refused, so that it is not asked twice: it counts.
    refused: BTreeSet<Vec<u8>>,
    /// A key that would have needed a passphrase, and nobody gave it.
    locked: Option<String>,
}

/// What came of one key.
enum Came {
    In,
    Refused,
}

/// Logs in.
///
/// # Errors
///
/// What was tried, and what the server takes.
pub(super) fn login(session: &Session, hop: &Hop, machine: &str, asks: &dyn Asks) -> Result<()> {
    let methods = match session.auth_methods(&hop.user) {
        Ok(methods) => methods.to_owned(),
        // A server that lets everyone in says so to the question itself.
        Err(_) if session.authenticated() => return Ok(()),
        Err(error) => return Err(broken(machine, hop, &error)),
    };
    let mut login = Login {
        session,
        hop,
        machine,
        asks,
        tried: Vec::new(),
        refused: BTreeSet::new(),
        locked: None,
    };
    if methods.split(',').any(|method| method == "publickey") {
        let came = match hop.keys_named {
            true => login.with_files()?,
            false => match login.with_agent(None)? {
                Came::In => Came::In,
                Came::Refused => login.with_files()?,
            },
        };
        if let Came::In = came {
            return Ok(());
        }
    }
    Err(login.failure(&methods))
}

impl Login<'_> {
    fn with_files(&mut self) -> Result<Came> {
        for path in &self.hop.keys {
            if let Came::In = self.with_file(path)? {
                return Ok(Came::In);
            }
        }
        Ok(Came::Refused)
    }

    /// With one file: by ssh-agent where that has the key, otherwise by itself.
    fn with_file(&mut self, path: &Path) -> Result<Came> {
        let shown = path.display().to_string();
        let text = match fs::read(path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => {
                if self.hop.keys_named || error.kind() != ErrorKind::NotFound {
                    self.tried
                        .push(format!("{shown} (cannot be read: {error})"));
                }
                return Ok(Came::Refused);
            }
        };
        let Some(looked) = key::look(&text) else {
            self.tried.push(format!("{shown} (is no private key)"));
            return Ok(Came::Refused);
        };
        let public = looked.public.or_else(|| {
            let mut beside = path.as_os_str().to_owned();
            beside.push(".pub");
            key::public(&fs::read_to_string(beside).ok()?)
        });
        if let Some(public) = &public {
            if self.refused.contains(public) {
                return Ok(Came::Refused);
            }
            if looked.encrypted
                && let Came::In = self.with_agent(Some(public))?
            {
                return Ok(Came::In);
            }
        }
        if !looked.encrypted {
            self.tried.push(shown);
            return self
                .offer(path, None)
                .map(|came| came.unwrap_or(Came::Refused));
        }
        for again in 0..TRIES {
            let Some(passphrase) = self.asks.passphrase(path, again > 0) else {
                self.tried.push(format!("{shown} (needs its passphrase)"));
                self.locked.get_or_insert(shown);
                return Ok(Came::Refused);
            };
            if let Some(came) = self.offer(path, Some(passphrase.expose()))? {
                self.tried.push(shown);
                return Ok(came);
            }
        }
        self.tried
            .push(format!("{shown} (the passphrase was wrong)"));
        self.locked.get_or_insert(shown);
        Ok(Came::Refused)
    }

    /// `None` when the file could not be read with that passphrase.
    fn offer(&mut self, path: &Path, passphrase: Option<&str>) -> Result<Option<Came>> {
        let offered = self
            .session
            .userauth_pubkey_file(&self.hop.user, None, path, passphrase);
        match offered {
            Ok(()) if self.session.authenticated() => Ok(Some(Came::In)),
            // One key more than this one is wanted.
            Ok(()) => Ok(Some(Came::Refused)),
            Err(error) => match error.code() {
                ErrorCode::Session(code) if NOT_TAKEN.contains(&code) => Ok(Some(Came::Refused)),
                ErrorCode::Session(NOT_READ) => {
                    if passphrase.is_none() {
                        self.tried.push(format!(
                            "{} cannot be read: {}",
                            path.display(),
                            error.message()
                        ));
                    }
                    Ok(None)
                }
                ErrorCode::Session(_) | ErrorCode::SFTP(_) => {
                    Err(broken(self.machine, self.hop, &error))
                }
            },
        }
    }

    /// With ssh-agent's keys, or the one that is `wanted`.
    fn with_agent(&mut self, wanted: Option<&[u8]>) -> Result<Came> {
        let Ok(mut agent) = self.session.agent() else {
            return Ok(Came::Refused);
        };
        // No agent is no error: most have none.
        if agent.connect().is_err() || agent.list_identities().is_err() {
            return Ok(Came::Refused);
        }
        for identity in agent.identities().unwrap_or_default() {
            let blob = identity.blob().to_vec();
            if wanted.is_some_and(|wanted| wanted != blob) {
                continue;
            }
            self.tried
                .push(format!("ssh-agent's {}", identity.comment()));
            match agent.userauth(&self.hop.user, &identity) {
                Ok(()) if self.session.authenticated() => return Ok(Came::In),
                Ok(()) => {}
                Err(error) => match error.code() {
                    ErrorCode::Session(-13 | -43 | -7 | -9) => {
                        return Err(broken(self.machine, self.hop, &error));
                    }
                    // Refused by the server or by the agent: the next one.
                    ErrorCode::Session(_) | ErrorCode::SFTP(_) => {}
                },
            }
            self.refused.insert(blob);
        }
        Ok(Came::Refused)
    }

    fn failure(&self, methods: &str) -> anyhow::Error {
        let tried = match self.tried.as_slice() {
            [] => "no key was found to try".to_owned(),
            tried => format!("tried: {}", tried.join(", ")),
        };
        let hop = self.hop;
        let failure = Failure::new(format!(
            "{}: {hop} does not let {} in; {tried}; it takes: {}",
            self.machine,
            hop.user,
            methods.replace(',', ", "),
        ));
        let port = match hop.port {
            22 => String::new(),
            port => format!("-p {port} "),
        };
        match &self.locked {
            Some(key) => failure.hint(format!(
                "hand the key to ssh-agent, where it is asked for once: eval $(ssh-agent) && ssh-add {key}"
            )),
            None => failure.hint(format!(
                "let your key in there: ssh-copy-id {port}{}@{}; or name the key that is let in, with `key:`",
                hop.user, hop.host
            )),
        }
        .into()
    }
}

fn broken(machine: &str, hop: &Hop, error: &ssh2::Error) -> anyhow::Error {
    Failure::new(format!(
        "{machine}: {hop} ended the connection while {} logged in: {}",
        hop.user,
        error.message()
    ))
    .hint(
        "a server ends it after a few keys that it does not take: name the right one with `key:`; otherwise see the server's log",
    )
    .into()
}
