//! The files of the website, which the executable carries.

use std::sync::LazyLock;

use crate::page::{Asset, HTML, SCRIPT, STYLE};

/// The first page.
pub static INDEX: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("index.html", HTML, include_str!("../../website/index.html")));

macro_rules! assets {
    ($($kind:expr => $($name:literal),+;)+) => {
        [$($(Asset::new($name, $kind, include_str!(concat!("../../website/", $name)))),+),+]
    };
}

static STATIC: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    assets! {
        SCRIPT => "app.js", "route.js", "element.js", "button.js", "toast.js", "words.js", "reason.js", "turns.js", "api.js",
            "links.js", "places.js", "removals.js", "library.js", "listing.js", "frame.js", "folder.js", "rows.js", "changes.js",
            "naming.js", "receiving.js", "dropped.js", "sending.js", "upload.js", "preview.js", "beginning.js", "readme.js",
            "notebook.js", "twins.js", "workbench.js", "answering.js", "account.js";
        STYLE => "style.css", "library.css";
        "image/svg+xml" => "favicon.svg";
    }
    .into()
});

/// The file of this name below `static/`.
pub fn find(name: &str) -> Option<&'static Asset> {
    STATIC.iter().find(|asset| asset.name == name)
}
