//! The peer of `scripts/bench library`: axum handlers with nothing behind them, and the least that a listing takes.
//!
//! `bare serve LIST READ FILE` answers `/list` and `/read` with the bytes of these two files, from memory, and `/file` with
//! the third from the disk, a part of it where a `Range` asks for it; it prints its port. `bare floor DIRECTORY COUNT`
//! reads, sorts and writes as JSON the names of a directory, so many times, and prints the nanoseconds of each.

use std::io::{self, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RANGE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use rustix::fs::{CWD, Mode, OFlags, RawDir};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

/// What is read of a file at once.
const CHUNK: usize = 64 * 1024;

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["serve", list, read, file] => {
            let (list, read) = (std::fs::read(list)?, std::fs::read(read)?);
            tokio::runtime::Runtime::new()?.block_on(serve(list.into(), read.into(), file.into()))
        }
        ["floor", directory, count] => floor(directory, count.parse()?),
        // `cargo bench` runs this as well, with words of its own.
        _ => {
            eprintln!("bare: a peer to measure beside; see scripts/bench library");
            Ok(())
        }
    }
}

async fn serve(list: Bytes, read: Bytes, file: PathBuf) -> anyhow::Result<()> {
    let json = |body: Bytes| move || async move { ([(CONTENT_TYPE, "application/json")], body) };
    let app = Router::new()
        .route("/list", post(json(list)))
        .route("/read", post(json(read)))
        .route("/file", get(whole_or_part))
        .with_state(Arc::new(file));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    io::stdout().flush()?;
    let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
    axum::serve(listener, app).await?;
    Ok(())
}

async fn whole_or_part(State(path): State<Arc<PathBuf>>, headers: HeaderMap) -> Response {
    match stream(&path, &headers).await {
        Ok(response) => response,
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn stream(path: &PathBuf, headers: &HeaderMap) -> io::Result<Response> {
    let mut file = File::open(path).await?;
    let size = file.metadata().await?.len();
    let asked = headers.get(RANGE).and_then(|range| range.to_str().ok());
    let part = asked
        .and_then(|range| range.strip_prefix("bytes=")?.split_once('-'))
        .and_then(|(first, last)| Some((first.parse().ok()?, last.parse::<u64>().ok()? + 1)));
    let (status, (first, end)) = match part {
        Some(part) => (StatusCode::PARTIAL_CONTENT, part),
        None => (StatusCode::OK, (0, size)),
    };
    if first > 0 {
        file.seek(SeekFrom::Start(first)).await?;
    }
    let chunks = futures_util::stream::try_unfold(file.take(end - first), |mut file| async move {
        let mut chunk = Vec::with_capacity(CHUNK);
        let read = file.read_buf(&mut chunk).await?;
        io::Result::Ok((read > 0).then_some((Bytes::from(chunk), file)))
    });
    let length = [(CONTENT_LENGTH, (end - first).to_string())];
    Ok((status, length, Body::from_stream(chunks)).into_response())
}

fn floor(directory: &str, count: u32) -> anyhow::Result<()> {
    let mut buffer = Vec::with_capacity(CHUNK);
    for _ in 0..count {
        let began = Instant::now();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(CWD, directory, flags, Mode::empty())?;
        let mut names = Vec::new();
        let mut entries = RawDir::new(&opened, buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let name = entry?.file_name().to_str()?.to_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        names.sort_unstable();
        let json = serde_json::to_vec(&names)?;
        let took = began.elapsed();
        std::hint::black_box(json);
        println!("{}", took.as_nanos());
    }
    Ok(())
}
