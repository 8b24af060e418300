//! What people change in the library's page: nothing goes that they did not mean to go.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::fixture::Trial;
use super::pages::{NAMES, press};
use crate::browser::Browser;
use crate::library::fixture::Library;

/// A trial of this library that alice may change, and her browser at a folder of it.
async fn open(
    browser: &mut Browser,
    temporary: &Path,
    library: &Library,
    folder: &str,
    shows: &str,
) -> Trial {
    let trial = Trial::of_alice(
        temporary,
        ["--writable".as_ref(), library.root().as_os_str()],
    );
    browser
        .open_as(&trial.url, "alice", "alices-password")
        .await;
    browser
        .value(&format!("location.hash = '#files/{folder}'"))
        .await;
    browser.until(&format!("{NAMES} === '{shows}'")).await;
    trial
}

/// A file of this machine to be sent.
fn file(directory: &Path, name: &str, contents: &str) -> std::path::PathBuf {
    let path = directory.join(name);
    fs::write(&path, contents).unwrap();
    path
}

const CHOOSE: &str = "#files input[type=file]";

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_comes_under_a_deleted_name_stays() {
    const TEST: &str = "trial::changing::a_file_that_comes_under_a_deleted_name_stays";
    let Some(mut browser) = Browser::start(TEST).await else {
        return;
    };
    let temporary = tempfile::tempdir().unwrap();
    let library = Library::new();
    library.make_directory("alice/work/sub");
    library.write("alice/work/rows.csv", "old");
    library.write("alice/work/notes.md", "old");
    library.write("alice/work/sub/x", "x");
    let shown = "sub, notes.md, rows.csv";
    let trial = open(
        &mut browser,
        temporary.path(),
        &library,
        "alice/work",
        shown,
    )
    .await;

    // Given a file that was just deleted, and another one that is sent under its name,
    browser.value(&press("Delete rows.csv")).await;
    browser.until(&format!("{NAMES} === 'sub, notes.md'")).await;
    let new = file(temporary.path(), "rows.csv", "new");
    browser.choose_files(CHOOSE, &[&new]).await;
    browser.until(&format!("{NAMES} === '{shown}'")).await;
    // it cannot be had back any more, and whoever leaves the page removes nothing.
    assert_eq!(
        browser
            .value("document.querySelectorAll('.toast').length")
            .await,
        json!(0)
    );
    browser.open(&format!("{}env.js", trial.url)).await;
    browser
        .open(&format!("{}#files/alice/work", trial.url))
        .await;
    browser.until(&format!("{NAMES} === '{shown}'")).await;
    let read = |path: &str| fs::read_to_string(library.path(path));
    assert_eq!(read("alice/work/rows.csv").unwrap(), "new");

    // What was deleted in a folder does not live on where the folder is moved to.
    browser
        .value("location.hash = '#files/alice/work/sub'")
        .await;
    browser.until(&format!("{NAMES} === 'x'")).await;
    browser.value(&press("Delete x")).await;
    browser.until(&format!("{NAMES} === ''")).await;
    browser.value("location.hash = '#files/alice/work'").await;
    browser.until(&format!("{NAMES} === '{shown}'")).await;
    browser.value(&press("Rename sub")).await;
    browser
        .value("document.querySelector('#entries .rename input').value = 'moved'")
        .await;
    browser
        .value("document.querySelector('#entries .rename').requestSubmit()")
        .await;
    browser
        .until(&format!("{NAMES} === 'moved, notes.md, rows.csv'"))
        .await;
    assert!(!library.path("alice/work/moved/x").exists());

    // What somebody else wrote meanwhile stays, is said, and keeps from signing out with something else in mind.
    browser.value(&press("Delete notes.md")).await;
    browser
        .until(&format!("{NAMES} === 'moved, rows.csv'"))
        .await;
    library.write("alice/work/notes.md", "saved by JupyterLab");
    browser.value(&press("Delete rows.csv")).await;
    browser.until(&format!("{NAMES} === 'moved'")).await;
    browser.value(&press("Sign out")).await;
    browser
        .until("document.querySelector('.toast')?.innerText === 'notes.md was changed meanwhile, so it stays.'")
        .await;
    browser
        .until(&format!("{NAMES} === 'moved, notes.md'"))
        .await;
    assert!(!library.path("alice/work/rows.csv").exists());
    // Whoever signs out has decided.
    browser.value(&press("Delete notes.md")).await;
    browser.until(&format!("{NAMES} === 'moved'")).await;
    browser.value(&press("Sign out")).await;
    browser.until("location.pathname === '/signin'").await;
    assert!(!library.path("alice/work/notes.md").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_takes_the_place_of_another_when_that_is_wanted() {
    const TEST: &str = "trial::changing::a_file_takes_the_place_of_another_when_that_is_wanted";
    let Some(mut browser) = Browser::start(TEST).await else {
        return;
    };
    let temporary = tempfile::tempdir().unwrap();
    let library = Library::new();
    library.make_directory("alice/work");
    library.write("alice/work/rows.csv", "old");
    let _trial = open(
        &mut browser,
        temporary.path(),
        &library,
        "alice/work",
        "rows.csv",
    )
    .await;
    let new = file(temporary.path(), "rows.csv", "new");
    let said = "document.querySelector('.upload .state')?.innerText";
    let read = || fs::read_to_string(library.path("alice/work/rows.csv")).unwrap();

    for (button, after) in [
        ("Keep the rows.csv that is there", "old"),
        ("Replace the rows.csv that is there", "new"),
    ] {
        browser.choose_files(CHOOSE, &[&new]).await;
        browser
            .until(&format!("{said} === 'There is a rows.csv already.'"))
            .await;
        assert_eq!(read(), "old");
        browser.value(&press(button)).await;
        browser
            .until(&format!("[undefined, 'is there'].includes({said})"))
            .await;
        assert_eq!(read(), after);
    }

    // Names that cannot be are told, and nothing is asked of the library.
    for (name, wrong) in [
        ("a/b", "A name has no “/”: that stands between folders."),
        ("..", "“..” is no name: it stands for a folder."),
    ] {
        browser.value(&press("New folder")).await;
        browser
            .value(&format!(
                "document.querySelector('.actions .rename input').value = '{name}'"
            ))
            .await;
        browser.value(&press("Make folder")).await;
        let told = "document.querySelector('.actions .rename input').validationMessage";
        assert_eq!(browser.text(told).await, wrong);
    }
    assert!(!library.path("alice/work/a").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn files_go_where_they_are_seen_to_go() {
    const TEST: &str = "trial::changing::files_go_where_they_are_seen_to_go";
    let Some(mut browser) = Browser::start(TEST).await else {
        return;
    };
    let temporary = tempfile::tempdir().unwrap();
    let library = Library::new();
    library.make_directory("alice/work");
    library.make_directory("alice/other");
    library.write("alice/work/rows.csv", "1,2\n");
    library.write("alice/other/rows-too.csv", "1,2\n");
    let _trial = open(
        &mut browser,
        temporary.path(),
        &library,
        "alice/work",
        "rows.csv",
    )
    .await;
    let drop = |name: &str| {
        format!(
            "(() => {{
                const dataTransfer = new DataTransfer();
                dataTransfer.items.add(new File(['x'], '{name}'));
                document.getElementById('files').dispatchEvent(new DragEvent('drop', {{ dataTransfer, cancelable: true }}));
            }})()"
        )
    };

    // A search has no folder that a file could go to, and is not replaced by one when something deleted is had back.
    browser.value(&press("Delete rows.csv")).await;
    browser.until(&format!("{NAMES} === ''")).await;
    browser.value("location.hash = '#search/rows'").await;
    browser
        .until(&format!("{NAMES} === 'alice/other/rows-too.csv'"))
        .await;
    browser.value(&drop("lost.txt")).await;
    browser.value(&press("Undo")).await;
    browser.value("location.hash = '#search/rows-'").await;
    browser
        .until("document.querySelector('.way [aria-current]').textContent === '“rows-”'")
        .await;
    browser
        .until(&format!("{NAMES} === 'alice/other/rows-too.csv'"))
        .await;
    assert_eq!(
        browser
            .value("document.querySelectorAll('.upload').length")
            .await,
        json!(0)
    );
    // A file has none either, and shows nothing of what was shown before it.
    browser
        .value("location.hash = '#view/alice/other/rows-too.csv'")
        .await;
    browser.until("document.querySelector('.sheet')").await;
    browser.value(&drop("lost.txt")).await;

    // A folder takes the files, also when another one is opened at once.
    browser.value("location.hash = '#files/alice/other'").await;
    browser.until(&format!("{NAMES} === 'rows-too.csv'")).await;
    browser.value(&drop("kept.txt")).await;
    browser.value("location.hash = '#files/alice/work'").await;
    browser.until(&format!("{NAMES} === 'rows.csv'")).await;
    browser
        .until("document.querySelector('.upload .state')?.innerText === 'is there'")
        .await;
    assert!(library.path("alice/other/kept.txt").exists());
    assert_eq!(browser.text(NAMES).await, "rows.csv");
    for folder in ["alice/work", "alice/other"] {
        assert!(!library.path(&format!("{folder}/lost.txt")).exists());
    }
    assert_eq!(browser.complaints, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_by_the_keyboard_leaves_the_cursor_there() {
    const TEST: &str = "trial::changing::what_is_done_by_the_keyboard_leaves_the_cursor_there";
    let Some(mut browser) = Browser::start(TEST).await else {
        return;
    };
    let temporary = tempfile::tempdir().unwrap();
    let library = Library::new();
    library.make_directory("alice/work");
    for name in ["a", "b", "c"] {
        library.write(&format!("alice/work/{name}"), "");
    }
    let _trial = open(
        &mut browser,
        temporary.path(),
        &library,
        "alice/work",
        "a, b, c",
    )
    .await;
    let cursor = "(document.activeElement.ariaLabel ?? document.activeElement.textContent)";
    let on = |name: &str| {
        format!(
            "[...document.querySelectorAll('button')].find((one) => one.ariaLabel === '{name}').focus()"
        )
    };

    // What can be done about a deleted file is at hand, and put away.
    browser.value(&on("Delete b")).await;
    browser.value(&press("Delete b")).await;
    browser.until(&format!("{cursor} === 'Undo'")).await;
    browser.press("Escape", 27, 0).await;
    browser.until(&format!("{cursor} === 'c'")).await;
    browser.until("!document.querySelector('.toast')").await;
    // It is had back where it was.
    browser.value(&on("Delete a")).await;
    browser.value(&press("Delete a")).await;
    browser.until(&format!("{cursor} === 'Undo'")).await;
    browser.value("document.activeElement.click()").await;
    browser.until(&format!("{cursor} === 'a'")).await;
    // Another name keeps it.
    browser.value(&press("Rename a")).await;
    browser
        .until("document.activeElement.closest('.rename')")
        .await;
    browser.enter("z").await;
    browser
        .value("document.querySelector('#entries .rename').requestSubmit()")
        .await;
    browser.until(&format!("{NAMES} === 'c, z'")).await;
    browser.until(&format!("{cursor} === 'z'")).await;
    assert!(!library.path("alice/work/b").exists());
    assert_eq!(browser.complaints, [""; 0]);
}
