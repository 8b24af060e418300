// The tools of the workspace, each with whether it answers.

import { here } from './api.js';
import { find, inATab, make } from './element.js';
import { tools } from './links.js';

/** Nothing that people wait for takes longer. */
const PATIENCE = 10_000;

async function answers(href) {
  // Only what is the platform's own says so; of another address a page learns nothing.
  if (new URL(href).origin !== location.origin) return 'elsewhere';
  try {
    const answer = await fetch(href, { signal: AbortSignal.timeout(PATIENCE), redirect: 'manual' });
    answer.body?.cancel();
    if (answer.type === 'opaqueredirect' || answer.ok) return 'answers';
    if (answer.status === 404) return 'is not there';
    if (answer.status === 401 || answer.status === 403) return 'is closed to you';
    return 'does not answer';
  } catch {
    return 'does not answer';
  }
}

const LOOKS = { answers: 'up', elsewhere: '', 'is not there': 'down', 'is closed to you': 'down', 'does not answer': 'down' };

export function begin({ env, user, workspaces }) {
  const list = find('tools');
  if (!workspaces) {
    find('tools-lead').textContent = 'No workspaces run here, so there are no tools. A trial has JupyterLab where that is installed on its machine: pip install jupyterlab, then start it again.';
    return () => {};
  }
  const all = tools(env, user, here).map(({ name, href }) => {
    const state = make('span', { className: 'answers' }, 'asking…');
    const badge = make('span', { className: 'badge', ariaHidden: 'true' }, name[0]);
    const item = make('li', {}, inATab({ href }, badge, make('span', {}, name), make('span', { className: 'unseen' }, ' (opens a new tab)')), state);
    return { href, state, item };
  });
  if (all.length) list.replaceChildren(...all.map(({ item }) => item));
  else list.replaceWith(make('p', {}, 'No tool is configured.'));
  return async () => {
    await Promise.all(all.map(async ({ href, state }) => {
      state.textContent = 'asking…';
      state.className = 'answers';
      const said = await answers(href);
      state.textContent = said === 'elsewhere' ? 'leads elsewhere' : said;
      state.className = `answers ${LOOKS[said]}`;
    }));
  };
}
