//! What the name of an entry is in a zip, and says of its contents.

use super::super::super::entries::shown;

/// Endings of files that are compressed already.
const COMPRESSED: &[&str] = &[
    "7z", "avi", "bz2", "deb", "docx", "fmu", "gif", "gz", "jar", "jpeg", "jpg", "mkv", "mov",
    "mp3", "mp4", "npz", "odt", "parquet", "pdf", "png", "pptx", "ssp", "tgz", "webm", "webp",
    "whl", "xlsx", "xz", "zip", "zst",
];

/// Whether a file of that name is worth compressing.
pub fn shrinks(name: &str) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    !COMPRESSED
        .iter()
        .any(|known| known.eq_ignore_ascii_case(ending))
}

/// A name as it can stand in a zip: UTF-8, and without what some program takes for the end of a segment. Names that had to
/// be changed show their bytes, so that two of them differ.
pub fn safe(name: &[u8]) -> String {
    let text = match str::from_utf8(name) {
        Ok(text) => text,
        Err(_) => return shown(name),
    };
    let unsafe_one = |c: char| c == '\\' || c.is_control();
    if !text.contains(unsafe_one) {
        return text.to_owned();
    }
    let hex = crate::platform::desired::hex(name);
    format!("{} (bytes: {hex})", text.replace(unsafe_one, "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_where_a_zip_is_unpacked() {
        assert_eq!(safe("Kran ä.txt".as_bytes()), "Kran ä.txt");
        assert_eq!(safe(b"..\\..\\x"), ".._.._x (bytes: 2e2e5c2e2e5c78)");
        assert_eq!(safe(b"a\nb"), "a_b (bytes: 610a62)");
        assert_eq!(safe(b"caf\xe9"), "caf\u{fffd} (not UTF-8: 636166e9)");
    }
}
