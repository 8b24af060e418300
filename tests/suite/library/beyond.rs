//! What goes beyond v0.2: what is known of an entry, a file's bytes, a directory's README.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use serde_json::{Value, json};

use super::fixture::{Library, Server, make_fifo};

/// The SHA-256 of `k = 1\n`, by sha256sum.
const SPRING: &str = "df378274136ce1ccd5099fdde388d0d4ccc45f4dfef8355844a18fc52b833829";
/// The SHA-256 of nothing.
const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Asks for `fields` of a directory's tree.
async fn tree(server: &Server, path: &str, fields: &str) -> Value {
    let query = format!(
        "query($path: String!) {{ listDirectory(path: $path) {{ repository {{ tree {{ {fields} }} }} }} }}"
    );
    let json = server.ask(&query, json!({ "path": path })).await.json();
    match json.get("errors") {
        None => json["data"]["listDirectory"]["repository"]["tree"].clone(),
        Some(_) => json,
    }
}

/// Asks for `fields` of a file.
async fn file(server: &Server, path: &str, fields: &str) -> Value {
    let query = format!(
        "query($path: String!) {{ readFile(path: $path) {{ repository {{ blobs {{ nodes {{ {fields} }} }} }} }} }}"
    );
    let json = server.ask(&query, json!({ "path": path })).await.json();
    match json.get("errors") {
        None => json["data"]["readFile"]["repository"]["blobs"]["nodes"][0].clone(),
        Some(errors) => json!([errors[0]["extensions"]["code"], errors[0]["message"]]),
    }
}

#[tokio::test]
async fn a_listing_tells_what_is_known_of_each_entry() {
    let library = Library::new();
    let models = library.path("alice/models");
    library.write("alice/models/b.png", b"\x89PNG\r\n\x1a\n");
    library.write("alice/models/empty.fmu", "");
    std::fs::write(models.join(OsStr::from_bytes(b"caf\xe9.csv")), "k = 1\n").unwrap();
    library.link("alice/models/link.txt", "spring.txt");
    library.link("alice/models/out.txt", "../../bob/secret.txt");
    make_fifo(&library.path("alice/models/fifo"));
    library.make_directory("alice/models/sub");
    library.set_modified("alice/models/sub", 0, 0);
    for name in [
        "b.png",
        "empty.fmu",
        "link.txt",
        "out.txt",
        "fifo",
        "spring.txt",
    ] {
        library.set_modified(format!("alice/models/{name}"), 1_750_000_000, 250_000_000);
    }
    let strange = OsStr::from_bytes(b"alice/models/caf\xe9.csv");
    library.set_modified(strange, -1, 5);
    let server = library.serve_users();
    let query = "{ listDirectory(path: \"alice/models\") { repository { tree {
        blobs { edges { node { name type path size modified mediaType sha256 } } }
        trees { edges { node { name type path modified } } } } } } }";

    let reply = server.ask_as("alice", query, json!({})).await;

    let blob = |name: &str, size: Value, kind: &str, sha256: Value| {
        json!({"node": {
            "name": name,
            "type": "blob",
            "path": format!("alice/models/{name}"),
            "size": size,
            "modified": "2025-06-15T15:06:40.25Z",
            "mediaType": kind,
            "sha256": sha256,
        }})
    };
    let marked = "caf\u{fffd}.csv (not UTF-8: 636166e92e637376)";
    let mut strange = blob(marked, json!("6"), "text/csv; charset=utf-8", json!(SPRING));
    strange["node"]["modified"] = json!("1969-12-31T23:59:59.000000005Z");
    let png = "4c4b6a3be1314ab86138bef4314dde022e600960d8689a2c8f8631802d20dab6";
    let text = "text/plain; charset=utf-8";
    let expected = json!({"data": {"listDirectory": {"repository": {"tree": {
        "blobs": {"edges": [
            blob("b.png", json!("8"), "image/png", json!(png)),
            strange,
            blob("empty.fmu", json!("0"), "application/x-fmu+zip", json!(NOTHING)),
            blob("fifo", Value::Null, "application/octet-stream", Value::Null),
            blob("link.txt", Value::Null, text, Value::Null),
            blob("out.txt", Value::Null, text, Value::Null),
            blob("spring.txt", json!("6"), text, json!(SPRING)),
        ]},
        "trees": {"edges": [{"node": {
            "name": "sub",
            "type": "tree",
            "path": "alice/models/sub",
            "modified": "1970-01-01T00:00:00Z",
        }}]},
    }}}}});
    assert_eq!((reply.status, reply.json()), (200, expected));
    for path in ["bob", "bob/models"] {
        let query = query.replace("alice/models", path);
        let reply = server.ask_as("alice", &query, json!({})).await;
        assert_eq!(reply.code(), "200 NOT_FOUND");
    }
    let top = "{ listDirectory(path: \"\") { repository { tree { trees { edges { node { path modified } } } } } } }";
    library.set_modified("alice", 1, 0);
    library.set_modified("common", 2, 0);
    let reply = server.ask_as("alice", top, json!({})).await;
    assert_eq!(
        reply.json()["data"]["listDirectory"]["repository"]["tree"],
        json!({"trees": {"edges": [
            {"node": {"path": "alice", "modified": "1970-01-01T00:00:01Z"}},
            {"node": {"path": "common", "modified": "1970-01-01T00:00:02Z"}},
        ]}})
    );
}

#[tokio::test]
async fn a_size_may_be_beyond_32_bits_and_a_digest_beyond_what_one_request_may_read() {
    let library = Library::new();
    let large = std::fs::File::create(library.path("alice/data/large.bin")).unwrap();
    large.set_len(5_000_000_000).unwrap();
    library.write("alice/data/small.txt", "k = 1\n");
    let server = library.serve();

    let reply = tree(
        &server,
        "alice/data",
        "blobs { edges { node { size sha256 } } }",
    )
    .await;

    let address = "files/alice/data/large.bin";
    assert_eq!(
        reply,
        json!({
            "data": {"listDirectory": {"repository": {"tree": {"blobs": {"edges": [
                {"node": {"size": "5000000000", "sha256": null}},
                {"node": {"size": "6", "sha256": SPRING}},
            ]}}}}},
            "errors": [{
                "message": format!("\"alice/data/large.bin\" is too large for an answer: the limit is 2147483648 bytes; the file itself is at {address} below this address"),
                "locations": [{"line": 1, "column": 102}],
                "path": ["listDirectory", "repository", "tree", "blobs", "edges", 0, "node", "sha256"],
                "extensions": {"code": "TOO_LARGE"},
            }],
        })
    );
    assert_eq!(
        file(&server, "alice/data/large.bin", "size mediaType").await,
        json!({"size": "5000000000", "mediaType": "application/octet-stream"})
    );
    for fields in ["sha256", "isText"] {
        let reply = file(&server, "alice/data/large.bin", fields).await;
        assert_eq!(reply[0], "TOO_LARGE", "{fields}");
    }
}

#[tokio::test]
async fn a_file_that_is_not_text_says_so_and_can_be_had_all_the_same() {
    let library = Library::new();
    library.make_directory("alice/digital twins/a%b");
    let path = "alice/digital twins/a%b/x.png";
    library.write(path, b"\x89PNG\r\n\x1a\n");
    library.set_modified(path, 1_750_000_000, 0);
    let server = library.serve();

    for field in ["rawBlob", "rawTextBlob", "name size rawBlob"] {
        assert_eq!(
            file(&server, path, field).await,
            json!([
                "NOT_TEXT",
                "\"alice/digital twins/a%b/x.png\" is not UTF-8 text; the file itself is at files/alice/digital%20twins/a%25b/x.png below this address",
            ])
        );
    }
    let fields = "name path size modified mediaType sha256 isText base64EncodedBlob";
    let expected = json!({
        "name": "x.png",
        "path": path,
        "size": "8",
        "modified": "2025-06-15T15:06:40Z",
        "mediaType": "image/png",
        "sha256": "4c4b6a3be1314ab86138bef4314dde022e600960d8689a2c8f8631802d20dab6",
        "isText": false,
        "base64EncodedBlob": "iVBORw0KGgo=",
    });
    assert_eq!(file(&server, path, fields).await, expected);
    let fields = "sha256 isText";
    assert_eq!(
        file(&server, path, fields).await,
        json!({"sha256": expected["sha256"], "isText": false})
    );
}

#[tokio::test]
async fn a_text_is_trimmed_and_its_bytes_are_not() {
    let library = Library::new();
    library.write("alice/marked.txt", "\u{feff} one\n");
    let server = library.serve();
    let fields = "rawBlob rawTextBlob base64EncodedBlob size isText sha256";
    assert_eq!(
        file(&server, "alice/marked.txt", fields).await,
        json!({
            "rawBlob": "one",
            "rawTextBlob": "one",
            "base64EncodedBlob": "77u/IG9uZQo=",
            "size": "8",
            "isText": true,
            "sha256": "f6f1705860e901c2bfc58dd054539a50c089a1a0f318250d94a7911f7e158e57",
        })
    );
}

#[tokio::test]
async fn what_is_too_large_for_an_answer_names_the_other_way() {
    let library = Library::new();
    library.write("alice/large.txt", vec![b'x'; 70_000]);
    let server = library.serve_with("", &["--no-auth", "--max-file", "64k"]);
    for field in ["rawBlob", "base64EncodedBlob"] {
        assert_eq!(
            file(&server, "alice/large.txt", field).await,
            json!([
                "TOO_LARGE",
                "\"alice/large.txt\" is too large for an answer: the limit is 65536 bytes; the file itself is at files/alice/large.txt below this address",
            ])
        );
    }
    // It is looked through in pieces, whatever its size.
    assert_eq!(
        file(&server, "alice/large.txt", "size isText").await,
        json!({"size": "70000", "isText": true})
    );
}

#[tokio::test]
async fn an_etag_is_that_of_the_file_over_http() {
    let library = Library::new();
    let server = library.serve();
    let url = server.at("/lib/files/alice/models/spring.txt");
    // The tag of a file that was written a moment ago is a weak one.
    library.set_modified("alice/models/spring.txt", 5, 0);
    let (here, there) = loop {
        let here = file(&server, "alice/models/spring.txt", "etag").await["etag"].clone();
        let there = super::fixture::client().head(&url).send().await.unwrap();
        let there = there.headers()["etag"].to_str().unwrap().to_owned();
        if !there.starts_with("W/") {
            break (here, there);
        }
    };
    let here = here.as_str().unwrap();
    assert_eq!(here.trim_start_matches("W/"), there);
}

#[tokio::test]
async fn a_directory_shows_its_readme() {
    let library = Library::new();
    for (path, text) in [
        ("alice/README.md", "# exact\n"),
        ("alice/Readme.md", "# other\n"),
        ("alice/data/readme.MD", "# lower\n"),
    ] {
        library.write(path, text);
    }
    library.make_directory("alice/functions/README.md");
    make_fifo(&library.path("alice/tools/README.md"));
    library.write("common/README.md", b"\xff");
    library.link("bob/README.md", "../alice/README.md");
    library.link("alice/models/README.md", "spring.txt");
    let server = library.serve();
    let readme = async |path| tree(&server, path, "readme { name path rawBlob size }").await;
    let shown = |path: &str, text: &str, size: &str| {
        let (_, name) = path.rsplit_once('/').unwrap();
        json!({"readme": {"name": name, "path": path, "rawBlob": text, "size": size}})
    };
    assert_eq!(
        readme("alice").await,
        shown("alice/README.md", "# exact", "8")
    );
    assert_eq!(
        readme("/alice//data/").await,
        shown("alice/data/readme.MD", "# lower", "8")
    );
    assert_eq!(
        readme("alice/models").await,
        shown("alice/models/README.md", "k = 1", "6")
    );
    for path in ["", "alice/functions", "alice/tools", "alice/digital twins"] {
        assert_eq!(readme(path).await, json!({"readme": null}), "{path}");
    }
    for (path, code) in [("common", "NOT_TEXT"), ("bob", "FORBIDDEN")] {
        let reply = readme(path).await;
        assert_eq!(
            reply["data"],
            json!({"listDirectory": {"repository": {"tree": {"readme": null}}}})
        );
        let error = &reply["errors"][0];
        assert_eq!(error["extensions"]["code"], code);
        assert_eq!(
            error["path"],
            json!(["listDirectory", "repository", "tree", "readme"])
        );
    }
    // What is known of one can be had where its text cannot.
    assert_eq!(
        tree(&server, "common", "readme { size isText }").await,
        json!({"readme": {"size": "1", "isText": false}})
    );
}

#[tokio::test]
async fn what_is_asked_for_often_counts_often() {
    let library = Library::new();
    library.write("alice/text.txt", vec![b'x'; 1000]);
    for n in 0..10 {
        library.write(&format!("alice/data/{n}"), "");
    }
    let server = library.serve_with("", &["--no-auth", "--max-answer", "4k"]);
    let times = |times: usize, field: &str| -> String {
        (0..times).map(|n| format!("a{n}: {field} ")).collect()
    };
    // 1000 bytes are 1336 in base64.
    let fields = times(3, "base64EncodedBlob");
    let reply = file(&server, "alice/text.txt", &fields).await;
    assert_eq!(reply["a2"].as_str().map(str::len), Some(1336));
    let fields = times(4, "base64EncodedBlob");
    assert_eq!(
        file(&server, "alice/text.txt", &fields).await[0],
        "TOO_LARGE"
    );
    // Ten names of one byte count for 33 bytes each.
    for (fields, fits) in [
        (times(12, "name"), true),
        (times(13, "name"), false),
        (times(15, "size"), true),
        (times(16, "size"), false),
        (times(9, "path"), false),
        (times(5, "sha256"), false),
    ] {
        let fields = format!("blobs {{ edges {{ node {{ {fields} }} }} }}");
        let reply = tree(&server, "alice/data", &fields).await;
        assert_eq!(reply.get("errors").is_none(), fits, "{fields}: {reply}");
    }
}
