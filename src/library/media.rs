//! The media type of a file, by its name, and whether a browser may show it in the platform's own origin.

use mime_guess::MimeGuess;

/// The type of what nobody knows.
const UNKNOWN: &str = "application/octet-stream";

/// Endings that a library of digital twins has and the general list lacks or means otherwise. Programs' sources are text: a
/// page must not be able to load an asset as a script.
const OURS: &[(&str, &str)] = &[
    ("bat", "text/plain; charset=utf-8"),
    ("c", "text/plain; charset=utf-8"),
    ("cfg", "text/plain; charset=utf-8"),
    ("cjs", "text/plain; charset=utf-8"),
    ("conf", "text/plain; charset=utf-8"),
    ("cpp", "text/plain; charset=utf-8"),
    ("csv", "text/csv; charset=utf-8"),
    ("env", "text/plain; charset=utf-8"),
    ("fmu", "application/x-fmu+zip"),
    ("h", "text/plain; charset=utf-8"),
    ("hpp", "text/plain; charset=utf-8"),
    ("ini", "text/plain; charset=utf-8"),
    ("ipynb", "application/x-ipynb+json"),
    ("java", "text/plain; charset=utf-8"),
    ("js", "text/plain; charset=utf-8"),
    ("json", "application/json"),
    ("jsx", "text/plain; charset=utf-8"),
    ("log", "text/plain; charset=utf-8"),
    ("m", "text/plain; charset=utf-8"),
    ("mat", "application/x-matlab-data"),
    ("md", "text/markdown; charset=utf-8"),
    ("mjs", "text/plain; charset=utf-8"),
    ("mo", "text/x-modelica; charset=utf-8"),
    ("mos", "text/x-modelica; charset=utf-8"),
    ("parquet", "application/vnd.apache.parquet"),
    ("properties", "text/plain; charset=utf-8"),
    ("py", "text/x-python; charset=utf-8"),
    ("rs", "text/plain; charset=utf-8"),
    ("sh", "text/x-sh; charset=utf-8"),
    ("slx", "application/x-matlab-simulink"),
    ("ssp", "application/x-ssp+zip"),
    ("toml", "application/toml"),
    ("ts", "text/plain; charset=utf-8"),
    ("tsv", "text/tab-separated-values; charset=utf-8"),
    ("tsx", "text/plain; charset=utf-8"),
    ("txt", "text/plain; charset=utf-8"),
    ("xml", "application/xml"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
];

/// Names without an ending whose contents are known.
const NAMES: &[&str] = &["dockerfile", "license", "makefile", "readme"];

/// The media type of a file of that name; text says that it is UTF-8.
pub fn type_of(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let ending = match lower.rsplit_once('.') {
        // `.gitignore` is a name, not an ending.
        Some((stem, ending)) if !stem.is_empty() => ending,
        Some(_) | None => "",
    };
    if let Some((_, kind)) = OURS.iter().find(|(known, _)| *known == ending) {
        return (*kind).to_owned();
    }
    if NAMES.contains(&lower.as_str()) {
        return "text/plain; charset=utf-8".to_owned();
    }
    match MimeGuess::from_ext(ending).first_raw() {
        // What a browser would run, wherever it was listed.
        Some(kind) if kind.contains("javascript") || kind.contains("ecmascript") => {
            "text/plain; charset=utf-8".to_owned()
        }
        Some(kind) if kind.starts_with("text/") => format!("{kind}; charset=utf-8"),
        Some(kind) => kind.to_owned(),
        None => UNKNOWN.to_owned(),
    }
}

/// Whether a browser may show that type itself: text that it shows as text, and pictures, sound and films that hold no
/// program. All else is saved to disk: HTML, SVG, XML and PDF could act in the name of whoever opens them.
pub fn is_harmless(kind: &str) -> bool {
    let essence = kind.split(';').next().unwrap_or(kind).trim();
    match essence.split_once('/') {
        Some(("text", what)) => matches!(
            what,
            "plain"
                | "csv"
                | "markdown"
                | "tab-separated-values"
                | "x-python"
                | "x-sh"
                | "x-modelica"
        ),
        Some(("image", what)) => matches!(
            what,
            "png" | "jpeg" | "gif" | "webp" | "avif" | "bmp" | "x-icon" | "apng"
        ),
        Some(("audio" | "video", _)) => true,
        Some(("application", what)) => matches!(what, "json" | "yaml" | "toml"),
        Some(_) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_have_the_type_that_their_programs_expect() {
        for (name, expected, shown) in [
            ("x.fmu", "application/x-fmu+zip", false),
            ("X.FMU", "application/x-fmu+zip", false),
            ("data.csv", "text/csv; charset=utf-8", true),
            ("README.md", "text/markdown; charset=utf-8", true),
            ("README", "text/plain; charset=utf-8", true),
            ("a.yaml", "application/yaml", true),
            ("a.py", "text/x-python; charset=utf-8", true),
            ("a.ipynb", "application/x-ipynb+json", false),
            ("a.mat", "application/x-matlab-data", false),
            ("a.json", "application/json", true),
            ("a.png", "image/png", true),
            ("a.mp4", "video/mp4", true),
            ("a.zip", "application/zip", false),
            ("a.html", "text/html; charset=utf-8", false),
            ("a.xhtml", "application/xhtml+xml", false),
            ("a.svg", "image/svg+xml", false),
            ("a.xml", "application/xml", false),
            ("a.pdf", "application/pdf", false),
            ("a.css", "text/css; charset=utf-8", false),
            ("a.js", "text/plain; charset=utf-8", true),
            ("a.mjs", "text/plain; charset=utf-8", true),
            ("a.wasm", "application/wasm", false),
            ("execute", "application/octet-stream", false),
            (".gitignore", "application/octet-stream", false),
            (".html", "application/octet-stream", false),
            ("a.", "application/octet-stream", false),
            ("", "application/octet-stream", false),
        ] {
            let kind = type_of(name);
            assert_eq!(
                (kind.as_str(), is_harmless(&kind)),
                (expected, shown),
                "{name:?}"
            );
        }
    }

    #[test]
    fn no_name_makes_a_script() {
        for (endings, _) in OURS.iter().map(|(ending, kind)| (*ending, kind)) {
            assert!(
                !type_of(&format!("x.{endings}")).contains("script"),
                "{endings}"
            );
        }
        for ending in ["js", "mjs", "cjs", "es", "ecma", "jsx"] {
            assert!(
                !type_of(&format!("x.{ending}")).contains("script"),
                "{ending}"
            );
        }
    }
}
