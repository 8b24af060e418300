// What the page asks the platform: the library by GraphQL and as files, and the account.

import { addressOf } from './places.js';
import { reason } from './reason.js';
import { nameOf, sentence } from './words.js';

/** Where the page is, with the slash at its end. Not location.href: a name and a password may stand there. */
export const here = new URL('.', location.origin + location.pathname).href;

/** Something that did not work, in words for the one who looks at the page. */
export class Problem extends Error {
  constructor(message, { status, code } = {}) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

function signIn() {
  const page = location.pathname + location.search + location.hash;
  location.assign(`${here}signin?to=${encodeURIComponent(page)}`);
}

/** An answer of the platform. Whoever is signed out by now goes to the page for that. */
export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(here + path, options);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Problem('The platform cannot be reached. Is the network there?');
  }
  if (answer.status === 401) {
    signIn();
    throw new Problem('You are signed out.', { status: 401 });
  }
  return answer;
}

/** The answer where it is a good one. */
export async function good(path, options, what = 'That') {
  const answer = await ask(path, options);
  if (answer.ok) return answer;
  throw new Problem(await reason(answer, what), { status: answer.status });
}

/** JSON sent, and the answer. */
export const sendJson = (method, path, value, what) => good(path, {
  method,
  headers: { 'content-type': 'application/json', accept: 'application/json' },
  body: JSON.stringify(value),
}, what);

/** What a GraphQL question is answered with. */
export async function question(query, variables) {
  const answer = await ask('lib', {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  const kind = answer.headers.get('content-type') ?? '';
  if (!/^application\/(graphql-response\+)?json/.test(kind)) {
    throw new Problem(`The library answered ${answer.status}. Try again in a moment.`, { status: answer.status });
  }
  const { data, errors } = (await answer.json().catch(() => undefined)) ?? {};
  if (errors?.length) throw new Problem(sentence(errors[0].message ?? 'The library gives no reason'), { code: errors[0].extensions?.code });
  if (!data) throw new Problem('The library answered nothing that can be shown. Try again in a moment.');
  return data;
}

let writing;

/** Whether anything can be changed in the library. Where that cannot be found out, it is asked anew the next time. */
export function writable() {
  writing ??= good('lib/files/', { method: 'OPTIONS' })
    .then((answer) => (answer.headers.get('allow') ?? '').includes('PUT'))
    .catch(() => {
      writing = undefined;
      return false;
    });
  return writing;
}

export const makeFolder = (path) => good(addressOf(path), { method: 'MKCOL' }, 'Making the folder');

export const move = (from, to) => good(addressOf(from), {
  method: 'MOVE',
  headers: { destination: new URL(here + addressOf(to)).pathname, overwrite: 'F' },
}, 'Renaming');

/** What has to hold of a file or a folder so that it is the one that is there now, in headers. Links to what is not here have none. */
export async function conditionOf({ path, folder, modified }) {
  // A folder has no tag, and the moment when something was put into it or taken out last.
  if (folder) return modified ? { 'if-unmodified-since': new Date(modified).toUTCString() } : {};
  const tag = (await ask(addressOf(path), { method: 'HEAD' })).headers.get('etag');
  return tag ? { 'if-match': tag.replace(/^W\//, '') } : {};
}

/** Removes something under a condition; also when the page is left just then. What is gone already is no fault. */
export async function remove(path, condition) {
  try {
    await good(`${addressOf(path)}?recursive`, { method: 'DELETE', headers: condition, keepalive: true }, 'Deleting');
  } catch (error) {
    if (error.status === 404) return;
    if (error.status !== 412) throw error;
    throw new Problem(`${nameOf(path)} was changed meanwhile, so it stays.`, { status: 412 });
  }
}
