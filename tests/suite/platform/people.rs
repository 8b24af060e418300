//! People: the website in a browser, behind the real gateway, and what they share with others.

use std::fs;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use dtaas::auth::asked::Front;
use dtaas::auth::endpoint::Directories;
use dtaas::auth::sessions::Sessions;
use dtaas::secrets::Secret;
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::client::within;
use super::deployment::Deployment;
use super::engine::docker;
use super::steps::Steps;
use super::terminal;
use crate::browser::Browser;
use crate::rig::rig;

const NAMES: &str =
    "[...document.querySelectorAll('#entries .name a')].map((one) => one.textContent).join(', ')";

/// A program that serves a page and a WebSocket that says back what it is told, with what a workspace has.
const TWIN: &str = r#"
import asyncio, tornado.web, tornado.websocket
class Page(tornado.web.RequestHandler):
    def get(self):
        self.write(f"the twin of alice, asked with {sorted(self.request.cookies)} at {self.request.path}")
class Socket(tornado.websocket.WebSocketHandler):
    def on_message(self, message):
        self.write_message(message)
async def main():
    tornado.web.Application([("/socket", Socket), ("/.*", Page)]).listen(5000, "0.0.0.0")
    await asyncio.Event().wait()
asyncio.run(main())
"#;

#[test]
fn people_sign_in_work_and_sign_out() {
    const TEST: &str = "platform::people::people_sign_in_work_and_sign_out";
    let Some(rig) = rig(TEST) else { return };
    let steps = Steps::of(TEST);
    let here = steps.step("init, and up", || {
        let here = Deployment::init(&rig, "ppl", "foo.com", "alice,bob", &[]);
        let spec = fs::read_to_string(here.path("dtaas.yaml")).unwrap();
        let spec = spec.replace("writable: false", "writable: true");
        fs::write(here.path("dtaas.yaml"), spec).unwrap();
        assets(&here);
        here.dtaas(&["up"]).succeeded();
        here
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    steps.step("in the browser", || {
        runtime.block_on(in_the_browser(&here, TEST))
    });
    steps.step("a session that is in use is renewed", || renewed(&here));
    steps.step("a twin is shared", || runtime.block_on(shared(&here)));
}

fn assets(here: &Deployment) {
    let at = |path: &str| {
        let path = here.path("files").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    };
    fs::write(at("alice/data/rooms.csv"), "room,celsius\nkitchen,21.5\n").unwrap();
    let page = "<script>fetch('/whoami').then((a) => a.text()).then((t) => { document.title = t; }, () => { document.title = 'kept out'; });</script>";
    fs::write(at("common/data/page.html"), page).unwrap();
    let readme = "# A cup\n\nIt [cools](cup.conf).\n\n<script>alert(1)</script>\n";
    fs::write(at("alice/digital twins/cup/README.md"), readme).unwrap();
    fs::write(
        at("alice/digital twins/cup/lifecycle/execute"),
        "#!/bin/sh\n",
    )
    .unwrap();
    let notebook = json!({
        "cells": [{"cell_type": "code", "execution_count": null, "id": "one", "metadata": {}, "outputs": [], "source": "print(6 * 7)"}],
        "metadata": {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}},
        "nbformat": 4, "nbformat_minor": 5,
    });
    fs::write(
        at("alice/digital twins/cup/run.ipynb"),
        notebook.to_string(),
    )
    .unwrap();
}

async fn in_the_browser(here: &Deployment, test: &str) {
    let flags = [
        "--host-resolver-rules=MAP foo.com 127.0.0.1",
        "--ignore-certificate-errors",
    ];
    let Some(mut browser) = Browser::start_with(test, &flags).await else {
        return;
    };
    let url = format!("https://{}/", here.host());
    // Alice is asked who she is, and comes to the page that she wanted.
    browser
        .open_as(
            &format!("{url}alice/nothing"),
            "alice",
            &here.password("alice"),
        )
        .await;
    assert_eq!(
        browser.text("location.href").await,
        format!("{url}alice/nothing")
    );
    browser.open(&url).await;
    browser
        .until("document.querySelector('#kinds [aria-selected=true]')")
        .await;
    assert_eq!(
        browser
            .text("document.getElementById('who').textContent")
            .await,
        "alice"
    );
    assert_eq!(browser.value("document.cookie").await, json!(""));

    browser.value("location.hash = '#files/alice/data'").await;
    browser.until(&format!("{NAMES} === 'rooms.csv'")).await;
    upload(&mut browser, here).await;
    browser
        .value("location.hash = '#view/alice/data/rooms.csv'")
        .await;
    browser
        .until("document.querySelector('.sheet td')?.textContent === 'kitchen'")
        .await;

    // JupyterLab opens in the page at the twin, and runs a cell.
    browser
        .value("location.hash = '#twins/twin/alice/digital%20twins/cup'")
        .await;
    browser
        .until("document.querySelector('.twin .readme')")
        .await;
    let readme = browser
        .text("document.querySelector('.twin .readme').innerText")
        .await;
    assert!(
        readme.contains("A cup") && readme.contains("It cools."),
        "{readme}"
    );
    browser
        .value("[...document.querySelectorAll('.twin button')].find((one) => one.textContent === 'Open JupyterLab here').click()")
        .await;
    let frame = "document.querySelector('.lab iframe')";
    browser
        .until(&format!(
            "{frame}?.contentDocument?.querySelector('.jp-DirListing-content')"
        ))
        .await;
    browser
        .value(&format!("{frame}.contentWindow.location.assign({frame}.contentWindow.location.href.replace(/lab.*/, 'lab/tree/digital%20twins/cup/run.ipynb'))"))
        .await;
    let notebook = format!("{frame}.contentDocument?.querySelector('.jp-CodeCell .cm-content')");
    browser
        .until(&format!(
            "{frame}.contentDocument?.querySelector('.jp-Notebook-ExecutionIndicator[data-status=idle]') && {notebook}"
        ))
        .await;
    browser.looks(1400, "light").await;
    let output = format!(
        "{frame}.contentDocument.querySelector('.jp-OutputArea-output')?.textContent.trim() ?? ''"
    );
    // A notebook that is still being drawn moves away below the mouse, and then the keys go elsewhere; a kernel that is still starting
    // answers when it has started.
    for nth in 1..60 {
        // JupyterLab that was left while it was loading may come without a kernel, and a person loads it again.
        if nth % 15 == 0 {
            browser
                .value(&format!("{frame}.contentWindow.location.reload()"))
                .await;
            tokio::time::sleep(Duration::from_millis(1500)).await;
            browser.until(&notebook).await;
        }
        browser.click(&notebook, Some(frame)).await;
        browser.press("Enter", 13, 8).await;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        if browser.text(&output).await == "42" {
            break;
        }
    }
    let shown = browser
        .text(&format!("{frame}.contentDocument.body.innerText"))
        .await;
    let (unwell, complaints) = (&browser.unwell.clone(), &browser.complaints.clone());
    assert_eq!(
        browser.text(&output).await,
        "42",
        "{shown}\n{unwell:#?}\n{complaints:#?}"
    );
    let complaints = std::mem::take(&mut browser.complaints);
    let policy: Vec<_> = complaints
        .iter()
        .filter(|one| one.contains("Content Security Policy") && one.contains("/static/"))
        .collect();
    assert_eq!(policy, [""; 0]);

    browser.value("location.hash = '#workbench'").await;
    browser
        .until("document.querySelector('.answers') && [...document.querySelectorAll('.answers')].every((one) => one.textContent !== 'asking…')")
        .await;
    let tools = browser
        .text("[...document.querySelectorAll('#tools li')].map((one) => one.innerText.replaceAll('\\n', ' ')).join('; ')")
        .await;
    assert!(
        tools.contains("JupyterLab") && tools.contains("answers"),
        "{tools}"
    );

    // An asset that is a page cannot act as her: it is saved and not opened, and shown as text.
    // (JupyterLab would ask whether to leave the notebook as it is.)
    browser
        .value("document.querySelector('.lab').replaceChildren()")
        .await;
    let page = json!({"url": format!("{url}lib/files/common/data/page.html")});
    let opened = browser.command("Page.navigate", page).await;
    assert_eq!(opened["isDownload"], true, "{opened}");
    browser
        .value("location.hash = '#view/common/data/page.html'")
        .await;
    browser
        .until("document.querySelector('pre.text')?.textContent.startsWith('<script>')")
        .await;
    assert!(!browser.text("document.title").await.contains("alice"));

    // Her session shows her own credentials' forms, and ends with it.
    browser.open(&format!("{url}#account")).await;
    browser.until("document.getElementById('password')").await;
    shared_on_the_page(&mut browser, here).await;
    browser
        .value("document.getElementById('leave').click()")
        .await;
    browser.until("location.pathname === '/signin'").await;
    for path in ["", "alice/lab", "lib", "lib/files/alice/data/rooms.csv"] {
        browser.open(&format!("{url}{path}")).await;
        browser.until("location.pathname === '/signin'").await;
    }
    for asked in &browser.asked {
        let own =
            asked.starts_with(&url) || asked.starts_with("data:") || asked.starts_with("blob:");
        assert!(own, "{asked}");
    }
}

/// What is shared with everybody is listed with its address, and ended; the form is as it was then.
async fn shared_on_the_page(browser: &mut Browser, here: &Deployment) {
    let form = "document.querySelector('#shares form')";
    browser.until(form).await;
    let password = json!(here.password("alice"));
    browser
        .value(&format!(
            "(() => {{
                const [, name, port, days, open, current] = {form}.elements;
                name.value = 'open-cup';
                port.value = 5001;
                days.value = 7;
                open.checked = true;
                current.value = {password};
                {form}.requestSubmit();
            }})()"
        ))
        .await;
    browser
        .until("document.querySelector('#shares .link')?.textContent.startsWith('Give this address away: https')")
        .await;
    let values = format!(
        "[...{form}.elements].filter((one) => one.type !== 'submit').map((one) => one.type === 'checkbox' ? one.checked : one.value)"
    );
    assert_eq!(
        browser.value(&values).await,
        json!(["alice", "", "", "30", false, ""])
    );
    // The list comes after the answer.
    browser
        .until("document.querySelector('#shares li button')")
        .await;
    browser
        .value("document.querySelector('#shares li button').focus()")
        .await;
    browser
        .value("document.querySelector('#shares li button').click()")
        .await;
    browser
        .until("document.querySelector('#shares .shares').innerText === 'You share nothing.'")
        .await;
    browser
        .until(&format!("document.activeElement === {form}.elements[1]"))
        .await;
}

/// 200 MB that are cut off on the way go on by themselves.
async fn upload(browser: &mut Browser, here: &Deployment) {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("big.bin");
    let bytes: Vec<u8> = (0..200_000_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    fs::write(&file, &bytes).unwrap();
    browser
        .choose_files("#files input[type=file]", &[&file])
        .await;
    browser
        .until("document.querySelector('.upload progress')?.value > 20e6")
        .await;
    browser.offline(true).await;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let there = browser
        .value("document.querySelector('.upload progress').value")
        .await;
    assert!(
        there.as_f64().unwrap() < 200e6,
        "it was there before it could be cut"
    );
    browser.offline(false).await;
    browser.until(&format!("{NAMES}.includes('big.bin')")).await;
    let arrived = fs::read(here.path("files/alice/data/big.bin")).unwrap();
    assert_eq!(Sha256::digest(arrived), Sha256::digest(&bytes));
}

/// A session that was begun two hours ago gets a new cookie through the gateway, and goes on with it.
fn renewed(here: &Deployment) {
    let directories = Directories {
        htpasswd: here.path("auth"),
        users: here.path("config/auth"),
    };
    let key = fs::read_to_string(here.path("config/session/key")).unwrap();
    let key = Secret::new(key.trim());
    let sessions = Sessions::new(directories, here.path("sessions"), key, &here.name);
    let mut headers = HeaderMap::new();
    headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
    let front = Front::Gateway(Vec::new());
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    sessions.open(&"alice".parse().unwrap()).unwrap();
    let begun = sessions.begin(
        &"alice".parse().unwrap(),
        &front.about(&headers),
        now - 7200,
    );
    let begun = begun.unwrap().unwrap();
    let cookie = begun.to_str().unwrap().split(';').next().unwrap();
    for path in ["/whoami", "/lib/files/alice/data/rooms.csv"] {
        let answer = here.get(path).with("Cookie", cookie).send();
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        let new = answer.header("set-cookie").unwrap();
        let new = new.split(';').next().unwrap();
        assert!(
            new.starts_with("__Host-dtaas-session-") && new != cookie,
            "{path}: {new}"
        );
        let answer = here.get(path).with("Cookie", new).send();
        assert_eq!(
            (answer.status, answer.header("set-cookie")),
            (200, None),
            "{path}"
        );
    }
}

async fn shared(here: &Deployment) {
    let script = here.path("files/alice/twin.py");
    fs::write(&script, TWIN).unwrap();
    docker(&[
        "exec",
        "-d",
        &here.container("workspace-alice"),
        "python3",
        "/workspace/twin.py",
    ]);
    let added = here
        .dtaas(&["share", "add", "alice/cup", "--port", "5000"])
        .succeeded();
    let link = added.stdout.trim().to_owned();
    let (page, token) = link.split_once("?token=").unwrap();
    assert_eq!(page, format!("https://{}/alice/services/cup/", here.host()));

    // Whoever has the link comes in,
    let answer = here
        .get(&format!("/alice/services/cup/?token={token}"))
        .send();
    assert_eq!(answer.status, 303);
    let inside = answer.header("location").unwrap().to_owned();
    within(Duration::from_secs(20), "the twin answers", || {
        here.get(&inside).status() == 200
    });
    let answer = here.get(&inside).with("Cookie", "a=b").send();
    assert_eq!(answer.body, "the twin of alice, asked with [] at /");
    assert!(
        answer
            .header("content-security-policy")
            .unwrap()
            .contains("sandbox")
    );
    let mut socket = terminal::open(here, &format!("{inside}socket"), None, "a=b")
        .await
        .unwrap();
    socket.send(Message::text("here")).await.unwrap();
    assert_eq!(
        socket.next().await.unwrap().unwrap().to_text().unwrap(),
        "here"
    );
    // and nobody without it, signed in or not;
    assert_eq!(here.get("/alice/services/cup/").status(), 401);
    assert_eq!(here.get("/alice/services/cup/").by("bob").status(), 401);
    let refused = terminal::open(here, "/alice/services/cup/socket", None, "a=b").await;
    assert!(matches!(refused, Err(Error::Http(answer)) if answer.status() == 401));
    // it leads to no other port and no other workspace.
    assert_eq!(
        here.get(&format!("/bob/services/cup/~{token}/")).status(),
        404
    );
    let listed = here.dtaas(&["share", "list"]).succeeded().stdout;
    assert!(
        listed.contains("alice/cup") && listed.contains("5000"),
        "{listed}"
    );

    // Shared no more, it is gone, also for whoever is connected.
    here.dtaas(&["share", "remove", "alice/cup"]).succeeded();
    let ended = async { while let Some(Ok(_)) = socket.next().await {} };
    tokio::time::timeout(Duration::from_secs(10), ended)
        .await
        .expect("it is still open");
    assert_eq!(here.get(&inside).status(), 404);
    assert_eq!(here.dtaas(&["plan", "--exit-code"]).code, Some(0));
}
