//! The files of the website, which the executable carries.

use std::sync::LazyLock;

use crate::platform::desired::digest;

/// A file of the website.
pub struct Asset {
    /// Below `static/`.
    pub name: &'static str,
    /// Its `Content-Type`.
    pub content_type: &'static str,
    /// What is in it.
    pub body: &'static str,
    /// Its `ETag`, quotes included.
    pub etag: String,
}

impl Asset {
    fn new(name: &'static str, content_type: &'static str, body: &'static str) -> Self {
        Self {
            name,
            content_type,
            body,
            etag: format!("\"{}\"", &digest([body])[..32]),
        }
    }
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The first page.
pub static INDEX: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "index.html",
        "text/html; charset=utf-8",
        include_str!("../../website/index.html"),
    )
});

static STATIC: LazyLock<[Asset; 4]> = LazyLock::new(|| {
    [
        Asset::new("app.js", SCRIPT, include_str!("../../website/app.js")),
        Asset::new("links.js", SCRIPT, include_str!("../../website/links.js")),
        Asset::new(
            "style.css",
            "text/css; charset=utf-8",
            include_str!("../../website/style.css"),
        ),
        Asset::new(
            "favicon.svg",
            "image/svg+xml",
            include_str!("../../website/favicon.svg"),
        ),
    ]
});

/// The file of this name below `static/`.
pub fn find(name: &str) -> Option<&'static Asset> {
    STATIC.iter().find(|asset| asset.name == name)
}
