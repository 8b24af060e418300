//! Where the website's links lead, computed by the website's own script.

use std::process::Command;

use crate::rig::there_is;

/// Runs the script in Node, which the website itself does not need.
#[test]
fn links_are_joined_as_documented_for_env_js() {
    let script = r#"
        import assert from 'node:assert/strict';
        const { link, toolName, tools } = await import(process.argv[1]);
        const here = 'http://localhost:8080/dtaas/';
        const foo = { REACT_APP_URL: 'https://foo.com/', REACT_APP_URL_BASENAME: '' };

        assert.equal(link(foo, 'alice', '/lab', here), 'https://foo.com/alice/lab');
        assert.equal(link(foo, 'alice', 'lab/', here), 'https://foo.com/alice/lab');
        assert.equal(link(foo, 'alice', '', here), 'https://foo.com/alice');
        assert.equal(link(foo, 'j.doe', '/tools/vnc/?password=a%26b', here),
            'https://foo.com/j.doe/tools/vnc/?password=a%26b');
        for (const base of ['dtaas', '/dtaas', '/dtaas/']) {
            const env = { REACT_APP_URL: 'https://foo.com', REACT_APP_URL_BASENAME: base };
            assert.equal(link(env, 'alice', '/lab', here), 'https://foo.com/dtaas/alice/lab');
        }
        assert.equal(link({}, 'alice', '/lab', here), 'http://localhost:8080/dtaas/alice/lab');
        assert.throws(() => link({ REACT_APP_URL: 'javascript:alert(1)//' }, 'alice', '', here));

        for (const [key, name] of [['VSCODE', 'VS Code'], ['VNCDESKTOP', 'VNC Desktop'], ['TERMINAL', 'Terminal'],
            ['JUPYTERLAB', 'JupyterLab'], ['MY_OTHER_TOOL', 'My Other Tool'], ['constructor', 'Constructor']]) {
            assert.equal(toolName(key), name);
        }
        const env = { ...foo, REACT_APP_URL_DTLINK: '/lab', REACT_APP_WORKBENCHLINK_VSCODE: '/tools/vscode/',
            REACT_APP_WORKBENCHLINK_MINE: 'mine', REACT_APP_WORKBENCHLINK_: 'nothing' };
        assert.deepEqual(tools(env, 'alice', here), [
            { name: 'VS Code', href: 'https://foo.com/alice/tools/vscode' },
            { name: 'Mine', href: 'https://foo.com/alice/mine' },
        ]);
    "#;
    let links = concat!(env!("CARGO_MANIFEST_DIR"), "/website/links.js");
    // A copy by another name: Node takes a bare .js for the older kind of module.
    let directory = tempfile::tempdir().unwrap();
    let module = directory.path().join("links.mjs");
    std::fs::copy(links, &module).unwrap();
    let run = Command::new("node")
        .args(["--input-type=module", "--eval", script, "--"])
        .arg(&module)
        .output();
    const TEST: &str = "website_links::links_are_joined_as_documented_for_env_js";
    if !there_is("node (Debian: nodejs)", run.is_ok(), TEST) {
        return;
    }
    let output = run.unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
