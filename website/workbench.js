// The tools of the workspace, each with whether it answers.

import { STATES, again, stateOf } from './answering.js';
import { here } from './api.js';
import { find, inATab, make } from './element.js';
import { tools } from './links.js';

/** Nothing that people wait for takes longer, in milliseconds: an answer, and a start. */
const PATIENCE = 10_000;
const START = 120_000;

/** How a tool is, and after how many seconds to ask again. */
async function ask(href) {
  if (href === undefined) return { state: 'nowhere' };
  // Only what is the platform's own says so; of another address a page learns nothing.
  if (new URL(href).origin !== location.origin) return { state: 'elsewhere' };
  try {
    const answer = await fetch(href, { signal: AbortSignal.timeout(PATIENCE), redirect: 'manual' });
    answer.body?.cancel();
    return { state: stateOf(answer), after: again(answer.headers) };
  } catch {
    return { state: 'silent' };
  }
}

function toolOf({ name, href }) {
  const state = make('span', { className: 'answers' });
  const badge = make('span', { className: 'badge', ariaHidden: 'true' }, name[0]);
  const named = make('span', {}, name);
  const way = href === undefined
    ? make('p', {}, named)
    : inATab({ href }, badge, named, make('span', { className: 'unseen' }, ' (opens a new tab)'));
  const says = (key) => {
    state.textContent = STATES[key].words;
    state.className = `answers ${STATES[key].look}`;
  };
  says('asking');
  return { href, says, item: make('li', {}, way, state) };
}

export function begin({ env, user, workspaces }) {
  const list = find('tools');
  if (!workspaces) {
    find('tools-lead').textContent = 'No workspaces run here, so there are no tools. A trial has JupyterLab where that is installed on its machine: pip install jupyterlab, then start it again.';
    return () => {};
  }
  const all = tools(env, user, here).map(toolOf);
  if (all.length) list.replaceChildren(...all.map(({ item }) => item));
  else list.replaceWith(make('p', {}, 'No tool is configured.'));
  let latest = 0;

  /** Asks a tool until it is there, it is clear that it is not, or nobody looks any more. */
  async function watch({ href, says }, mine) {
    const until = performance.now() + START;
    const wanted = () => mine === latest && !find('workbench').hidden;
    says('asking');
    for (;;) {
      const { state, after } = await ask(href);
      if (!wanted()) return;
      const late = state === 'starting' && performance.now() > until;
      says(late ? 'silent' : state);
      if (state !== 'starting' || late) return;
      await new Promise((resolve) => { setTimeout(resolve, after * 1000); });
      if (!wanted()) return;
    }
  }

  return async () => {
    const mine = (latest += 1);
    await Promise.all(all.map((tool) => watch(tool, mine)));
  };
}
