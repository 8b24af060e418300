//! `website`: another website than ours.

use reqwest::Url;

use super::Section;
use crate::spec::model::WebsiteBuild;

const SOURCE: &str = "write a zip file's path, or its https address";

/// What is wrong with where it comes from: nobody on the way must be able to put another thing in its place unseen, and this machine's own servers
/// are nobody's.
fn wrong_source(source: &str) -> Option<&'static str> {
    if source.is_empty() {
        return Some("it is empty");
    }
    if !source.contains("://") {
        return None;
    }
    match Url::parse(source) {
        Ok(url) if may_be_fetched(&url) => None,
        Ok(_) => Some("only https is fetched"),
        Err(_) => Some("this is no address"),
    }
}

/// Whether something may be fetched from an address.
pub fn may_be_fetched(url: &Url) -> bool {
    let here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    url.scheme() == "https" || (url.scheme() == "http" && here)
}

/// Reads it; what is wrong is noted.
pub fn website(mut section: Section<'_>) -> Option<WebsiteBuild> {
    const SUM: &str =
        "write the SHA-256 of the zip, 64 digits of a-f and 0-9, as sha256sum gives it";
    let source: Option<String> = section.get("source", SOURCE);
    let sum: Option<String> = section.get("sha256", SUM);
    if let Some(problem) = source.as_deref().and_then(wrong_source) {
        section.problem("source", problem, SOURCE);
    }
    let fine = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    if let Some(sum) = &sum
        && (sum.len() != 64 || !sum.chars().all(fine))
    {
        section.problem("sha256", "this is no SHA-256", SUM);
    }
    let build = match (source, sum) {
        (None, None) => None,
        (Some(source), Some(sha256)) => Some(WebsiteBuild { source, sha256 }),
        (Some(_), None) => {
            section.problem(
                "source",
                "sha256 is missing, so nobody could tell another file from it",
                SUM,
            );
            None
        }
        (None, Some(_)) => {
            section.problem("sha256", "source is missing", SOURCE);
            None
        }
    };
    section.finish();
    build
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_this_machine_are_asked() {
        for (url, may) in [
            ("https://foo.com/x.zip", true),
            ("http://127.0.0.1:8000/x.zip", true),
            ("http://localhost/x.zip", true),
            ("http://foo.com/x.zip", false),
            ("http://localhost.foo.com/x.zip", false),
            ("file:///etc/passwd", false),
            ("ftp://foo.com/x.zip", false),
            ("https://", false),
            ("client.zip", true),
            ("/srv/client.zip", true),
            ("", false),
        ] {
            assert_eq!(wrong_source(url).is_none(), may, "{url}");
        }
    }
}
