//! Who asks, of what, and what is asked for below a field.

use std::sync::Arc;

use async_graphql::{Context, SelectionField};

use crate::library::allowance::{Allowance, Listed};
use crate::library::escaped;
use crate::library::folder::NAME;
use crate::library::path::{self, Viewer};
use crate::library::refusal::Refusal;
use crate::library::source::{Listing, Source};

/// What the listing of a directory counts for besides its names.
const LISTING: u64 = 1024;

/// What has the names of entries in the answer, once for each: what v0.2 has of an entry.
pub const NAMING_FIELDS: &[&str] = &["name", "type", "__typename"];
/// What has the text of a file in the answer.
pub const TEXT_FIELDS: &[&str] = &["rawBlob", "rawTextBlob"];

/// What names count for as JSON, what is around them included.
pub fn bytes_of_names<T: AsRef<[u8]>>(names: impl Iterator<Item = T>) -> u64 {
    names
        .map(|name| escaped::of_name(name.as_ref()) + NAME)
        .sum()
}

/// Who asks, of what, and how much they may bring together.
pub struct Asking<'a> {
    /// Whose eyes the library is seen with.
    pub viewer: &'a Viewer,
    /// Where its contents come from.
    pub source: &'a dyn Source,
    /// What this request may bring together.
    pub allowance: &'a Arc<Allowance>,
}

impl<'a> Asking<'a> {
    /// What the request and the schema carry.
    ///
    /// # Errors
    ///
    /// That one of them carries less than it must.
    pub fn from(ctx: &Context<'a>) -> async_graphql::Result<Self> {
        Ok(Self {
            viewer: ctx.data::<Viewer>()?,
            source: ctx.data::<Arc<dyn Source>>()?.as_ref(),
            allowance: ctx.data::<Arc<Allowance>>()?,
        })
    }

    /// The names in a directory, read on the way to something else.
    ///
    /// # Errors
    ///
    /// Why it cannot be listed, or that this request has read enough.
    pub async fn names(&self, path: &str) -> Result<Listing, Refusal> {
        let place = path::resolve(self.viewer, path)?;
        let _turn = self.allowance.turn().await;
        self.allowance.take(LISTING, path)?;
        let listed = Listed::new(self.allowance.clone(), path);
        let listing = self.source.list(listed, place).await?;
        let names = listing.trees.iter().chain(&listing.blobs);
        self.allowance.take(bytes_of_names(names), path)?;
        Ok(listing)
    }
}

/// How often fields of these names are asked for below `field`.
pub fn asked_for(field: SelectionField<'_>, names: &[&str]) -> u64 {
    field
        .selection_set()
        .map(|inner| u64::from(names.contains(&inner.name())) + asked_for(inner, names))
        .sum()
}

/// The fields of this name right below `field`.
pub fn below<'a>(field: SelectionField<'a>, name: &str) -> Vec<SelectionField<'a>> {
    let fields = field.selection_set();
    fields.filter(|inner| inner.name() == name).collect()
}
