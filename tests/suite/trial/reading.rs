//! What people read in the website's pages: links, notebooks, how the tools are, and where the page says that they are.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;

use super::fixture::Trial;
use super::pages::{NAMES, press};
use crate::browser::Browser;
use crate::library::fixture::Library;
use crate::rig::there_is;

const README: &str = "# Cup\n\n[terms](LICENSE), [old](v1.2/), [older](v1.1), [how](#how-it-cools)\n\n![](plot.png)\n\n## How it cools\n";

#[tokio::test(flavor = "multi_thread")]
async fn links_lead_where_they_say() {
    const TEST: &str = "trial::reading::links_lead_where_they_say";
    let Some(mut browser) = Browser::start(TEST).await else {
        return;
    };
    let temporary = tempfile::tempdir().unwrap();
    let library = Library::new();
    library.make_directory("alice/work/v1.1");
    library.make_directory("alice/work/v1.2");
    library.write("alice/work/README.md", README);
    library.write("alice/work/LICENSE", "Do as you like.");
    library.write("alice/work/v1.2/new.txt", "new");
    library.write("alice/work/v1.1/old.txt", "old");
    let notebook = json!({"cells": [
        null,
        {"cell_type": "markdown", "source": "x".repeat(1_100_000)},
        {"cell_type": "code", "source": "1 / 0", "outputs": [{"output_type": "error", "traceback": "ZeroDivisionError"}, null]},
        {"cell_type": "markdown", "source": "*after*"},
    ]});
    library.write("alice/work/run.ipynb", notebook.to_string());
    let trial = Trial::of_alice(temporary.path(), [library.root()]);
    browser
        .open_as(&trial.url, "alice", "alices-password")
        .await;

    let link = |text: &str| {
        format!(
            "[...document.querySelectorAll('.readme a')].find((one) => one.textContent === '{text}').click()"
        )
    };
    let readme = "document.querySelector('.readme')";
    for (text, shows) in [
        (
            "terms",
            "document.querySelector('pre.text')?.textContent === 'Do as you like.'".to_owned(),
        ),
        ("old", format!("{NAMES} === 'new.txt'")),
        ("older", format!("{NAMES} === 'old.txt'")),
    ] {
        browser.value("location.hash = '#files/alice/work'").await;
        browser.until(readme).await;
        browser.value(&link(text)).await;
        browser.until(&shows).await;
        // The browser's own button leads back.
        browser.value("history.back()").await;
        browser.until(readme).await;
        assert_eq!(browser.text("location.hash").await, "#files/alice/work");
    }
    assert_eq!(
        browser.text("document.title").await,
        "work – Library – Digital Twins"
    );
    browser.value(&link("how")).await;
    assert_eq!(
        browser.text("document.activeElement.textContent").await,
        "How it cools"
    );
    assert_eq!(browser.text("location.hash").await, "#files/alice/work");
    assert_eq!(
        browser
            .text("document.querySelector('.readme img').alt")
            .await,
        ""
    );
    browser
        .value("document.querySelector('.skip').click()")
        .await;
    assert_eq!(browser.text("document.activeElement.id").await, "main");
    browser.until(readme).await;

    // A notebook shows what it has, whatever is wrong with a part of it.
    browser
        .value("location.hash = '#view/alice/work/run.ipynb'")
        .await;
    browser
        .until("document.querySelector('.notebook em')?.textContent === 'after'")
        .await;
    assert_eq!(
        browser
            .value("[...document.querySelectorAll('.notebook pre')].map((one) => one.textContent.slice(0, 20))")
            .await,
        json!(["x".repeat(20), "1 / 0", "ZeroDivisionError"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn moving_between_tabs_asks_for_nothing_and_forms_keep_who_they_are_for() {
    const TEST: &str =
        "trial::reading::moving_between_tabs_asks_for_nothing_and_forms_keep_who_they_are_for";
    let Some(mut browser) = Browser::start(TEST).await else {
        return;
    };
    let temporary = tempfile::tempdir().unwrap();
    let library = Library::new();
    let trial = Trial::of_alice(temporary.path(), [library.root()]);
    library.make_directory("alice/digital twins/50%");
    library.write("alice/digital twins/50%/README.md", "# Half\n");
    browser
        .open_as(&trial.url, "alice", "alices-password")
        .await;
    browser
        .value("location.hash = '#twins/twin/alice/digital%20twins/50%'")
        .await;
    browser
        .until("document.querySelector('.twin .readme')?.innerText.includes('Half')")
        .await;
    browser.value("location.hash = '#twins/create'").await;
    browser
        .until("document.querySelector('#phases-create[aria-selected=true]') && !document.querySelector('.twin').children.length")
        .await;
    let before = browser.asked.len();
    browser.focus("phases-create").await;
    for phase in ["execute", "analyze"] {
        browser.press("ArrowRight", 39, 0).await;
        browser
            .until(&format!(
                "document.querySelector('#phases-{phase}[aria-selected=true]')"
            ))
            .await;
    }
    assert_eq!(browser.asked[before..], [""; 0]);

    // A name that every object has is no part of the page.
    browser.value("location.hash = '#constructor'").await;
    browser
        .until("!document.getElementById('library').hidden")
        .await;
    browser.value("location.hash = '#account'").await;
    browser
        .until("document.querySelector('#password form')")
        .await;
    browser
        .value("document.querySelector('#password form').reset()")
        .await;
    assert_eq!(
        browser
            .text("document.querySelector('#password [name=username]').value")
            .await,
        "alice"
    );
    // Out of reach, signing out says so.
    browser.offline(true).await;
    browser.value(&press("Sign out")).await;
    browser
        .until("document.querySelector('.toast')?.innerText === 'The platform cannot be reached. Is the network there?'")
        .await;
    browser.offline(false).await;
}

/// What stands for a JupyterLab that takes its time: it answers once a file is there.
const SLOW: &str = r#"#!/bin/sh
for one; do case $one in --ServerApp.port=*) port=${one#*=} ;; esac; done
until [ -e "$(dirname "$0")/go" ]; do sleep 0.1; done
exec /usr/bin/python3 -c '
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()' "$port"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_is_starting_is_told_and_asked_again() {
    const TEST: &str = "trial::reading::a_tool_that_is_starting_is_told_and_asked_again";
    let Some(mut browser) = Browser::start(TEST).await else {
        return;
    };
    let python = Path::new("/usr/bin/python3").exists();
    if !there_is("/usr/bin/python3", python, TEST) {
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    let program = temporary.path().join("jupyter-lab");
    fs::write(&program, SLOW).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let trial = Trial::of_alice(
        temporary.path(),
        ["--jupyter".as_ref(), program.as_os_str()],
    );
    browser
        .open_as(&trial.url, "alice", "alices-password")
        .await;
    browser.value("location.hash = '#workbench'").await;
    let all = |words: &str| {
        format!(
            "document.querySelector('.answers') && [...document.querySelectorAll('.answers')].every((one) => one.textContent === '{words}')"
        )
    };
    browser.until(&all("is starting")).await;
    fs::write(temporary.path().join("go"), "").unwrap();
    browser.until(&all("answers")).await;
}

/// Holds back the next request whose address ends so, until `window.release()`.
fn hold(end: &str) -> String {
    format!(
        "(() => {{
            const real = window.fetch;
            window.fetch = (...asked) => {{
                if (!String(asked[0]).endsWith('{end}')) return real(...asked);
                window.fetch = real;
                return new Promise((resolve) => {{ window.release = () => resolve(real(...asked)); }});
            }};
        }})()"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_late_is_not_shown_over_what_was_wanted_since() {
    const TEST: &str = "trial::reading::what_comes_late_is_not_shown_over_what_was_wanted_since";
    let Some(mut browser) = Browser::start(TEST).await else {
        return;
    };
    let temporary = tempfile::tempdir().unwrap();
    let library = Library::new();
    for twin in ["cold", "warm"] {
        library.make_directory(&format!("alice/digital twins/{twin}"));
        library.write(
            &format!("alice/digital twins/{twin}/README.md"),
            format!("The {twin} one."),
        );
    }
    library.make_directory("alice/work");
    library.write("alice/work/rows.csv", "1,2\n");
    let trial = Trial::of_alice(temporary.path(), [library.root()]);
    browser
        .open_as(&trial.url, "alice", "alices-password")
        .await;
    let twin = |name: &str| format!("location.hash = '#twins/twin/alice/digital%20twins/{name}'");
    // A moment in which everything that was held back and let go has arrived.
    let arrived =
        "release(); new Promise((resolve) => { setTimeout(resolve, 500); }).then(() => true)";

    // The README of a twin that was left is not put under another one's name,
    browser.value("location.hash = '#twins'").await;
    browser.until("document.querySelector('.cards li')").await;
    browser.value(&hold("/render")).await;
    browser.value(&twin("cold")).await;
    browser.until("window.release").await;
    browser.value(&twin("warm")).await;
    browser
        .until("document.querySelector('.twin .readme')")
        .await;
    browser.value(arrived).await;
    let readmes =
        "[...document.querySelectorAll('.twin h2, .twin .readme')].map((one) => one.innerText)";
    assert_eq!(
        browser.value(readmes).await,
        json!(["warm", "The warm one."])
    );

    // nor a folder over a file.
    browser
        .value("delete window.release; location.hash = '#files/alice'")
        .await;
    browser.until(&format!("{NAMES}.includes('work')")).await;
    browser.value(&hold("/lib")).await;
    browser.value("location.hash = '#files/alice/work'").await;
    browser.until("window.release").await;
    browser
        .value("location.hash = '#view/alice/work/rows.csv'")
        .await;
    browser.until("document.querySelector('.sheet')").await;
    browser.value(arrived).await;
    assert_eq!(browser.text(NAMES).await, "");
    assert_eq!(
        browser
            .value("document.querySelectorAll('.sheet').length")
            .await,
        json!(1)
    );
}
