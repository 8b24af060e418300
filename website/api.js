// What the page asks the platform: the library by GraphQL and as files, and the account.

import { addressOf } from './places.js';
import { sentence } from './words.js';

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

async function reason(answer, what) {
  const kind = answer.headers.get('content-type') ?? '';
  if (kind.startsWith('application/json')) {
    const said = await answer.json().catch(() => ({}));
    const text = said.error ?? said.errors?.[0]?.message;
    if (text) return sentence(text);
  }
  if (kind.startsWith('text/plain')) return (await answer.text()).trim();
  return `${what} did not work (${answer.status}).`;
}

/** The answer where it is a good one. */
export async function good(path, options, what = 'That') {
  const answer = await ask(path, options);
  if (answer.ok) return answer;
  throw new Problem(await reason(answer, what), { status: answer.status });
}

/** JSON sent, and the answer. */
export const send = (method, path, value, what) => good(path, {
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
  const { data, errors } = await answer.json();
  if (errors?.length) throw new Problem(sentence(errors[0].message), { code: errors[0].extensions?.code });
  return data;
}

let writing;

/** Whether anything can be changed in the library. */
export function writable() {
  writing ??= ask('lib/files/', { method: 'OPTIONS' })
    .then((answer) => (answer.headers.get('allow') ?? '').includes('PUT'))
    .catch(() => false);
  return writing;
}

export const makeFolder = (path) => good(addressOf(path), { method: 'MKCOL' }, 'Making the folder');

export const move = (from, to) => good(addressOf(from), {
  method: 'MOVE',
  headers: { destination: new URL(here + addressOf(to)).pathname, overwrite: 'F' },
}, 'Renaming');

/** Removes something; also when the page is left just then. */
export const remove = (path) => good(`${addressOf(path)}?recursive`, { method: 'DELETE', keepalive: true }, 'Deleting');
