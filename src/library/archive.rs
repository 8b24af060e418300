//! Writes a zip from its begin to its end, without going back and without knowing what comes (PKWARE's APPNOTE 6.3.10): of
//! every entry no more is kept than its line in the table at the end, some hundred bytes. Compression and checksums are
//! flate2's and crc32fast's.

use flate2::{Compress, Compression, FlushCompress, Status};
use time::OffsetDateTime;

/// What needs more than 32 bits, in size or in place, is written as ZIP64 has it.
const FULL: u64 = 0xffff_ffff;
/// A file of this size might take more than 32 bits when it does not shrink.
const LARGE: u64 = 0xf000_0000;
/// The same for the number of entries.
const MANY: u64 = 0xffff;
/// The version that is needed to unpack: 2.0, and 4.5 for ZIP64.
const PLAIN: u16 = 20;
const ZIP64: u16 = 45;
/// Made under Unix: the upper half of an entry's attributes is its mode.
const UNIX: u16 = 3 << 8;
/// The sums follow the contents; the name is UTF-8.
const SUMS_FOLLOW: u16 = 1 << 3;
const UTF8: u16 = 1 << 11;
/// Methods: as it is, and deflated.
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// The table at the end is kept in blocks of this size, in bytes, so that it grows without being copied.
const BLOCK: usize = 64 << 10;

/// A zip that is being written.
#[derive(Debug, Default)]
pub struct Archive {
    /// What was written and not taken yet.
    out: Vec<u8>,
    /// How much was taken before.
    taken: u64,
    /// The table at the end.
    table: Vec<Vec<u8>>,
    entries: u64,
    open: Option<Open>,
    quick: Option<Compress>,
    not_at_all: Option<Compress>,
}

/// An entry whose contents are coming.
#[derive(Debug)]
struct Open {
    entry: Entry,
    start: u64,
    crc: crc32fast::Hasher,
    /// Whether its sums take 64 bits.
    large: bool,
    shrinks: bool,
    /// Bytes before and after compression.
    before: u64,
    after: u64,
}

/// What an entry is.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its path in the zip, with `/` between segments and at the end of a directory's.
    pub name: String,
    /// When it was changed last.
    pub modified: OffsetDateTime,
    /// Kind and permissions, as `st_mode` has them.
    pub mode: u32,
}

impl Archive {
    /// Adds a directory.
    pub fn directory(&mut self, entry: &Entry) {
        let start = self.position();
        self.local_header(entry, STORED, PLAIN, UTF8, 0);
        let line = Line {
            entry,
            start,
            method: STORED,
            flags: UTF8,
            crc: 0,
            before: 0,
            after: 0,
        };
        self.table_line(&line);
    }

    /// Begins a file of `size` bytes, or fewer. `shrinks` says whether it is worth compressing.
    pub fn begin(&mut self, entry: Entry, size: u64, shrinks: bool) {
        let start = self.position();
        let large = size >= LARGE;
        let (version, sizes) = if large { (ZIP64, FULL) } else { (PLAIN, 0) };
        self.local_header(&entry, DEFLATED, version, UTF8 | SUMS_FOLLOW, sizes);
        let compress = match shrinks {
            true => self
                .quick
                .get_or_insert_with(|| Compress::new(Compression::fast(), false)),
            false => self
                .not_at_all
                .get_or_insert_with(|| Compress::new(Compression::none(), false)),
        };
        compress.reset();
        self.open = Some(Open {
            entry,
            start,
            crc: crc32fast::Hasher::new(),
            large,
            shrinks,
            before: 0,
            after: 0,
        });
    }

    /// Adds contents of the file that was begun last.
    ///
    /// # Errors
    ///
    /// That the compressor does not do its work.
    pub fn data(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        if let Some(open) = &mut self.open {
            open.crc.update(bytes);
            open.before += bytes.len() as u64;
        }
        self.compress(bytes, FlushCompress::None)
    }

    /// Ends the file that was begun last.
    ///
    /// # Errors
    ///
    /// As with [`Archive::data`].
    pub fn end(&mut self) -> std::io::Result<()> {
        self.compress(&[], FlushCompress::Finish)?;
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        let crc = open.crc.finalize();
        self.out.extend_from_slice(b"PK\x07\x08");
        self.u32(crc);
        for size in [open.after, open.before] {
            match open.large {
                true => self.u64(size),
                false => self.u32(narrow(size)),
            }
        }
        let line = Line {
            entry: &open.entry,
            start: open.start,
            method: DEFLATED,
            flags: UTF8 | SUMS_FOLLOW,
            crc,
            before: open.before,
            after: open.after,
        };
        self.table_line(&line);
        Ok(())
    }

    /// Ends the zip: returns the table in blocks, the last one with the end of the zip.
    pub fn finish(&mut self) -> std::vec::IntoIter<Vec<u8>> {
        let start = self.position();
        let mut blocks = std::mem::take(&mut self.table);
        let size: u64 = blocks.iter().map(|block| block.len() as u64).sum();
        let end = start + size;
        let wide = self.entries >= MANY || start >= FULL || size >= FULL;
        let mut last = Archive::default();
        if wide {
            last.out.extend_from_slice(b"PK\x06\x06");
            last.u64(44);
            last.u16(UNIX | ZIP64);
            last.u16(ZIP64);
            last.u32(0);
            last.u32(0);
            last.u64(self.entries);
            last.u64(self.entries);
            last.u64(size);
            last.u64(start);
            last.out.extend_from_slice(b"PK\x06\x07");
            last.u32(0);
            last.u64(end);
            last.u32(1);
        }
        let count = u16::try_from(self.entries).unwrap_or(u16::MAX);
        last.out.extend_from_slice(b"PK\x05\x06");
        last.u16(0);
        last.u16(0);
        last.u16(count);
        last.u16(count);
        last.u32(narrow(size));
        last.u32(narrow(start));
        last.u16(0);
        blocks.push(last.out);
        blocks.into_iter()
    }

    /// How much was written and not taken yet, in bytes.
    pub fn waiting(&self) -> usize {
        self.out.len()
    }

    /// Takes what was written.
    pub fn take(&mut self) -> Vec<u8> {
        self.taken += self.out.len() as u64;
        std::mem::take(&mut self.out)
    }

    fn position(&self) -> u64 {
        self.taken + self.out.len() as u64
    }

    fn compress(&mut self, mut bytes: &[u8], flush: FlushCompress) -> std::io::Result<()> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let compress = match open.shrinks {
            true => &mut self.quick,
            false => &mut self.not_at_all,
        };
        let Some(compress) = compress else {
            return Ok(());
        };
        loop {
            self.out.reserve((bytes.len() + 64).min(BLOCK));
            let (taken, written) = (compress.total_in(), self.out.len());
            let status = compress
                .compress_vec(bytes, &mut self.out, flush)
                .map_err(std::io::Error::other)?;
            let taken = usize::try_from(compress.total_in() - taken).unwrap_or(bytes.len());
            bytes = &bytes[taken..];
            open.after += (self.out.len() - written) as u64;
            let full = self.out.len() == self.out.capacity();
            match (status, flush) {
                (Status::StreamEnd, _) => return Ok(()),
                (Status::Ok | Status::BufError, FlushCompress::Finish) => {}
                (Status::Ok | Status::BufError, _) if bytes.is_empty() && !full => return Ok(()),
                (Status::Ok | Status::BufError, _) => {}
            }
        }
    }

    fn local_header(&mut self, entry: &Entry, method: u16, version: u16, flags: u16, sizes: u64) {
        let large = sizes == FULL;
        self.out.extend_from_slice(b"PK\x03\x04");
        self.u16(version);
        self.u16(flags);
        self.u16(method);
        self.u32(dos_time(entry.modified));
        self.u32(0);
        self.u32(narrow(sizes));
        self.u32(narrow(sizes));
        self.u16(narrow16(entry.name.len()));
        let time = unix_time(entry.modified);
        self.u16(narrow16(time.len() + if large { 20 } else { 0 }));
        self.out.extend_from_slice(entry.name.as_bytes());
        if large {
            self.u16(1);
            self.u16(16);
            self.u64(0);
            self.u64(0);
        }
        self.out.extend_from_slice(&time);
    }

    fn table_line(&mut self, line: &Line<'_>) {
        let mut text = Archive {
            out: match self.table.pop() {
                Some(block) if block.len() < BLOCK - 1024 => block,
                Some(block) => {
                    self.table.push(block);
                    Vec::with_capacity(BLOCK)
                }
                None => Vec::with_capacity(BLOCK),
            },
            ..Archive::default()
        };
        text.line(line);
        self.table.push(text.out);
        self.entries += 1;
    }

    fn line(&mut self, line: &Line<'_>) {
        let wide: Vec<u64> = [line.before, line.after, line.start]
            .into_iter()
            .filter(|number| *number >= FULL)
            .collect();
        let version = if wide.is_empty() { PLAIN } else { ZIP64 };
        let time = unix_time(line.entry.modified);
        let extra = match wide.len() {
            0 => time.len(),
            numbers => time.len() + 4 + 8 * numbers,
        };
        self.out.extend_from_slice(b"PK\x01\x02");
        self.u16(UNIX | ZIP64);
        self.u16(version);
        self.u16(line.flags);
        self.u16(line.method);
        self.u32(dos_time(line.entry.modified));
        self.u32(line.crc);
        self.u32(narrow(line.after));
        self.u32(narrow(line.before));
        self.u16(narrow16(line.entry.name.len()));
        self.u16(narrow16(extra));
        self.u16(0);
        self.u16(0);
        self.u16(0);
        let directory = u32::from(line.entry.name.ends_with('/')) << 4;
        self.u32(line.entry.mode << 16 | directory);
        self.u32(narrow(line.start));
        self.out.extend_from_slice(line.entry.name.as_bytes());
        if !wide.is_empty() {
            self.u16(1);
            self.u16(narrow16(8 * wide.len()));
            for number in wide {
                self.u64(number);
            }
        }
        self.out.extend_from_slice(&time);
    }

    fn u16(&mut self, number: u16) {
        self.out.extend_from_slice(&number.to_le_bytes());
    }

    fn u32(&mut self, number: u32) {
        self.out.extend_from_slice(&number.to_le_bytes());
    }

    fn u64(&mut self, number: u64) {
        self.out.extend_from_slice(&number.to_le_bytes());
    }
}

/// A line of the table at the end.
struct Line<'a> {
    entry: &'a Entry,
    start: u64,
    method: u16,
    flags: u16,
    crc: u32,
    before: u64,
    after: u64,
}

/// In 32 bits; what does not fit is all ones, which says that it stands elsewhere.
fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn narrow16(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// As DOS counts: in pairs of seconds, from 1980 to 2107; UTC, for nobody knows where it is unpacked.
fn dos_time(at: OffsetDateTime) -> u32 {
    let year = at.year().clamp(1980, 2107);
    let (month, day, hour, minute, second) = match year == at.year() {
        true => (
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
        ),
        false => (1, 1, 0, 0, 0),
    };
    let date = (year - 1980).cast_unsigned() << 9 | u32::from(month) << 5 | u32::from(day);
    let time = u32::from(hour) << 11 | u32::from(minute) << 5 | u32::from(second / 2);
    date << 16 | time
}

/// The field of Info-ZIP that holds the seconds since 1970, where they fit.
fn unix_time(at: OffsetDateTime) -> Vec<u8> {
    match i32::try_from(at.unix_timestamp()) {
        Ok(seconds) => [&b"UT\x05\x00\x01"[..], &seconds.to_le_bytes()].concat(),
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
