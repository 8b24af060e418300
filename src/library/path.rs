//! Where a path of the library leads, and for whom: pure, before any file is touched.

use crate::spec::names::UserName;

use super::aside::is_aside;
use super::refusal::{Reason, Refusal};

/// The folder that everyone shares.
pub const COMMON: &str = "common";

/// Whose eyes the library is seen with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Viewer {
    /// Stand-alone: the whole library, as in v0.2.
    Everyone,
    /// A user of the platform: their own folder and `common`, nothing else.
    User {
        /// Who.
        name: UserName,
        /// Whether `common` may be written: the group `publishers`.
        publisher: bool,
    },
}

impl Viewer {
    /// Looks whether the viewer may change what is at `place`: anything stand-alone; of a user's, what lies in their own
    /// folder, and what lies in `common` for publishers. Whether anything may be written at all is another question.
    ///
    /// # Errors
    ///
    /// [`Reason::Forbidden`] for a top folder itself, [`Reason::ReadOnly`] for `common` and anyone but publishers.
    pub fn may_write(&self, place: &Inside) -> Result<(), Refusal> {
        if place.rest.is_empty() {
            return Err(place.refuse(Reason::Forbidden));
        }
        match self {
            Viewer::User {
                publisher: false, ..
            } if place.scope == COMMON => Err(place.refuse(Reason::ReadOnly)),
            Viewer::User { .. } | Viewer::Everyone => Ok(()),
        }
    }
}

/// A place in the library that the viewer may look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The top level. With names: only these folders are shown.
    Top(Option<Vec<String>>),
    /// In one of the top folders, or that folder itself.
    Inside(Inside),
}

/// A place in one of the library's top folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inside {
    /// The top folder. Links are followed only while they stay in it.
    pub scope: String,
    /// What follows, segment by segment: no empty one, no `.`, no `..`, no NUL, no name of what is set aside.
    pub rest: Vec<String>,
    /// The path as the viewer knows it; all that a message may hold.
    pub shown: String,
}

impl Inside {
    /// The last segment, as the viewer knows it.
    pub fn name(&self) -> &str {
        self.shown.rsplit('/').next().unwrap_or(&self.shown)
    }

    /// The refusal of this place, for that reason.
    pub fn refuse(&self, reason: Reason) -> Refusal {
        Refusal::new(&self.shown, reason)
    }
}

/// Finds the place that `asked` names. As v0.2 does, slashes at the ends and doubled ones do not count, and `..`
/// takes back the segment before it, whatever that is on disk (`alice/..` is the top level).
///
/// # Errors
///
/// [`Reason::Forbidden`] where the path leads out of the library, [`Reason::NotFound`] where the viewer has no
/// business, whether something is there or not.
pub fn resolve(viewer: &Viewer, asked: &str) -> Result<Place, Refusal> {
    let mut segments: Vec<&str> = Vec::new();
    for segment in asked.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                if segments.pop().is_none() {
                    return Err(Refusal::new(asked, Reason::Forbidden));
                }
            }
            _ if segment.contains('\0') || is_aside(segment.as_bytes()) => {
                return Err(Refusal::new(asked, Reason::NotFound));
            }
            _ => segments.push(segment),
        }
    }
    let shown = segments.join("/");
    let Some((&first, rest)) = segments.split_first() else {
        return Ok(Place::Top(match viewer {
            Viewer::Everyone => None,
            Viewer::User { name, .. } => Some(vec![name.to_string(), COMMON.to_owned()]),
        }));
    };
    let (scope, rest) = match viewer {
        Viewer::Everyone => (first, rest),
        Viewer::User { .. } if first == COMMON => (COMMON, rest),
        // In a workspace the shared folder is found inside the user's own.
        Viewer::User { name, .. } if first == name.as_str() => match rest.split_first() {
            Some((&second, rest)) if second == COMMON => (COMMON, rest),
            _ => (first, rest),
        },
        Viewer::User { .. } => return Err(Refusal::new(&shown, Reason::NotFound)),
    };
    Ok(Place::Inside(Inside {
        scope: scope.to_owned(),
        rest: rest.iter().map(|&segment| segment.to_owned()).collect(),
        shown,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> Viewer {
        user("alice", false)
    }

    fn user(name: &str, publisher: bool) -> Viewer {
        let name = name.parse().unwrap();
        Viewer::User { name, publisher }
    }

    /// `scope|rest`, `TOP`, or the code of the refusal.
    fn place(viewer: &Viewer, asked: &str) -> String {
        match resolve(viewer, asked) {
            Ok(Place::Top(_)) => "TOP".into(),
            Ok(Place::Inside(inside)) => format!("{}|{}", inside.scope, inside.rest.join("/")),
            Err(refusal) => refusal.code().into(),
        }
    }

    #[test]
    fn paths_are_normalised_as_v0_2_does() {
        for (asked, expected) in [
            ("", "TOP"),
            (".", "TOP"),
            ("/", "TOP"),
            ("//", "TOP"),
            ("alice/..", "TOP"),
            ("bob/../alice/../.", "TOP"),
            ("alice", "alice|"),
            ("/alice/", "alice|"),
            ("alice//models", "alice|models"),
            ("alice/./models/../tools", "alice|tools"),
            ("bob/x", "bob|x"),
            ("alice/common/x", "alice|common/x"),
            ("alice/digital twins/...", "alice|digital twins/..."),
            ("..", "FORBIDDEN"),
            ("/..", "FORBIDDEN"),
            ("../files/alice", "FORBIDDEN"),
            ("alice/../../alice", "FORBIDDEN"),
            ("../../../etc/passwd", "FORBIDDEN"),
            ("alice/\0", "NOT_FOUND"),
            ("%2e%2e/x", "%2e%2e|x"),
            ("..\\x", "..\\x|"),
            ("alice/.dtaas-aside-in-0", "NOT_FOUND"),
        ] {
            assert_eq!(place(&Viewer::Everyone, asked), expected, "{asked:?}");
        }
    }

    #[test]
    fn a_user_sees_their_own_folder_and_common() {
        for (asked, expected) in [
            ("", "TOP"),
            ("bob/..", "TOP"),
            ("alice", "alice|"),
            ("alice/models/x", "alice|models/x"),
            ("common", "common|"),
            ("common/common", "common|common"),
            ("alice/common", "common|"),
            ("alice/common/models", "common|models"),
            ("alice/common/../tools", "alice|tools"),
            ("bob", "NOT_FOUND"),
            ("alice/../bob", "NOT_FOUND"),
            ("alice/common/../../bob", "NOT_FOUND"),
            ("alicex", "NOT_FOUND"),
            ("Alice", "NOT_FOUND"),
            (".removed/alice", "NOT_FOUND"),
        ] {
            assert_eq!(place(&alice(), asked), expected, "{asked:?}");
        }
    }

    #[test]
    fn a_user_changes_their_own_and_a_publisher_what_is_common() {
        for (viewer, asked, expected) in [
            (user("alice", false), "alice/x", "fine"),
            (user("alice", false), "alice", "FORBIDDEN"),
            (user("alice", false), "common/x", "READ_ONLY"),
            (user("alice", false), "alice/common/x", "READ_ONLY"),
            (user("alice", true), "common/x", "fine"),
            (user("alice", true), "alice/common/x", "fine"),
            (user("alice", true), "alice/common", "FORBIDDEN"),
            (Viewer::Everyone, "common/x", "fine"),
            (Viewer::Everyone, "common", "FORBIDDEN"),
        ] {
            let Ok(Place::Inside(place)) = resolve(&viewer, asked) else {
                panic!("{asked}");
            };
            let said = viewer.may_write(&place).err().map(|refusal| refusal.code());
            assert_eq!(said.unwrap_or("fine"), expected, "{viewer:?} {asked}");
        }
    }

    #[test]
    fn the_top_level_of_a_user_holds_two_folders() {
        assert_eq!(
            resolve(&alice(), "/"),
            Ok(Place::Top(Some(vec!["alice".into(), "common".into()])))
        );
    }
}
