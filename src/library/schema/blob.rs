//! A file that is read: its text or its bytes, and what is known of it.

use async_graphql::{Object, SelectionField, SimpleObject};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use time::OffsetDateTime;

use super::ask::{Asking, TEXT_FIELDS, asked_for};
use super::scalar::{BigInt, Time};
use crate::library::contain::{Found, Root};
use crate::library::details::Details;
use crate::library::digest::{Examined, Wanted, examine, examine_file};
use crate::library::escaped;
use crate::library::folder::Known;
use crate::library::given_up::GivenUp;
use crate::library::local::{as_text, whole};
use crate::library::media;
use crate::library::path::{self, Place};
use crate::library::refusal::{Reason, Refusal};
use crate::library::source::Text;

/// Files that were read.
#[derive(SimpleObject)]
pub struct RepositoryBlobConnection {
    nodes: Option<Vec<Option<RepositoryBlob>>>,
}

impl From<RepositoryBlob> for RepositoryBlobConnection {
    fn from(blob: RepositoryBlob) -> Self {
        Self {
            nodes: Some(vec![Some(blob)]),
        }
    }
}

/// A file that was read. What was not asked for is not there.
#[derive(Debug, Clone)]
pub struct RepositoryBlob {
    name: String,
    path: String,
    text: Option<String>,
    base64: Option<String>,
    known: Option<Known>,
    etag: Option<String>,
    examined: Examined,
}

/// A file that was read.
#[Object]
impl RepositoryBlob {
    async fn name(&self) -> &str {
        &self.name
    }

    /// Its text, without white space and a byte-order mark at both ends.
    async fn raw_blob(&self) -> &str {
        // Where it is asked for, it is there: a file that is not text, or too large, is refused as a whole.
        self.text.as_deref().unwrap_or_default()
    }

    /// The same.
    async fn raw_text_blob(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    /// Its bytes in base64, exactly as they are.
    async fn base64_encoded_blob(&self) -> Option<&str> {
        self.base64.as_deref()
    }

    /// Its path from the top of the library.
    async fn path(&self) -> &str {
        &self.path
    }

    /// Its size in bytes.
    async fn size(&self) -> Option<BigInt> {
        self.known?.size.map(BigInt)
    }

    /// When its contents were changed last.
    async fn modified(&self) -> Option<Time> {
        self.known?.modified_text().map(Time)
    }

    /// What it should be, by its name.
    async fn media_type(&self) -> String {
        media::type_of(&self.name)
    }

    /// The SHA-256 digest of its bytes, in hexadecimal.
    async fn sha256(&self) -> Option<&str> {
        self.examined.sha256.as_deref()
    }

    /// Names its contents as they are, as the `ETag` of the file below `files` does.
    async fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    /// Whether it is UTF-8 text, so that `rawBlob` can be asked for.
    async fn is_text(&self) -> Option<bool> {
        self.examined.is_text
    }
}

/// What is asked for of a file.
#[derive(Debug, Clone, Copy)]
struct Wants {
    /// How often its text.
    text: u64,
    /// How often its bytes.
    base64: u64,
    /// Whether anything that only a disk knows.
    disk: bool,
    examine: Wanted,
}

impl Wants {
    fn below(fields: &[SelectionField<'_>]) -> Self {
        let count = |names: &[&str]| fields.iter().map(|&field| asked_for(field, names)).sum();
        let examine = Wanted {
            sha256: count(&["sha256"]) > 0,
            is_text: count(&["isText"]) > 0,
        };
        Self {
            text: count(TEXT_FIELDS),
            base64: count(&["base64EncodedBlob"]),
            disk: count(&[
                "base64EncodedBlob",
                "size",
                "modified",
                "sha256",
                "etag",
                "isText",
            ]) > 0,
            examine,
        }
    }
}

impl Asking<'_> {
    /// Reads a file for these fields, which are all about it.
    ///
    /// # Errors
    ///
    /// Why it cannot be had in this way.
    pub async fn read(
        &self,
        path: &str,
        fields: &[SelectionField<'_>],
    ) -> Result<RepositoryBlob, Refusal> {
        let Place::Inside(place) = path::resolve(self.viewer, path)? else {
            return Err(Refusal::new(path, Reason::NotAFile));
        };
        let wants = Wants::below(fields);
        let _turn = self.allowance.turn().await;
        let (name, path) = (place.name().to_owned(), place.shown.clone());
        let Some(disk) = self.source.disk() else {
            if wants.disk {
                return Err(Refusal::new(&path, Reason::NotSupported));
            }
            let read = self.source.read(self.allowance.whose(), place);
            let Text { name, text } = read.await?;
            self.allowance
                .take(escaped::of_text(&text).saturating_mul(wants.text), &path)?;
            return Ok(RepositoryBlob {
                name,
                path,
                text: Some(text),
                base64: None,
                known: None,
                etag: None,
                examined: Examined::default(),
            });
        };
        let (limit, allowance) = (disk.max_file(), self.allowance.clone());
        let work = move |root: &Root, given_up: &GivenUp| {
            let (file, size) = match root.find(&place)? {
                Found::File(file, size) => (file, size),
                Found::Directory(_) | Found::Other => return Err(place.refuse(Reason::NotAFile)),
            };
            let stat = rustix::fs::fstat(&file).map_err(|_| place.refuse(Reason::Unreadable))?;
            let details = Details::of(&stat);
            let tag = details.tag(OffsetDateTime::now_utc());
            let mut contents = Contents {
                known: Some(details.into()),
                etag: tag.map(|tag| tag.to_string()),
                ..Contents::default()
            };
            if wants.text > 0 || wants.base64 > 0 {
                let bytes = whole(&file, size, &place, limit)?;
                let encoded = (bytes.len() as u64).div_ceil(3).saturating_mul(4);
                allowance.take(encoded.saturating_mul(wants.base64), &place.shown)?;
                contents.examined = examine(&bytes, wants.examine);
                contents.base64 = (wants.base64 > 0).then(|| STANDARD.encode(&bytes));
                if wants.text > 0 {
                    let text = as_text(bytes).ok_or_else(|| place.refuse(Reason::NotText))?;
                    allowance.take(
                        escaped::of_text(&text).saturating_mul(wants.text),
                        &place.shown,
                    )?;
                    contents.text = Some(text);
                }
            } else if wants.examine != Wanted::default() {
                allowance.examine(size, &place.shown)?;
                contents.examined = examine_file(&file, size, wants.examine, given_up)
                    .map_err(|reason| place.refuse(reason))?;
            }
            Ok(contents)
        };
        let short = wants.text > 0 || wants.base64 > 0 || wants.examine == Wanted::default();
        let whose = self.allowance.whose();
        let done = match short {
            true => {
                let work = move |root: &Root| work(root, &GivenUp::default());
                disk.off_thread(whose, work).await
            }
            false => disk.off_thread_long(whose, work).await,
        };
        let contents = done.unwrap_or_else(|| Err(Refusal::new("", Reason::Unreadable)))?;
        Ok(RepositoryBlob {
            name,
            path,
            text: contents.text,
            base64: contents.base64,
            known: contents.known,
            etag: contents.etag,
            examined: contents.examined,
        })
    }

    /// The README among the names of a directory. `None` when there is none that is a file.
    ///
    /// `README.md` itself goes before other spellings of it, those by their bytes.
    pub async fn readme(
        &self,
        directory: &str,
        names: &[Vec<u8>],
        fields: &[SelectionField<'_>],
    ) -> Option<Result<RepositoryBlob, Refusal>> {
        let wanted = "README.md";
        let spelled = |name: &&Vec<u8>| name.eq_ignore_ascii_case(wanted.as_bytes());
        let exact = names
            .iter()
            .find(|name| name.as_slice() == wanted.as_bytes());
        let name = exact.or_else(|| names.iter().find(spelled))?;
        let name = str::from_utf8(name).ok()?;
        match self.read(&format!("{directory}/{name}"), fields).await {
            Err(refusal) if matches!(refusal.reason(), Reason::NotAFile | Reason::NotFound) => None,
            read => Some(read),
        }
    }
}

#[derive(Default)]
struct Contents {
    text: Option<String>,
    base64: Option<String>,
    known: Option<Known>,
    etag: Option<String>,
    examined: Examined,
}
