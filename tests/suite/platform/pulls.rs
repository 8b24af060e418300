//! Images that do not come: the image and its registry are named, the rest of the platform comes up, and `up` ends in time.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::deployment::Deployment;
use crate::rig::rig;

/// What a registry does with a request, of which it gets the first line.
type Registry = fn(&mut TcpStream, &str);

/// Listens on loopback; the engine takes it for a registry without TLS.
fn registry(answer: Registry) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let Some(Ok(first)) = lines.next() else {
                    return;
                };
                // A TLS greeting is no request: the engine tries that first, and then goes without.
                if first.starts_with("GET") || first.starts_with("HEAD") {
                    for line in lines {
                        if line.is_ok_and(|line| line.is_empty()) {
                            break;
                        }
                    }
                    answer(&mut stream, &first);
                }
            });
        }
    });
    port
}

fn answer(stream: &mut TcpStream, status: &str, headers: &str, body: &str) {
    let length = body.len();
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
}

fn for_ever() -> ! {
    loop {
        std::thread::park();
    }
}

const UNKNOWN: &str =
    "{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"manifest unknown\"}]}";
const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A manifest of one layer and its configuration, all of the same digest.
fn manifest() -> String {
    format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"application/vnd.docker.distribution.manifest.v2+json\",\
         \"config\":{{\"mediaType\":\"application/vnd.docker.container.image.v1+json\",\"size\":100,\"digest\":\"{DIGEST}\"}},\
         \"layers\":[{{\"mediaType\":\"application/vnd.docker.image.rootfs.diff.tar.gzip\",\"size\":1000000,\"digest\":\"{DIGEST}\"}}]}}"
    )
}

#[test]
fn an_image_that_does_not_come_is_named_and_the_rest_comes_up() {
    const TEST: &str =
        "platform::pulls::an_image_that_does_not_come_is_named_and_the_rest_comes_up";
    let Some(rig) = rig(TEST) else { return };
    let here = Deployment::init(&rig, "pulls", "localhost", "alice,bob", &["--tls", "off"]);
    // Images are named with their registry, each its own.
    let spec = fs::read_to_string(here.path("dtaas.yaml")).unwrap();
    let spelled = spec
        .replace(&format!("prefix: \"{}\"", rig.registry), "prefix: \"\"")
        .replace("\"traefik:", &format!("\"{}traefik:", rig.registry))
        .replace("\"mltooling/", &format!("\"{}mltooling/", rig.registry));
    fs::write(here.path("dtaas.yaml"), spelled).unwrap();
    here.dtaas(&["up"]).succeeded();
    here.dtaas(&["user", "remove", "bob", "--yes"]).succeeded();
    let users_file = here.path("users/alice.yaml");
    let alice = fs::read_to_string(&users_file).unwrap();
    let bob = here.path("users/bob.yaml");

    let unknown = "there is no such image: mend its name or tag in dtaas.yaml";
    let silent = registry(|_, _| for_ever());
    let stalls = registry(|stream, line| {
        if line.contains("/manifests/") {
            let body = manifest();
            let headers = format!(
                "Content-Type: application/vnd.docker.distribution.manifest.v2+json\r\nDocker-Content-Digest: {DIGEST}\r\n"
            );
            answer(stream, "200 OK", &headers, &body);
        } else if line.contains("/blobs/") {
            let _ = stream.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 1000000\r\n\r\nx",
            );
            for_ever();
        } else {
            answer(
                stream,
                "200 OK",
                "Docker-Distribution-Api-Version: registry/2.0\r\n",
                "{}",
            );
        }
    });
    let no_tag = registry(|stream, line| match line.contains("/manifests/") {
        true => answer(
            stream,
            "404 Not Found",
            "Content-Type: application/json\r\n",
            UNKNOWN,
        ),
        false => answer(stream, "200 OK", "", "{}"),
    });
    let login = registry(|stream, _| {
        let body =
            "{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"authentication required\"}]}";
        let headers = "Content-Type: application/json\r\nWWW-Authenticate: Basic realm=\"lab\"\r\n";
        answer(stream, "401 Unauthorized", headers, body);
    });
    let down = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let reach = "see whether this machine reaches REGISTRY: docker pull IMAGE";
    let by_hand = "mend its name in dtaas.yaml; or fetch it once by hand with: docker login REGISTRY && docker pull IMAGE";
    let slow = "see whether this machine reaches REGISTRY: docker pull IMAGE; a slow one gets longer with dtaas up --pull-timeout SECONDS";
    for (port, reason, hint) in [
        (no_tag, "", unknown),
        (login, "", by_hand),
        (down, "", reach),
        (silent, "nothing came for 3 s", slow),
        (stalls, "nothing came for 3 s", slow),
    ] {
        let registry = format!("127.0.0.1:{port}");
        let image = format!("{registry}/lab/twin:1");
        fs::write(
            &bob,
            format!("{}image: {image}\n", alice.replace("slot: 0", "slot: 1")),
        )
        .unwrap();
        let begun = Instant::now();

        let ran = here.dtaas(&["up", "--pull-timeout", "3"]);

        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        let error = ran
            .stderr
            .lines()
            .find(|line| line.starts_with("error: "))
            .unwrap();
        let said = format!("error: image {image} cannot be pulled from {registry}: {reason}");
        assert!(error.starts_with(&said), "{}", ran.stderr);
        let hint = hint.replace("REGISTRY", &registry).replace("IMAGE", &image);
        assert!(
            ran.stderr
                .contains(&format!("hint: {hint}\nWhat this run told is kept in ")),
            "{}",
            ran.stderr
        );
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "it took {:?}",
            begun.elapsed()
        );
        assert!(
            ran.stderr
                .contains(&format!("left out: the image {image} is missing\n")),
            "{}",
            ran.stderr
        );
        let status = here.status();
        assert!(
            status.contains(&"workspace alice: ready".to_owned()),
            "{status:?}"
        );
        assert!(
            status.contains(&"workspace bob: missing".to_owned()),
            "{status:?}"
        );
    }
    fs::write(&bob, alice.replace("slot: 0", "slot: 1")).unwrap();
    here.dtaas(&["up"]).succeeded();
    assert!(here.status().contains(&"workspace bob: ready".to_owned()));
}
