//! A server of ours on a free loopback port, and requests to it as they stand, byte by byte.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The real binary, running until dropped.
pub struct Server {
    child: Child,
    address: String,
}

/// An answer, header names in lower case.
pub struct Answer {
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub body: String,
}

impl Server {
    /// Starts `dtaas <arguments> --listen 127.0.0.1:0` and waits for its line `<name>: listening at http://…`.
    pub fn start(name: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_dtaas"))
            .args(arguments)
            .args(["--listen", "127.0.0.1:0"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut talk = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        talk.read_line(&mut line).unwrap();
        let address = line
            .trim_end()
            .strip_prefix(&format!("{name}: listening at http://"))
            .unwrap_or_else(|| panic!("it said {line:?}"))
            .to_owned();
        // What it says later must be read by someone, or it would wait for that.
        std::thread::spawn(move || std::io::copy(&mut talk, &mut std::io::stderr()));
        Self { child, address }
    }

    /// `GET <path>` with these headers.
    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask("GET", path, headers)
    }

    /// A request with these headers, its path sent as it is.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n");
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += "\r\n";
        self.send(request.as_bytes())
    }

    /// A request with a body of this kind.
    pub fn give(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        kind: &str,
        body: &str,
    ) -> Answer {
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n");
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += &format!(
            "Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.send(request.as_bytes())
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Bytes as they are, and what comes back.
    pub fn send(&self, request: &[u8]) -> Answer {
        let mut connection = TcpStream::connect(&self.address).unwrap();
        connection
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        connection.write_all(request).unwrap();
        let mut bytes = Vec::new();
        connection.read_to_end(&mut bytes).unwrap();
        Answer::parse(&bytes)
    }

    /// Sends SIGTERM and gives the exit code.
    pub fn stop(mut self) -> Option<i32> {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    /// Reads an answer that ended with the connection.
    pub fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let (head, body) = bytes.split_at(end.expect("an answer"));
        let head = String::from_utf8(head.to_vec()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let headers: HashMap<String, String> = lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
            .collect();
        let body = match headers.get("transfer-encoding").map(String::as_str) {
            Some("chunked") => without_chunks(&body[4..]),
            Some(_) | None => body[4..].to_vec(),
        };
        Self {
            status: status.parse().unwrap(),
            headers,
            body: String::from_utf8(body).unwrap(),
        }
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// What was sent in pieces, each after a line with its length.
fn without_chunks(mut rest: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let length = std::str::from_utf8(&rest[..end]).unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            break;
        }
        let piece = &rest[end + 2..];
        whole.extend(&piece[..length]);
        rest = &piece[length + 2..];
    }
    whole
}
