//! A library on disk, and a server over it.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What stands in files that a test must not see.
pub const HIDDEN: &str = "this-must-stay-hidden";
/// What the gateway of these tests knows.
pub const SECRET: &str = "between-gateway-and-library";
/// Nothing that is waited for takes longer.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A directory with a library in `files`, and things beside it that are not of the library.
pub struct Library {
    directory: TempDir,
}

impl Library {
    /// Users alice and bob and the shared folder, as the platform lays them out.
    pub fn new() -> Self {
        let library = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        library.lay_out();
        library
    }

    fn lay_out(&self) {
        for owner in ["alice", "bob", "common"] {
            for folder in ["data", "digital twins", "functions", "models", "tools"] {
                self.make_directory(&format!("{owner}/{folder}"));
            }
        }
        self.make_directory("alice/common");
        self.write("alice/README.md", "# alice\n");
        self.write("alice/models/spring.txt", "k = 1\n");
        self.write("bob/secret.txt", HIDDEN);
        self.write("common/README.md", "# common\n");
        std::fs::write(self.directory.path().join("outside.txt"), HIDDEN).unwrap();
    }

    pub fn root(&self) -> PathBuf {
        self.directory.path().join("files")
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    pub fn make_directory(&self, path: &str) {
        std::fs::create_dir_all(self.path(path)).unwrap();
    }

    pub fn write(&self, path: &str, contents: impl AsRef<[u8]>) {
        std::fs::write(self.path(path), contents).unwrap();
    }

    /// Sets when something's contents were changed last, in seconds and nanoseconds since 1970; of a link, the link's.
    pub fn set_modified(&self, path: impl AsRef<Path>, seconds: i64, nanoseconds: i64) {
        let time = rustix::fs::Timespec {
            tv_sec: seconds,
            tv_nsec: nanoseconds,
        };
        let times = rustix::fs::Timestamps {
            last_access: time,
            last_modification: time,
        };
        let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
        rustix::fs::utimensat(rustix::fs::CWD, self.root().join(path), &times, flags).unwrap();
    }

    pub fn link(&self, path: &str, target: impl AsRef<Path>) {
        symlink(target, self.path(path)).unwrap();
    }

    /// Links that lead out of alice's folder by every way there is, and a FIFO.
    pub fn plant_traps(&self) {
        self.link("alice/shadow", "/etc/shadow");
        self.link("alice/passwd", "/etc/passwd");
        self.link("alice/slash", "/");
        self.link("alice/up", "..");
        self.link("alice/outside", "../../outside.txt");
        self.link("alice/bobs", "../bob");
        self.link("alice/bobs-file", "../bob/secret.txt");
        self.link("alice/bobs-absolute", self.path("bob/secret.txt"));
        self.link("alice/own-absolute", self.path("alice/README.md"));
        self.link("alice/through-models", "models/../../bob/secret.txt");
        self.link("alice/proc", "/proc/self/root");
        self.link("alice/round", "round");
        self.link("common/to-bob", "../bob");
        make_fifo(&self.path("alice/fifo"));
    }

    /// Alice's folder and the shared one anew, traps and all.
    pub fn replant(&self) {
        for folder in ["alice", "common"] {
            let _ = std::fs::remove_dir_all(self.path(folder));
        }
        self.lay_out();
        self.plant_traps();
    }

    /// The server over this library as v0.2 has it: everything, for everyone.
    pub fn serve(&self) -> Server {
        self.serve_with("", &["--no-auth"])
    }

    /// The server as it stands behind the gateway.
    pub fn serve_users(&self) -> Server {
        self.serve_users_with(&[])
    }

    /// The server as it stands behind the gateway, with more flags.
    pub fn serve_users_with(&self, flags: &[&str]) -> Server {
        Server::start(self.behind_the_gateway(lib_serve(), flags))
    }

    /// The server as it stands behind the gateway, begun by another command.
    pub fn serve_users_by(&self, command: Command) -> Server {
        Server::start(self.behind_the_gateway(command, &[]))
    }

    /// How the server is started that stands behind the gateway.
    pub fn behind_the_gateway(&self, command: Command, flags: &[&str]) -> Command {
        let secret = self.directory.path().join("gateway-secret");
        std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
        let gateway = ["--gateway-secret-file", secret.to_str().unwrap()];
        self.command(command, "", &[&gateway, flags].concat())
    }

    /// The server with more settings and flags.
    pub fn serve_with(&self, settings: &str, flags: &[&str]) -> Server {
        Server::start(self.command(lib_serve(), settings, flags))
    }

    fn command(&self, mut command: Command, settings: &str, flags: &[&str]) -> Command {
        let file = self.directory.path().join("lib.env");
        let root = self.root();
        let settings = format!("LOCAL_PATH='{}'\n{settings}", root.display());
        std::fs::write(&file, settings).unwrap();
        command.arg("--env-file").arg(&file).args(flags);
        command.args(["--listen", "127.0.0.1:0"]);
        command
    }
}

/// `dtaas lib serve` with nothing in its environment.
pub fn lib_serve() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dtaas"));
    command.args(["lib", "serve"]).env_clear();
    command
}

pub fn make_fifo(path: &Path) {
    let mode = rustix::fs::Mode::from_raw_mode(0o644);
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
}

/// A running server; it ends with the test.
pub struct Server {
    child: Child,
    /// What it said first: that it serves,
    pub ready: String,
    /// and what came before that.
    pub said: Vec<String>,
    /// Where it answers.
    pub url: String,
    lines: Receiver<String>,
    /// Keeps connections to it.
    pub client: reqwest::Client,
}

impl Server {
    /// Starts it, and waits until it says that it serves.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut said = Vec::new();
        let ready = loop {
            match lines.recv_timeout(PATIENCE) {
                Ok(line) if line.starts_with("library: serving ") => break line,
                Ok(line) => said.push(line),
                Err(_) => panic!("the server did not start: {said:?}"),
            }
        };
        let url = ready.rsplit(' ').next().unwrap().to_owned();
        Self {
            child,
            ready,
            said,
            url,
            lines,
            client: client(),
        }
    }

    /// `127.0.0.1:` and the port.
    pub fn address(&self) -> String {
        let url = reqwest::Url::parse(&self.url).unwrap();
        format!("127.0.0.1:{}", url.port().unwrap())
    }

    /// The path of its endpoint.
    pub fn path(&self) -> String {
        reqwest::Url::parse(&self.url).unwrap().path().to_owned()
    }

    /// Another path of the same server.
    pub fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A line that it said before it served, or else the next line of its log, that holds `part`.
    pub fn logged(&self, part: &str) -> String {
        if let Some(line) = self.said.iter().find(|line| line.contains(part)) {
            return line.clone();
        }
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap();
            if line.contains(part) {
                return line;
            }
        }
    }

    /// What it said and nobody has looked at, once it has ended.
    pub fn rest(&self) -> Vec<String> {
        self.lines.iter().collect()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// POSTs a JSON body as it is.
    pub async fn post(&self, body: impl Into<reqwest::Body>) -> Reply {
        self.post_as(body, &[]).await
    }

    /// POSTs a JSON body with more headers.
    pub async fn post_as(&self, body: impl Into<reqwest::Body>, headers: &[(&str, &str)]) -> Reply {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        let request = self
            .client
            .post(&self.url)
            .header("Content-Type", "application/json")
            .headers(map)
            .body(body);
        Reply::of(request).await
    }

    /// Asks a question.
    pub async fn ask(&self, query: &str, variables: Value) -> Reply {
        self.post(question(query, variables)).await
    }

    /// Asks in the name of a user, as the gateway does.
    pub async fn ask_as(&self, user: &str, query: &str, variables: Value) -> Reply {
        let headers = [("X-Dtaas-Gateway", SECRET), ("X-Forwarded-User", user)];
        self.post_as(question(query, variables), &headers).await
    }

    /// GETs with `?query=…`.
    pub async fn get(&self, parameters: &[(&str, &str)]) -> Reply {
        let url = reqwest::Url::parse_with_params(&self.url, parameters).unwrap();
        Reply::of(self.client.get(url)).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client that waits as long as something comes.
pub fn client() -> reqwest::Client {
    // Built with TLS, a client wants to know whose; this one does not use it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .read_timeout(PATIENCE)
        .build()
        .unwrap()
}

/// The body of a question.
pub fn question(query: &str, variables: Value) -> String {
    json!({"query": query, "variables": variables}).to_string()
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Reply {
    pub async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        Self {
            status,
            headers,
            text,
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The status and the code of the first error, or `ok`.
    pub fn code(&self) -> String {
        let json = self.json();
        let code = json["errors"][0]["extensions"]["code"].as_str();
        format!("{} {}", self.status, code.unwrap_or("ok"))
    }
}

/// Lists the names of a directory.
pub const LIST: &str = "query($path: String!) { listDirectory(path: $path) { repository { tree {
    trees { edges { node { name } } } blobs { edges { node { name } } } } } } }";

/// Reads a file.
pub const READ: &str = "query($path: String!) { readFile(path: $path) { repository {
    blobs { nodes { name rawBlob rawTextBlob } } } } }";

/// Of an answer to [`LIST`]: `trees | blobs`, or status and code.
pub fn names(reply: &Reply) -> String {
    let json = reply.json();
    let tree = &json["data"]["listDirectory"]["repository"]["tree"];
    let list = |kind: &str| -> Option<String> {
        let edges = tree[kind]["edges"].as_array()?;
        let names = edges.iter().map(|e| e["node"]["name"].as_str().unwrap());
        Some(names.collect::<Vec<_>>().join(", "))
    };
    match (list("trees"), list("blobs")) {
        (Some(trees), Some(blobs)) => format!("{trees} | {blobs}"),
        _ => reply.code(),
    }
}

/// Of an answer to [`READ`]: the text, or status and code.
pub fn text(reply: &Reply) -> String {
    let json = reply.json();
    let node = &json["data"]["readFile"]["repository"]["blobs"]["nodes"][0];
    match node["rawBlob"].as_str() {
        Some(text) => text.to_owned(),
        None => reply.code(),
    }
}
