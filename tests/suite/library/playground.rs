//! The page that questions can be asked on: over HTTP, and in a browser.

use serde_json::{Value, json};

use super::fixture::{LIST, Library, Reply, SECRET, Server, client, names, question};
use crate::browser::Browser;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; frame-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'self'";
/// What a browser sends when somebody opens an address.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const FILES: [&str; 5] = [
    "playground.js",
    "editor.js",
    "examples.js",
    "schema.js",
    "style.css",
];

async fn opened(server: &Server, path: &str) -> Reply {
    Reply::of(client().get(server.at(path)).header("Accept", BROWSER)).await
}

fn with_playground(library: &Library, endpoint: &str) -> Server {
    let settings = format!("GRAPHQL_PLAYGROUND='true'\nAPOLLO_PATH='{endpoint}'");
    library.serve_with(&settings, &["--no-auth"])
}

#[tokio::test]
async fn a_browser_that_asks_nothing_gets_the_page() {
    let library = Library::new();
    for (endpoint, paths) in [
        ("/lib", &["/lib", "/lib/"] as &[&str]),
        ("", &["/"]),
        ("/dtaas/lib", &["/dtaas/lib"]),
    ] {
        let server = with_playground(&library, endpoint);
        for path in paths {
            let page = opened(&server, path).await;
            assert_eq!(page.status, 200, "{path}");
            assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
            assert_eq!(page.headers["content-security-policy"], POLICY);
            assert_eq!(page.headers["vary"], "accept");
            let script = format!("src=\"{endpoint}/playground/playground.js\"");
            assert!(page.text.contains(&script), "{}", page.text);
            assert!(!page.text.contains("{base}"));
        }
        for file in FILES {
            let path = format!("{endpoint}/playground/{file}");
            let reply = Reply::of(client().get(server.at(&path))).await;
            assert_eq!(reply.status, 200, "{path}");
            assert_eq!(reply.headers["content-security-policy"], POLICY);
            assert_eq!(reply.headers["x-content-type-options"], "nosniff");
        }
        for none in ["", "x.js", "../playground.js", "%2e%2e/style.css"] {
            let path = format!("{endpoint}/playground/{none}");
            assert_eq!(opened(&server, &path).await.status, 404, "{path}");
        }
        // Whoever asks something is answered.
        let asked = opened(&server, &format!("{}?query=%7B__typename%7D", paths[0])).await;
        assert_eq!(asked.text, r#"{"data":{"__typename":"Query"}}"#);
        let answer = server.ask(LIST, json!({"path": "alice/models"})).await;
        assert_eq!(names(&answer), " | spring.txt");
        let program = Reply::of(client().get(server.at(paths[0]))).await;
        assert_eq!(program.code(), "400 BAD_REQUEST");
    }
}

#[tokio::test]
async fn without_the_setting_there_is_none() {
    let library = Library::new();
    let server = library.serve();
    assert_eq!(opened(&server, "/lib").await.code(), "400 BAD_REQUEST");
    for file in FILES {
        let path = format!("/lib/playground/{file}");
        assert_eq!(opened(&server, &path).await.code(), "404 NOT_FOUND");
    }
}

#[tokio::test]
async fn behind_the_gateway_it_is_for_users() {
    let library = Library::new();
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), SECRET).unwrap();
    let flags = ["--gateway-secret-file", secret.path().to_str().unwrap()];
    let server = library.serve_with("GRAPHQL_PLAYGROUND='true'", &flags);
    assert_eq!(opened(&server, "/lib").await.code(), "401 UNAUTHENTICATED");
    let path = "/lib/playground/playground.js";
    assert_eq!(opened(&server, path).await.code(), "401 UNAUTHENTICATED");
    let as_alice = client()
        .get(server.at("/lib"))
        .header("Accept", BROWSER)
        .header("X-Dtaas-Gateway", SECRET)
        .header("X-Forwarded-User", "alice");
    assert_eq!(Reply::of(as_alice).await.status, 200);
}

#[test]
fn it_brings_nothing_from_elsewhere_and_nothing_inline() {
    for text in [
        include_str!("../../../website/playground/index.html"),
        include_str!("../../../website/playground/playground.js"),
        include_str!("../../../website/playground/editor.js"),
        include_str!("../../../website/playground/examples.js"),
        include_str!("../../../website/playground/schema.js"),
        include_str!("../../../website/playground/style.css"),
    ] {
        for forbidden in [
            "http://",
            "https://",
            "style=",
            "onclick",
            "innerHTML",
            "@import",
            "eval(",
        ] {
            assert!(!text.contains(forbidden), "{forbidden}");
        }
    }
}

/// The answer that the page shows.
async fn shown(browser: &mut Browser) -> Value {
    let text = browser.text("document.getElementById('result').textContent");
    serde_json::from_str(&text.await).unwrap()
}

async fn answered(browser: &mut Browser, status: u16) {
    let told =
        format!("document.getElementById('outcome').textContent.startsWith('Status {status}')");
    browser.until(&told).await;
}

#[tokio::test]
async fn questions_are_asked_in_a_browser() {
    const TEST: &str = "library::playground::questions_are_asked_in_a_browser";
    let Some(mut browser) = Browser::start(TEST).await else {
        return;
    };
    let library = Library::new();
    library.write("alice/<b>bold.txt", "x");
    for endpoint in ["/lib", "", "/dtaas/lib"] {
        let server = with_playground(&library, endpoint);
        let page = server.at(&format!(
            "{endpoint}{}",
            if endpoint.is_empty() { "/" } else { "" }
        ));
        browser.open(&page).await;

        // The page begins with an example, and Ctrl-Enter asks it.
        browser
            .until("document.getElementById('query').value.includes('listDirectory')")
            .await;
        browser.focus("query").await;
        browser.press("Enter", 13, 2).await;
        answered(&mut browser, 200).await;
        let trees =
            &shown(&mut browser).await["data"]["listDirectory"]["repository"]["tree"]["trees"];
        assert_eq!(
            trees["edges"][0]["node"],
            json!({"name": "alice", "type": "tree"})
        );

        // Variables are taken; names from the library are text.
        browser.fill("variables", r#"{"path": "alice"}"#).await;
        browser.press("Enter", 13, 2).await;
        browser
            .until("document.getElementById('result').textContent.includes('<b>bold.txt')")
            .await;
        assert_eq!(
            browser
                .value("document.querySelectorAll('#result b').length")
                .await,
            json!(0)
        );

        // What is wrong is said: with variables, with the question, with the path.
        browser.fill("variables", "{path").await;
        browser.press("Enter", 13, 2).await;
        browser
            .until("document.getElementById('variables-error').textContent.startsWith('This is not JSON')")
            .await;
        browser.fill("variables", "").await;
        browser.fill("query", "{ nothing }").await;
        browser.press("Enter", 13, 2).await;
        answered(&mut browser, 400).await;
        let errors = "document.getElementById('errors').innerText";
        assert!(
            browser
                .text(errors)
                .await
                .starts_with("GRAPHQL_VALIDATION_FAILED: ")
        );
        let nowhere = "query Nowhere { readFile(path: \"none\") { repository { blobs { nodes { name } } } } }";
        browser.fill("query", nowhere).await;
        browser.press("Enter", 13, 2).await;
        answered(&mut browser, 200).await;
        assert_eq!(
            browser.text(errors).await,
            "NOT_FOUND: \"none\" is not in the library (line 1, column 17, in readFile)"
        );

        // Of several operations one is chosen.
        browser
            .fill(
                "query",
                "query One { a: __typename } query Other { b: __typename }",
            )
            .await;
        browser.choose("operation", "Other").await;
        browser.press("Enter", 13, 2).await;
        browser
            .until("document.getElementById('result').textContent.includes('\"b\"')")
            .await;
        assert_eq!(shown(&mut browser).await, json!({"data": {"b": "Query"}}));

        // What was asked before comes back.
        browser.choose("history", &nowhere[..80]).await;
        assert_eq!(
            browser.text("document.getElementById('query').value").await,
            nowhere
        );

        // Tab indents, Esc and Tab leaves.
        browser.fill("query", "{").await;
        browser.press("Tab", 9, 0).await;
        assert_eq!(
            browser.text("document.getElementById('query').value").await,
            "{  "
        );
        browser.press("Escape", 27, 0).await;
        browser.press("Tab", 9, 0).await;
        assert_eq!(browser.text("document.activeElement.id").await, "variables");

        // The schema can be searched.
        browser.fill("search", "rawtext").await;
        browser
            .until("document.getElementById('schema').innerText.includes('rawTextBlob: String!')")
            .await;
        assert_eq!(
            browser
                .value("document.querySelectorAll('#schema article').length")
                .await,
            json!(1)
        );
        browser.fill("search", "no such thing").await;
        browser
            .until("document.getElementById('schema-state').textContent === 'Nothing in the schema is called so.'")
            .await;
    }
    for url in &browser.asked {
        assert!(
            url.starts_with("http://127.0.0.1:") || url.starts_with("data:"),
            "{url}"
        );
    }
    // The browser mentions answers of status 400 by itself.
    browser
        .complaints
        .retain(|one| !one.contains("status of 400"));
    assert_eq!(browser.complaints, [""; 0]);
}

#[tokio::test]
async fn every_example_is_answered() {
    const TEST: &str = "library::playground::every_example_is_answered";
    let Some(mut browser) = Browser::start(TEST).await else {
        return;
    };
    let library = Library::new();
    let server = with_playground(&library, "/lib");
    browser.open(&server.url).await;
    browser
        .until("document.getElementById('examples').options.length > 1")
        .await;
    let examples = browser
        .value("[...document.getElementById('examples').options].slice(1).map((one) => one.textContent)")
        .await;
    let examples: Vec<String> = serde_json::from_value(examples).unwrap();
    assert!(examples.len() >= 2, "{examples:?}");
    for example in examples {
        browser.choose("examples", &example).await;
        browser.press("Enter", 13, 2).await;
        browser
            .until("/^Status 200, /.test(document.getElementById('outcome').textContent) || document.getElementById('errors').innerText")
            .await;
        let errors = browser
            .text("document.getElementById('errors').innerText")
            .await;
        assert_eq!(errors, "", "{example}");
        browser
            .value("document.getElementById('outcome').textContent = ''")
            .await;
    }
}

/// The question that the page is made for is the one that v0.2's clients ask.
#[tokio::test]
async fn the_page_changes_nothing_for_programs() {
    let library = Library::new();
    let server = with_playground(&library, "/lib");
    let request = client()
        .post(&server.url)
        .header("Accept", BROWSER)
        .header("Content-Type", "application/json")
        .body(question(LIST, json!({"path": "common"})));
    let reply = Reply::of(request).await;
    assert_eq!(
        names(&reply),
        "data, digital twins, functions, models, tools | README.md"
    );
}
