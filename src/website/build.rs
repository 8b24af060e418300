//! A build of another website, as a zip: what is in it is served from memory, and nothing is ever written by a name that stands in it.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use zip::ZipArchive;

use crate::platform::desired::sha256;

/// The most files in one.
const FILES: usize = 20_000;

/// The most that all of them hold, in bytes, unpacked.
const BYTES: u64 = 256 * 1024 * 1024;

/// The file that is the page.
const INDEX: &str = "index.html";

/// What the page of a build may do. Builds of React begin with a script that stands in the page itself.
const POLICY: &str = "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; frame-src 'self'; frame-ancestors 'self'; \
    base-uri 'self'; form-action 'self'; object-src 'none'";

/// Why a zip cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// It is no zip, or a damaged one.
    #[error("it is not a zip that can be read: {0}")]
    Zip(#[from] zip::result::ZipError),
    /// A part of it does not come out.
    #[error("{name:?} in it cannot be read: {error}")]
    Entry {
        /// Which.
        name: String,
        /// Why.
        error: std::io::Error,
    },
    /// A name leads out of it, or is none.
    #[error("{0:?} in it is no name of a file below it")]
    Name(String),
    /// It is a link or a device.
    #[error("{0:?} in it is neither a file nor a folder")]
    Kind(String),
    /// More than is served.
    #[error("it holds more than {FILES} files, or more than {} MB", BYTES / 1024 / 1024)]
    TooMuch,
    /// There is no page.
    #[error("it holds no {INDEX}, neither at its top nor in the one folder that it holds")]
    NoIndex,
}

#[derive(Debug)]
struct File {
    kind: String,
    etag: String,
    body: Bytes,
}

/// A website from a zip.
#[derive(Debug)]
pub struct Build {
    files: BTreeMap<String, File>,
}

impl Build {
    /// Reads a zip whole. A build that lies in one folder is taken out of it.
    ///
    /// # Errors
    /// When it is none, holds what no website holds, is too large, or has no page.
    pub fn read(bytes: &[u8]) -> Result<Self, Unfit> {
        let mut archive = ZipArchive::new(Cursor::new(bytes))?;
        // Of two entries of one name the crate knows the last alone, and other programs another.
        archive.validate_header_consistency()?;
        if archive.len() > FILES {
            return Err(Unfit::TooMuch);
        }
        let mut left = BYTES;
        let mut files = BTreeMap::new();
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index)?;
            let name = entry.name()?.into_owned();
            let folder = entry.is_dir();
            if !is_below(name.strip_suffix('/').filter(|_| folder).unwrap_or(&name)) {
                return Err(Unfit::Name(name));
            }
            // What macOS keeps beside files.
            if folder || name.starts_with("__MACOSX/") {
                continue;
            }
            if entry.is_symlink() || !entry.is_file() {
                return Err(Unfit::Kind(name));
            }
            let mut body = Vec::new();
            // What a zip says about a size is not believed.
            let read = entry.by_ref().take(left + 1).read_to_end(&mut body);
            if let Err(error) = read {
                return Err(Unfit::Entry { name, error });
            }
            left = left.checked_sub(body.len() as u64).ok_or(Unfit::TooMuch)?;
            let file = File {
                kind: mime_guess::from_path(&name)
                    .first_or_octet_stream()
                    .essence_str()
                    .to_owned(),
                etag: format!("\"{}\"", &sha256(&body)[..32]),
                body: body.into(),
            };
            files.insert(name, file);
        }
        Ok(Self {
            files: unwrapped(files)?,
        })
    }

    /// The answer for a path below the website's own, without its slash. What is no file and has no ending is a place in the page.
    pub fn answer(&self, path: &str, headers: &HeaderMap) -> Option<Response> {
        let decoded = percent_encoding::percent_decode_str(path)
            .decode_utf8()
            .ok()?;
        let last = decoded.rsplit('/').next().unwrap_or_default();
        let (name, file) = match self.files.get(&*decoded) {
            Some(file) => (&*decoded, file),
            None if last.contains('.') => return None,
            None => (INDEX, self.files.get(INDEX)?),
        };
        let known = headers
            .get_all(IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|tags| tags.contains(&file.etag));
        let caching = [(ETAG, file.etag.as_str()), (CACHE_CONTROL, "no-cache")];
        let mut response = match known {
            true => (StatusCode::NOT_MODIFIED, caching).into_response(),
            false => {
                let kind = match name.ends_with(".html") {
                    true => "text/html; charset=utf-8",
                    false => &file.kind,
                };
                (caching, [(CONTENT_TYPE, kind)], file.body.clone()).into_response()
            }
        };
        response
            .headers_mut()
            .insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        Some(response)
    }
}

/// Whether a name is a path of plain names, one below the other.
fn is_below(name: &str) -> bool {
    !name.contains(['\\', '\0'])
        && name
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..")
}

/// The files without the one folder that they are all in, where the page is there and not at the top.
fn unwrapped(files: BTreeMap<String, File>) -> Result<BTreeMap<String, File>, Unfit> {
    if files.contains_key(INDEX) {
        return Ok(files);
    }
    let top = files.keys().next().and_then(|name| name.split_once('/'));
    let prefix = match top {
        Some((folder, _)) => format!("{folder}/"),
        None => return Err(Unfit::NoIndex),
    };
    let whole = files.keys().all(|name| name.starts_with(&prefix));
    if !whole || !files.contains_key(&format!("{prefix}{INDEX}")) {
        return Err(Unfit::NoIndex);
    }
    Ok(files
        .into_iter()
        .map(|(name, file)| (name[prefix.len()..].to_owned(), file))
        .collect())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn zip(files: &[(&str, &str)]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in files {
            writer
                .start_file(*name, SimpleFileOptions::default())
                .unwrap();
            writer.write_all(text.as_bytes()).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn body(build: &Build, path: &str) -> Option<(u16, String, String)> {
        let response = build.answer(path, &HeaderMap::new())?;
        let status = response.status().as_u16();
        let kind = response.headers()[CONTENT_TYPE]
            .to_str()
            .unwrap()
            .to_owned();
        let body = futures_util::FutureExt::now_or_never(axum::body::to_bytes(
            response.into_body(),
            1 << 20,
        ));
        let body = body.unwrap().unwrap();
        Some((status, kind, String::from_utf8(body.to_vec()).unwrap()))
    }

    #[test]
    fn a_build_is_served_also_out_of_its_folder() {
        let files = [
            ("index.html", "<p>page"),
            ("static/js/main.1a2b.js", "run()"),
        ];
        let folded = files.map(|(name, text)| (format!("build/{name}"), text));
        let folded = [
            (folded[0].0.as_str(), "<p>page"),
            (folded[1].0.as_str(), "run()"),
        ];
        for files in [files, folded] {
            let build = Build::read(&zip(&files)).unwrap();
            let page = Some((
                200,
                "text/html; charset=utf-8".to_owned(),
                "<p>page".to_owned(),
            ));
            assert_eq!(body(&build, "index.html"), page);
            // A place in the page that the browser was sent to.
            assert_eq!(body(&build, ""), page);
            assert_eq!(body(&build, "library/mine"), page);
            assert_eq!(body(&build, "static/js/main.1a2b.js").unwrap().2, "run()");
            assert_eq!(body(&build, "static/js/other.js"), None);
            assert_eq!(body(&build, "../index.html"), None);
        }
    }

    #[test]
    fn what_is_no_website_is_refused() {
        let why = |files: &[(&str, &str)]| Build::read(&zip(files)).unwrap_err().to_string();
        assert_eq!(
            why(&[("index.html", ""), ("../evil", "")]),
            "\"../evil\" in it is no name of a file below it"
        );
        assert_eq!(
            why(&[("index.html", ""), ("/etc/evil", "")]),
            "\"/etc/evil\" in it is no name of a file below it"
        );
        assert_eq!(
            why(&[("main.js", "")]),
            "it holds no index.html, neither at its top nor in the one folder that it holds"
        );
        assert_eq!(
            why(&[("a/index.html", ""), ("b/main.js", "")]),
            "it holds no index.html, neither at its top nor in the one folder that it holds"
        );
        assert!(
            Build::read(b"no zip")
                .unwrap_err()
                .to_string()
                .starts_with("it is not a zip")
        );
        assert_eq!(
            why(&[("index.html", ""), ("../folder/", "")]),
            "\"../folder/\" in it is no name of a file below it"
        );
        let mac = zip(&[
            ("build/index.html", "<p>page"),
            ("__MACOSX/build/._index.html", ""),
        ]);
        assert_eq!(body(&Build::read(&mac).unwrap(), "").unwrap().2, "<p>page");
        let whole = zip(&[("index.html", "<p>page")]);
        assert!(Build::read(&whole[..whole.len() - 10]).is_err());

        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer
            .add_symlink("index.html", "/etc/passwd", SimpleFileOptions::default())
            .unwrap();
        let link = writer.finish().unwrap().into_inner();
        assert_eq!(
            Build::read(&link).unwrap_err().to_string(),
            "\"index.html\" in it is neither a file nor a folder"
        );
    }

    #[test]
    fn more_than_is_served_is_refused() {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let zeros = vec![0; 64 * 1024 * 1024];
        for number in 0..5 {
            writer
                .start_file(format!("{number}"), SimpleFileOptions::default())
                .unwrap();
            writer.write_all(&zeros).unwrap();
        }
        let bomb = writer.finish().unwrap().into_inner();
        assert!(bomb.len() < 1024 * 1024);
        assert!(matches!(Build::read(&bomb), Err(Unfit::TooMuch)));
    }
}
