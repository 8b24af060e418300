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
async fn values_and_errors_count_as_often_as_they_are_asked_for() {
    let library = Library::new();
    for number in 0..100 {
        library.write(&format!("alice/data/found-{number:02}"), "");
    }
    // More than may be read for one question: it has no digest.
    let large = std::fs::File::create(library.path("alice/models/large")).unwrap();
    large.set_len(3 << 30).unwrap();
    let server = library.serve_with("", &["--no-auth", "--max-answer", "400k"]);
    let fields = |name: &str, times: usize| -> String {
        (0..times).map(|n| format!("a{n}: {name} ")).collect()
    };
    let search = |times: usize| {
        let fields = fields("name", times);
        format!(
            "{{ search(path: \"alice/data\", name: \"found\") {{ edges {{ node {{ {fields} }} }} }} }}"
        )
    };
    assert_eq!(server.ask(&search(5), json!({})).await.code(), "200 ok");
    assert_eq!(
        server.ask(&search(20), json!({})).await.code(),
        "200 TOO_LARGE"
    );

    let server = library.serve_with("", &["--no-auth", "--max-answer", "40k"]);
    let found = async |question: &str, times: usize| {
        let fields = fields("sha256", times);
        let question = match question {
            "search" => format!(
                "{{ search(path: \"alice/models\", name: \"large\") {{ edges {{ node {{ ... on Blob {{ {fields} }} }} }} }} }}"
            ),
            _ => format!(
                "{{ listDirectory(path: \"alice/models\") {{ repository {{ tree {{ blobs {{ edges {{ node {{ {fields} }} }} }} }} }} }} }}"
            ),
        };
        let json = server.ask(&question, json!({})).await.json();
        let errors: &Vec<Value> = json["errors"].as_array().unwrap();
        (
            errors.len(),
            errors[0]["message"].as_str().unwrap().to_owned(),
        )
    };
    for question in ["search", "list"] {
        let (errors, said) = found(question, 20).await;
        assert_eq!(errors, 20, "{said}");
        assert!(said.contains("too large for an answer"), "{said}");
        let (errors, said) = found(question, 50).await;
        assert_eq!(errors, 1, "{said}");
        assert!(said.contains("would make the answer too large"), "{said}");
    }
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
    // What JSON writes longer counts as long as it is written.
    library.write("alice/text.txt", vec![1; 1000]);
    assert_eq!(
        server.ask(&read(1), json!({})).await.code(),
        "200 TOO_LARGE"
    );
    library.write("alice/text.txt", vec![b'x'; 1000]);
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
