//! A directory with all that is in it, as a zip that is made while it is sent.
//!
//! Everything lies below a directory of the asked one's name; times and permissions are kept. What cannot be in it is
//! named in `left-out.txt`, beside that directory, with the reason: links that lead out, to a directory or nowhere (one
//! that leads to a file in the same folder is that file), FIFOs, devices and sockets, and what cannot be read. Of a user's
//! own folder, `common` is left out: it is everyone's, and has a zip of its own. A file that changes while it is read is
//! named there as well.

use std::fs::File;
use std::io;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use axum::http::{StatusCode, header};
use axum::response::Response;
use rustix::fs::{FileType, OFlags};
use time::OffsetDateTime;

use super::super::super::archive::{Archive, Entry};
use super::super::super::aside::is_aside;
use super::super::super::contain::{Found, Root, open_regular};
use super::super::super::details::Details;
use super::super::super::path::{COMMON, Inside, Place, Viewer};
use super::super::super::refusal::{Reason, Refusal};
use super::super::super::shares::{Slot, Taken};
use super::super::super::walk::{self, Step, TOO_DEEP, Walk};
use super::stream::{Pieces, body};
use super::zip_name::{safe, shrinks};
use super::{Asked, Wrong, file, head};
use crate::serve::Scarce;

/// The most entries that a zip holds: of each, some hundred bytes are kept until the end.
const MAX_ENTRIES: usize = 200_000;
/// The most lines of `left-out.txt`.
const MAX_LEFT_OUT: usize = 1000;
/// What is read of a file at once, in bytes.
const READ: usize = 64 << 10;
/// Where what is left out is said.
const LEFT_OUT: &str = "left-out.txt";

/// Answers a request for a zip.
pub async fn answer(asked: &Asked<'_>, reads: bool) -> Result<Response, Wrong> {
    let Place::Inside(place) = &asked.place else {
        return Err(Wrong::bad_request(
            "a zip is made of one folder, not of the whole library",
        ));
    };
    let slot = asked.local.archive_slot(asked.whose).map_err(|taken| {
        let message = match taken {
            Taken::All => "too many zips are being made at this moment",
            Taken::Own => "you have as many zips made at this moment as one may have",
        };
        let busy = Wrong::new(StatusCode::SERVICE_UNAVAILABLE, "BUSY", message);
        busy.with(RETRY_AFTER, HeaderValue::from_static("5"))
    })?;
    let own = matches!(asked.viewer, Viewer::User { .. }) && place.rest.is_empty();
    let leaves_common = own && place.scope != COMMON;
    let from = place.clone();
    let begun = asked
        .local
        .off_thread(asked.whose, move |root| {
            // The place goes along: whoever asked may be gone before this is done.
            let zip = Zip::begin(root, from, leaves_common);
            zip.map(|zip| Held { zip, _slot: slot })
        })
        .await
        .unwrap_or_else(|| Err(Refusal::new("", Reason::Unreadable).into()))?;
    let mut headers = HeaderMap::new();
    head::describe(
        &mut headers,
        &format!("{}.zip", place.name()),
        "application/zip",
    );
    // It is another one each time.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    let contents = match reads {
        true => {
            let turn = asked.local.flow().turn();
            body(asked.local, asked.whose, turn, begun, file::told(asked))
        }
        false => Body::empty(),
    };
    let mut response = Response::new(contents);
    *response.headers_mut() = headers;
    // There are few places for zips.
    response.extensions_mut().insert(Scarce { bytes: 0 });
    Ok(response)
}

/// A zip with its place among those that are made at once.
struct Held {
    zip: Zip,
    _slot: Slot,
}

impl Pieces for Held {
    fn next(&mut self, size: usize) -> io::Result<Option<Vec<u8>>> {
        self.zip.next(size)
    }
}

/// A zip, as far as it has been made.
struct Zip {
    root: Root,
    place: Inside,
    leaves_common: bool,
    /// The name of the directory, with a slash behind it: what every name begins with.
    prefix: String,
    walk: Walk,
    met: usize,
    archive: Archive,
    file: Option<Reading>,
    left_out: Vec<String>,
    /// How many there are beyond those.
    more_left_out: usize,
    end: Option<std::vec::IntoIter<Vec<u8>>>,
}

/// A file that is being added.
struct Reading {
    file: File,
    name: String,
    left: u64,
    details: Details,
}

impl Zip {
    fn begin(root: &Root, place: Inside, leaves_common: bool) -> Result<Self, Wrong> {
        let Found::Directory(directory) = root.find(&place)? else {
            return Err(place.refuse(Reason::NotADirectory).into());
        };
        let unreadable = || Wrong::from(place.refuse(Reason::Unreadable));
        let again = directory.try_clone().map_err(|_| unreadable())?;
        let stat = rustix::fs::fstat(&directory).map_err(|_| unreadable())?;
        // Counted first, so that a zip that cannot be made whole is not begun.
        let counting = Walk::new(again).map_err(|_| unreadable())?;
        let entries = counting.filter(|step| matches!(step, Step::Met(_)));
        if entries.take(MAX_ENTRIES + 1).count() > MAX_ENTRIES {
            let message = format!("{:?} holds more than {MAX_ENTRIES} entries", place.shown);
            return Err(Wrong::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "TOO_LARGE",
                message,
            ));
        }
        let prefix = format!("{}/", safe(place.name().as_bytes()));
        let mut archive = Archive::default();
        archive.directory(&Entry {
            name: prefix.clone(),
            modified: Details::of(&stat).modified,
            mode: stat.st_mode & 0o170_777,
        });
        Ok(Self {
            root: root.clone(),
            walk: Walk::new(directory).map_err(|_| unreadable())?,
            place,
            leaves_common,
            prefix,
            met: 0,
            archive,
            file: None,
            left_out: Vec::new(),
            more_left_out: 0,
            end: None,
        })
    }

    /// Does the next step. Whether there was one.
    fn step(&mut self) -> io::Result<bool> {
        if let Some(reading) = self.file.take() {
            self.read(reading)?;
            return Ok(true);
        }
        match self.walk.next() {
            Some(Step::Met(entry)) => {
                self.met += 1;
                if self.met > MAX_ENTRIES {
                    return Err(io::Error::other("more entries came while it was made"));
                }
                self.meet(entry)?;
                Ok(true)
            }
            Some(Step::Left(_)) => Ok(true),
            Some(Step::Closed(entry, error)) => {
                let deep = error.raw_os_error() == Some(TOO_DEEP.raw_os_error());
                let why = if deep {
                    "nested too deep"
                } else {
                    "cannot be read"
                };
                self.leave_out(&entry.path, why);
                Ok(true)
            }
            None => Ok(false),
        }
    }

    fn meet(&mut self, entry: walk::Entry) -> io::Result<()> {
        if is_aside(entry.name.to_bytes()) {
            self.walk.pass_by();
            return Ok(());
        }
        match entry.kind {
            FileType::Directory => {
                if self.leaves_common && entry.path == COMMON.as_bytes() {
                    self.walk.pass_by();
                    return Ok(());
                }
                match entry.stat() {
                    Ok(stat) => self.archive.directory(&Entry {
                        name: format!("{}/", self.name_of(&entry.path)),
                        modified: Details::of(&stat).modified,
                        mode: stat.st_mode & 0o170_777,
                    }),
                    // Gone since.
                    Err(_) => self.walk.pass_by(),
                }
                Ok(())
            }
            FileType::RegularFile => {
                match open_regular(&entry.directory, &entry.name, OFlags::RDONLY) {
                    Ok(file) => self.add(file, &entry.path),
                    // Gone since.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                    Err(_) => {
                        self.leave_out(&entry.path, "cannot be read");
                        Ok(())
                    }
                }
            }
            FileType::Symlink => match self.follow(&entry.path) {
                Some(file) => self.add(file, &entry.path),
                None => {
                    self.leave_out(&entry.path, "a link to no file of this folder");
                    Ok(())
                }
            },
            FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => {
                self.leave_out(&entry.path, "a FIFO, a device or a socket");
                Ok(())
            }
        }
    }

    /// The file that a link leads to, where it stays in its top folder.
    fn follow(&self, path: &[u8]) -> Option<File> {
        let path = str::from_utf8(path).ok()?;
        let mut place = self.place.clone();
        place.rest.extend(path.split('/').map(str::to_owned));
        match self.root.find(&place) {
            Ok(Found::File(file, _)) => Some(file),
            Ok(Found::Directory(_) | Found::Other) | Err(_) => None,
        }
    }

    fn add(&mut self, file: File, path: &[u8]) -> io::Result<()> {
        let stat = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            self.leave_out(path, "a FIFO, a device or a socket");
            return Ok(());
        }
        let details = Details::of(&stat);
        let name = self.name_of(path);
        let entry = Entry {
            name: name.clone(),
            modified: details.modified,
            mode: stat.st_mode & 0o170_777,
        };
        self.archive.begin(entry, details.size, shrinks(&name));
        self.file = Some(Reading {
            file,
            name,
            left: details.size,
            details,
        });
        Ok(())
    }

    /// Adds the next bytes of a file; at its end, looks whether it was changed meanwhile.
    fn read(&mut self, mut reading: Reading) -> io::Result<()> {
        let wanted = reading.left.min(READ as u64);
        let mut bytes = Vec::with_capacity(READ);
        let at = reading.details.size - reading.left;
        if wanted > 0 {
            let spare = rustix::buffer::spare_capacity(&mut bytes);
            rustix::io::pread(&reading.file, spare, at)?;
        }
        bytes.truncate(usize::try_from(wanted).unwrap_or(READ));
        reading.left -= bytes.len() as u64;
        self.archive.data(&bytes)?;
        if !bytes.is_empty() && reading.left > 0 {
            self.file = Some(reading);
            return Ok(());
        }
        self.archive.end()?;
        let now = Details::of(&rustix::fs::fstat(&reading.file)?);
        let rewritten =
            now.size == reading.details.size && now.modified != reading.details.modified;
        if reading.left > 0 || now.size < reading.details.size || rewritten {
            let name = std::mem::take(&mut reading.name);
            self.note(format!("{name}: changed while it was read"));
        }
        Ok(())
    }

    fn name_of(&self, path: &[u8]) -> String {
        let segments: Vec<String> = path.split(|byte| *byte == b'/').map(safe).collect();
        format!("{}{}", self.prefix, segments.join("/"))
    }

    fn leave_out(&mut self, path: &[u8], why: &str) {
        let name = self.name_of(path);
        self.note(format!("{name}: {why}"));
    }

    fn note(&mut self, line: String) {
        match self.left_out.len() < MAX_LEFT_OUT {
            true => self.left_out.push(line),
            false => self.more_left_out += 1,
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        if !self.left_out.is_empty() {
            let mut text = self.left_out.join("\n");
            text.push('\n');
            if self.more_left_out > 0 {
                text.push_str(&format!("and {} more\n", self.more_left_out));
            }
            let entry = Entry {
                name: LEFT_OUT.into(),
                modified: OffsetDateTime::now_utc(),
                mode: 0o100_644,
            };
            self.archive.begin(entry, text.len() as u64, true);
            self.archive.data(text.as_bytes())?;
            self.archive.end()?;
        }
        let last = self.archive.take();
        let mut end = vec![last];
        end.extend(self.archive.finish());
        self.end = Some(end.into_iter());
        Ok(())
    }
}

impl Pieces for Zip {
    fn next(&mut self, size: usize) -> io::Result<Option<Vec<u8>>> {
        while self.end.is_none() {
            if self.archive.waiting() >= size {
                return Ok(Some(self.archive.take()));
            }
            if !self.step()? {
                self.finish()?;
            }
        }
        let mut blocks = self.end.iter_mut().flatten();
        Ok(blocks.find(|block| !block.is_empty()))
    }
}
