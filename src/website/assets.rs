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
        SCRIPT => "app.js", "element.js", "words.js", "api.js", "links.js", "places.js", "library.js", "folder.js",
            "readme.js", "preview.js", "notebook.js", "upload.js", "sending.js", "twins.js", "workbench.js", "account.js";
        STYLE => "style.css", "library.css";
        "image/svg+xml" => "favicon.svg";
    }
    .into()
});

/// The file of this name below `static/`.
pub fn find(name: &str) -> Option<&'static Asset> {
    STATIC.iter().find(|asset| asset.name == name)
}
