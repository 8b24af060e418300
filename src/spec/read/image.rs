//! Images' names.

use crate::spec::document::Section;

pub(super) fn image(section: &mut Section<'_>) -> Option<String> {
    const FORM: &str = "write name:tag or name@sha256:…";
    let image: String = section.get("image", FORM)?;
    if !is_image(&image) {
        section.problem("image", "this is not an image's name", FORM);
        return None;
    }
    Some(image)
}

/// Whether a text has the characters and the order of an image reference (distribution's grammar, without its finer points).
pub(super) fn is_image(text: &str) -> bool {
    let allowed =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | ':' | '@');
    !text.is_empty()
        && text.len() <= 255
        && text.chars().all(allowed)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
        && !text.contains("//")
}
