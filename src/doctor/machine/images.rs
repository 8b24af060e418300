//! Images that are yet to be pulled: that their registry has them.

use futures_util::FutureExt;
use futures_util::future::join_all;

use super::{Check, Subject};
use crate::doctor::{Finding, Severity};
use crate::platform::desired::Image;

pub const CHECK: Check = Check {
    name: "images",
    run: |subject| check(subject).boxed_local(),
};

async fn check(subject: &Subject) -> Vec<Finding> {
    let Some(seen) = &subject.seen else {
        return Vec::new();
    };
    let wanted = subject
        .desired
        .images
        .iter()
        .filter_map(|image| match image {
            Image::Pull { reference } => Some(reference),
            Image::Own { .. } => None,
        });
    let missing = wanted.filter(|reference| !seen.observed.images.contains_key(*reference));
    let asked = missing.map(|reference| async move {
        let error = seen.engine.is_offered(reference).await.err()?;
        let finding = Finding::of(CHECK.name, &error);
        Some(Finding {
            severity: Severity::Error,
            ..finding
        })
    });
    join_all(asked).await.into_iter().flatten().collect()
}
