//! What the server has counted.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::fixture::{LIST, Library, READ, Reply, SECRET, Server, client, lib_serve};

async fn metrics(server: &Server) -> String {
    let reply = Reply::of(client().get(server.at("/metrics"))).await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.headers["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    reply.text
}

/// The samples: name and labels, and the value.
fn samples(text: &str) -> BTreeMap<String, f64> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
        .collect()
}

#[tokio::test]
async fn requests_are_counted_by_what_became_of_them() {
    let library = Library::new();
    let server = library.serve_users();
    server.ask_as("alice", LIST, json!({"path": "alice"})).await;
    server.ask_as("bob", LIST, json!({"path": "bob"})).await;
    server
        .ask_as("alice", READ, json!({"path": "bob/secret.txt"}))
        .await;
    server.ask_as("alice", "{", json!({})).await;
    server.ask(LIST, json!({"path": "alice"})).await;
    Reply::of(client().get(server.at("/elsewhere"))).await;

    let text = metrics(&server).await;
    let counted = samples(&text);
    for (sample, count) in [
        (
            "dtaas_library_requests_total{kind=\"graphql\",status=\"200\"}",
            3.0,
        ),
        (
            "dtaas_library_requests_total{kind=\"graphql\",status=\"400\"}",
            1.0,
        ),
        (
            "dtaas_library_requests_total{kind=\"graphql\",status=\"401\"}",
            1.0,
        ),
        (
            "dtaas_library_requests_total{kind=\"other\",status=\"401\"}",
            1.0,
        ),
        (
            "dtaas_library_request_duration_seconds_count{kind=\"graphql\"}",
            5.0,
        ),
        (
            "dtaas_library_request_duration_seconds_bucket{kind=\"graphql\",le=\"+Inf\"}",
            5.0,
        ),
        ("dtaas_library_refusals_total{code=\"NOT_FOUND\"}", 1.0),
        (
            "dtaas_library_refusals_total{code=\"GRAPHQL_PARSE_FAILED\"}",
            1.0,
        ),
        (
            "dtaas_library_refusals_total{code=\"UNAUTHENTICATED\"}",
            2.0,
        ),
        ("dtaas_library_requests_in_flight{kind=\"graphql\"}", 0.0),
        ("dtaas_build_info{version=\"0.1.0\"}", 1.0),
    ] {
        assert_eq!(counted.get(sample), Some(&count), "{sample}\n{text}");
    }
    for (sample, least) in [
        ("process_resident_memory_bytes", 1e6),
        ("process_open_fds", 3.0),
        ("process_start_time_seconds", 1.7e9),
    ] {
        assert!(counted[sample] >= least, "{sample}\n{text}");
    }
    // Nobody's name, and no path.
    for word in ["alice", "bob", "secret", "elsewhere"] {
        assert!(!text.contains(word), "{word}\n{text}");
    }
}

/// Every line is one that the format has, every sample belongs to the family above it, and no family comes twice
/// (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
#[tokio::test]
async fn they_are_in_prometheus_text_format() {
    let library = Library::new();
    let server = library.serve();
    server.ask(LIST, json!({"path": "alice"})).await;
    let text = metrics(&server).await;
    assert!(text.ends_with('\n'));
    let mut families = BTreeSet::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let help = line
            .strip_prefix("# HELP ")
            .unwrap_or_else(|| panic!("{line}"));
        let (family, _) = help.split_once(' ').unwrap();
        assert!(families.insert(family.to_owned()), "{family} comes twice");
        let kind = lines.next().unwrap();
        let kind = kind.strip_prefix(&format!("# TYPE {family} ")).unwrap();
        assert!(["counter", "gauge", "histogram"].contains(&kind), "{kind}");
        while let Some(sample) = lines.next_if(|line| !line.starts_with('#')) {
            let (name, value) = sample.rsplit_once(' ').unwrap();
            value.parse::<f64>().unwrap();
            let bare = name.split('{').next().unwrap();
            let rest = bare
                .strip_prefix(family)
                .unwrap_or_else(|| panic!("{sample}"));
            match kind {
                "histogram" => assert!(["_bucket", "_sum", "_count"].contains(&rest), "{sample}"),
                _ => assert_eq!(rest, "", "{sample}"),
            }
        }
    }
}

#[tokio::test]
async fn nothing_below_the_endpoint_leads_to_them() {
    let library = Library::new();
    let server = library.serve_users();
    for path in ["/lib/metrics", "/lib/../metrics", "//metrics", "/metrics/"] {
        // As it stands: a client would resolve the path first.
        let mut connection = TcpStream::connect(server.address()).await.unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        connection.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 401 "), "{path}: {answer}");
        assert!(!answer.contains("dtaas_library"), "{path}: {answer}");
    }
}

/// Where other machines reach the server, what guards the library guards this as well.
#[tokio::test]
async fn other_machines_do_not_get_them() {
    let library = Library::new();
    let everywhere = |flags: &[&str]| {
        let mut command = lib_serve();
        command.env("LOCAL_PATH", library.root()).args(flags);
        command.args(["--listen", "0.0.0.0:0"]);
        Server::start(command)
    };
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), SECRET).unwrap();
    let guarded = everywhere(&["--gateway-secret-file", secret.path().to_str().unwrap()]);
    let reply = Reply::of(client().get(guarded.at("/metrics"))).await;
    assert_eq!(reply.code(), "401 UNAUTHENTICATED");
    metrics(&everywhere(&["--no-auth"])).await;
}
