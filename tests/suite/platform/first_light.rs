//! From nothing to a user's JupyterLab behind the gateway.

use std::path::Path;
use std::process::Command;

use super::deployment::{Deployment, Ran};
use super::steps::Steps;
use super::{doors, isolation, terminal};
use crate::rig::rig;

#[test]
fn from_nothing_to_each_users_jupyterlab() {
    const TEST: &str = "platform::first_light::from_nothing_to_each_users_jupyterlab";
    let Some(rig) = rig(TEST) else { return };
    let steps = Steps::of(TEST);

    let foo = steps.step("init --domain foo.com", || {
        Deployment::init(&rig, "foo", "foo.com", "alice,bob,j.doe_x-1", &[])
    });
    steps.step("assets are put into the library", || library(&foo));
    steps.step("up", || foo.dtaas(&["up"]).succeeded());
    steps.step("status says that all are ready", || {
        assert_eq!(
            foo.status(),
            [
                "gateway: ready",
                "auth: ready",
                "website: ready",
                "library: ready",
                "workspace alice: ready",
                "workspace bob: ready",
                "workspace j.doe_x-1: ready",
            ]
        );
    });
    steps.step("curl knows the certificate", || {
        let curl = |domain: &str| {
            let port = foo.ports.https;
            let resolve = format!("{domain}:{port}:127.0.0.1");
            let user = format!("alice:{}", foo.password("alice"));
            let address = format!("https://{domain}:{port}/alice/lab");
            let mut curl = Command::new("curl");
            curl.args(["-sS", "-o", "/dev/null", "-w", "%{http_code}", "--cacert"]);
            curl.arg(foo.path("secrets/tls/authority.pem"));
            curl.args(["--resolve", &resolve, "--user", &user, &address]);
            Ran::of(curl.output().unwrap())
        };
        assert_eq!(curl("foo.com").succeeded().stdout, "200");
        // 60: the certificate is not for that name.
        assert_eq!(curl("bar.com").code, Some(60));
    });
    steps.step("each door opens for whom it should", || {
        doors::open(&foo, &["alice", "bob", "j.doe_x-1"]);
        doors::library(&foo);
    });
    steps.step("no door opens for anyone else", || {
        doors::closed_without_credentials(&foo);
        doors::closed_to_others(&foo);
        doors::forged_names_count_for_nothing(&foo);
    });
    steps.step("http only leads to https", || doors::redirect(&foo));
    steps.step("a terminal runs a command", || terminal::check(&foo));
    isolation::check(&steps, &foo, &rig);
}

/// A digital twin with its lifecycle scripts, data in text and bytes, and words about it.
pub fn library(deployment: &Deployment) {
    assets(&deployment.path("files"));
}

/// The same in a library that lies elsewhere.
pub fn assets(library: &Path) {
    let put = |path: &str, content: &[u8]| {
        let path = library.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    let twin = "alice/digital twins/incubator";
    for stage in ["create", "execute", "terminate", "clean"] {
        let script = format!("#!/bin/sh\necho {stage}\n");
        put(&format!("{twin}/lifecycle/{stage}"), script.as_bytes());
    }
    put(&format!("{twin}/README.md"), b"# Incubator\n");
    put(
        "alice/data/temperature.csv",
        b"second,celsius\n0,21.5\n1,21.7\n",
    );
    put("alice/models/spring.bin", &[0, 159, 146, 150, 255]);
    put("bob/data/secret.csv", b"only,bob\n");
    put("common/README.md", b"# For all\n");
}
