//! A private key's file, as far as it can be read without its passphrase.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What a private key's file says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Looked {
    /// Whether a passphrase is needed.
    pub(super) encrypted: bool,
    /// The public key in SSH's form, where the file has it in the open: OpenSSH's own format does.
    pub(super) public: Option<Vec<u8>>,
}

/// Reads what is in the open; `None` for what is no private key.
pub(super) fn look(text: &str) -> Option<Looked> {
    let mut lines = text.lines().map(str::trim);
    let first = lines.find(|line| line.starts_with("-----BEGIN ") && line.ends_with("-----"))?;
    if !first.contains("PRIVATE KEY") {
        return None;
    }
    if !first.contains("OPENSSH") {
        let encrypted = first.contains("ENCRYPTED")
            || text
                .lines()
                .any(|line| line.starts_with("Proc-Type:") && line.contains("ENCRYPTED"));
        return Some(Looked {
            encrypted,
            public: None,
        });
    }
    let body: String = lines
        .take_while(|line| !line.starts_with("-----END"))
        .collect();
    openssh(&STANDARD.decode(body).ok()?)
}

/// OpenSSH's format (PROTOCOL.key): magic, cipher, key derivation, its options, how many keys, and the public one.
fn openssh(bytes: &[u8]) -> Option<Looked> {
    let mut rest = bytes.strip_prefix(b"openssh-key-v1\0")?;
    let cipher = string(&mut rest)?;
    string(&mut rest)?;
    string(&mut rest)?;
    rest = rest.get(4..)?;
    let public = string(&mut rest)?;
    Some(Looked {
        encrypted: cipher != b"none",
        public: Some(public.to_vec()),
    })
}

/// A string of SSH's (RFC 4251, 5): its length in four bytes before it. `rest` is behind it then.
pub(super) fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, behind) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let found = behind.get(..length)?;
    *rest = &behind[length..];
    Some(found)
}

/// The key in a line of a `.pub` file.
pub(super) fn public(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.split_whitespace().nth(1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(cipher: &str) -> String {
        let mut bytes = b"openssh-key-v1\0".to_vec();
        for text in [cipher, "bcrypt", ""] {
            bytes.extend((text.len() as u32).to_be_bytes());
            bytes.extend(text.as_bytes());
        }
        bytes.extend([0, 0, 0, 1, 0, 0, 0, 3]);
        bytes.extend(b"key");
        let body = STANDARD.encode(bytes);
        format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n-----END OPENSSH PRIVATE KEY-----\n")
    }

    #[test]
    fn whether_a_passphrase_is_needed_stands_in_the_file() {
        let public = Some(b"key".to_vec());
        for (text, found) in [
            (written("none"), Some((false, public.clone()))),
            (written("aes256-ctr"), Some((true, public))),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nabc\n".into(),
                Some((false, None)),
            ),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n".into(),
                Some((true, None)),
            ),
            (
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\n".into(),
                Some((true, None)),
            ),
            ("-----BEGIN CERTIFICATE-----\n".into(), None),
            ("ssh-ed25519 AAAA me\n".into(), None),
            (
                "-----BEGIN OPENSSH PRIVATE KEY-----\nrubbish\n".into(),
                None,
            ),
        ] {
            let looked = look(&text).map(|looked| (looked.encrypted, looked.public));
            assert_eq!(looked, found, "{text}");
        }
    }
}
