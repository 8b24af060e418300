//! Every page of the website in a browser: what people do there, and whether everybody can.

use serde_json::json;

use super::fixture::{Trial, trial};
use crate::browser::Browser;
use crate::npm::installed;

pub const NAMES: &str =
    "[...document.querySelectorAll('#entries .name a')].map((one) => one.textContent).join(', ')";

/// A trial of its sample library that alice may change.
fn writable(temporary: &std::path::Path) -> Trial {
    let mut command = trial(temporary);
    command.args([
        "--port",
        "0",
        "--users",
        "alice,bob",
        "--password-stdin",
        "--writable",
    ]);
    Trial::start(command, "alices-password\nbobs-password\n")
}

/// Presses the button of this name.
pub fn press(name: &str) -> String {
    let name = json!(name);
    format!(
        "[...document.querySelectorAll('button')].find((one) => (one.ariaLabel ?? one.textContent) === {name} || one.textContent === {name}).click()"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_can_use_every_page() {
    const TEST: &str = "trial::pages::everybody_can_use_every_page";
    let Some(mut browser) = Browser::start(TEST).await else {
        return;
    };
    let Some(axe) = installed("axe", TEST) else {
        return;
    };
    let axe = std::fs::read_to_string(axe.join("node_modules/axe-core/axe.min.js")).unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let trial = writable(temporary.path());
    browser.open(&trial.url).await;
    assert_eq!(browser.faults(&axe).await, [""; 0], "signing in");
    browser
        .open_as(&trial.url, "alice", "alices-password")
        .await;
    for (width, scheme) in [
        (360, "light"),
        (360, "dark"),
        (1600, "light"),
        (1600, "dark"),
    ] {
        browser.looks(width, scheme).await;
        for (place, shown) in [
            ("#files/alice", "document.querySelector('.readme h2')"),
            (
                "#view/alice/data/rooms.csv",
                "document.querySelector('.sheet')",
            ),
            (
                "#view/common/models/cooling.ipynb",
                "document.querySelector('.notebook .code')",
            ),
            ("#search/cup", "document.querySelector('#entries tr')"),
            (
                "#twins/twin/alice/digital%20twins/cup",
                "document.querySelector('.twin .readme')",
            ),
            ("#workbench", "!document.getElementById('workbench').hidden"),
            ("#account", "document.getElementById('password')"),
        ] {
            browser.value(&format!("location.hash = '{place}'")).await;
            browser.until(shown).await;
            let what = format!("{place} {width} {scheme}");
            assert_eq!(browser.faults(&axe).await, [""; 0], "{what}");
            let wide = browser
                .value("document.documentElement.scrollWidth > innerWidth")
                .await;
            assert_eq!(wide, json!(false), "{what} has to be scrolled sideways");
        }
    }
    assert_eq!(browser.complaints, [""; 0]);
    for url in &browser.asked {
        assert!(url.starts_with(&trial.url), "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_page_is_small_and_the_rest_comes_when_it_is_wanted() {
    const TEST: &str = "trial::pages::the_first_page_is_small_and_the_rest_comes_when_it_is_wanted";
    let Some(mut browser) = Browser::start(TEST).await else {
        return;
    };
    let temporary = tempfile::tempdir().unwrap();
    let trial = writable(temporary.path());
    browser
        .open_as(&trial.url, "alice", "alices-password")
        .await;
    browser
        .until("document.querySelector('.files .state')?.textContent")
        .await;
    let bytes = browser
        .value("performance.getEntriesByType('resource').reduce((sum, one) => sum + one.transferSize, performance.getEntriesByType('navigation')[0].transferSize)")
        .await;
    assert!(bytes.as_f64().unwrap() < 100_000.0, "{bytes} bytes");
    for later in [
        "notebook.js",
        "twins.js",
        "account.js",
        "sending.js",
        "upload.js",
    ] {
        assert!(
            !browser.asked.iter().any(|url| url.ends_with(later)),
            "{later}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_renamed_deleted_had_back_and_found() {
    const TEST: &str = "trial::pages::files_are_renamed_deleted_had_back_and_found";
    let Some(mut browser) = Browser::start(TEST).await else {
        return;
    };
    let temporary = tempfile::tempdir().unwrap();
    let trial = writable(temporary.path());
    browser
        .open_as(&trial.url, "alice", "alices-password")
        .await;
    browser.value("location.hash = '#files/alice/models'").await;
    browser.until(&format!("{NAMES} === 'cup.md'")).await;

    browser.value(&press("New folder")).await;
    browser
        .value("document.querySelector('.actions .rename input').value = 'old ones'")
        .await;
    browser.value(&press("Make folder")).await;
    browser
        .until(&format!("{NAMES} === 'old ones, cup.md'"))
        .await;

    browser.value(&press("Rename cup.md")).await;
    browser
        .value("document.querySelector('#entries .rename input').value = '<b>50% #1?.md'")
        .await;
    browser
        .value("document.querySelector('#entries .rename').requestSubmit()")
        .await;
    browser
        .until(&format!("{NAMES} === 'old ones, <b>50% #1?.md'"))
        .await;
    // A name that is taken is told, and nothing is lost.
    browser.value(&press("Rename old ones")).await;
    browser
        .value("document.querySelector('#entries .rename input').value = '<b>50% #1?.md'")
        .await;
    browser
        .value("document.querySelector('#entries .rename').requestSubmit()")
        .await;
    browser.until("document.querySelector('.toast')").await;
    browser
        .until(&format!("{NAMES} === 'old ones, <b>50% #1?.md'"))
        .await;

    // What is deleted can be had back for a while, and is there until then.
    browser.value(&press("Delete <b>50% #1?.md")).await;
    browser.until(&format!("{NAMES} === 'old ones'")).await;
    browser.value(&press("Undo")).await;
    browser
        .until(&format!("{NAMES} === 'old ones, <b>50% #1?.md'"))
        .await;
    browser.value(&press("Delete old ones")).await;
    browser.until(&format!("{NAMES} === '<b>50% #1?.md'")).await;
    // Whoever leaves the page has decided.
    browser.open(&format!("{}env.js", trial.url)).await;
    browser
        .open(&format!("{}#files/alice/models", trial.url))
        .await;
    browser.until(&format!("{NAMES} === '<b>50% #1?.md'")).await;

    browser
        .value("document.querySelector('.finder input').value = '50%'")
        .await;
    browser
        .value("document.querySelector('.finder').requestSubmit()")
        .await;
    browser
        .until(&format!("{NAMES} === 'alice/models/<b>50% #1?.md'"))
        .await;
    // Common is everybody's, and changed by publishers alone.
    browser
        .value("location.hash = '#files/common/models'")
        .await;
    browser
        .until(&format!("{NAMES}.includes('cooling.ipynb')"))
        .await;
    assert_eq!(
        browser
            .value("[...document.querySelectorAll('#files button')].map((one) => one.textContent)")
            .await,
        json!(["Find"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tabs_are_moved_through_by_the_keyboard() {
    const TEST: &str = "trial::pages::tabs_are_moved_through_by_the_keyboard";
    let Some(mut browser) = Browser::start(TEST).await else {
        return;
    };
    let temporary = tempfile::tempdir().unwrap();
    let trial = writable(temporary.path());
    browser
        .open_as(&trial.url, "alice", "alices-password")
        .await;
    browser
        .until("document.querySelector('#kinds-functions[aria-selected=true]')")
        .await;
    browser.focus("kinds-functions").await;
    for (key, code, tab) in [
        ("ArrowRight", 39, "models"),
        ("End", 35, "all"),
        ("ArrowRight", 39, "functions"),
        ("ArrowLeft", 37, "all"),
    ] {
        browser.press(key, code, 0).await;
        browser.until(&format!("document.activeElement.id === 'kinds-{tab}' && document.activeElement.ariaSelected === 'true'")).await;
    }
    assert_eq!(browser.text("location.hash").await, "#files/");
    assert_eq!(browser.complaints, [""; 0]);
}
