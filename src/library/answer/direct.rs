//! Answers a plan: lists or reads, and writes the JSON straight into one buffer.

use std::sync::Arc;

use async_graphql::{PathSegment, ServerError, Value, Variables};

use super::super::allowance::{Allowance, Listed};
use super::super::escaped;
use super::super::path::{Place, Viewer, resolve};
use super::super::refusal::{Reason, Refusal};
use super::super::schema::bytes_of_names;
use super::super::source::Source;
use super::plan::{Asked, Entry, Path, Piece, Plan, Question, Root};

/// Entries that are written before others get a turn on this thread.
const AT_A_STRETCH: usize = 4096;

/// Who asks, of what, and how much they may bring together.
pub struct Asking<'a> {
    /// Whose eyes the library is seen with.
    pub viewer: &'a Viewer,
    /// What is asked.
    pub source: &'a dyn Source,
    /// What is left to be brought.
    pub allowance: &'a Arc<Allowance>,
    /// The variables of the question, those with a default value included.
    pub variables: &'a Variables,
}

/// What came out.
pub enum Direct {
    /// The answer: JSON.
    Data(Vec<u8>),
    /// A field has no answer. As no field at the top may be null, the others have none either.
    Refused(ServerError),
    /// A variable is not what the plan needs it to be; the schema says what is wrong with it.
    Unfit,
}

impl Asking<'_> {
    /// Answers a plan, one field after the other: what is not yet counted is one file or directory at most.
    pub async fn answer(&self, plan: &Plan) -> Direct {
        let mut json = Vec::with_capacity(1024);
        json.extend_from_slice(b"{\"data\":{");
        for (number, root) in plan.roots.iter().enumerate() {
            if number > 0 {
                json.push(b',');
            }
            let asked = match root {
                Root::Fixed(fixed) => {
                    json.extend_from_slice(fixed.as_bytes());
                    continue;
                }
                Root::Asked(asked) => asked,
            };
            let path = match &asked.path {
                Path::Fixed(path) => path,
                Path::Variable(name) => match self.variables.get(name) {
                    Some(Value::String(path)) => path,
                    Some(_) | None => return Direct::Unfit,
                },
            };
            let done = match asked.question {
                Question::List => self.list(asked, path, &mut json).await,
                Question::Read => self.read(asked, path, &mut json).await,
            };
            if let Err(error) = done {
                return Direct::Refused(error);
            }
        }
        json.extend_from_slice(b"}}");
        Direct::Data(json)
    }

    async fn list(&self, asked: &Asked, path: &str, json: &mut Vec<u8>) -> Result<(), ServerError> {
        let listing = async {
            let place = resolve(self.viewer, path)?;
            let listed = Listed::new(Arc::clone(self.allowance), path);
            self.source.entries(listed, place).await
        };
        let entries = listing.await.map_err(|refusal| asked.refused(0, refusal))?;
        let bytes = bytes_of_names(entries.trees().chain(entries.blobs()));
        self.take(asked, path, bytes, 1)?;
        for piece in &asked.pieces {
            match piece {
                Piece::Fixed(fixed) => json.extend_from_slice(fixed.as_bytes()),
                Piece::Each(Entry::Tree, each) => put_each(entries.trees(), each, json).await,
                Piece::Each(Entry::Blob, each) => put_each(entries.blobs(), each, json).await,
                // A listing has names in its entries alone.
                Piece::Name | Piece::Text => {}
            }
        }
        Ok(())
    }

    async fn read(&self, asked: &Asked, path: &str, json: &mut Vec<u8>) -> Result<(), ServerError> {
        let reading = async {
            match resolve(self.viewer, path)? {
                Place::Inside(place) => self.source.read(self.allowance.whose(), place).await,
                Place::Top(_) => Err(Refusal::new(path, Reason::NotAFile)),
            }
        };
        let text = reading.await.map_err(|refusal| asked.refused(0, refusal))?;
        self.take(asked, path, escaped::of_text(&text.text), 0)?;
        for piece in &asked.pieces {
            match piece {
                Piece::Fixed(fixed) => json.extend_from_slice(fixed.as_bytes()),
                Piece::Name => put_string(&text.name, json),
                Piece::Text => put_string(&text.text, json),
                // A file has no entries.
                Piece::Each(..) => {}
            }
        }
        Ok(())
    }

    /// Takes from the allowance what is asked for, at each place where it is, `least` times at least.
    fn take(&self, asked: &Asked, path: &str, bytes: u64, least: u64) -> Result<(), ServerError> {
        for (number, place) in asked.places.iter().enumerate() {
            self.allowance
                .take(bytes.saturating_mul(place.times.max(least)), path)
                .map_err(|refusal| asked.refused(number, refusal))?;
        }
        Ok(())
    }
}

impl Asked {
    /// As an error of the answer, at the place of that number.
    fn refused(&self, number: usize, refusal: Refusal) -> ServerError {
        let at = self.places.get(number).map(|place| place.at);
        let mut error = refusal.told().into_server_error(at.unwrap_or_default());
        error.path = vec![PathSegment::Field(self.key.clone())];
        error
    }
}

async fn put_each<'a>(
    names: impl ExactSizeIterator<Item = &'a str>,
    pieces: &[Piece],
    json: &mut Vec<u8>,
) {
    json.push(b'[');
    for (number, name) in names.enumerate() {
        if number > 0 {
            json.push(b',');
        }
        for piece in pieces {
            match piece {
                Piece::Fixed(fixed) => json.extend_from_slice(fixed.as_bytes()),
                Piece::Name => put_string(name, json),
                // An entry has neither.
                Piece::Text | Piece::Each(..) => {}
            }
        }
        if number % AT_A_STRETCH == AT_A_STRETCH - 1 {
            tokio::task::yield_now().await;
        }
    }
    json.push(b']');
}

fn put_string(text: &str, json: &mut Vec<u8>) {
    // Memory takes it all, and any text can be a JSON string.
    let _ = serde_json::to_writer(json, text);
}
