//! Files on their way into a library. What arrives is written aside, in the directory where it shall be, and takes its
//! name in one step once it is whole: nobody ever sees half a file, and what was there stays until then.
//!
//! A file may come in several requests, with pauses between them: an upload has a name then, which its sender chose.
//! What has arrived of it is a file of its own ([`Purpose::Resumable`]), named after who sends it, where to, its own name
//! and the whole size; how much of it is there is that file's size. Nothing else is remembered, so it survives this
//! server. Whoever writes it holds it locked.

mod begun;
mod part;
mod way;

use std::io;

use bytes::Bytes;
use rustix::fs::AtFlags;
use tokio::task::JoinHandle;

use self::begun::{Begun, begin, has_sum};
use self::part::{aside_of, lock, open_part};
use super::changes::{reason, size_of, stat_of};
use super::conditions::Conditions;
use super::contain::{Found, Root};
use super::details::Details;
use super::flow::Turn;
use super::given_up::GivenUp;
use super::local::Local;
use super::path::{Inside, Viewer};
use super::refusal::{Lacking, Reason, Refusal};
use super::whose::Whose;

/// A SHA-256 of a whole file, or of a part of it.
pub type Sum = [u8; 32];

/// What a request announces.
#[derive(Debug, Clone, Default)]
pub struct Announced {
    /// The size of the whole file, in bytes, where it is known.
    pub size: Option<u64>,
    /// Which part this is, where the file comes in several requests.
    pub part: Option<Part>,
    /// Whether its owner may execute the file; `None` leaves that as it is, and a new one is not executable.
    pub executable: Option<bool>,
    /// On what the whole depends. Looked at before anything is taken, and again when the file takes its name.
    pub conditions: Conditions,
    /// The sum of the whole file.
    pub sum: Option<Sum>,
    /// The sum of what this request brings.
    pub part_sum: Option<Sum>,
}

/// A part of a file that comes in several requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The name that its sender gave the upload.
    pub upload: String,
    /// Where the part begins, in bytes from the file's begin. At 0 the upload starts over.
    pub from: u64,
    /// How long the part is, in bytes.
    pub length: u64,
    /// The size of the whole file, in bytes.
    pub total: u64,
}

/// Why an upload does not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// A reason like any other.
    Refused(Refusal),
    /// The part does not begin where what is there ends: so much is there, in bytes.
    Elsewhere(u64),
    /// What arrived has another sum than was announced, or another length.
    NotWhatWasSent,
}

impl From<Refusal> for Stopped {
    fn from(refusal: Refusal) -> Self {
        Stopped::Refused(refusal)
    }
}

/// Where an upload stands when a request has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placed {
    /// The file is whole and has its name. `replaced` says whether something had it before.
    Whole {
        /// What is known of the file.
        details: Details,
        /// Whether there was something of that name.
        replaced: bool,
    },
    /// So much of it is there, in bytes.
    Partly(u64),
}

impl Local {
    /// Begins to take a file, or a part of one. Directories that are missing on the way to it are made.
    ///
    /// # Errors
    ///
    /// That the viewer may not, that it is too large, that there is no room, that the conditions do not hold, that
    /// another request writes the same upload, that this part does not follow what is there, that too many are sent just now.
    pub async fn take(
        &self,
        viewer: &Viewer,
        place: Inside,
        announced: Announced,
    ) -> Result<Upload, Stopped> {
        let desk = self.desk(viewer, &place)?;
        let (name, whose) = (name_of(viewer), Whose::of(viewer));
        let slot = self
            .upload_slot(whose)
            .map_err(|taken| place.refuse(Reason::Crowded(Lacking::Uploads(taken))))?;
        let turn = self.flow().turn();
        let begun = self
            .off_thread(whose, move |root| {
                begin(root, &desk, place, &name, announced, slot)
            })
            .await
            .unwrap_or_else(|| Err(Refusal::new("", Reason::Unwritable).into()))?;
        Ok(Upload {
            local: self.clone(),
            state: State::Ready(Box::new(begun)),
            buffer: Vec::new(),
            turn,
            whose,
        })
    }

    /// How much of an upload is there, in bytes. With the sum of the whole file it is also found out whether the file has
    /// its name already.
    ///
    /// # Errors
    ///
    /// That the viewer may not, or what the operating system says.
    pub async fn progress(
        &self,
        viewer: &Viewer,
        place: Inside,
        upload: String,
        total: u64,
        sum: Option<Sum>,
    ) -> Result<Placed, Refusal> {
        let _allowed = self.desk(viewer, &place)?;
        let (name, whose) = (name_of(viewer), Whose::of(viewer));
        let stopping = || Err(Refusal::new("", Reason::Unreadable));
        let work = move |root: &Root, given_up: &GivenUp| {
            let wanted = sum.as_ref().map(|sum| (sum, given_up));
            progress(root, &place, &name, (&upload, total), wanted)
        };
        let done = match sum {
            Some(_) => self.off_thread_long(whose, work).await,
            None => {
                let short = move |root: &Root| work(root, &GivenUp::default());
                self.off_thread(whose, short).await
            }
        };
        done.unwrap_or_else(stopping)
    }

    /// Gives an upload up: what is there of it goes.
    ///
    /// # Errors
    ///
    /// That the viewer may not, that there is none, or that a request writes it.
    pub async fn give_up(
        &self,
        viewer: &Viewer,
        place: Inside,
        upload: String,
        total: u64,
    ) -> Result<(), Refusal> {
        let desk = self.desk(viewer, &place)?;
        let name = name_of(viewer);
        self.off_thread(Whose::of(viewer), move |root| {
            let spot = root.spot(&place)?;
            let aside = aside_of(&name, &spot.name, &upload, total);
            let told = |error: io::Error| place.refuse(reason(&error));
            let part = open_part(&spot.directory, &aside).map_err(told)?;
            lock(&part, &place)?;
            let size = part.metadata().map_or(0, |data| data.len());
            rustix::fs::unlinkat(&spot.directory, &aside, AtFlags::empty())
                .map_err(|error| told(error.into()))?;
            desk.ledger.freed(&place.scope, size);
            Ok(())
        })
        .await
        .unwrap_or_else(|| Err(Refusal::new("", Reason::Unwritable)))
    }

    /// Takes a file that is here already.
    ///
    /// # Errors
    ///
    /// Those of [`Local::take`] and [`Upload::finish`].
    pub async fn put(
        &self,
        viewer: &Viewer,
        place: Inside,
        contents: Bytes,
        conditions: Conditions,
    ) -> Result<Details, Refusal> {
        let shown = place.clone();
        let announced = Announced {
            size: Some(contents.len() as u64),
            conditions,
            ..Announced::default()
        };
        let stopped = |stopped| match stopped {
            Stopped::Refused(refusal) => refusal,
            // Neither a part nor a sum was announced.
            Stopped::Elsewhere(_) | Stopped::NotWhatWasSent => shown.refuse(Reason::Unwritable),
        };
        let mut upload = self
            .take(viewer, place.clone(), announced)
            .await
            .map_err(stopped)?;
        upload.write(contents).await.map_err(stopped)?;
        match upload.finish().await.map_err(stopped)? {
            Placed::Whole { details, .. } => Ok(details),
            Placed::Partly(_) => Err(place.refuse(Reason::Unwritable)),
        }
    }
}

/// A file that is being taken. Dropped before its end, it leaves nothing behind, or what a named upload can go on with.
#[derive(Debug)]
pub struct Upload {
    local: Local,
    state: State,
    buffer: Vec<u8>,
    turn: Turn,
    whose: Whose,
}

#[derive(Debug)]
enum State {
    Ready(Box<Begun>),
    /// What was given before is being written.
    Writing(JoinHandle<Option<Result<Box<Begun>, Stopped>>>),
    /// It has failed before.
    Over,
}

impl Upload {
    /// Takes the next bytes. They are written while the next ones arrive.
    ///
    /// # Errors
    ///
    /// That it becomes too large, that there is no room, that more comes than was announced.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), Stopped> {
        let size = self.turn.chunk();
        let mut bytes = bytes;
        while self.buffer.len() + bytes.len() >= size {
            let now = size.saturating_sub(self.buffer.len()).min(bytes.len());
            self.buffer.extend_from_slice(&bytes.split_to(now));
            self.pass_on().await?;
        }
        self.buffer.extend_from_slice(&bytes);
        Ok(())
    }

    /// Lets what is in the buffer be written, once what was before it is.
    async fn pass_on(&mut self) -> Result<(), Stopped> {
        let mut begun = self.ready().await?;
        let buffer = std::mem::take(&mut self.buffer);
        let (local, whose) = (self.local.clone(), self.whose);
        self.state = State::Writing(tokio::spawn(async move {
            let write = move |root: &Root| begun.write(root, &buffer).map(|()| begun);
            local.off_thread(whose, write).await
        }));
        Ok(())
    }

    async fn ready(&mut self) -> Result<Box<Begun>, Stopped> {
        let stopping = || Refusal::new("", Reason::Unwritable).into();
        match std::mem::replace(&mut self.state, State::Over) {
            State::Ready(begun) => Ok(begun),
            State::Writing(writing) => match writing.await {
                Ok(Some(outcome)) => outcome,
                Ok(None) | Err(_) => Err(stopping()),
            },
            State::Over => Err(stopping()),
        }
    }

    /// Ends it. Once all is there, the file takes its name.
    ///
    /// # Errors
    ///
    /// Those of [`Upload::write`], that the sum is another, that the conditions do not hold any more, or what the
    /// operating system says.
    pub async fn finish(mut self) -> Result<Placed, Stopped> {
        self.pass_on().await?;
        let begun = self.ready().await?;
        let done = match begun.is_summed_from_disk() {
            true => {
                let work = move |root: &Root, given_up: &GivenUp| begun.finish(root, given_up);
                self.local.off_thread_long(self.whose, work).await
            }
            false => {
                let work = move |root: &Root| begun.finish(root, &GivenUp::default());
                self.local.off_thread(self.whose, work).await
            }
        };
        done.unwrap_or_else(|| Err(Refusal::new("", Reason::Unwritable).into()))
    }

    /// Ends a request that broke off: what arrived of a named upload is kept.
    pub async fn break_off(mut self) {
        if self.pass_on().await.is_ok()
            && let Ok(begun) = self.ready().await
        {
            // Dropped where waiting for the disk hinders nobody.
            self.local
                .off_thread(self.whose, move |_| drop(begun))
                .await;
        }
    }
}

fn name_of(viewer: &Viewer) -> String {
    match viewer {
        Viewer::User { name, .. } => name.to_string(),
        Viewer::Everyone => String::new(),
    }
}

fn progress(
    root: &Root,
    place: &Inside,
    whose: &str,
    (upload, total): (&str, u64),
    sum: Option<(&Sum, &GivenUp)>,
) -> Result<Placed, Refusal> {
    let spot = match root.spot(place) {
        Ok(spot) => spot,
        // The directories are made with the first part.
        Err(refusal) if refusal.reason() == Reason::NotFound => return Ok(Placed::Partly(0)),
        Err(refusal) => return Err(refusal),
    };
    let aside = aside_of(whose, &spot.name, upload, total);
    if let Ok(stat) = stat_of(&spot.directory, &aside) {
        return Ok(Placed::Partly(size_of(&stat)));
    }
    let there = sum.and_then(|(sum, given_up)| whole_already(root, place, total, sum, given_up));
    Ok(match there {
        Some(details) => Placed::Whole {
            details,
            replaced: true,
        },
        None => Placed::Partly(0),
    })
}

/// The file at `place`, where it has that size and that sum.
fn whole_already(
    root: &Root,
    place: &Inside,
    total: u64,
    sum: &Sum,
    given_up: &GivenUp,
) -> Option<Details> {
    let Ok(Found::File(file, size)) = root.find(place) else {
        return None;
    };
    if size != total || !has_sum(&file, size, sum, given_up).ok()? {
        return None;
    }
    Some(Details::of(&rustix::fs::fstat(&file).ok()?))
}
