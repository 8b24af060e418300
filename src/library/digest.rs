//! The SHA-256 digest of a file, and whether it is text, read in pieces so that memory does not grow with the file.

use std::fs::File;
use std::io::Read;

use sha2::{Digest, Sha256};

use super::details::Details;
use super::given_up::GivenUp;
use super::refusal::Reason;
use crate::platform::desired::hex;

/// Bytes that are read at once.
const PIECE: usize = 128 * 1024;

/// What a file is looked through for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Its digest.
    pub sha256: bool,
    /// Whether it is UTF-8.
    pub is_text: bool,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examined {
    /// The digest in hexadecimal, if it was wanted.
    pub sha256: Option<String>,
    /// Whether all of it is UTF-8, if that was wanted.
    pub is_text: Option<bool>,
}

/// Looks through bytes that are in memory.
pub fn examine(bytes: &[u8], wanted: Wanted) -> Examined {
    Examined {
        sha256: wanted.sha256.then(|| hex(&Sha256::digest(bytes))),
        is_text: wanted.is_text.then(|| std::str::from_utf8(bytes).is_ok()),
    }
}

/// Looks through a file that had `size` bytes when it was opened.
///
/// # Errors
///
/// [`Reason::Changing`] when it was written meanwhile, [`Reason::Unreadable`] when it cannot be read or nobody waits.
pub fn examine_file(
    file: &File,
    size: u64,
    wanted: Wanted,
    given_up: &GivenUp,
) -> Result<Examined, Reason> {
    let state = || {
        rustix::fs::fstat(file)
            .map(|stat| Details::of(&stat))
            .map_err(|_| Reason::Unreadable)
    };
    let before = state()?;
    let mut hash = wanted.sha256.then(Sha256::new);
    let mut text = wanted.is_text.then(Utf8::default);
    let mut piece = vec![0; PIECE];
    // A file that grows for ever is read no further than it was.
    let mut reader = file.take(size);
    loop {
        if given_up.yes() {
            return Err(Reason::Unreadable);
        }
        let read = match reader.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => return Err(Reason::Unreadable),
        };
        if let Some(hash) = &mut hash {
            hash.update(&piece[..read]);
        }
        if let Some(text) = &mut text {
            text.push(&piece[..read]);
        }
        if hash.is_none() && text.as_ref().is_some_and(|text| text.broken) {
            break;
        }
    }
    if state()? != before {
        return Err(Reason::Changing);
    }
    Ok(Examined {
        sha256: hash.map(|hash| hex(&hash.finalize())),
        is_text: text.map(Utf8::end),
    })
}

/// Looks whether bytes that come in pieces are UTF-8: a character may be cut by the end of a piece.
#[derive(Debug, Default)]
struct Utf8 {
    /// The beginning of a character.
    cut: Vec<u8>,
    broken: bool,
}

impl Utf8 {
    fn push(&mut self, mut piece: &[u8]) {
        while !self.broken && !self.cut.is_empty() {
            let Some((&next, rest)) = piece.split_first() else {
                return;
            };
            piece = rest;
            self.cut.push(next);
            match std::str::from_utf8(&self.cut) {
                Ok(_) => self.cut.clear(),
                Err(error) => self.broken = error.error_len().is_some(),
            }
        }
        if let Err(error) = std::str::from_utf8(piece)
            && !self.broken
        {
            match error.error_len() {
                Some(_) => self.broken = true,
                None => self.cut = piece[error.valid_up_to()..].to_vec(),
            }
        }
    }

    fn end(self) -> bool {
        !self.broken && self.cut.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_text_however_it_is_cut() {
        let whole = "aä€😀z".as_bytes();
        for (bytes, expected) in [
            (whole, true),
            (&whole[..whole.len() - 2], false),
            (b"", true),
            (b"\xff", false),
            (b"\xc3(", false),
            (b"\xed\xa0\x80", false),
            (b"caf\xe9", false),
        ] {
            for size in 1..=bytes.len().max(1) {
                let mut text = Utf8::default();
                bytes.chunks(size).for_each(|piece| text.push(piece));
                assert_eq!(text.end(), expected, "{bytes:?} by {size}");
            }
        }
    }
}
