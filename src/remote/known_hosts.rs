//! Which keys a host is known by: OpenSSH's `known_hosts` (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"), with hashed names, ports, patterns and
//! markers.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// A line about a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Where it stands.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// What it says besides.
    pub marker: Marker,
    /// The key's type, such as `ssh-ed25519`.
    pub kind: String,
    /// The key, in base64.
    pub key: String,
}

/// What a line says of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// It is the host's.
    None,
    /// It signs hosts' keys.
    Authority,
    /// It is nobody's any more.
    Revoked,
}

/// What there is to say of a key that a host has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is the host's.
    Same,
    /// Nothing is known of the host.
    Unknown,
    /// Another one is the host's.
    Changed(Known),
    /// It was revoked.
    Revoked(Known),
    /// Only an authority that signs the host's keys is known, and that is not understood here.
    Authority(Known),
}

/// What the files say about a host.
///
/// # Errors
/// When one of them is there and cannot be read.
pub fn read(files: &[PathBuf], host: &str, port: u16) -> anyhow::Result<Vec<Known>> {
    let mut all = Vec::new();
    for file in files {
        match std::fs::read(file) {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                all.extend(entries(file, &text, host, port));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", file.display()));
            }
        }
    }
    Ok(all)
}

fn entries(file: &Path, text: &str, host: &str, port: u16) -> Vec<Known> {
    let name = name(host, port);
    let of_line = |(number, line): (usize, &str)| {
        let mut words = line.split_whitespace();
        let first = words.next().filter(|word| !word.starts_with('#'))?;
        let (marker, names) = match first {
            "@revoked" => (Marker::Revoked, words.next()?),
            "@cert-authority" => (Marker::Authority, words.next()?),
            names => (Marker::None, names),
        };
        is_named(names, &name).then_some(())?;
        Some(Known {
            file: file.to_owned(),
            line: number + 1,
            marker,
            kind: words.next()?.to_owned(),
            key: words.next()?.to_owned(),
        })
    };
    text.lines().enumerate().filter_map(of_line).collect()
}

/// What a host is called there: by itself at the usual port, and with its port elsewhere.
fn name(host: &str, port: u16) -> String {
    match port {
        22 => host.to_lowercase(),
        _ => format!("[{}]:{port}", host.to_lowercase()),
    }
}

fn is_named(names: &str, name: &str) -> bool {
    if let Some(hashed) = names.strip_prefix("|1|") {
        return is_hash_of(hashed, name).unwrap_or(false);
    }
    let mut named = false;
    for pattern in names.split(',') {
        match pattern.strip_prefix('!') {
            Some(pattern) if fits(&pattern.to_lowercase(), name) => return false,
            Some(_) => {}
            None => named |= fits(&pattern.to_lowercase(), name),
        }
    }
    named
}

/// `salt|hash`, both in base64: HMAC-SHA1 of the name.
fn is_hash_of(hashed: &str, name: &str) -> Option<bool> {
    let (salt, hash) = hashed.split_once('|')?;
    let mut mac = Hmac::<Sha1>::new_from_slice(&STANDARD.decode(salt).ok()?).ok()?;
    mac.update(name.as_bytes());
    Some(mac.verify_slice(&STANDARD.decode(hash).ok()?).is_ok())
}

/// Whether a pattern of `*` and `?` is a name's.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    // Where the last star was, and how much of the name it has taken.
    let (mut at, mut here, mut star) = (0, 0, None);
    while here < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, here));
                at += 1;
            }
            Some(c) if *c == '?' || *c == name[here] => {
                (at, here) = (at + 1, here + 1);
            }
            Some(_) | None => match star {
                Some((behind, taken)) => {
                    star = Some((behind, taken + 1));
                    (at, here) = (behind + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

/// What there is to say of a key that the host has shown.
pub fn judge(known: &[Known], key: &[u8]) -> Verdict {
    let shown = STANDARD.encode(key);
    let with = |marker: Marker| known.iter().filter(move |one| one.marker == marker);
    if let Some(revoked) = with(Marker::Revoked).find(|one| one.key == shown) {
        return Verdict::Revoked(revoked.clone());
    }
    if with(Marker::None).any(|one| one.key == shown) {
        return Verdict::Same;
    }
    match (with(Marker::None).next(), with(Marker::Authority).next()) {
        (Some(other), _) => Verdict::Changed(other.clone()),
        (None, Some(authority)) => Verdict::Authority(authority.clone()),
        (None, None) => Verdict::Unknown,
    }
}

/// The algorithms to ask a host for, so that it shows the key that is known; `None` where nothing is. An RSA key signs in newer ways than
/// it is called (RFC 8332).
pub fn algorithms(known: &[Known]) -> Option<String> {
    let mut all: Vec<&str> = Vec::new();
    for one in known.iter().filter(|one| one.marker == Marker::None) {
        let these: &[&str] = match one.kind.as_str() {
            "ssh-rsa" => &["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"],
            kind => &[kind],
        };
        all.extend(
            these
                .iter()
                .filter(|these| !all.contains(these))
                .collect::<Vec<_>>(),
        );
    }
    (!all.is_empty()).then(|| all.join(","))
}

/// A key as OpenSSH shows it.
pub fn fingerprint(key: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(key)))
}

/// The type that a key says of itself: its first string (RFC 4253, 6.6).
pub fn kind(key: &[u8]) -> String {
    let length = key
        .first_chunk::<4>()
        .map_or(0, |length| u32::from_be_bytes(*length) as usize);
    let kind = key.get(4..4 + length).unwrap_or_default();
    String::from_utf8_lossy(kind).into_owned()
}

/// Adds a host's key to a file, which is made when there is none.
///
/// # Errors
/// When it cannot be written.
pub fn add(file: &Path, host: &str, port: u16, key: &[u8]) -> anyhow::Result<()> {
    let line = format!(
        "{} {} {}\n",
        name(host, port),
        kind(key),
        STANDARD.encode(key)
    );
    let written = || -> std::io::Result<()> {
        if let Some(directory) = file.parent() {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(directory)?;
        }
        let ended =
            std::fs::read(file).map_or(true, |text| text.is_empty() || text.ends_with(b"\n"));
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(file)?;
        let line = match ended {
            true => line,
            false => format!("\n{line}"),
        };
        file.write_all(line.as_bytes())
    };
    written().with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIHxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

    fn found(text: &str, host: &str, port: u16) -> Vec<usize> {
        entries(Path::new("k"), text, host, port)
            .iter()
            .map(|known| known.line)
            .collect()
    }

    #[test]
    fn a_host_is_found_by_all_that_openssh_writes() {
        let text = format!(
            "# comment\n\
             s.foo.com,192.0.2.7 ssh-ed25519 {ED}\n\
             [s.foo.com]:2222 ssh-rsa {ED} a comment\n\
             *.foo.com,!bad.foo.com ssh-ed25519 {ED}\n\
             @revoked * ssh-ed25519 {ED}\n\
             half a line\n"
        );
        assert_eq!(found(&text, "S.foo.com", 22), [2, 4, 5]);
        assert_eq!(found(&text, "192.0.2.7", 22), [2, 5]);
        assert_eq!(found(&text, "s.foo.com", 2222), [3, 5]);
        assert_eq!(found(&text, "bad.foo.com", 22), [5]);
    }

    #[test]
    fn hashed_names_are_found_too() {
        // Made by: ssh-keygen -H, of "s.foo.com" with this salt.
        let salt = STANDARD.encode([7; 20]);
        let mut mac = Hmac::<Sha1>::new_from_slice(&[7; 20]).unwrap();
        mac.update(b"s.foo.com");
        let hash = STANDARD.encode(mac.finalize().into_bytes());
        let text = format!("|1|{salt}|{hash} ssh-ed25519 {ED}\n|1|x|y ssh-ed25519 {ED}\n");
        assert_eq!(found(&text, "s.foo.com", 22), [1]);
        assert_eq!(found(&text, "t.foo.com", 22), Vec::<usize>::new());
    }

    #[test]
    fn a_key_is_judged_by_what_is_known() {
        let key = b"\0\0\0\x0bssh-ed25519rest";
        let line = format!("s ssh-ed25519 {}\n", STANDARD.encode(key));
        let judged = |text: &str, key: &[u8]| judge(&entries(Path::new("k"), text, "s", 22), key);
        assert_eq!(judged(&line, key), Verdict::Same);
        assert_eq!(judged("", key), Verdict::Unknown);
        assert!(matches!(judged(&line, b"other"), Verdict::Changed(known) if known.line == 1));
        let revoked = format!("{line}@revoked s ssh-ed25519 {}\n", STANDARD.encode(key));
        assert!(matches!(judged(&revoked, key), Verdict::Revoked(known) if known.line == 2));
        let authority = format!("@cert-authority s ssh-ed25519 {ED}\n");
        assert!(matches!(judged(&authority, key), Verdict::Authority(_)));
        assert_eq!(kind(key), "ssh-ed25519");
        assert_eq!(kind(b"\0"), "");
    }

    #[test]
    fn a_host_is_asked_for_the_types_that_are_known() {
        let text = format!(
            "s ssh-rsa {ED}\ns ecdsa-sha2-nistp256 {ED}\ns ssh-rsa {ED}\n@revoked s ssh-ed25519 {ED}\n"
        );
        assert_eq!(
            algorithms(&entries(Path::new("k"), &text, "s", 22)).as_deref(),
            Some("rsa-sha2-512,rsa-sha2-256,ssh-rsa,ecdsa-sha2-nistp256")
        );
        assert_eq!(algorithms(&[]), None);
    }

    #[test]
    fn a_key_that_is_added_is_known() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(".ssh/known_hosts");
        let key = b"\0\0\0\x0bssh-ed25519rest";
        add(&file, "s", 2222, key).unwrap();
        std::fs::write(&file, std::fs::read_to_string(&file).unwrap().trim_end()).unwrap();
        add(&file, "t", 22, key).unwrap();
        let files = [file];
        assert_eq!(judge(&read(&files, "s", 2222).unwrap(), key), Verdict::Same);
        assert_eq!(judge(&read(&files, "t", 22).unwrap(), key), Verdict::Same);
    }
}
