// A file on its way into the library, in parts: one that breaks off goes on where it stood. Nothing here touches the page.

import { addressOf } from './places.js';

/** How much goes in one request. */
const PART = 4 * 1024 * 1024;

/** How long is waited before the next try, in milliseconds, one after the other. */
const PAUSES = [500, 1000, 2000, 4000, 8000];

/** What an upload is called where it is sent to: the same file to the same place is the same upload, also after the page was loaded anew. */
export async function uploadName(file, path) {
  const words = [path, file.name, file.size, file.lastModified].join('\n');
  if (!crypto.subtle) {
    // Without TLS, elsewhere than on this machine.
    let sum = 0;
    for (const c of words) sum = (Math.imul(sum, 31) + c.codePointAt(0)) >>> 0;
    return `web-${sum.toString(16)}-${file.size}`;
  }
  const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(words)));
  return `web-${[...sum.slice(0, 20)].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** How many bytes a server has that answers with `Range: bytes=0-41`. */
export function standing(range) {
  const last = /^bytes=0-(\d+)$/.exec(range ?? '');
  return last ? Number(last[1]) + 1 : 0;
}

/** What is sent next: [first, behind the last]. */
export const nextPart = (at, total) => [at, Math.min(at + PART, total)];

const wait = (milliseconds, signal) => new Promise((resolve) => {
  setTimeout(resolve, milliseconds);
  signal?.addEventListener('abort', resolve, { once: true });
});

/**
 * Sends a file. `ask` asks the platform, `moved` is told how many bytes are there. Gives what came of it: 'whole', 'stopped', or the words of
 * what was wrong with it; fails where the platform could not be reached for long, and can be called again then.
 */
export async function upload(file, path, { ask, moved, signal }) {
  const name = await uploadName(file, path);
  const address = `${addressOf(path)}?upload=${name}`;
  const put = (range, body) => ask(address, { method: 'PUT', headers: { 'content-range': range }, body, signal });
  let at;
  let failures = 0;
  for (;;) {
    if (signal.aborted) return 'stopped';
    try {
      const asks = at === undefined && file.size > 0;
      const [first, end] = nextPart(at ?? 0, file.size);
      const answer = asks
        ? await put(`bytes */${file.size}`)
        : file.size === 0
          ? await ask(addressOf(path), { method: 'PUT', body: new Blob(), signal })
          : await put(`bytes ${first}-${end - 1}/${file.size}`, file.slice(first, end));
      if (answer.status === 201 || answer.status === 204) {
        moved(file.size);
        return 'whole';
      }
      const range = answer.headers.get('range');
      if (answer.status === 308 || (answer.status === 409 && range)) {
        const there = standing(range);
        if (there !== at) failures = 0;
        at = there;
        moved(at);
        continue;
      }
      const later = Number(answer.headers.get('retry-after'));
      const again = answer.status === 408 || answer.status === 429 || answer.status >= 500 || (answer.status === 409 && later);
      if (!again) {
        const said = await answer.json().catch(() => undefined);
        return said?.errors?.[0]?.message ?? `The library answered ${answer.status}.`;
      }
    } catch (error) {
      if (signal.aborted) return 'stopped';
      if (error.status === 401) throw error;
    }
    if (failures === PAUSES.length) throw new Error('The platform cannot be reached.');
    await wait(PAUSES[failures], signal);
    failures += 1;
    // What arrived of the last part counts.
    at = undefined;
  }
}
