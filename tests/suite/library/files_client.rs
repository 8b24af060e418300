//! A client of the library's files: any method, any bytes, and the address as it is.

use std::io::{Read, Write};
use std::net::TcpStream;

use base64::Engine;
use reqwest::header::HeaderMap;
use reqwest::{Body, Method};
use sha2::{Digest, Sha256};

use super::fixture::{Library, PATIENCE, SECRET, Server};

/// A client, in the name of a user behind the gateway or of nobody.
pub struct Files<'a> {
    server: &'a Server,
    user: Option<&'static str>,
    groups: &'static str,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
    /// Whether the body ended as it should.
    pub whole: bool,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        match self.headers.get(name) {
            Some(value) => value.to_str().unwrap(),
            None => "-",
        }
    }

    pub fn text(&self) -> &str {
        str::from_utf8(&self.bytes).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.bytes).unwrap()
    }

    /// The status, and the code of what went wrong or else nothing.
    pub fn said(&self) -> String {
        said(&self.status.to_string(), &self.bytes)
    }
}

impl<'a> Files<'a> {
    /// As nobody, of a server that shows everything.
    pub fn of(server: &'a Server) -> Self {
        Self {
            server,
            user: None,
            groups: "",
        }
    }

    /// In the name of a user.
    pub fn user(server: &'a Server, user: &'static str) -> Self {
        Self {
            user: Some(user),
            ..Self::of(server)
        }
    }

    /// In the name of a user who may write what is common.
    pub fn publisher(server: &'a Server, user: &'static str) -> Self {
        Self {
            groups: "publishers",
            ..Self::user(server, user)
        }
    }

    pub fn address(&self, path: &str) -> String {
        format!("{}/files/{path}", self.server.url)
    }

    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let client = &self.server.client;
        let mut request = client.request(method, self.address(path)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(user) = self.user {
            request = request
                .header("X-Dtaas-Gateway", SECRET)
                .header("X-Forwarded-User", user)
                .header("X-Forwarded-Groups", self.groups);
        }
        let mut response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut bytes = Vec::new();
        let whole = loop {
            match response.chunk().await {
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        Answer {
            status,
            headers,
            bytes,
            whole,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", path, headers, "").await
    }

    pub async fn put(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.send("PUT", path, &[], body).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], "").await
    }

    pub async fn rename(&self, from: &str, to: &str) -> Answer {
        let to = reqwest::Url::parse(&self.address(to)).unwrap();
        self.send("MOVE", from, &[("Destination", to.path())], "")
            .await
    }

    /// The head of a request as this user sends it, without the empty line at its end.
    pub fn head(&self, method: &str, path: &str) -> String {
        let url = reqwest::Url::parse(&self.server.url).unwrap();
        let mut head = format!(
            "{method} {}/files/{path} HTTP/1.1\r\nHost: localhost\r\n",
            url.path()
        );
        if let Some(user) = self.user {
            head.push_str(&format!(
                "X-Dtaas-Gateway: {SECRET}\r\nX-Forwarded-User: {user}\r\n\
                 X-Forwarded-Groups: {}\r\n",
                self.groups
            ));
        }
        head
    }

    /// A connection on which the begin of a request has been sent.
    pub fn begin(&self, request: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.server.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request).unwrap();
        stream
    }

    /// What comes of a file that is sent in pieces, without a word on how long it is.
    pub fn put_pieces(&self, path: &str, pieces: impl Iterator<Item = Vec<u8>>) -> String {
        let headers = "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
        let mut stream = self.begin(format!("{}{headers}", self.head("PUT", path)).as_bytes());
        for piece in pieces {
            let head = format!("{:x}\r\n", piece.len());
            // Where it is refused half-way, the answer says why.
            let _ = stream.write_all(&[head.as_bytes(), &piece, b"\r\n"].concat());
        }
        let _ = stream.write_all(b"0\r\n\r\n");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let end = answer
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap();
        let status = String::from_utf8(answer[9..12].to_vec()).unwrap();
        said(&status, &answer[end + 4..])
    }

    /// What comes back for an address that no client would send.
    pub fn raw(&self, method: &str, path: &str) -> String {
        let request = format!("{}Connection: close\r\n\r\n", self.head(method, path));
        let mut stream = self.begin(request.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// The status of an answer and the code of what went wrong, if something did.
fn said(status: &str, body: &[u8]) -> String {
    let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let code = json.and_then(|json| {
        let code = &json["errors"][0]["extensions"]["code"];
        code.as_str().map(str::to_owned)
    });
    match code {
        Some(code) => format!("{status} {code}"),
        None => status.to_owned(),
    }
}

/// The most memory that a process has had at once, in kilobytes.
pub fn peak_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.unwrap().split_whitespace().nth(1).unwrap();
    number.parse().unwrap()
}

/// Waits for something that will be.
pub async fn until(what: &str, mut is: impl AsyncFnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !is().await {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// Bytes of which each part is known by its place.
pub fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n / 256 * 31 + n) as u8).collect()
}

/// The server of a library that anyone may change.
pub fn writable(library: &Library) -> Server {
    library.serve_with("", &["--no-auth", "--writable"])
}

/// The names that are aside in a directory.
pub fn aside(library: &Library, path: &str) -> Vec<String> {
    let entries = std::fs::read_dir(library.path(path)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .filter(|name| name.starts_with(".dtaas-aside-"))
        .collect()
}

/// A file as it is on disk.
pub fn read(library: &Library, path: &str) -> Vec<u8> {
    std::fs::read(library.path(path)).unwrap()
}

/// The sum of these bytes, as RFC 9530 writes it.
pub fn digest(bytes: &[u8]) -> String {
    let sum = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(bytes));
    format!("sha-256=:{sum}:")
}

/// A connection that has sent the head of a PUT, and some of its body.
pub fn half(files: &Files<'_>, path: &str, headers: &str, body: &[u8]) -> TcpStream {
    let head = format!("{}{headers}\r\n", files.head("PUT", path));
    let mut stream = files.begin(head.as_bytes());
    stream.write_all(body).unwrap();
    stream
}
