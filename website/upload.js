// A file on its way into the library, in parts: one that breaks off goes on where it stood. Nothing here touches the page.

import { addressOf } from './places.js';
import { reasonIn } from './reason.js';

/** How much goes in one request. */
const PART = 4 * 1024 * 1024;

/** How long is waited before the next try, in milliseconds, one after the other. */
const PAUSES = [500, 1000, 2000, 4000, 8000];

/** The longest that a server has it wait, in milliseconds. */
const LONGEST = 300_000;

/** A file that is so large, in bytes, is read as a whole to know its sum. */
const SUMMED = 64 * 1024 * 1024;

/** Answers of a server that is in trouble, and will be in the same trouble the next time: it cannot do that, it has no room. */
const FINAL = [501, 507];

const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));

/** What an upload is called where it is sent to: the same file to the same place is the same upload, also after the page was loaded anew. */
export async function uploadName(file, path) {
  const words = [path, file.name, file.size, file.lastModified].join('\n');
  if (!crypto.subtle) {
    // Without TLS, elsewhere than on this machine.
    let sum = 0;
    for (const c of words) sum = (Math.imul(sum, 31) + c.codePointAt(0)) >>> 0;
    return `web-${sum.toString(16)}-${file.size}`;
  }
  const sum = await sha256(new TextEncoder().encode(words));
  return `web-${[...sum.slice(0, 20)].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** How many bytes a server has that answers with `Range: bytes=0-41`. */
export function standing(range) {
  const last = /^bytes=0-(\d+)$/.exec(range ?? '');
  return last ? Number(last[1]) + 1 : 0;
}

/** What is sent next: [first, behind the last]. */
export const nextPart = (at, total) => [at, Math.min(at + PART, total)];

/** Waits, until it is stopped at most. */
const wait = (milliseconds, signal) => new Promise((resolve) => {
  const over = () => {
    clearTimeout(timer);
    signal.removeEventListener('abort', over);
    resolve();
  };
  const timer = setTimeout(over, milliseconds);
  signal.addEventListener('abort', over);
});

/** A file that cannot be read any more. */
class Unreadable extends Error {}

/** Bytes of a file; fails where it was changed since it was chosen, or is no file. */
async function bytesOf(file, first, end) {
  try {
    return await file.slice(first, end).arrayBuffer();
  } catch {
    throw new Unreadable(`${file.name} cannot be read: it is a folder, or was changed or moved since it was chosen.`);
  }
}

/** The sum of a file as a header has it (RFC 9530); undefined where it cannot be had. */
async function sumOf(file) {
  if (!crypto.subtle || file.size > SUMMED) return undefined;
  const sum = await sha256(await bytesOf(file, 0, file.size));
  return `sha-256=:${btoa(String.fromCharCode(...sum))}:`;
}

/** What goes in a request: how much is there, or what begins at `at`. */
function requests(file, path, name, { replace }) {
  const condition = replace ? {} : { 'if-none-match': '*' };
  const inParts = `${addressOf(path)}?upload=${name}`;
  return {
    async question(withSum) {
      const sum = withSum && await sumOf(file);
      const headers = { 'content-range': `bytes */${file.size}`, ...(sum && { 'repr-digest': sum }) };
      return [inParts, { method: 'PUT', headers }];
    },
    async part(first, end) {
      // The browser keeps a Blob where it likes, and need not have it in the page's memory.
      const body = new Blob([await bytesOf(file, first, end)]);
      if (file.size === 0) return [addressOf(path), { method: 'PUT', headers: condition, body }];
      return [inParts, { method: 'PUT', headers: { 'content-range': `bytes ${first}-${end - 1}/${file.size}`, ...condition }, body }];
    },
  };
}

/**
 * Sends a file. `ask` asks the platform, `moved` is told how many bytes are there; with `replace` it takes the place of what has its name. Gives
 * what came of it: `state` is 'whole', 'stopped', 'taken' (something has its name), or 'refused' with the `words` of what was wrong with it.
 * Fails where the platform was in trouble for long, and can be called again then.
 */
export async function upload(file, path, { ask, moved, signal, replace = false }) {
  const request = requests(file, path, await uploadName(file, path), { replace });
  // How much is there, as far as that is known, and how much was there at most.
  let at = file.size > 0 ? undefined : 0;
  let best = 0;
  let failures = 0;
  let sentAll = false;
  for (;;) {
    if (signal.aborted) return { state: 'stopped' };
    let trouble;
    let pause = 0;
    try {
      const asks = at === undefined;
      const [first, end] = nextPart(at ?? 0, file.size);
      const [address, options] = asks ? await request.question(sentAll) : await request.part(first, end);
      sentAll ||= !asks && end === file.size;
      const answer = await ask(address, { ...options, signal });
      const range = answer.headers.get('range');
      const there = standing(range);
      const later = Number(answer.headers.get('retry-after'));
      if (answer.status === 201 || answer.status === 204) {
        moved(file.size);
        return { state: 'whole' };
      }
      if (answer.status === 412) return { state: 'taken' };
      if (answer.status === 308 || (answer.status === 409 && range)) {
        if (there > best) {
          best = there;
          failures = 0;
        }
        moved(there);
        // Where all of it lies aside without its name, there is no part that could follow.
        at = there < file.size ? there : 0;
        if (asks || there > first) continue;
      } else {
        const passes = answer.status >= 500 ? !FINAL.includes(answer.status) : [408, 429].includes(answer.status) || (answer.status === 409 && later);
        trouble = await reasonIn(answer) ?? `The library answered ${answer.status}.`;
        if (!passes) return { state: 'refused', words: trouble };
        pause = Math.min((later || 0) * 1000, LONGEST);
      }
    } catch (error) {
      if (signal.aborted) return { state: 'stopped' };
      if (error instanceof Unreadable) return { state: 'refused', words: error.message };
      if (error.status === 401) throw error;
    }
    if (failures === PAUSES.length) throw new Error(trouble ?? 'The platform cannot be reached.');
    await wait(Math.max(PAUSES[failures], pause), signal);
    failures += 1;
    // What arrived of the last part counts.
    at = file.size > 0 ? undefined : 0;
  }
}
