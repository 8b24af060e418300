//! A website of the operator's choice in place of ours.

use std::fs;
use std::io::{Cursor, Read, Write};
use std::net::TcpListener;

use sha2::{Digest, Sha256};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::deployment::Deployment;
use super::steps::Steps;
use crate::rig::rig;

fn zip(page: &str) -> (Vec<u8>, String) {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in [
        ("build/index.html", page),
        ("build/env.js", "window.env = { theirs: true };\n"),
        ("build/static/js/main.js", "run();\n"),
    ] {
        writer
            .start_file(name, SimpleFileOptions::default())
            .unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    let bytes = writer.finish().unwrap().into_inner();
    let sum = Sha256::digest(&bytes);
    let sum = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    (bytes, sum)
}

/// Answers every request with these bytes; gives the address.
fn serve(bytes: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let _ = connection.read(&mut [0; 4096]);
            let head = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                bytes.len()
            );
            let _ = connection.write_all(head.as_bytes());
            let _ = connection.write_all(&bytes);
        }
    });
    format!("http://{address}/client.zip")
}

#[test]
fn another_website_is_fetched_checked_and_served_with_our_settings() {
    const TEST: &str =
        "platform::website_build::another_website_is_fetched_checked_and_served_with_our_settings";
    let Some(rig) = rig(TEST) else { return };
    let steps = Steps::of(TEST);
    let here = Deployment::init(&rig, "web", "foo.com", "alice", &[]);
    let spec = fs::read_to_string(here.path("dtaas.yaml")).unwrap();
    let name = |source: &str, sum: &str| {
        let website = format!("website:\n  source: {source}\n  sha256: '{sum}'\n");
        fs::write(here.path("dtaas.yaml"), format!("{spec}\n{website}")).unwrap();
    };
    let page = || here.get("/").by("alice").send().body;
    let (bytes, sum) = zip("<p>theirs");
    steps.step("a file in the deployment", || {
        fs::write(here.path("client.zip"), &bytes).unwrap();
        name("client.zip", &sum);
        let planned = here.dtaas(&["plan"]).succeeded();
        assert!(!here.path("data/website").exists(), "{planned:?}");
        let note = "`dtaas up` will fetch the website from client.zip";
        assert!(planned.stderr.contains(note), "{}", planned.stderr);
        here.dtaas(&["up"]).succeeded();
        assert_eq!(page(), "<p>theirs");
        let script = here.get("/static/js/main.js").by("alice").send();
        assert_eq!(script.body, "run();\n");
        let env = here.get("/env.js").by("alice").send().body;
        assert!(
            env.contains("REACT_APP_URL") && !env.contains("theirs"),
            "{env}"
        );
        // A place in the page, and what is not there.
        assert_eq!(here.get("/library").by("alice").send().body, "<p>theirs");
        assert_eq!(here.get("/static/js/no.js").by("alice").status(), 404);
        assert_eq!(here.get("/").status(), 401);
        assert_eq!(here.dtaas(&["plan", "--exit-code"]).code, Some(0));
    });
    let (other, other_sum) = zip("<p>of another time");
    let url = serve(other);
    steps.step("one that is another than was named changes nothing", || {
        name(&url, &"0".repeat(64));
        let ran = here.dtaas(&["up"]);
        assert_eq!(ran.code, Some(1));
        let message = format!("{url} has the SHA-256 {other_sum}, not {}", "0".repeat(64));
        assert!(ran.stderr.contains(&message), "{}", ran.stderr);
        assert_eq!(page(), "<p>theirs");
    });
    steps.step("one from an address", || {
        name(&url, &other_sum);
        here.dtaas(&["up"]).succeeded();
        assert_eq!(page(), "<p>of another time");
        let kept: Vec<_> = fs::read_dir(here.path("data/website")).unwrap().collect();
        assert_eq!(kept.len(), 1);
    });
    steps.step("and ours again", || {
        fs::write(here.path("dtaas.yaml"), &spec).unwrap();
        here.dtaas(&["up"]).succeeded();
        assert!(page().contains("static/app.js"));
        let kept: Vec<_> = fs::read_dir(here.path("data/website")).unwrap().collect();
        assert!(kept.is_empty(), "{kept:?}");
        // Nobody's but the operator's, so it would stay.
        fs::remove_file(here.path("client.zip")).unwrap();
    });
}
