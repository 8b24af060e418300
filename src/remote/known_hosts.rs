//! Known hosts (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT): whether a key is the one that was seen before.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::remote::key::string;
use crate::remote::ssh_config::pattern::any_of;

/// The files, read: each with its path. The first is the one that new keys are written to.
#[derive(Debug, Clone, Default)]
pub struct KnownHosts {
    files: Vec<(PathBuf, String)>,
}

/// What the files say of a host's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is the one.
    Known,
    /// The host has never been seen.
    Unknown,
    /// The host has been seen, with another key, as this line says.
    Changed(Place),
    /// This line says that the key is not to be trusted any more.
    Revoked(Place),
    /// This line trusts whoever has a certificate, which we do not read, and nothing else is said of the host.
    Certificate(Place),
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Which file.
    pub file: PathBuf,
    /// Which line, from 1.
    pub line: usize,
    /// The type of the key there, such as `ssh-ed25519`.
    pub kind: String,
}

/// What a line begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    None,
    Revoked,
    Authority,
}

struct Entry {
    place: Place,
    mark: Mark,
    key: Vec<u8>,
}

impl KnownHosts {
    /// Reads the files; one that is not there is empty.
    ///
    /// # Errors
    ///
    /// When one that is there cannot be read.
    pub fn read(paths: &[PathBuf]) -> Result<Self> {
        let read = |path: &PathBuf| match fs::read(path) {
            Ok(bytes) => Ok((path.clone(), String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok((path.clone(), String::new())),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        Ok(Self {
            files: paths.iter().map(read).collect::<Result<_>>()?,
        })
    }

    /// The lines about a host.
    fn entries(&self, host: &str, port: u16) -> Vec<Entry> {
        let name = name(host, port);
        let mut found = Vec::new();
        for (file, text) in &self.files {
            for (index, line) in text.lines().enumerate() {
                let mut words = line.split_whitespace().peekable();
                let mark = match words.next_if(|word| word.starts_with('@')) {
                    None => Mark::None,
                    Some("@revoked") => Mark::Revoked,
                    Some("@cert-authority") => Mark::Authority,
                    Some(_) => continue,
                };
                let (Some(hosts), Some(kind), Some(key)) =
                    (words.next(), words.next(), words.next())
                else {
                    continue;
                };
                let Ok(key) = STANDARD.decode(key) else {
                    continue;
                };
                if !hosts.starts_with('#') && is_about(hosts, &name) {
                    found.push(Entry {
                        place: Place {
                            file: file.clone(),
                            line: index + 1,
                            kind: kind.to_owned(),
                        },
                        mark,
                        key,
                    });
                }
            }
        }
        found
    }

    /// What they say of the key that a host shows.
    pub fn judge(&self, host: &str, port: u16, key: &[u8]) -> Verdict {
        let entries = self.entries(host, port);
        let first = |wanted: &dyn Fn(&Entry) -> bool| {
            entries
                .iter()
                .find(|entry| wanted(entry))
                .map(|entry| entry.place.clone())
        };
        let kind = kind(key);
        if let Some(place) = first(&|entry| entry.mark == Mark::Revoked && entry.key == key) {
            return Verdict::Revoked(place);
        }
        if first(&|entry| entry.mark == Mark::None && entry.key == key).is_some() {
            return Verdict::Known;
        }
        // The line that has this type of key is the one to look at.
        if let Some(place) = first(&|entry| entry.mark == Mark::None && entry.place.kind == kind)
            .or_else(|| first(&|entry| entry.mark == Mark::None))
        {
            return Verdict::Changed(place);
        }
        match first(&|entry| entry.mark == Mark::Authority) {
            Some(place) => Verdict::Certificate(place),
            None => Verdict::Unknown,
        }
    }

    /// Of these algorithms, those of the types that are known of a host first: so that a server with more keys than are known shows
    /// one that is.
    pub fn preferred<'a>(&self, host: &str, port: u16, algorithms: &[&'a str]) -> Vec<&'a str> {
        let kinds: Vec<String> = self
            .entries(host, port)
            .into_iter()
            .filter(|entry| entry.mark == Mark::None)
            .map(|entry| entry.place.kind)
            .collect();
        let is_known = |algorithm: &&&str| {
            // An RSA key signs in three ways (RFC 8332).
            let kind = match **algorithm {
                "rsa-sha2-512" | "rsa-sha2-256" => "ssh-rsa",
                other => other,
            };
            kinds.iter().any(|known| known == kind)
        };
        let (mut known, others): (Vec<&str>, Vec<&str>) =
            algorithms.iter().partition(|algorithm| is_known(algorithm));
        known.extend(others);
        known
    }

    /// Where a new key is written to.
    pub fn file(&self) -> &Path {
        self.files
            .first()
            .map_or(Path::new("known_hosts"), |(path, _)| path.as_path())
    }

    /// Adds a key to the first file.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn accept(&self, host: &str, port: u16, key: &[u8]) -> Result<()> {
        let path = self.file();
        append(path, &line(host, port, key))
            .with_context(|| format!("cannot add the host's key to {}", path.display()))
    }
}

fn append(path: &Path, line: &str) -> std::io::Result<()> {
    if let Some(directory) = path.parent().filter(|one| !one.as_os_str().is_empty()) {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
    }
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    // A last line that somebody left without its end must not swallow ours.
    let before = match text.last() {
        None | Some(b'\n') => "",
        Some(_) => "\n",
    };
    // In one piece: others append as well.
    file.write_all(format!("{before}{line}\n").as_bytes())?;
    file.sync_all()
}

/// What known_hosts calls a host.
pub fn name(host: &str, port: u16) -> String {
    let host = host.to_ascii_lowercase();
    match port {
        22 => host,
        other => format!("[{host}]:{other}"),
    }
}

/// A line for a host's key.
fn line(host: &str, port: u16, key: &[u8]) -> String {
    format!(
        "{} {} {}",
        name(host, port),
        kind(key),
        STANDARD.encode(key)
    )
}

/// A key's type, which stands in it.
pub fn kind(key: &[u8]) -> String {
    let mut rest = key;
    string(&mut rest)
        .map(|kind| String::from_utf8_lossy(kind).into_owned())
        .unwrap_or_default()
}

/// A key's fingerprint as OpenSSH shows it.
pub fn fingerprint(key: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(key)))
}

/// Whether a line's first field is about a host.
fn is_about(hosts: &str, name: &str) -> bool {
    match hosts.strip_prefix("|1|") {
        Some(hashed) => is_hash_of(hashed, name).unwrap_or(false),
        None => any_of(hosts.split(','), name, true),
    }
}

/// `salt|hash`: HMAC-SHA1 of the name with the salt as its key.
fn is_hash_of(hashed: &str, name: &str) -> Option<bool> {
    let (salt, hash) = hashed.split_once('|')?;
    let mut mac = Hmac::<Sha1>::new_from_slice(&STANDARD.decode(salt).ok()?).ok()?;
    mac.update(name.as_bytes());
    Some(mac.finalize().into_bytes().as_slice() == STANDARD.decode(hash).ok()?)
}

#[cfg(test)]
mod tests;
