use std::io::{Cursor, Read};

use super::*;
use time::macros::datetime;

const AT: OffsetDateTime = datetime!(2024-02-29 13:37:43 UTC);

fn entry(name: &str, mode: u32) -> Entry {
    Entry {
        name: name.into(),
        modified: AT,
        mode,
    }
}

fn whole(mut archive: Archive) -> Vec<u8> {
    let mut bytes = archive.take();
    bytes.extend(archive.finish().flatten());
    bytes
}

#[test]
fn another_program_reads_what_was_written() {
    let text: Vec<u8> = (0..300_000_u32)
        .flat_map(|n| n.to_string().into_bytes())
        .collect();
    let mut archive = Archive::default();
    archive.directory(&entry("twin/", 0o040_755));
    archive.begin(entry("twin/Kran ä.txt", 0o100_644), text.len() as u64, true);
    for piece in text.chunks(100_003) {
        archive.data(piece).unwrap();
    }
    archive.end().unwrap();
    archive.begin(
        entry("twin/stored.fmu", 0o100_644),
        text.len() as u64,
        false,
    );
    archive.data(&text).unwrap();
    archive.end().unwrap();
    archive.begin(entry("twin/execute", 0o100_755), 0, true);
    archive.end().unwrap();

    let bytes = whole(archive);

    assert!(bytes.len() < text.len() * 2, "{}", bytes.len());
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut found = Vec::new();
    for number in 0..zip.len() {
        let mut file = zip.by_index(number).unwrap();
        let mut contents = Vec::new();
        file.read_to_end(&mut contents).unwrap();
        let same = contents == text;
        found.push(format!(
            "{} {:o} {} {same}",
            file.name().unwrap(),
            file.unix_mode().unwrap(),
            file.size()
        ));
        let at = file.last_modified().unwrap();
        assert_eq!((at.year(), at.minute(), at.second()), (2024, 37, 42));
    }
    let size = text.len();
    assert_eq!(
        found,
        [
            "twin/ 40755 0 false".to_owned(),
            format!("twin/Kran ä.txt 100644 {size} true"),
            format!("twin/stored.fmu 100644 {size} true"),
            "twin/execute 100755 0 false".to_owned(),
        ]
    );
}

#[test]
fn more_entries_than_16_bits_count_are_found() {
    let mut archive = Archive::default();
    for number in 0..70_000 {
        archive.begin(entry(&format!("f/{number}"), 0o100_644), 0, true);
        archive.end().unwrap();
    }
    let mut zip = zip::ZipArchive::new(Cursor::new(whole(archive))).unwrap();
    assert_eq!(zip.len(), 70_000);
    assert_eq!(zip.by_index(69_999).unwrap().name().unwrap(), "f/69999");
}

#[test]
fn what_lies_beyond_32_bits_is_written_in_64() {
    // As if four gigabytes had gone before.
    let mut archive = Archive {
        taken: FULL + 1,
        ..Archive::default()
    };
    archive.begin(entry("large", 0o100_644), LARGE, true);
    archive.data(b"abc").unwrap();
    archive.end().unwrap();
    let local = archive.take();
    // Version 4.5; sizes that stand in the field of ZIP64, which has 16 bytes.
    assert_eq!(local[4..6], 45_u16.to_le_bytes());
    assert_eq!(local[18..26], [0xff; 8]);
    assert_eq!(local[35..39], [1, 0, 16, 0]);
    // Signature, sum, and both sizes in eight bytes each.
    let sums = &local[local.len() - 24..];
    assert_eq!(&sums[..4], b"PK\x07\x08");
    assert_eq!(sums[16..24], 3_u64.to_le_bytes());
    let table: Vec<u8> = archive.finish().flatten().collect();
    assert_eq!(table[42..46], [0xff; 4]);
    let field = 46 + "large".len();
    assert_eq!(table[field..field + 4], [1, 0, 8, 0]);
    assert_eq!(table[field + 4..field + 12], (FULL + 1).to_le_bytes());
    let end = &table[table.len() - 22..];
    assert_eq!(end[16..20], [0xff; 4]);
    assert_eq!(&table[table.len() - 42..table.len() - 38], b"PK\x06\x07");
}

#[test]
fn times_that_dos_does_not_know_become_the_nearest_that_it_knows() {
    assert_eq!(dos_time(datetime!(1960-05-05 12:00 UTC)), 0x0021_0000);
    assert_eq!(dos_time(datetime!(1980-01-01 00:00 UTC)), 0x0021_0000);
    assert_eq!(dos_time(datetime!(2107-12-31 23:59:58 UTC)), 0xff9f_bf7d);
    assert_eq!(unix_time(datetime!(2200-01-01 00:00 UTC)), b"");
}
