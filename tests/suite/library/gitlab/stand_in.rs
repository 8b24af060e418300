//! The stand-in refuses what GitLab refuses: else the other tests would say little.

use serde_json::{Value, json};

use super::super::fixture::{Reply, client};
use super::super::gitlab_server::{Gitlab, TOKEN};
use super::{GROUP, Setup};

async fn ask(gitlab: &Gitlab, token: Option<&str>, query: &str, variables: Value) -> Reply {
    let request = client()
        .post(gitlab.url())
        .header("Content-Type", "application/json")
        .body(json!({"query": query, "variables": variables}).to_string());
    Reply::of(match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    })
    .await
}

/// The status, and the first error or `fine`.
fn said(reply: &Reply) -> String {
    let json = reply.json();
    let message = json["errors"][0]["message"].as_str();
    format!("{} {}", reply.status, message.unwrap_or("fine"))
}

#[tokio::test]
async fn it_knows_its_schema_and_no_more() {
    let setup = Setup::new();
    let path = format!("{GROUP}/alice");
    for (query, variables, expected) in [
        (
            "query($p: ID!) { project(fullPath: $p) { repository { tree { blobs { nodes { name type mode } } } } } }",
            json!({ "p": path }),
            "200 fine",
        ),
        (
            // What v0.2 called it is not what GitLab calls it.
            "query($p: ID!) { project(fullPath: $p) { repository { tree { blobs { nodes { rawBlob } } } } } }",
            json!({ "p": path }),
            "200 Unknown field \"rawBlob\" on type \"Blob\".",
        ),
        (
            "query($p: String!) { project(fullPath: $p) { path } }",
            json!({ "p": path }),
            "200 Type mismatch on variable $p and argument fullPath (String! / ID!)",
        ),
        (
            "query($p: ID!, $f: String!) { project(fullPath: $p) { repository { blobs(paths: $f) { nodes { name } } } } }",
            json!({"p": path, "f": "README.md"}),
            "200 Type mismatch on variable $f and argument paths (String! / [String!]!)",
        ),
        (
            "query($p: ID!) { project(fullPath: $p) { repository { blobs { nodes { name } } } } }",
            json!({ "p": path }),
            "200 Field \"blobs\" argument \"paths\" of type \"Repository\" is required but not provided",
        ),
        (
            "{ project { path } }",
            json!({}),
            "200 Field \"project\" argument \"fullPath\" of type \"Query\" is required but not provided",
        ),
    ] {
        let reply = ask(&setup.gitlab, Some(TOKEN), query, variables).await;
        let said = said(&reply);
        assert!(said.starts_with(expected), "{query}: {said}");
    }
}

#[tokio::test]
async fn it_hides_what_is_private_and_refuses_wrong_tokens() {
    let setup = Setup::new();
    let query =
        "query($p: ID!, $g: ID!) { project(fullPath: $p) { path } group(fullPath: $g) { path } }";
    let variables = json!({"p": format!("{GROUP}/alice"), "g": GROUP});
    let nobody = ask(&setup.gitlab, None, query, variables.clone()).await;
    assert_eq!(
        (nobody.status, nobody.json()),
        (200, json!({"data": {"project": null, "group": null}}))
    );
    let wrong = ask(&setup.gitlab, Some("glpat-x"), query, variables.clone()).await;
    assert_eq!(
        (wrong.status, wrong.text.as_str()),
        (401, r#"{"errors":[{"message":"Invalid token"}]}"#)
    );
    let right = ask(&setup.gitlab, Some(TOKEN), query, variables).await;
    assert_eq!(
        right.json(),
        json!({"data": {"project": {"path": "alice"}, "group": {"path": "dtaas"}}})
    );
}

#[tokio::test]
async fn it_keeps_to_gitlabs_limits() {
    let setup = Setup::new();
    setup.gitlab.project("alice", |project| {
        for n in 0..150 {
            project.write(&format!("many/{n}"), "");
        }
    });
    let path = format!("{GROUP}/alice");
    let many = |count: usize| {
        let fields: String = (0..count)
            .map(|n| format!("p{n}: project(fullPath: $p) {{ path }} "))
            .collect();
        format!("query($p: ID!) {{ {fields}}}")
    };
    for (token, query, expected) in [
        (Some(TOKEN), many(125), "200 fine"),
        (
            Some(TOKEN),
            many(126),
            "200 Query has complexity of 252, which exceeds max complexity of 250",
        ),
        (
            None,
            many(101),
            "200 Query has complexity of 202, which exceeds max complexity of 200",
        ),
        (
            Some(TOKEN),
            format!("{}#{}", many(1), " ".repeat(10_000)),
            "422 Query too large",
        ),
    ] {
        let reply = ask(&setup.gitlab, token, &query, json!({ "p": path })).await;
        assert_eq!(said(&reply), expected);
    }
    // A page is a hundred, whatever is asked for.
    let query = "query($p: ID!) { project(fullPath: $p) { repository { tree(path: \"many\") { blobs(first: 500) {
        nodes { name } pageInfo { hasNextPage } } } } } }";
    let reply = ask(&setup.gitlab, Some(TOKEN), query, json!({ "p": path })).await;
    let blobs = &reply.json()["data"]["project"]["repository"]["tree"]["blobs"];
    assert_eq!(blobs["nodes"].as_array().unwrap().len(), 100);
    assert_eq!(blobs["pageInfo"]["hasNextPage"], true);
}

#[tokio::test]
async fn it_has_no_raw_blob_of_what_is_no_text() {
    let setup = Setup::new();
    setup.gitlab.project("alice", |project| {
        project.write("x.fmu", b"\0\xff".to_vec())
    });
    let path = format!("{GROUP}/alice");
    for (field, expected) in [
        ("rawTextBlob", "200 fine"),
        ("rawBlob", "500 Internal server error"),
    ] {
        let query = format!(
            "query($p: ID!) {{ project(fullPath: $p) {{ repository {{ blobs(paths: [\"x.fmu\"]) {{ nodes {{ {field} }} }} }} }} }}"
        );
        let reply = ask(&setup.gitlab, Some(TOKEN), &query, json!({ "p": path })).await;
        assert_eq!(said(&reply), expected);
    }
}
