//! The `.env` file of the library server: any text is either settings or named as broken, line by line.

#![no_main]

use dtaas::library::env_file::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (lines, broken) = parse(text);
    let all = text.lines().count();
    assert!(lines.len() + broken.len() <= all);
    for line in &lines {
        assert!((1..=all).contains(&line.number));
        assert!(!line.key.is_empty() && !line.key.contains('='));
        // What is written as this setting in quotes is read as the same.
        if !line.value.contains(['\'', '\n', '\r']) && !line.key.starts_with(['#', '\u{feff}']) {
            let (again, broken) = parse(&format!("{}='{}'", line.key, line.value));
            assert!(broken.is_empty());
            assert_eq!((&again[0].key, &again[0].value), (&line.key, &line.value));
        }
    }
    for line in &broken {
        assert!((1..=all).contains(&line.number) && !line.text.is_empty());
    }
});
