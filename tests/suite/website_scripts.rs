//! What the pages' scripts compute, computed by those scripts themselves.

use std::path::Path;
use std::process::Command;

use crate::rig::there_is;

/// Runs a script in Node, which the pages themselves do not need. `module` is where it finds the page's script.
pub fn in_node(test: &str, module: &str, script: &str) {
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
        // One that leads nowhere takes nothing from the others.
        const bad = { ...env, REACT_APP_URL: 'javascript:alert(1)//' };
        assert.deepEqual(tools(bad, 'alice', here).map(({ name, href }) => [name, href]), [['VS Code', undefined], ['Mine', undefined]]);
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
        const { badName, resolve, size, slug, table } = await import(process.argv[1]);
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
        // A line ends as it did on any machine, and has no more cells than a page can bear.
        assert.deepEqual(table('1\r2\r\n3\n\n', 10), [['1'], ['2'], ['3'], ['']]);
        assert.deepEqual(table(`${','.repeat(256_000)}\n1,2,3,4`, 10, 3), [['', '', ''], ['1', '2', '3']]);

        for (const [name, wrong] of [
            ['a b.csv', undefined], ['..x', undefined],
            ['', 'It needs a name.'],
            ['..', '“..” is no name: it stands for a folder.'],
            ['a/b', 'A name has no “/”: that stands between folders.'],
        ]) assert.equal(badName(name), wrong);
        for (const [text, called] of [['#How%20it-runs', 'how-it-runs'], ['How it runs?', 'how-it-runs'], ['50% of ä', '50-of-ä']])
            assert.equal(slug(text), called);
    "#;
    in_node(TEST, "words.js", script);
}

#[test]
fn a_fragment_names_a_part_of_the_page() {
    const TEST: &str = "website_scripts::a_fragment_names_a_part_of_the_page";
    let script = r##"
        import assert from 'node:assert/strict';
        const { partOf, subjectOf } = await import(process.argv[1]);
        for (const [fragment, part, rest, subject] of [
            ['', 'library', [], undefined],
            ['#files/alice/50%25%20%231%3F', 'library', ['files', 'alice', '50% #1?'], '50% #1?'],
            ['#files/', 'library', ['files', ''], undefined],
            ['#view/alice/100%', 'library', ['view', 'alice', '100%'], '100%'],
            ['#search/a%2Fb', 'library', ['search', 'a/b'], '“a/b”'],
            ['#twins/twin/alice/digital%20twins/50%', 'twins', ['twin', 'alice', 'digital twins', '50%'], '50%'],
            ['#twins/execute', 'twins', ['execute'], undefined],
            ['#account', 'account', [], undefined],
            ['#constructor', 'library', [], undefined],
            ['#toString/x', 'library', [], undefined],
        ]) {
            assert.deepEqual(partOf(fragment), { part, rest }, fragment);
            assert.equal(subjectOf(partOf(fragment)), subject, fragment);
        }
    "##;
    in_node(TEST, "route.js", script);
}

#[test]
fn an_answer_is_told_in_its_own_words() {
    const TEST: &str = "website_scripts::an_answer_is_told_in_its_own_words";
    let script = r#"
        import assert from 'node:assert/strict';
        const { reason } = await import(process.argv[1]);
        const answer = (type, body) => new Response(body, { status: 409, headers: { 'content-type': type } });
        for (const [type, body, said] of [
            ['application/json', '{"error": "taken"}', 'taken.'],
            ['application/json', '{"errors": [{"message": "no room"}]}', 'no room.'],
            ['application/json', '{"error": {"message": "deep"}}', 'deep.'],
            ['application/json', '{"error": {}}', 'Sharing did not work (409).'],
            ['application/json', '{"errors": []}', 'Sharing did not work (409).'],
            ['application/json', 'null', 'Sharing did not work (409).'],
            ['application/json', '{', 'Sharing did not work (409).'],
            ['text/plain; charset=utf-8', ' Too busy; try again.\n', 'Too busy; try again.'],
            ['text/plain', ' \n', 'Sharing did not work (409).'],
            ['text/html', '<p>no', 'Sharing did not work (409).'],
        ]) assert.equal(await reason(answer(type, body), 'Sharing'), said, body);
    "#;
    in_node(TEST, "reason.js", script);
}

#[test]
fn what_is_deleted_goes_before_something_else_takes_its_name() {
    const TEST: &str = "website_scripts::what_is_deleted_goes_before_something_else_takes_its_name";
    let script = r#"
        import assert from 'node:assert/strict';
        const { removals } = await import(process.argv[1]);
        const log = [];
        let answer = () => Promise.resolve();
        const deleted = removals((path, condition) => { log.push(['DELETE', path, condition]); return answer(); });
        const add = (path) => deleted.add(path, {
            condition: `if ${path}`, over: () => log.push(['over', path]), failed: ({ message }) => log.push(['failed', path, message]),
        });

        // Nothing is sent as long as it can be had back.
        add('alice/a');
        assert.ok(deleted.hides('alice/a') && deleted.hides('alice/a/x') && !deleted.hides('alice/ab'));
        assert.equal(deleted.takeBack('alice/a'), true);
        assert.deepEqual([await deleted.settleAll(), log], [[], []]);

        // Whoever takes the name, or one above or below it, waits until it is gone.
        for (const path of ['alice/a/x', 'alice/a', 'alice/a/x/y']) {
            add('alice/a/x');
            add('alice/b');
            let gone;
            answer = () => new Promise((resolve) => { gone = resolve; });
            let settled = false;
            const settling = deleted.settle('alice/other', path).then((came) => { settled = true; return came; });
            assert.deepEqual(log.splice(0), [['over', 'alice/a/x'], ['DELETE', 'alice/a/x', 'if alice/a/x']], path);
            // By now it cannot be had back, and is not sent twice.
            assert.equal(deleted.takeBack('alice/a/x'), false);
            const again = deleted.settle(path);
            await new Promise(setImmediate);
            assert.ok(!settled && deleted.hides('alice/a/x'));
            gone();
            assert.deepEqual([await settling, await again, log.splice(0)], [[true], [true], []]);
            assert.ok(!deleted.hides('alice/a/x') && deleted.hides('alice/b'));
            assert.ok(deleted.takeBack('alice/b'));
        }

        // One that was changed meanwhile stays, and is shown again.
        answer = () => Promise.reject(new Error('changed'));
        add('alice/a');
        assert.deepEqual(await deleted.settleAll(), [false]);
        assert.deepEqual(log.at(-1), ['failed', 'alice/a', 'changed']);
        assert.ok(!deleted.hides('alice/a'));
    "#;
    in_node(TEST, "removals.js", script);
}

#[test]
fn a_file_is_removed_as_it_was_when_it_was_deleted() {
    const TEST: &str = "website_scripts::a_file_is_removed_as_it_was_when_it_was_deleted";
    let script = r#"
        import assert from 'node:assert/strict';
        globalThis.location = { origin: 'http://localhost:1', pathname: '/dtaas/' };
        const asked = [];
        let answers;
        globalThis.fetch = async (address, { method, headers }) => {
            asked.push([method, address, headers]);
            return answers.shift();
        };
        const { conditionOf, remove, writable } = await import(process.argv[1]);
        answers = [new Response(null, { headers: { etag: 'W/"x"' } }), new Response(null, { status: 204 })];
        const condition = await conditionOf({ path: 'alice/a b' });
        assert.deepEqual(condition, { 'if-match': '"x"' });
        await remove('alice/a b', condition);
        assert.deepEqual(asked.map(([method]) => method), ['HEAD', 'DELETE']);
        assert.deepEqual(asked[1], ['DELETE', 'http://localhost:1/dtaas/lib/files/alice/a%20b?recursive', condition]);
        assert.deepEqual(await conditionOf({ path: 'alice/f', folder: true, modified: '2024-05-01T10:20:30.5Z' }),
            { 'if-unmodified-since': 'Wed, 01 May 2024 10:20:30 GMT' });

        answers = [new Response(null, { status: 404 }), new Response(null, { status: 412 })];
        await remove('alice/x', {});
        await assert.rejects(remove('alice/x', {}), { message: 'x was changed meanwhile, so it stays.' });

        // A question that was not answered is asked again.
        const allow = { headers: { allow: 'GET, PUT' } };
        answers = [new Response('busy', { status: 503 }), new Response(null, allow)];
        assert.deepEqual([await writable(), await writable(), await writable(), answers.length], [false, true, true, 0]);
    "#;
    in_node(TEST, "api.js", script);
}

#[test]
fn work_takes_turns() {
    const TEST: &str = "website_scripts::work_takes_turns";
    let script = r#"
        import assert from 'node:assert/strict';
        const { once, turns } = await import(process.argv[1]);
        const turn = turns(3);
        let [now, most] = [0, 0];
        const work = (n) => async () => {
            now += 1;
            most = Math.max(most, now);
            await new Promise(setImmediate);
            now -= 1;
            if (n === 4) throw new Error('four');
            return n;
        };
        const came = await Promise.allSettled([0, 1, 2, 3, 4, 5, 6, 7].map((n) => turn(work(n))));
        assert.deepEqual(came.map(({ value, reason }) => value ?? reason.message), [0, 1, 2, 3, 'four', 5, 6, 7]);
        assert.equal(most, 3);

        // However many ask while it goes on, it is done once more.
        let done = 0;
        const listed = once(async () => { done += 1; await new Promise(setImmediate); });
        const first = listed();
        for (let n = 0; n < 50; n += 1) listed();
        await first;
        assert.equal(done, 2);
        await listed();
        assert.equal(done, 3);
    "#;
    in_node(TEST, "turns.js", script);
}

#[test]
fn folders_are_not_sent() {
    const TEST: &str = "website_scripts::folders_are_not_sent";
    let script = r#"
        import assert from 'node:assert/strict';
        const { aboutFolders, dropped } = await import(process.argv[1]);
        const item = (name, isDirectory) => ({ kind: 'file', webkitGetAsEntry: () => ({ name, isDirectory }) });
        const [a, models, b] = [{ name: 'a' }, { name: 'models' }, { name: 'b' }];
        const items = [{ kind: 'string' }, item('a', false), item('models', true), item('b', false)];
        assert.deepEqual(dropped({ items, files: [a, models, b] }), { folders: ['models'], files: [a, b] });
        assert.deepEqual(dropped({ files: [a] }), { folders: [], files: [a] });
        assert.equal(aboutFolders([]), undefined);
        assert.equal(aboutFolders(['models']),
            '“models” is a folder, and was not sent: make it here with “New folder”, and drop the files that are in it there.');
    "#;
    in_node(TEST, "dropped.js", script);
}

#[test]
fn no_more_of_a_file_is_read_than_is_shown() {
    const TEST: &str = "website_scripts::no_more_of_a_file_is_read_than_is_shown";
    let script = r#"
        import assert from 'node:assert/strict';
        const { beginning } = await import(process.argv[1]);
        const read = async (body, status, headers, most = 4) => {
            const { bytes, total, whole } = await beginning(new Response(body, { status, headers }), most);
            return [new TextDecoder().decode(bytes), total, whole];
        };
        assert.deepEqual(await read('0123', 206, { 'content-range': 'bytes 0-3/10' }), ['0123', 10, false]);
        assert.deepEqual(await read('0123', 206, { 'content-range': 'bytes 0-3/4' }), ['0123', 4, true]);
        assert.deepEqual(await read('0123', 206, { 'content-range': 'bytes 0-3/*' }), ['0123', undefined, false]);
        assert.deepEqual(await read('012', 206, { 'content-range': 'bytes 0-2/*' }), ['012', 3, true]);
        assert.deepEqual(await read('012', 200, {}), ['012', 3, true]);
        assert.deepEqual(await read('012345', 200, { 'content-length': '6' }), ['0123', 6, false]);
        assert.deepEqual(await read(null, 200, {}), ['', 0, true]);
        // A server that sends everything is stopped.
        let stopped = false;
        let sent = 0;
        const endless = new ReadableStream({
            pull(control) { sent += 1; control.enqueue(new Uint8Array(1024)); },
            cancel() { stopped = true; },
        });
        assert.deepEqual(await beginning(new Response(endless), 2000), { bytes: new Uint8Array(2000), total: undefined, whole: false });
        assert.ok(stopped && sent < 5);
    "#;
    in_node(TEST, "beginning.js", script);
}

#[test]
fn a_tool_that_starts_is_asked_again() {
    const TEST: &str = "website_scripts::a_tool_that_starts_is_asked_again";
    let script = r#"
        import assert from 'node:assert/strict';
        const { STATES, again, stateOf } = await import(process.argv[1]);
        for (const [status, words] of [[200, 'answers'], [404, 'is not there'], [403, 'is closed to you'], [503, 'is starting'], [502, 'does not answer']])
            assert.equal(STATES[stateOf(new Response(null, { status }))].words, words);
        assert.equal(stateOf({ type: 'opaqueredirect', status: 0, ok: false }), 'answers');
        for (const [headers, seconds] of [[{ refresh: '1' }, 1], [{ 'retry-after': '5' }, 5], [{}, 1], [{ refresh: '3600' }, 10], [{ 'retry-after': 'Wed, 1 May' }, 1]])
            assert.equal(again(new Headers(headers)), seconds);
    "#;
    in_node(TEST, "answering.js", script);
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
