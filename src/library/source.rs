//! Where the library's contents come from.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::allowance::Listed;
use super::entries::Entries;
use super::local::Local;
use super::path::{Inside, Place};
use super::refusal::Refusal;
use super::whose::Whose;

/// A source of directories and files. The GraphQL schema and the HTTP side know nothing else of it. It is told whose each question
/// is, for nobody may have all of what there is little of.
pub trait Source: Send + Sync + 'static {
    /// What a directory holds. How much that is, is asked while it is read.
    fn list(&self, listed: Listed, place: Place) -> BoxFuture<'_, Result<Listing, Refusal>>;

    /// The same in one piece of memory, which large directories need.
    fn entries(&self, listed: Listed, place: Place) -> BoxFuture<'_, Result<Entries, Refusal>> {
        self.list(listed, place)
            .map(|found| found.map(Entries::from))
            .boxed()
    }

    /// The text of a file.
    fn read(&self, whose: Whose, place: Inside) -> BoxFuture<'_, Result<Text, Refusal>>;

    /// Whether questions can be answered now; if not, why, for the operator.
    fn ready(&self) -> BoxFuture<'_, Result<(), String>>;

    /// The library on this machine's disk, where it is one: what is beyond listing and reading takes that.
    fn disk(&self) -> Option<&Local> {
        None
    }
}

/// The entries of a directory, each list sorted by the bytes of the names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Directories.
    pub trees: Vec<String>,
    /// Everything else.
    pub blobs: Vec<String>,
}

/// A file of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The last segment of its path.
    pub name: String,
    /// Its text, without white space at both ends.
    pub text: String,
}
