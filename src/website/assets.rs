//! The files of the website, which the executable carries.

use std::sync::LazyLock;

use crate::page::{Asset, HTML, SCRIPT, STYLE};

/// The first page.
pub static INDEX: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("index.html", HTML, include_str!("../../website/index.html")));

static STATIC: LazyLock<[Asset; 5]> = LazyLock::new(|| {
    [
        Asset::new("app.js", SCRIPT, include_str!("../../website/app.js")),
        Asset::new("files.js", SCRIPT, include_str!("../../website/files.js")),
        Asset::new("links.js", SCRIPT, include_str!("../../website/links.js")),
        Asset::new("style.css", STYLE, include_str!("../../website/style.css")),
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
