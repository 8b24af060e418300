//! Finds entries by their names below a directory: one directory after the other, each opened beneath the one that it is in,
//! so that no link leads anywhere and no path is looked up twice.

mod pattern;

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

pub use self::pattern::Pattern;
use super::contain::Root;
use super::folder::{Folder, Known};
use super::given_up::GivenUp;
use super::path::{self, Place, Viewer};
use super::refusal::Refusal;
use super::walk::MAX_DEPTH;

/// How long one search may take.
const TIME: Duration = Duration::from_secs(5);

/// What is searched for.
#[derive(Debug, Clone)]
pub struct Search {
    /// Whose eyes the library is seen with.
    pub viewer: Viewer,
    /// Below which directory.
    pub place: Place,
    /// What the names are like.
    pub pattern: Pattern,
    /// How many to find.
    pub first: usize,
    /// Where an earlier search ended.
    pub after: Option<Position>,
    /// Whether the file system is asked about what is found.
    pub known: bool,
    /// How many entries may be looked at.
    pub most: u64,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The entries, in the order of their paths, segment by segment.
    pub hits: Vec<Hit>,
    /// Whether it ended because there were enough.
    pub enough: bool,
    /// Whether something was not looked at.
    pub truncated: bool,
    /// Whether it ended because it had looked at enough, or long enough.
    pub stopped: bool,
    /// Where to go on.
    pub end: Option<Position>,
    /// How many entries were looked at.
    pub seen: u64,
}

/// An entry that was found.
#[derive(Debug, Clone)]
pub struct Hit {
    /// The directory that it is in.
    pub directory: Place,
    /// Its name.
    pub name: Vec<u8>,
    /// Whether it is a directory.
    pub tree: bool,
    /// What the file system knows of it, where that was asked for.
    pub known: Option<Known>,
    /// Where it stands.
    pub position: Position,
}

/// A place in the order of a search.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The path below the directory that is searched.
    segments: Vec<Vec<u8>>,
    /// Whether everything below it is behind as well.
    past: bool,
}

impl Position {
    /// As bytes, for a cursor. Names hold no slash.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.segments.join(&b'/');
        if self.past {
            bytes.push(b'/');
        }
        bytes
    }

    /// From the bytes of a cursor.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let path = bytes.strip_suffix(b"/");
        Self {
            segments: path
                .unwrap_or(bytes)
                .split(|byte| *byte == b'/')
                .map(<[u8]>::to_vec)
                .collect(),
            past: path.is_some(),
        }
    }
}

/// A directory that is being gone through.
struct Level {
    folder: Folder,
    place: Place,
    /// What is left of it, last name first.
    entries: Vec<(Vec<u8>, bool)>,
    /// Whether the path to it is where an earlier search ended, so that names up to there are behind.
    resumes: bool,
    /// Whether there is more in it than may be looked at: nothing below it is, then.
    cut: bool,
}

/// Where the search goes from an entry.
enum Step {
    /// To the next entry.
    On,
    /// Nowhere: it has ended.
    End,
}

/// Searches.
///
/// # Errors
///
/// Why the directory that is searched cannot be listed. What cannot be listed below it is passed over.
pub fn search(root: &Root, search: &Search, given_up: &GivenUp) -> Result<Found, Refusal> {
    let mut walk = Walk {
        root,
        search,
        given_up,
        until: Instant::now() + TIME,
        found: Found::default(),
        path: Vec::new(),
        levels: Vec::new(),
    };
    let folder = Folder::open(root, &search.place)?;
    if let Some(level) = walk.read(folder, search.place.clone(), search.after.is_some())? {
        walk.levels.push(level);
    }
    while let Step::On = walk.step() {}
    let mut found = walk.found;
    if found.stopped && found.end <= search.after {
        // Once more would end here again: what is below has to be passed over.
        found.end = search
            .after
            .clone()
            .map(|end| Position { past: true, ..end });
        found.stopped = found.end > search.after;
    }
    Ok(found)
}

struct Walk<'a> {
    root: &'a Root,
    search: &'a Search,
    given_up: &'a GivenUp,
    until: Instant,
    found: Found,
    /// The names that lead to the last of the levels.
    path: Vec<Vec<u8>>,
    levels: Vec<Level>,
}

impl Walk<'_> {
    /// Looks at the next entry.
    fn step(&mut self) -> Step {
        let depth = self.levels.len().saturating_sub(1);
        let Some(level) = self.levels.last_mut() else {
            return Step::End;
        };
        let Some((name, tree)) = level.entries.pop() else {
            let cut = level.cut;
            if cut {
                return self.stop(None, true);
            }
            self.levels.pop();
            self.path.pop();
            return Step::On;
        };
        let after = self.search.after.as_ref().filter(|_| level.resumes);
        let at = after.and_then(|after| Some((after, after.segments.get(depth)?)));
        let resumes = match at {
            Some((_, at)) if name < *at => return Step::On,
            Some((after, at)) if name == *at => {
                let further = depth + 1 < after.segments.len();
                if !further && after.past {
                    return Step::On;
                }
                further
            }
            Some(_) | None => {
                if let Step::End = self.look(&name, tree) {
                    return Step::End;
                }
                false
            }
        };
        if self.late() {
            return self.stop(Some(&name), false);
        }
        match tree {
            true => self.descend(name, resumes),
            false => Step::On,
        }
    }

    /// Takes an entry of the last of the levels if it is one that is searched for.
    fn look(&mut self, name: &[u8], tree: bool) -> Step {
        if !self.search.pattern.fits(name) {
            return Step::On;
        }
        if self.found.hits.len() == self.search.first {
            self.found.enough = true;
            return Step::End;
        }
        let position = self.position(Some(name));
        if let Some(level) = self.levels.last() {
            let known = self.search.known.then(|| level.folder.known(name));
            self.found.hits.push(Hit {
                directory: level.place.clone(),
                name: name.to_vec(),
                tree,
                known: known.flatten(),
                position: position.clone(),
            });
        }
        self.found.end = Some(position);
        Step::On
    }

    /// Goes on in the directory of that name in the last of the levels.
    fn descend(&mut self, name: Vec<u8>, resumes: bool) -> Step {
        let Some(level) = self.levels.last().filter(|level| !level.cut) else {
            return Step::On;
        };
        // Nobody can ask for what is below a name that is not UTF-8.
        let Some(place) = below(&self.search.viewer, &level.place, &name) else {
            return Step::On;
        };
        if self.levels.len() > MAX_DEPTH {
            self.found.truncated = true;
            return Step::On;
        }
        let folder = match (&level.place, &place) {
            (Place::Inside(from), Place::Inside(to)) if from.scope != to.scope => {
                // What is common is seen in one's own folder as well; from the top it would be found twice.
                match self.search.place {
                    Place::Top(_) => None,
                    Place::Inside(_) => Folder::open(self.root, &place).ok(),
                }
            }
            _ => level.folder.enter(&name),
        };
        let Some(folder) = folder else {
            return Step::On;
        };
        self.path.push(name);
        match self.read(folder, place, resumes) {
            Ok(Some(level)) => self.levels.push(level),
            Ok(None) => return Step::End,
            // What cannot be read is passed over.
            Err(_) => drop(self.path.pop()),
        }
        Step::On
    }

    /// Reads the directory that the path leads to. `None` when that ended the search.
    fn read(
        &mut self,
        folder: Folder,
        place: Place,
        resumes: bool,
    ) -> Result<Option<Level>, Refusal> {
        let (mut entries, mut cut) = (Vec::new(), false);
        let before = self.found.seen;
        folder.visit(|name, tree| {
            let late = entries.len() % 256 == 255 && self.late();
            if self.found.seen >= self.search.most || late {
                cut = true;
                return ControlFlow::Break(());
            }
            self.found.seen += 1;
            entries.push((name.to_vec(), tree));
            ControlFlow::Continue(())
        })?;
        let begins_here = self.search.after.as_ref() == Some(&self.position(None));
        if cut && before > 0 && !begins_here {
            // The next search begins with this directory, and may have the room that it takes.
            self.stop(None, false);
            return Ok(None);
        }
        entries.sort_unstable_by(|a, b| b.cmp(a));
        Ok(Some(Level {
            folder,
            place,
            entries,
            resumes,
            cut,
        }))
    }

    fn late(&self) -> bool {
        self.given_up.yes() || Instant::now() > self.until
    }

    /// Ends the search at an entry of the last of the levels, or at the directory that the path leads to.
    fn stop(&mut self, name: Option<&[u8]>, past: bool) -> Step {
        self.found.truncated = true;
        self.found.stopped = true;
        self.found.end = Some(Position {
            past,
            ..self.position(name)
        });
        Step::End
    }

    fn position(&self, name: Option<&[u8]>) -> Position {
        let mut segments = self.path.clone();
        segments.extend(name.map(<[u8]>::to_vec));
        Position {
            segments,
            past: false,
        }
    }
}

/// The place of a directory in another one, as the viewer reaches it. `None` when nobody can ask for it.
fn below(viewer: &Viewer, place: &Place, name: &[u8]) -> Option<Place> {
    let name = str::from_utf8(name).ok()?;
    let path = match place {
        Place::Top(_) => name.to_owned(),
        Place::Inside(inside) => format!("{}/{name}", inside.shown),
    };
    path::resolve(viewer, &path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_stand_in_the_order_of_the_search() {
        let at = |text: &str| Position::from_bytes(text.as_bytes());
        for text in ["a", "a/b", "a/", "a/b/"] {
            assert_eq!(at(text).bytes(), text.as_bytes());
        }
        assert!(at("a") < at("a/"));
        assert!(at("a/b") < at("a b"));
        assert!(at("a") < at("a/b"));
    }
}
