//! What is too much.

use serde_json::{Value, json};

use super::fixture::{Library, Reply, client};

#[tokio::test]
async fn only_json_of_a_bounded_size_is_taken() {
    let library = Library::new();
    let server = library.serve();
    let padded = |size: usize| {
        let body = r#"{"query": "{__typename}"}"#;
        format!("{body}{}", " ".repeat(size - body.len()))
    };
    assert_eq!(server.post(padded(100 * 1024)).await.code(), "200 ok");
    assert_eq!(
        server.post(padded(100 * 1024 + 1)).await.code(),
        "413 TOO_LARGE"
    );
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    ] {
        let request = client().post(&server.url).header("Content-Type", kind);
        let reply = Reply::of(request.body(padded(100))).await;
        assert_eq!(reply.code(), "415 BAD_REQUEST", "{kind}");
    }
    let reply = Reply::of(client().delete(&server.url)).await;
    assert_eq!(reply.code(), "405 BAD_REQUEST");
    assert_eq!(reply.headers["allow"], "GET, POST");

    let small = library.serve_with("", &["--no-auth", "--max-body", "1k"]);
    assert_eq!(small.post(padded(1025)).await.code(), "413 TOO_LARGE");
}

#[tokio::test]
async fn costly_questions_are_refused() {
    let library = Library::new();
    library.write("alice/text.txt", vec![b'x'; 1000]);
    let server = library.serve_with("", &["--no-auth", "--max-answer", "3k"]);
    let read = |times: usize| {
        let fields: String = (0..times).map(|n| format!("a{n}: rawBlob ")).collect();
        format!(
            "{{ readFile(path: \"alice/text.txt\") {{ repository {{ blobs {{ nodes {{ {fields} }} }} }} }} }}"
        )
    };
    assert_eq!(server.ask(&read(3), json!({})).await.code(), "200 ok");
    assert_eq!(
        server.ask(&read(4), json!({})).await.code(),
        "200 TOO_LARGE"
    );
    let twice = json!([{"query": read(2)}, {"query": read(2)}]);
    let answers = server.post(twice.to_string()).await.json();
    assert_eq!(answers[1]["errors"][0]["extensions"]["code"], "TOO_LARGE");

    let deep = json!({"query": "{a".repeat(50_000)}).to_string();
    assert_eq!(server.post(deep).await.code(), "400 GRAPHQL_PARSE_FAILED");
    let nested = format!("{{a(x:{}1{})}}", "[".repeat(61), "]".repeat(61));
    let nested = json!({ "query": nested }).to_string();
    assert_eq!(
        server.post(nested).await.code(),
        "400 GRAPHQL_VALIDATION_FAILED"
    );
    let json = "[".repeat(90_000);
    assert_eq!(server.post(json).await.code(), "400 BAD_REQUEST");
    let batch: Vec<Value> = (0..51).map(|_| json!({"query": "{__typename}"})).collect();
    assert_eq!(
        server.post(json!(batch).to_string()).await.code(),
        "400 BAD_REQUEST"
    );
    assert_eq!(server.ask("{__typename}", json!({})).await.code(), "200 ok");
}
