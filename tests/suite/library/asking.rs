//! Questions as v0.2's clients ask them, and the answers they expect.

use std::sync::Arc;

use serde_json::{Value, json};

use super::fixture::{LIST, Library, READ, Reply, client, names, question, text};

#[tokio::test]
async fn the_documented_listing() {
    let library = Library::new();
    let server = library.serve();
    let query = r#"query {
        listDirectory(path: "alice") {
            repository {
                tree {
                    blobs { edges { node { name type } } }
                    trees { edges { node { name type } } }
                }
            }
        }
    }"#;
    let reply = server.ask(query, json!({})).await;
    let tree = |name| json!({"node": {"name": name, "type": "tree"}});
    assert_eq!(
        (reply.status, reply.json()),
        (
            200,
            json!({"data": {"listDirectory": {"repository": {"tree": {
                "blobs": {"edges": [{"node": {"name": "README.md", "type": "blob"}}]},
                "trees": {"edges": [
                    tree("common"),
                    tree("data"),
                    tree("digital twins"),
                    tree("functions"),
                    tree("models"),
                    tree("tools"),
                ]},
            }}}}})
        )
    );
}

#[tokio::test]
async fn the_documented_read() {
    let library = Library::new();
    let server = library.serve();
    let query = r#"query {
        readFile(path: "alice/models/spring.txt") {
            repository { blobs { nodes { name rawBlob rawTextBlob } } }
        }
    }"#;
    let reply = server.ask(query, json!({})).await;
    assert_eq!(
        (reply.status, reply.text.as_str()),
        (
            200,
            r#"{"data":{"readFile":{"repository":{"blobs":{"nodes":[{"name":"spring.txt","rawBlob":"k = 1","rawTextBlob":"k = 1"}]}}}}}"#
        )
    );
}

#[tokio::test]
async fn the_other_answers_field_is_null() {
    let library = Library::new();
    let server = library.serve();
    let query = r#"{
        listDirectory(path: "bob/data") { repository { tree { trees { edges { node { name } } } } blobs { nodes { name } } } }
        readFile(path: "common/README.md") { repository { tree { trees { edges { node { name } } } } blobs { nodes { name } } } }
    }"#;
    let reply = server.ask(query, json!({})).await;
    assert_eq!(
        reply.json(),
        json!({"data": {
            "listDirectory": {"repository": {"tree": {"trees": {"edges": []}}, "blobs": null}},
            "readFile": {"repository": {"tree": null, "blobs": {"nodes": [{"name": "README.md"}]}}},
        }})
    );
}

#[tokio::test]
async fn variables_fragments_aliases_directives_and_operation_names() {
    let library = Library::new();
    let server = library.serve();
    let query = "query One($path: String!, $no: Boolean = false) {
            first: readFile(path: $path) { ...file }
            second: listDirectory(path: $path) @include(if: $no) { __typename }
        }
        query Two { listDirectory(path: \"\") { __typename } }
        fragment file on Project { repository { blobs { nodes { ... on RepositoryBlob { text: rawBlob } } } } }";
    let body = json!({
        "query": query,
        "operationName": "One",
        "variables": {"path": "alice/README.md", "unused": [1, {"a": null}]},
        "extensions": {},
    });
    let one =
        json!({"data": {"first": {"repository": {"blobs": {"nodes": [{"text": "# alice"}]}}}}});
    assert_eq!(server.post(body.to_string()).await.json(), one);
    let variables = r#"{"path": "alice/README.md"}"#;
    let get = [
        ("query", query),
        ("operationName", "One"),
        ("variables", variables),
    ];
    assert_eq!(server.get(&get).await.json(), one);
    assert_eq!(
        server
            .get(&[("query", query), ("operationName", "Two")])
            .await
            .json(),
        json!({"data": {"listDirectory": {"__typename": "Project"}}})
    );
}

#[tokio::test]
async fn the_answer_has_the_order_of_the_question_and_nothing_where_a_field_fails() {
    let library = Library::new();
    let server = library.serve();
    let ask = async |query: &str| server.ask(query, json!({})).await.text;
    // The introspection has it answered by another way than the rest.
    for kind in ["", "__schema { queryType { name } }"] {
        let query = format!(
            "{{ listDirectory(path: \"alice/data\") {{ __typename }} {kind} one: __typename }}"
        );
        let schema = match kind {
            "" => "",
            _ => r#""__schema":{"queryType":{"name":"Query"}},"#,
        };
        let expected = format!(
            r#"{{"data":{{"listDirectory":{{"__typename":"Project"}},{schema}"one":"Query"}}}}"#
        );
        assert_eq!(ask(&query).await, expected);
        let query = format!(
            "{{ {kind} a: readFile(path: \"alice/README.md\") {{ __typename }} b: readFile(path: \"x\") {{ __typename }} }}"
        );
        let answer: Value = serde_json::from_str(&ask(&query).await).unwrap();
        assert_eq!(answer["data"], Value::Null);
        assert_eq!(answer["errors"].as_array().map(Vec::len), Some(1));
        assert_eq!(answer["errors"][0]["path"], json!(["b"]));
    }
    let default = "query($yes: Boolean = true) { listDirectory(path: \"\") @include(if: $yes) { __typename } }";
    let expected = r#"{"data":{"listDirectory":{"__typename":"Project"}}}"#;
    assert_eq!(ask(default).await, expected);
}

#[tokio::test]
async fn an_array_of_questions_gets_an_array_of_answers() {
    let library = Library::new();
    let server = library.serve();
    let body = json!([
        {"query": READ, "variables": {"path": "alice/README.md"}},
        {"query": READ, "variables": {"path": "alice/none"}},
        {"query": "{"},
        {},
    ]);
    let reply = server.post(body.to_string()).await;
    let answers = reply.json();
    assert_eq!(reply.status, 200);
    assert_eq!(answers.as_array().map(Vec::len), Some(4));
    assert_eq!(
        answers[0]["data"]["readFile"]["repository"]["blobs"]["nodes"][0]["rawBlob"],
        "# alice"
    );
    let codes = [1, 2, 3].map(|n: usize| answers[n]["errors"][0]["extensions"]["code"].clone());
    assert_eq!(codes, ["NOT_FOUND", "GRAPHQL_PARSE_FAILED", "BAD_REQUEST"]);
}

#[tokio::test]
async fn what_is_not_there_is_told_without_the_machines_paths() {
    let library = Library::new();
    let server = library.serve();
    let reply = server
        .ask(
            "{ readFile(path: \"/alice//none.txt\") { __typename } }",
            json!({}),
        )
        .await;
    assert_eq!(
        (reply.status, reply.json()),
        (
            200,
            json!({
                "data": null,
                "errors": [{
                    "message": "\"alice/none.txt\" is not in the library",
                    "locations": [{"line": 1, "column": 3}],
                    "path": ["readFile"],
                    "extensions": {"code": "NOT_FOUND"},
                }],
            })
        )
    );
}

#[tokio::test]
async fn each_refusal_has_a_code_of_its_own() {
    let library = Library::new();
    library.write("alice/picture.png", b"\x89PNG\r\n\x1a\n\0\0");
    library.write("alice/large.txt", vec![b'x'; 70_000]);
    let server = library.serve_with("", &["--no-auth", "--max-file", "64k"]);
    for (query, path, expected) in [
        (LIST, "alice/none", "200 NOT_FOUND"),
        (LIST, "alice/README.md", "200 NOT_A_DIRECTORY"),
        (LIST, "alice/README.md/x", "200 NOT_A_DIRECTORY"),
        (LIST, "..", "200 FORBIDDEN"),
        (READ, "", "200 NOT_A_FILE"),
        (READ, "alice", "200 NOT_A_FILE"),
        (READ, "alice/data", "200 NOT_A_FILE"),
        (READ, "alice/none", "200 NOT_FOUND"),
        (READ, "../outside.txt", "200 FORBIDDEN"),
        (READ, "alice/picture.png", "200 NOT_TEXT"),
        (READ, "alice/large.txt", "200 TOO_LARGE"),
    ] {
        let reply = server.ask(query, json!({ "path": path })).await;
        assert_eq!(reply.code(), expected, "{path:?}");
        assert_eq!(reply.json()["data"], Value::Null);
    }
}

#[tokio::test]
async fn questions_that_are_wrong_are_answered_with_400() {
    let library = Library::new();
    let server = library.serve();
    let typed = question(LIST, json!({"path": 5}));
    for (body, expected) in [
        ("", "400 BAD_REQUEST"),
        ("{\"query\": ", "400 BAD_REQUEST"),
        ("5", "400 BAD_REQUEST"),
        ("{}", "400 BAD_REQUEST"),
        ("[]", "400 BAD_REQUEST"),
        (r#"{"query": null}"#, "400 BAD_REQUEST"),
        (r#"{"query": ""}"#, "400 BAD_REQUEST"),
        (r#"{"query": 5}"#, "400 BAD_REQUEST"),
        (
            r#"{"query": "{__typename}", "variables": []}"#,
            "400 BAD_REQUEST",
        ),
        (
            r#"{"query": "{__typename}", "operationName": 5}"#,
            "400 BAD_REQUEST",
        ),
        (r#"{"query": "{"}"#, "400 GRAPHQL_PARSE_FAILED"),
        (r#"{"query": "hello"}"#, "400 GRAPHQL_PARSE_FAILED"),
        (
            r#"{"query": "{ nothing }"}"#,
            "400 GRAPHQL_VALIDATION_FAILED",
        ),
        (
            r#"{"query": "{ readFile { __typename } }"}"#,
            "400 GRAPHQL_VALIDATION_FAILED",
        ),
        (
            r#"{"query": "{ readFile(path: 5) { __typename } }"}"#,
            "400 GRAPHQL_VALIDATION_FAILED",
        ),
        (
            r#"{"query": "{ readFile(path: \"x\") }"}"#,
            "400 GRAPHQL_VALIDATION_FAILED",
        ),
        (
            r#"{"query": "mutation { x }"}"#,
            "400 GRAPHQL_VALIDATION_FAILED",
        ),
        (
            r#"{"query": "subscription { x }"}"#,
            "400 GRAPHQL_VALIDATION_FAILED",
        ),
        (
            r#"{"query": "query($p: String) { readFile(path: $p) { __typename } }"}"#,
            "400 GRAPHQL_VALIDATION_FAILED",
        ),
        (
            r#"{"query": "query A { __typename }", "operationName": "B"}"#,
            "400 OPERATION_RESOLUTION_FAILURE",
        ),
        (typed.as_str(), "400 BAD_USER_INPUT"),
    ] {
        let reply = server.post(body.to_owned()).await;
        assert_eq!(reply.code(), expected, "{body}: {}", reply.text);
        assert_eq!(reply.json().get("data"), None, "{body}");
    }
    for parameters in [vec![], vec![("query", "{__typename}"), ("variables", "{")]] {
        assert_eq!(server.get(&parameters).await.code(), "400 BAD_REQUEST");
    }
}

#[tokio::test]
async fn answers_are_json_for_this_origin_alone() {
    let library = Library::new();
    let server = library.serve();
    let reply = server.get(&[("query", "{__typename}")]).await;
    assert_eq!(
        reply.headers["content-type"],
        "application/json; charset=utf-8"
    );
    assert_eq!(reply.headers["x-content-type-options"], "nosniff");
    assert_eq!(reply.headers["cache-control"], "no-store");
    assert_eq!(reply.headers.get("access-control-allow-origin"), None);
}

#[tokio::test]
async fn the_endpoint_is_where_the_settings_say() {
    let library = Library::new();
    for (settings, path, elsewhere) in [
        ("", "/lib", "/"),
        ("APOLLO_PATH=''", "", "/lib"),
        ("APOLLO_PATH='/dtaas/lib'", "/dtaas/lib", "/lib"),
    ] {
        let server = library.serve_with(settings, &["--no-auth"]);
        assert_eq!(server.url, server.at(path));
        for (path, expected) in [
            (path.to_owned(), "200 ok"),
            (format!("{path}/"), "200 ok"),
            (format!("{path}/x"), "404 NOT_FOUND"),
            (elsewhere.to_owned(), "404 NOT_FOUND"),
        ] {
            let url = format!("{}?query={{__typename}}", server.at(&path));
            let reply = Reply::of(client().get(url)).await;
            assert_eq!(reply.code(), expected, "{path}");
        }
    }
}

#[tokio::test]
async fn tools_can_ask_for_the_schema() {
    let library = Library::new();
    let server = library.serve();
    let reply = server.ask(INTROSPECTION, json!({})).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let types = &reply.json()["data"]["__schema"]["types"];
    let names: Vec<_> = types
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|kind| kind["name"].as_str())
        .collect();
    for name in [
        "Query",
        "Project",
        "Repository",
        "Tree",
        "TreeEntry",
        "RepositoryBlobConnection",
    ] {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
}

#[test]
fn the_schema_is_the_one_of_the_documentation() {
    let root = dtaas::library::contain::Root::new("/");
    let source = dtaas::library::local::Local::new(root, 0);
    let schema = dtaas::library::schema::schema(Arc::new(source));
    assert_eq!(schema.sdl(), include_str!("../../golden/library.graphql"));
}

#[tokio::test]
async fn text_loses_its_byte_order_mark_and_the_space_around_it() {
    let library = Library::new();
    library.write("alice/marked.txt", "\u{feff}\r\n  one\n two\u{a0}\n\n");
    library.write("alice/empty.txt", " \n");
    let server = library.serve();
    let read = async |path| text(&server.ask(READ, json!({ "path": path })).await);
    assert_eq!(read("alice/marked.txt").await, "one\n two");
    assert_eq!(read("alice/empty.txt").await, "");
}

#[tokio::test]
async fn a_listing_is_sorted_by_bytes_and_shows_what_is_there_now() {
    let library = Library::new();
    for name in ["b", "B", ".hidden", "a", "ä", "Z", "1"] {
        library.write(&format!("alice/data/{name}"), "");
    }
    library.make_directory("alice/data/.git");
    let server = library.serve();
    let list = async || names(&server.ask(LIST, json!({"path": "alice/data"})).await);
    assert_eq!(list().await, ".git | .hidden, 1, B, Z, a, b, ä");
    std::fs::remove_file(library.path("alice/data/Z")).unwrap();
    assert_eq!(list().await, ".git | .hidden, 1, B, a, b, ä");
}

/// What tools such as GraphiQL send.
const INTROSPECTION: &str = "query IntrospectionQuery { __schema {
    queryType { name } mutationType { name } subscriptionType { name }
    types { ...FullType } directives { name description locations args { ...InputValue } } } }
  fragment FullType on __Type { kind name description
    fields(includeDeprecated: true) { name description args { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason }
    inputFields { ...InputValue } interfaces { ...TypeRef }
    enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
    possibleTypes { ...TypeRef } }
  fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue }
  fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
    ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } } }";
