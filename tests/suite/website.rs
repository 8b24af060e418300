//! The website, as the gateway asks it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::loopback::Server;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; frame-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'self'";
const SECRET: &str = "between-the-gateway-and-us";
const GATEWAY: (&str, &str) = ("X-Dtaas-Gateway", SECRET);

struct Site {
    directory: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("env.js"), "window.env = {};\n").unwrap();
        fs::write(directory.path().join("gateway"), format!("{SECRET}\n")).unwrap();
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn serve(&self, more: &[&str]) -> Server {
        let env = self.path("env.js");
        let arguments = ["website", "serve", "--env", env.to_str().unwrap()];
        Server::start("website", &[&arguments, more].concat())
    }

    fn behind_the_gateway(&self, base_path: &str) -> Server {
        let secret = self.path("gateway");
        let secret = secret.to_str().unwrap();
        self.serve(&["--base-path", base_path, "--gateway-secret-file", secret])
    }
}

#[test]
fn pages_and_their_files_come_with_the_right_headers() {
    let site = Site::new();
    for (base_path, base) in [("", ""), ("dtaas", "/dtaas"), ("/lab/dtaas/", "/lab/dtaas")] {
        let server = site.behind_the_gateway(base_path);
        for (path, content_type, caching) in [
            ("/", "text/html; charset=utf-8", "no-cache"),
            ("/static/style.css", "text/css; charset=utf-8", "no-cache"),
            ("/static/favicon.svg", "image/svg+xml", "no-cache"),
            ("/static/library.css", "text/css; charset=utf-8", "no-cache"),
            ("/env.js", "text/javascript; charset=utf-8", "no-store"),
            ("/whoami", "application/json", "no-store"),
        ] {
            let path = format!("{base}{path}");
            let answer = server.get(&path, &[GATEWAY]);
            assert_eq!(answer.status, 200, "{path}");
            assert_eq!(answer.header("content-type"), Some(content_type), "{path}");
            assert_eq!(answer.header("cache-control"), Some(caching), "{path}");
            assert_eq!(answer.header("content-security-policy"), Some(POLICY));
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
            assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
            let head = server.ask("HEAD", &path, &[GATEWAY]);
            assert_eq!((head.status, head.body.as_str()), (200, ""));
        }
    }
}

#[test]
fn the_base_path_leads_to_the_page_and_the_rest_nowhere() {
    let server = Site::new().behind_the_gateway("dtaas");
    let answer = server.get("/dtaas", &[GATEWAY]);
    assert_eq!(answer.status, 308);
    assert_eq!(answer.header("location"), Some("/dtaas/"));
    for path in [
        "/",
        "/dtaasx",
        "/dtaas/library",
        "/dtaas/static/",
        "/dtaas/static/../env.js",
        "/dtaas/static/%2e%2e/env.js",
        "/dtaas/index.html",
        "/static/app.js",
    ] {
        let answer = server.get(path, &[GATEWAY]);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.body.contains("<a href=\"/dtaas/\">"), "{path}");
        assert_eq!(answer.header("content-security-policy"), Some(POLICY));
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let answer = server.ask(method, "/dtaas/", &[GATEWAY]);
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, Some("GET, HEAD"))
        );
    }
}

#[test]
fn every_script_and_style_of_the_website_is_served() {
    let server = Site::new().behind_the_gateway("");
    let website = Path::new(env!("CARGO_MANIFEST_DIR")).join("website");
    for entry in fs::read_dir(website).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let kind = match name.rsplit_once('.') {
            Some((_, "js")) => "text/javascript; charset=utf-8",
            Some((_, "css")) => "text/css; charset=utf-8",
            _ => continue,
        };
        let answer = server.get(&format!("/static/{name}"), &[GATEWAY]);
        assert_eq!(answer.status, 200, "{name}");
        assert_eq!(answer.header("content-type"), Some(kind), "{name}");
        assert_eq!(answer.body, fs::read_to_string(&path).unwrap(), "{name}");
    }
}

#[test]
fn a_text_in_markdown_is_rendered_without_what_acts() {
    let server = Site::new().behind_the_gateway("dtaas");
    let render = |headers: &[(&str, &str)], text: &str| {
        server.give("POST", "/dtaas/render", headers, "text/markdown", text)
    };
    let answer = render(
        &[GATEWAY],
        "# Cup\n\nIt *cools*.\n\n<script>alert(1)</script>",
    );
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, "<h1>Cup</h1>\n<p>It <em>cools</em>.</p>\n")
    );
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(render(&[], "x").status, 403);
    assert_eq!(render(&[GATEWAY], &"x".repeat(1024 * 1024 + 1)).status, 413);
}

#[test]
fn a_file_that_the_browser_has_is_not_sent_again() {
    let server = Site::new().behind_the_gateway("");
    let tag = server.get("/static/app.js", &[GATEWAY]).headers["etag"].clone();
    for condition in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}")] {
        let answer = server.get("/static/app.js", &[GATEWAY, ("If-None-Match", &condition)]);
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (304, ""),
            "{condition}"
        );
        assert_eq!(answer.header("etag"), Some(tag.as_str()));
    }
    let answer = server.get("/static/style.css", &[GATEWAY, ("If-None-Match", &tag)]);
    assert_eq!(answer.status, 200);
}

#[test]
fn env_js_is_the_file_as_it_is_now() {
    let site = Site::new();
    let server = site.behind_the_gateway("");
    assert_eq!(server.get("/env.js", &[GATEWAY]).body, "window.env = {};\n");
    fs::write(site.path("env.js"), "window.env = { A: 'b' };\n").unwrap();
    assert_eq!(
        server.get("/env.js", &[GATEWAY]).body,
        "window.env = { A: 'b' };\n"
    );
    fs::remove_file(site.path("env.js")).unwrap();
    assert_eq!(server.get("/env.js", &[GATEWAY]).status, 404);
}

#[test]
fn the_visitor_is_who_the_gateway_says() {
    let server = Site::new().behind_the_gateway("");
    let whoami = |headers: &[(&str, &str)]| server.get("/whoami", headers).body;
    let alice = ("X-Forwarded-User", "alice");
    assert_eq!(
        whoami(&[GATEWAY, alice, ("X-Forwarded-Groups", "publishers,admins")]),
        r#"{"user":"alice","groups":["publishers","admins"]}"#
    );
    assert_eq!(
        whoami(&[GATEWAY, alice, ("X-Forwarded-Groups", "")]),
        r#"{"user":"alice","groups":[]}"#
    );
    for nobody in ["", "../bob", "<b>"] {
        let claim = ("X-Forwarded-User", nobody);
        assert_eq!(whoami(&[GATEWAY, claim]), r#"{"user":null,"groups":[]}"#);
    }
}

#[test]
fn only_the_gateway_may_ask() {
    let site = Site::new();
    let server = site.behind_the_gateway("");
    let alice = ("X-Forwarded-User", "alice");
    for path in ["/", "/env.js", "/whoami", "/static/app.js", "/elsewhere"] {
        for claim in [None, Some(""), Some("another"), Some(&SECRET[1..])] {
            let claim = claim.map(|secret| ("X-Dtaas-Gateway", secret));
            let headers: Vec<_> = claim.into_iter().chain([alice]).collect();
            let answer = server.get(path, &headers);
            assert_eq!(answer.status, 403, "{path}");
            assert_eq!(answer.body, "Only the gateway may ask.\n");
        }
    }
    assert_eq!(server.get("/healthz", &[]).body, "ready\n");
    assert_eq!(server.stop(), Some(0));

    // By itself it serves everyone who can connect, and believes nobody's name.
    let server = site.serve(&[]);
    assert_eq!(server.get("/", &[]).status, 200);
    let answer = server.get("/whoami", &[alice]);
    assert_eq!(answer.body, r#"{"user":null,"groups":[]}"#);
}

#[test]
fn pages_bring_nothing_from_elsewhere_and_nothing_inline() {
    let website = Path::new(env!("CARGO_MANIFEST_DIR")).join("website");
    let files = [website.clone(), website.join("signin")]
        .into_iter()
        .flat_map(|directory| fs::read_dir(directory).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file() && path.extension().is_none_or(|kind| kind != "svg"));
    let mut looked_at = 0;
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        looked_at += 1;
        for forbidden in [
            "//www.",
            "http://",
            "https://",
            "style=",
            "onclick",
            "innerHTML",
            "@import",
        ] {
            assert!(
                !text.contains(forbidden),
                "{forbidden} in {}",
                path.display()
            );
        }
    }
    assert!(looked_at > 15, "{looked_at}");
}

#[test]
fn what_stands_there_twice_is_not_believed() {
    let server = Site::new().behind_the_gateway("");
    let twice = [("X-Dtaas-Gateway", "guess"), GATEWAY];
    assert_eq!(server.get("/", &[twice[1], twice[0]]).status, 403);
    assert_eq!(server.get("/", &twice).status, 403);

    let answer = server.get(
        "/whoami",
        &[
            GATEWAY,
            ("X-Forwarded-User", "alice"),
            ("X-Forwarded-User", "bob"),
            ("X-Forwarded-Groups", "admins"),
            ("X-Forwarded-Groups", ""),
        ],
    );
    assert_eq!(answer.body, r#"{"user":null,"groups":[]}"#);
}
