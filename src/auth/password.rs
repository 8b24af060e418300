//! Hashing and verifying passwords, in the forms that Apache's htpasswd files hold.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

use super::apr1;
use crate::error::Failure;
use crate::secrets::Secret;

/// bcrypt's cost of new entries: 2^10 rounds, some 50 ms of one core. Each step up doubles that for whoever guesses, and for
/// the auth endpoint whenever someone's first request comes; generated passwords are long enough to bear a modest one.
pub const COST: u32 = 10;

/// The most that bcrypt looks at, in bytes. What is longer would be cut off silently, so it is refused.
pub const LENGTH_MAX: usize = 72;

/// The most that is compared with any entry, in bytes. What is longer is nobody's, and is not hashed.
const COMPARED_MAX: usize = 255;

/// The highest cost that is verified; 17 (six seconds) is also the highest that htpasswd makes.
const COST_MAX: u32 = 17;

/// What comes of comparing a password with a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is the password.
    Right,
    /// It is another.
    Wrong,
    /// The entry is neither bcrypt, apr1 nor SHA: cleartext or crypt, which are not accepted, or damaged.
    Refused,
}

/// In which form an entry keeps its password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `$2y$`, `$2b$` or `$2a$`, with this cost.
    Bcrypt {
        /// The binary logarithm of the number of rounds.
        cost: u32,
    },
    /// `$apr1$`: Apache's MD5.
    Apr1,
    /// `{SHA}`: SHA-1 without salt.
    Sha1,
}

/// The form of a hash; `None` is one that is not accepted.
pub fn scheme(hash: &str) -> Option<Scheme> {
    if let Some(rest) = ["$2y$", "$2b$", "$2a$"]
        .iter()
        .find_map(|prefix| hash.strip_prefix(prefix))
    {
        let (cost, rest) = rest.split_once('$')?;
        let fine = cost.len() == 2 && rest.len() == 53 && rest.bytes().all(is_crypt_letter);
        let cost = cost.parse().ok()?;
        return (fine && (4..=COST_MAX).contains(&cost)).then_some(Scheme::Bcrypt { cost });
    }
    if let Some(rest) = hash.strip_prefix("$apr1$") {
        let (salt, checksum) = rest.split_once('$')?;
        let fine = (1..=apr1::SALT_MAX).contains(&salt.len())
            && checksum.len() == apr1::CHECKSUM_LENGTH
            && salt.bytes().chain(checksum.bytes()).all(is_crypt_letter);
        return fine.then_some(Scheme::Apr1);
    }
    let digest = STANDARD.decode(hash.strip_prefix("{SHA}")?).ok()?;
    (digest.len() == 20).then_some(Scheme::Sha1)
}

fn is_crypt_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/')
}

/// A new bcrypt hash, written as Apache writes it (`$2y$`). Takes some 50 ms.
///
/// # Errors
/// When the password is empty, longer than [`LENGTH_MAX`], or holds a control character: a browser cannot send a line
/// break, and programs written in C take a zero byte for the end.
pub fn hash(password: &Secret) -> anyhow::Result<String> {
    let text = password.expose();
    if text.is_empty() {
        return Err(Failure::usage("the password is empty").into());
    }
    if text.len() > LENGTH_MAX {
        let message = format!(
            "the password has {} bytes; bcrypt takes {LENGTH_MAX} at most",
            text.len()
        );
        return Err(Failure::usage(message)
            .hint("choose a shorter one; letters outside ASCII count for two to four bytes")
            .into());
    }
    if text.chars().any(char::is_control) {
        return Err(Failure::usage("the password holds a control character")
            .hint("a line break at the end? give the password alone")
            .into());
    }
    let parts = bcrypt::hash_with_result(text, COST)?;
    Ok(parts.format_for_version(bcrypt::Version::TwoY))
}

/// Compares a password with a hash. Takes as long as the hash's own cost, so not for the threads that serve requests.
pub fn verify(password: &str, hash: &str) -> Verdict {
    let Some(scheme) = scheme(hash) else {
        return Verdict::Refused;
    };
    // Nobody can have set these: no password, and one with the byte that ends it in the programs that made the entry
    // (bcrypt repeats its key with that byte between, so "a\0a" would be as good as "a").
    if password.is_empty() || password.len() > COMPARED_MAX || password.contains('\0') {
        return Verdict::Wrong;
    }
    let right = match scheme {
        // One that is too long takes as long as another, lest the time tell in which form an entry is.
        Scheme::Bcrypt { .. } => {
            let looked_at = &password.as_bytes()[..password.len().min(LENGTH_MAX)];
            match bcrypt::verify(looked_at, hash) {
                Ok(right) => right && password.len() <= LENGTH_MAX,
                Err(_) => return Verdict::Refused,
            }
        }
        Scheme::Apr1 => {
            let mut parts = hash.split('$').skip(2);
            let (Some(salt), Some(expected)) = (parts.next(), parts.next()) else {
                return Verdict::Refused;
            };
            let checksum = apr1::checksum(password.as_bytes(), salt.as_bytes());
            checksum.as_bytes().ct_eq(expected.as_bytes()).into()
        }
        Scheme::Sha1 => {
            let digest = format!("{{SHA}}{}", STANDARD.encode(Sha1::digest(password)));
            digest.as_bytes().ct_eq(hash.as_bytes()).into()
        }
    };
    if right {
        Verdict::Right
    } else {
        Verdict::Wrong
    }
}

/// An entry of ours that is nobody's: no password is known that would give this hash.
const NOBODY: &str = "$2y$10$.....................................................";

/// Takes as long as [`verify`] does with an entry of ours, and is never right: for users who do not exist.
pub fn verify_nobody(password: &str) {
    let _ = verify(password, NOBODY);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_hash_is_bcrypt_as_apache_writes_it() {
        let hash = hash(&Secret::new("hunter2")).unwrap();
        assert!(hash.starts_with("$2y$10$"), "{hash}");
        assert_eq!(verify("hunter2", &hash), Verdict::Right);
        assert_eq!(verify("hunter3", &hash), Verdict::Wrong);
        assert_eq!(verify("", &hash), Verdict::Wrong);
    }

    #[test]
    fn entries_made_by_htpasswd_are_understood() {
        for hash in [
            "$2y$04$ZQ0vJDZVJOxz1dR8DSmsXuB/wN6VlxIt96wLGWYiNOHGVbLY7JIbO",
            "$apr1$i2lATwbN$dKvDiEbk.m5JGsjQHpq.e0",
            "{SHA}87u9ZqY9S/F0eUBXjsPQEDUw4h0=",
        ] {
            assert_eq!(verify("hunter2", hash), Verdict::Right, "{hash}");
            assert_eq!(verify("Hunter2", hash), Verdict::Wrong, "{hash}");
        }
    }

    #[test]
    fn cleartext_crypt_and_damaged_entries_are_refused() {
        for hash in [
            "",
            "hunter2",
            "jAp1T3OoCB6es",
            "$1$abcdefgh$irWbblnpmw.5z7wgBnprh0",
            "$5$ifkKGYD38bBNvsYB$ZcN5B6Qnaek/feeISX.2anE8Zofwmu0AN7nDEqbsem.",
            "$2y$04$ZQ0vJDZVJOxz1dR8DSmsXuB/wN6VlxIt96wLGWYiNOHGVbLY7JIb",
            "$2y$31$ZQ0vJDZVJOxz1dR8DSmsXuB/wN6VlxIt96wLGWYiNOHGVbLY7JIbO",
            "$2x$04$ZQ0vJDZVJOxz1dR8DSmsXuB/wN6VlxIt96wLGWYiNOHGVbLY7JIbO",
            "$apr1$$dKvDiEbk.m5JGsjQHpq.e0",
            "$apr1$i2lATwbN$",
            "{SHA}87u9",
            "{SSHA}87u9ZqY9S/F0eUBXjsPQEDUw4h0=",
        ] {
            assert_eq!(verify("hunter2", hash), Verdict::Refused, "{hash}");
        }
    }

    #[test]
    fn what_bcrypt_would_cut_off_or_repeat_counts() {
        let longest = "ä".repeat(36);
        let hash_of_longest = hash(&Secret::new(longest.as_str())).unwrap();
        assert_eq!(verify(&longest, &hash_of_longest), Verdict::Right);
        assert_eq!(
            verify(&format!("{longest}x"), &hash_of_longest),
            Verdict::Wrong
        );
        assert_eq!(
            verify("aaa\0aaa", &hash(&Secret::new("aaa")).unwrap()),
            Verdict::Wrong
        );

        // It is looked at no less for that: an entry's form does not show by the time.
        let took = |password: &str| {
            let start = std::time::Instant::now();
            verify_nobody(password);
            start.elapsed()
        };
        let usual = took("hunter2");
        assert!(took(&"x".repeat(COMPARED_MAX)) * 4 > usual);
        for (length, verdict) in [(255, Verdict::Right), (256, Verdict::Wrong)] {
            let password = "x".repeat(length);
            let sha1 = format!("{{SHA}}{}", STANDARD.encode(Sha1::digest(&password)));
            assert_eq!(verify(&password, &sha1), verdict, "{length}");
        }

        let error = hash(&Secret::new(format!("{longest}x"))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the password has 73 bytes; bcrypt takes 72 at most"
        );
        for password in ["", "line\n", "zero\0byte"] {
            assert!(hash(&Secret::new(password)).is_err(), "{password:?}");
        }
    }

    #[test]
    fn nobody_costs_as_much_as_an_entry_of_ours() {
        assert_eq!(scheme(NOBODY), Some(Scheme::Bcrypt { cost: COST }));
        assert_eq!(verify("hunter2", NOBODY), Verdict::Wrong);
    }
}
