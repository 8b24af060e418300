// How a tool answers. Nothing here touches the page.

/** What to say of each, and how that looks. */
export const STATES = {
  asking: { words: 'asking…', look: '' },
  answers: { words: 'answers', look: 'up' },
  starting: { words: 'is starting', look: '' },
  elsewhere: { words: 'leads elsewhere', look: '' },
  missing: { words: 'is not there', look: 'down' },
  closed: { words: 'is closed to you', look: 'down' },
  silent: { words: 'does not answer', look: 'down' },
  nowhere: { words: 'is no address', look: 'down' },
};

/** What an answer to `fetch` with redirects left alone says. */
export function stateOf({ type, ok, status }) {
  if (type === 'opaqueredirect' || ok) return 'answers';
  if (status === 404) return 'missing';
  if (status === 401 || status === 403) return 'closed';
  return status === 503 ? 'starting' : 'silent';
}

/** After how many seconds it is worth to ask again, between 1 and 10. */
export function again(headers) {
  const said = Number.parseInt(headers.get('refresh') ?? headers.get('retry-after') ?? '', 10);
  return Math.min(Math.max(said || 1, 1), 10);
}
