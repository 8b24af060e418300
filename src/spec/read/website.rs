//! `website`: another website than ours.

use super::Section;
use crate::spec::model::WebsiteBuild;

/// Reads it; what is wrong is noted.
pub fn website(mut section: Section<'_>) -> Option<WebsiteBuild> {
    const SUM: &str =
        "write the SHA-256 of the zip, 64 digits of a-f and 0-9, as sha256sum gives it";
    let source: Option<String> =
        section.get("source", "write a zip file's path, or its https address");
    let sum: Option<String> = section.get("sha256", SUM);
    let build = match (source, sum) {
        (None, None) => None,
        (Some(source), _) if source.is_empty() => {
            section.problem(
                "source",
                "it is empty",
                "write a zip file's path, or its https address",
            );
            None
        }
        (Some(source), Some(sum)) => {
            let fine = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
            if sum.len() != 64 || !sum.chars().all(fine) {
                section.problem("sha256", "this is no SHA-256", SUM);
            }
            Some(WebsiteBuild {
                source,
                sha256: sum,
            })
        }
        (Some(_), None) => {
            section.problem(
                "source",
                "sha256 is missing, so nobody could tell another file from it",
                SUM,
            );
            None
        }
        (None, Some(_)) => {
            section.problem(
                "sha256",
                "source is missing",
                "write a zip file's path, or its https address",
            );
            None
        }
    };
    section.finish();
    build
}
