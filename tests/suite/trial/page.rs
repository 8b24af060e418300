//! The trial's page in a browser.

use serde_json::json;

use crate::browser::Browser;
use crate::library::fixture::Library;

use super::fixture::Trial;

const ENTRIES: &str =
    "[...document.querySelectorAll('#entries .name a')].map((one) => one.textContent).join(', ')";

#[tokio::test]
async fn the_page_greets_and_leads_through_the_library() {
    const TEST: &str = "trial::page::the_page_greets_and_leads_through_the_library";
    let Some(mut browser) = Browser::start(TEST).await else {
        return;
    };
    // Given a library with names that HTML would take for its own,
    let temporary = tempfile::tempdir().unwrap();
    let library = Library::new();
    library.make_directory("alice/data/<img src=x onerror=alert(1)>");
    library.write("alice/data/50% of #1?.csv", "1,2\n");
    let trial = Trial::of_alice(temporary.path(), [library.root()]);

    // alice is greeted and sees her folder and the shared one,
    browser
        .open_as(&trial.url, "alice", "alices-password")
        .await;
    browser
        .until("document.getElementById('who').textContent === 'alice'")
        .await;
    // nothing leads to a workspace, as there is none,
    assert_eq!(
        browser
            .value("document.getElementById('manager').hidden")
            .await,
        json!(true)
    );
    browser.value("location.hash = '#files/'").await;
    browser
        .until(&format!("{ENTRIES} === 'alice, common'"))
        .await;

    // folders open where they are,
    let open = |name: &str| {
        let name = json!(name);
        format!(
            "[...document.querySelectorAll('#entries .name a, .way a')].find((one) => one.textContent === {name}).click()"
        )
    };
    browser.value(&open("alice")).await;
    browser
        .until(&format!("{ENTRIES}.includes('README.md')"))
        .await;
    assert_eq!(
        browser.text(ENTRIES).await,
        "common, data, digital twins, functions, models, tools, README.md"
    );
    browser.value(&open("data")).await;
    browser.until(&format!("{ENTRIES}.includes('50%')")).await;
    assert_eq!(
        browser.text(ENTRIES).await,
        "<img src=x onerror=alert(1)>, 50% of #1?.csv"
    );
    assert_eq!(
        browser
            .value("document.querySelectorAll('#files img').length")
            .await,
        json!(0)
    );
    // files can be had at their address,
    assert_eq!(
        browser
            .text("document.querySelector('#entries a[download^=\"50\"]').href")
            .await,
        format!("{}lib/files/alice/data/50%25%20of%20%231%3F.csv", trial.url)
    );
    browser.value(&open("<img src=x onerror=alert(1)>")).await;
    browser
        .until("document.querySelector('.files > .state').textContent === 'This folder is empty.'")
        .await;
    // and the way back is there: by the way above, and by the browser's own button.
    assert_eq!(
        browser
            .text("document.querySelector('.way').innerText.replaceAll('\\n', '')")
            .await,
        "Libraryalicedata<img src=x onerror=alert(1)>"
    );
    browser.value(&open("alice")).await;
    browser
        .until(&format!("{ENTRIES}.includes('README.md')"))
        .await;
    browser.value("history.go(-2)").await;
    browser.until(&format!("{ENTRIES}.includes('50%')")).await;

    // What is not hers is not shown, and said so.
    browser.value("location.hash = '#files/bob'").await;
    browser
        .until("document.querySelector('.files > .state').textContent === 'This folder cannot be shown: \"bob\" is not in the library.'")
        .await;
    assert_eq!(browser.complaints, [""; 0]);
    for url in &browser.asked {
        assert!(url.starts_with(&trial.url), "{url}");
    }
}
