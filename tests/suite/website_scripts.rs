//! What the pages' scripts compute, computed by those scripts themselves.

use std::path::Path;
use std::process::Command;

use crate::rig::there_is;

/// Runs a script in Node, which the pages themselves do not need. `module` is where it finds the page's script.
fn in_node(test: &str, module: &str, script: &str) {
    let directory = tempfile::tempdir().unwrap();
    let website = Path::new(env!("CARGO_MANIFEST_DIR")).join("website");
    for folder in ["", "playground"] {
        std::fs::create_dir_all(directory.path().join(folder)).unwrap();
        for entry in std::fs::read_dir(website.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|kind| kind == "js") {
                let copy = directory
                    .path()
                    .join(folder)
                    .join(path.file_name().unwrap());
                std::fs::copy(&path, copy).unwrap();
            }
        }
    }
    // Without this Node takes a .js for the older kind of module.
    std::fs::write(
        directory.path().join("package.json"),
        r#"{"type": "module"}"#,
    )
    .unwrap();
    let copy = directory.path().join(module);
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
        const { addressOf, archiveOf, placeOf, viewOf, wayTo } = await import(process.argv[1]);
        assert.equal(addressOf('alice/digital twins/50% #1?.csv'), 'lib/files/alice/digital%20twins/50%25%20%231%3F.csv');
        assert.equal(archiveOf('alice/data'), 'lib/files/alice/data?zip');
        assert.equal(placeOf('alice/50% #1?/ä'), '#files/alice/50%25%20%231%3F/%C3%A4');
        assert.equal(viewOf('alice/a b'), '#view/alice/a%20b');
        assert.deepEqual(wayTo('alice/data'), [
            { name: 'Library', path: '' }, { name: 'alice', path: 'alice' }, { name: 'data', path: 'alice/data' },
        ]);
        assert.deepEqual(wayTo(''), [{ name: 'Library', path: '' }]);
    "#;
    in_node(TEST, "places.js", script);
}

#[test]
fn sizes_links_and_tables_are_read() {
    const TEST: &str = "website_scripts::sizes_links_and_tables_are_read";
    let script = r#"
        import assert from 'node:assert/strict';
        const { resolve, size, table } = await import(process.argv[1]);
        assert.deepEqual([0, 1, 999, 1500, 12_345_678, '10000000000'].map(size),
            ['0 bytes', '1 byte', '999 bytes', '1.5 KB', '12 MB', '10 GB']);

        assert.equal(resolve('alice/twins/cup', 'data/a%20b.csv'), 'alice/twins/cup/data/a b.csv');
        assert.equal(resolve('alice/twins/cup', '../../models/./m.md#part'), 'alice/models/m.md');
        assert.equal(resolve('', 'README.md'), 'README.md');
        for (const link of ['javascript:alert(1)', 'https://foo.com', '//foo.com', '/alice', '#part', '?x', '../../../../etc', '%'])
            assert.equal(resolve('alice/twins/cup', link), undefined, link);

        assert.deepEqual(table('a,b\r\n1,"x, ""y""\nz"\r\n', 10), [['a', 'b'], ['1', 'x, "y"\nz']]);
        assert.deepEqual(table('a;b;c,d\n1;2', 10), [['a', 'b', 'c,d'], ['1', '2']]);
        assert.deepEqual(table('a\tb\n1\t2\n3\t4', 2), [['a', 'b'], ['1', '2']]);
        assert.deepEqual(table('', 10), []);
        assert.deepEqual(table('"never closed', 10), [['never closed']]);
    "#;
    in_node(TEST, "words.js", script);
}

#[test]
fn an_upload_that_breaks_off_goes_on_where_it_stood() {
    const TEST: &str = "website_scripts::an_upload_that_breaks_off_goes_on_where_it_stood";
    let script = r#"
        import assert from 'node:assert/strict';
        const { standing, upload, uploadName } = await import(process.argv[1]);
        assert.equal(standing('bytes=0-41'), 42);
        assert.equal(standing(null), 0);
        globalThis.setTimeout = (work) => queueMicrotask(work);

        const MB = 1024 * 1024;
        const file = new File([new Uint8Array(9 * MB)], 'a b.bin', { lastModified: 7 });
        const answer = (status, headers = {}) => ({ status, headers: new Headers(headers), json: async () => ({ errors: [{ message: 'too large' }] }) });
        const run = async (script, signal = new AbortController().signal) => {
            const asked = [];
            const moved = [];
            const ask = async (address, { method, headers, body }) => {
                asked.push(headers ? headers['content-range'] : 'whole');
                assert.equal(method, 'PUT');
                assert.match(address, /^lib\/files\/alice\/a%20b\.bin/);
                const next = script.shift();
                if (next instanceof Error) throw next;
                return next;
            };
            const came = await upload(file, 'alice/a b.bin', { ask, moved: (bytes) => moved.push(bytes), signal }).catch((error) => error);
            return { asked, moved, came };
        };
        const at = (bytes) => answer(308, bytes ? { range: `bytes=0-${bytes - 1}` } : {});

        // Given a connection that breaks off in the second part, of which a piece arrived,
        const { asked, moved, came } = await run([at(0), at(4 * MB), new TypeError('cut'), at(5 * MB), answer(201)]);
        assert.equal(came, 'whole');
        assert.deepEqual(asked, [
            `bytes */${9 * MB}`, `bytes 0-${4 * MB - 1}/${9 * MB}`, `bytes ${4 * MB}-${8 * MB - 1}/${9 * MB}`,
            `bytes */${9 * MB}`, `bytes ${5 * MB}-${9 * MB - 1}/${9 * MB}`,
        ]);
        assert.deepEqual(moved, [0, 4 * MB, 5 * MB, 9 * MB]);

        // one that is not there for long is given up, and told apart from what the library refuses.
        const gone = await run(Array.from({ length: 6 }, () => new TypeError('gone')));
        assert.equal(gone.came.message, 'The platform cannot be reached.');
        assert.equal(gone.asked.length, 6);
        assert.equal((await run([answer(413)])).came, 'too large');
        const stop = new AbortController();
        stop.abort();
        assert.deepEqual((await run([], stop.signal)).came, 'stopped');

        // The same file to the same place is the same upload, also from a page that was loaded anew.
        const name = await uploadName(file, 'alice/a b.bin');
        assert.match(name, /^web-[0-9a-f]{40}$/);
        assert.equal(await uploadName(new File([new Uint8Array(9 * MB)], 'a b.bin', { lastModified: 7 }), 'alice/a b.bin'), name);
        assert.notEqual(await uploadName(file, 'alice/other.bin'), name);
    "#;
    in_node(TEST, "upload.js", script);
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
