// Why something did not work, in the words of whoever answered. Nothing here touches the page.

import { sentence } from './words.js';

const words = (value) => (typeof value === 'string' && value.trim() ? value.trim() : undefined);

/** What an answer says in JSON or in text; undefined where it says nothing. */
export async function reasonIn(answer) {
  const kind = answer.headers.get('content-type') ?? '';
  if (kind.startsWith('application/json')) {
    const said = await answer.json().catch(() => undefined);
    const text = words(said?.error) ?? words(said?.error?.message) ?? words(said?.errors?.[0]?.message);
    return text && sentence(text);
  }
  if (kind.startsWith('text/plain')) return words(await answer.text().catch(() => undefined));
  return undefined;
}

/** The same; where it says nothing, that `what` did not work. */
export async function reason(answer, what) {
  return (await reasonIn(answer)) ?? `${what} did not work (${answer.status}).`;
}
