//! What the pages' scripts compute, computed by those scripts themselves.

use std::path::Path;
use std::process::Command;

use crate::rig::there_is;

/// Runs a script in Node, which the pages themselves do not need. `module` is where it finds the page's script.
fn in_node(test: &str, module: &str, script: &str) {
    // A copy by another name: Node takes a bare .js for the older kind of module.
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("module.mjs");
    let website = Path::new(env!("CARGO_MANIFEST_DIR")).join("website");
    std::fs::copy(website.join(module), &copy).unwrap();
    let run = Command::new("node")
        .args(["--input-type=module", "--eval", script, "--"])
        .arg(&copy)
        .output();
    if !there_is("node (Debian: nodejs)", run.is_ok(), test) {
        return;
    }
    let output = run.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

#[test]
fn links_are_joined_as_documented_for_env_js() {
    const TEST: &str = "website_scripts::links_are_joined_as_documented_for_env_js";
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
    in_node(TEST, "links.js", script);
}

#[test]
fn every_path_of_the_library_has_an_address() {
    const TEST: &str = "website_scripts::every_path_of_the_library_has_an_address";
    let script = r#"
        import assert from 'node:assert/strict';
        const { addressOf, archiveOf, pathOf, placeOf, wayTo } = await import(process.argv[1]);
        assert.equal(addressOf('alice/digital twins/50% #1?.csv'), 'lib/files/alice/digital%20twins/50%25%20%231%3F.csv');
        assert.equal(archiveOf('alice/data'), 'lib/files/alice/data?zip');
        for (const path of ['', 'alice', 'alice/digital twins', 'alice/50% #1?/ä']) assert.equal(pathOf(placeOf(path)), path);
        for (const fragment of ['', '#library', '#files', '#files/%']) assert.equal(pathOf(fragment), undefined);
        assert.deepEqual(wayTo('alice/data'), [
            { name: 'Library', path: '' }, { name: 'alice', path: 'alice' }, { name: 'data', path: 'alice/data' },
        ]);
        assert.deepEqual(wayTo(''), [{ name: 'Library', path: '' }]);
    "#;
    in_node(TEST, "files.js", script);
}

#[test]
fn questions_are_edited_and_read() {
    const TEST: &str = "website_scripts::questions_are_edited_and_read";
    let script = r##"
        import assert from 'node:assert/strict';
        const { errorLine, indent, operations, readVariables } = await import(process.argv[1]);

        assert.deepEqual(indent('ab', 1, 1, false), { text: 'a  b', start: 3, end: 3 });
        assert.deepEqual(indent('abc', 1, 2, false), { text: 'a  c', start: 3, end: 3 });
        assert.deepEqual(indent('a\nb\nc', 0, 3, false), { text: '  a\n  b\nc', start: 2, end: 7 });
        assert.deepEqual(indent('  a\n b\nc', 4, 6, true), { text: '  a\nb\nc', start: 4, end: 5 });
        assert.deepEqual(indent('  a', 1, 1, true), { text: 'a', start: 0, end: 0 });

        for (const [text, names] of [
            ['{ a }', []],
            ['query { a }', []],
            ['query ($x: String) { a }', []],
            ['query A { a } mutation B($q: Q) { query c } fragment query on Query { a }', ['A', 'B']],
            ['# query No { a }\nquery Yes { a(x: "} query No {") b(y: """ query No "" """) }', ['Yes']],
        ]) assert.deepEqual(operations(text), names, text);

        assert.deepEqual(readVariables(' \n'), { value: {} });
        assert.deepEqual(readVariables('{"a": 1}'), { value: { a: 1 } });
        for (const text of ['1', 'null', '[]', '{']) assert.ok(readVariables(text).error, text);

        assert.equal(errorLine({ message: 'm' }), 'm');
        assert.equal(
            errorLine({ message: 'm', locations: [{ line: 1, column: 2 }], path: ['a', 0], extensions: { code: 'C' } }),
            'C: m (line 1, column 2, in a.0)');
    "##;
    in_node(TEST, "playground/editor.js", script);
}

#[test]
fn the_schema_is_written_and_searched() {
    const TEST: &str = "website_scripts::the_schema_is_written_and_searched";
    let script = r#"
        import assert from 'node:assert/strict';
        const { bareName, hasAll, search, typeText, typesOf } = await import(process.argv[1]);
        const named = (name) => ({ kind: 'OBJECT', name, ofType: null });
        const list = { kind: 'NON_NULL', ofType: { kind: 'LIST', ofType: { kind: 'NON_NULL', ofType: named('Blob') } } };
        assert.equal(typeText(list), '[Blob!]!');
        assert.equal(bareName(list), 'Blob');

        const field = (name, description = null) => ({ name, description, args: [], type: named('String') });
        const types = typesOf({
            queryType: { name: 'Query' }, mutationType: null,
            types: [
                { name: '__Type', fields: [field('name')] },
                { name: 'Tree', description: 'A folder', fields: [field('trees'), field('readme')] },
                { name: 'Blob', description: null, fields: [field('name'), field('rawBlob', 'Its text')] },
                { name: 'Query', description: null, fields: [field('readFile')] },
            ],
        });
        assert.deepEqual(types.map(({ name }) => name), ['Query', 'Blob', 'Tree']);
        const found = (text) => search(types, text).map(({ type, members }) => [type.name, ...members.map(({ name }) => name)]);
        assert.deepEqual(found(''), [['Query', 'readFile'], ['Blob', 'name', 'rawBlob'], ['Tree', 'trees', 'readme']]);
        assert.deepEqual(found('READ'), [['Query', 'readFile'], ['Tree', 'readme']]);
        assert.deepEqual(found('text'), [['Blob', 'rawBlob']]);
        assert.deepEqual(found('blob name'), [['Blob', 'name']]);
        assert.deepEqual(found('folder'), [['Tree']]);
        assert.deepEqual(found('none'), []);
        assert.ok(hasAll(types, ['Query.readFile', 'Blob.name']));
        assert.ok(!hasAll(types, ['Query.readFile', 'Blob.size']));
        assert.ok(!hasAll(types, ['Mutation.remove']));
    "#;
    in_node(TEST, "playground/schema.js", script);
}
