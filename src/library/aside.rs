//! The names of what is set aside in a folder for a while: files on their way in, directories on their way out. They lie
//! beside what they become or were, so that one rename makes the step; nobody sees them, asks for them or makes them.

use rand::RngExt;

use crate::platform::desired::hex;

/// What all of these names begin with.
const PREFIX: &str = ".dtaas-aside-";

/// Why something is aside, and so for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A file that arrives in one request: without that request it is worth nothing.
    Arriving,
    /// A file that arrives in several requests, with pauses between them.
    Resumable,
    /// A directory that is being removed.
    Leaving,
}

impl Purpose {
    const fn word(self) -> &'static str {
        match self {
            Purpose::Arriving => "in-",
            Purpose::Resumable => "part-",
            Purpose::Leaving => "out-",
        }
    }
}

/// Whether a name is one of these. The one rule for listings, paths and whatever else walks a folder.
pub fn is_aside(name: &[u8]) -> bool {
    name.starts_with(PREFIX.as_bytes())
}

/// What a name says of itself; `None` where it is not one of these.
pub fn purpose(name: &[u8]) -> Option<Purpose> {
    let rest = name.strip_prefix(PREFIX.as_bytes())?;
    [Purpose::Arriving, Purpose::Resumable, Purpose::Leaving]
        .into_iter()
        .find(|purpose| rest.starts_with(purpose.word().as_bytes()))
}

/// A name that nothing has yet.
pub fn fresh(purpose: Purpose) -> String {
    let mut random = [0_u8; 12];
    rand::rng().fill(&mut random);
    named(purpose, &random)
}

/// The name that always stands for these bytes.
pub fn named(purpose: Purpose, bytes: &[u8]) -> String {
    format!("{PREFIX}{}{}", purpose.word(), hex(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_again_with_their_purpose() {
        for purpose in [Purpose::Arriving, Purpose::Resumable, Purpose::Leaving] {
            let name = fresh(purpose);
            assert!(is_aside(name.as_bytes()), "{name}");
            assert_eq!(super::purpose(name.as_bytes()), Some(purpose), "{name}");
        }
        assert_ne!(fresh(Purpose::Arriving), fresh(Purpose::Arriving));
        for name in ["dtaas-aside-in-0", ".dtaas", ".dtaas-new", "x.dtaas-aside-"] {
            assert!(!is_aside(name.as_bytes()), "{name}");
        }
    }
}
