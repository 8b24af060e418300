//! How the website's script sends a file, whatever the library answers.

use crate::website_scripts::in_node;

/// What the tests of uploads have in common: nine MB, and a library that answers as it is told.
const UPLOADS: &str = r#"
    import assert from 'node:assert/strict';
    const { standing, upload, uploadName } = await import(process.argv[1]);
    const pauses = [];
    globalThis.setTimeout = (work, milliseconds) => { pauses.push(milliseconds); queueMicrotask(work); };
    globalThis.clearTimeout = () => {};
    const MB = 1024 * 1024;
    const file = new File([new Uint8Array(9 * MB)], 'a b.bin', { lastModified: 7 });
    const answer = (status, headers = {}, message) => new Response(message && JSON.stringify({ errors: [{ message }] }),
        { status, headers: { 'content-type': 'application/json', ...headers } });
    const at = (bytes) => answer(308, bytes ? { range: `bytes=0-${bytes - 1}` } : {});
    // `script` are the answers, one after the other; a function gives all of them.
    const run = async (script, { signal = new AbortController().signal, replace, sent = file } = {}) => {
        pauses.splice(0);
        const [asked, moved, conditions] = [[], [], []];
        const ask = async (address, { method, headers, body }) => {
            asked.push(headers['content-range'] ?? 'whole');
            conditions.push(headers['if-none-match'] ?? headers['repr-digest']);
            assert.equal(method, 'PUT');
            assert.match(address, /^lib\/files\/alice\/a%20b\.bin/);
            assert.ok(asked.length < 100, 'it goes on for ever');
            const next = typeof script === 'function' ? script(headers, body) : script.shift();
            if (next instanceof Error) throw next;
            return next;
        };
        const came = await upload(sent, 'alice/a b.bin', { ask, moved: (bytes) => moved.push(bytes), signal, replace }).catch((error) => error);
        return { asked, moved, came, conditions, pauses: [...pauses] };
    };
"#;

#[test]
fn an_upload_that_breaks_off_goes_on_where_it_stood() {
    const TEST: &str = "website_uploads::an_upload_that_breaks_off_goes_on_where_it_stood";
    let script = r#"
        assert.equal(standing('bytes=0-41'), 42);
        assert.equal(standing(null), 0);

        // Given a connection that breaks off in the second part, of which a piece arrived,
        const { asked, moved, came } = await run([at(0), at(4 * MB), new TypeError('cut'), at(5 * MB), answer(201)]);
        assert.deepEqual(came, { state: 'whole' });
        assert.deepEqual(asked, [
            `bytes */${9 * MB}`, `bytes 0-${4 * MB - 1}/${9 * MB}`, `bytes ${4 * MB}-${8 * MB - 1}/${9 * MB}`,
            `bytes */${9 * MB}`, `bytes ${5 * MB}-${9 * MB - 1}/${9 * MB}`,
        ]);
        assert.deepEqual(moved, [0, 4 * MB, 5 * MB, 9 * MB]);

        // one that is not there for long is given up, and told apart from what the library refuses.
        const gone = await run(Array.from({ length: 6 }, () => new TypeError('gone')));
        assert.equal(gone.came.message, 'The platform cannot be reached.');
        assert.equal(gone.asked.length, 6);
        assert.deepEqual((await run([answer(413, {}, 'too large')])).came, { state: 'refused', words: 'too large.' });
        const stop = new AbortController();
        stop.abort();
        assert.deepEqual((await run([], { signal: stop.signal })).came, { state: 'stopped' });

        // Of which all lies aside without its name, that is sent anew: no part could follow.
        const aside = await run([at(9 * MB), at(4 * MB), at(8 * MB), answer(201)]);
        assert.deepEqual(aside.came, { state: 'whole' });
        assert.equal(aside.asked[1], `bytes 0-${4 * MB - 1}/${9 * MB}`);

        // Of which the last answer was lost, that is found again by its sum.
        const lost = await run([at(8 * MB), new TypeError('cut'), answer(204)]);
        assert.deepEqual(lost.came, { state: 'whole' });
        assert.match(lost.conditions[2], /^sha-256=:[A-Za-z0-9+/=]{44}:$/);
        assert.deepEqual(lost.conditions.slice(0, 2), [undefined, '*']);

        // The same file to the same place is the same upload, also from a page that was loaded anew.
        const name = await uploadName(file, 'alice/a b.bin');
        assert.match(name, /^web-[0-9a-f]{40}$/);
        assert.equal(await uploadName(new File([new Uint8Array(9 * MB)], 'a b.bin', { lastModified: 7 }), 'alice/a b.bin'), name);
        assert.notEqual(await uploadName(file, 'alice/other.bin'), name);
    "#;
    in_node(TEST, "upload.js", &format!("{UPLOADS}{script}"));
}

#[test]
fn an_upload_that_cannot_end_is_given_up_with_the_reason() {
    const TEST: &str = "website_uploads::an_upload_that_cannot_end_is_given_up_with_the_reason";
    let script = r#"
        // Given a library without room for it, nothing is sent a second time.
        const full = await run((headers, body) => (body ? answer(507, {}, 'there is no room for "alice/a b.bin"') : at(4 * MB)));
        assert.deepEqual(full.came, { state: 'refused', words: 'there is no room for "alice/a b.bin".' });
        assert.equal(full.asked.length, 2);

        // Given one that is in trouble for long, it is told in its words.
        for (const status of [500, 502, 503, 408]) {
            const trouble = await run((headers, body) => (body ? answer(status, {}, 'it is mended') : at(4 * MB)));
            assert.equal(trouble.came.message, 'it is mended.', status);
            assert.deepEqual(trouble.pauses, [500, 1000, 2000, 4000, 8000]);
        }
        // It is asked again when it said so.
        const later = await run([answer(503, { 'retry-after': '3' }), at(8 * MB), answer(201)]);
        assert.deepEqual([later.came, later.pauses], [{ state: 'whole' }, [3000]]);
        // One that takes parts and has none of them ends as well.
        const forgetful = await run(() => at(0));
        assert.ok(forgetful.came instanceof Error && forgetful.asked.length < 20);
        // What gets on, however often it breaks off, goes on.
        let there = 0;
        let odd = false;
        const slow = await run((headers, body) => {
            if (!body) return at(there);
            odd = !odd;
            there += MB;
            return there === 9 * MB ? answer(201) : answer(500);
        });
        assert.deepEqual(slow.came, { state: 'whole' });

        // A name that is taken is told, and taken only when that is wanted.
        const taken = await run([at(0), answer(412)]);
        assert.deepEqual([taken.came, taken.conditions], [{ state: 'taken' }, [undefined, '*']]);
        const replaced = await run([at(0), at(4 * MB), at(8 * MB), answer(204)], { replace: true });
        assert.deepEqual([replaced.came, replaced.conditions], [{ state: 'whole' }, [undefined, undefined, undefined, undefined]]);

        // A file that cannot be read is no fault of the platform.
        for (const size of [0, 9]) {
            const folder = { name: 'models', size, lastModified: 7, slice: () => ({ arrayBuffer: () => Promise.reject(new Error('no')) }) };
            const unread = await run([at(0)], { sent: folder });
            assert.equal(unread.came.words, 'models cannot be read: it is a folder, or was changed or moved since it was chosen.');
        }
    "#;
    in_node(TEST, "upload.js", &format!("{UPLOADS}{script}"));
}
