//! How long texts and names are once they stand in JSON, where a byte may become six (RFC 8259, section 7).

use super::entries::shown;

/// How long a text is as the inside of a JSON string, in bytes.
pub fn of_text(text: &str) -> u64 {
    text.bytes().map(of_byte).sum()
}

/// The same of a name, as it is shown.
pub fn of_name(name: &[u8]) -> u64 {
    match str::from_utf8(name) {
        Ok(name) => of_text(name),
        Err(_) => of_text(&shown(name)),
    }
}

fn of_byte(byte: u8) -> u64 {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_serde_json_writes() {
        let written = |text: &str| serde_json::to_string(text).unwrap().len() as u64 - 2;
        for byte in 0..0x80_u8 {
            let text = char::from(byte).to_string();
            assert_eq!(of_text(&text), written(&text), "{byte}");
        }
        for text in ["", "a \"b\"\n\u{1}", "é\u{2028}\u{10ffff}"] {
            assert_eq!(of_text(text), written(text), "{text:?}");
        }
        assert_eq!(of_name(b"caf\xe9\x01"), written(&shown(b"caf\xe9\x01")));
    }
}
