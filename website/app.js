// The page as a whole: who is here, and which part of it is shown. Each part is loaded when it is wanted first.

import { Problem, ask, here } from './api.js';
import { find, toast } from './element.js';

const PARTS = {
  library: () => import('./library.js'),
  twins: () => import('./twins.js'),
  workbench: () => import('./workbench.js'),
  account: () => import('./account.js'),
};

// What the fragments of the library begin with, beside its name.
const OF_THE_LIBRARY = ['files', 'view', 'search'];

/** The parts that were shown already, each the function that shows a place in it. */
const begun = {};

let shown;

function say(text) {
  const notice = find('notice');
  notice.textContent = text;
  notice.hidden = false;
}

async function visitor() {
  const answer = await ask('whoami', { headers: { accept: 'application/json' } });
  if (!answer.ok) throw new Problem(`The platform does not say who you are (${answer.status}).`);
  return answer.json();
}

/** The account where people sign in on a page; undefined where the browser's password window does that. */
async function session() {
  const answer = await fetch(`${here}account/me`, { headers: { accept: 'application/json' } }).catch(() => undefined);
  const kind = answer?.headers.get('content-type') ?? '';
  return answer?.ok && kind.startsWith('application/json') ? answer.json() : undefined;
}

async function signOut() {
  const answer = await fetch(`${here}account/signout`, { method: 'POST' });
  if (answer.ok || answer.status === 401) location.assign(`${here}signin`);
  else toast('You could not be signed out. Try again, or close the browser.');
}

/** The part that a fragment names, and what it says to that part. */
export function partOf(fragment) {
  const [first, ...rest] = fragment.replace(/^#/, '').split('/');
  if (OF_THE_LIBRARY.includes(first)) return { part: 'library', rest: [first, ...rest] };
  return PARTS[first] ? { part: first, rest } : { part: 'library', rest: [] };
}

async function open(context, moved) {
  const { part, rest } = partOf(location.hash);
  for (const section of document.querySelectorAll('.page')) section.hidden = section.id !== part;
  for (const link of document.querySelectorAll('[data-page]')) {
    if (link.dataset.page === part) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  const title = find(`${part}-title`);
  document.title = `${title.textContent} – Digital Twins`;
  const before = shown;
  shown = part;
  find('notice').hidden = true;
  try {
    begun[part] ??= PARTS[part]().then(({ begin }) => begin(context));
    await (await begun[part])(rest);
  } catch (error) {
    delete begun[part];
    say(`${error.message} Reload the page; if that does not help, tell your operator.`);
  }
  // Whoever cannot see it is told that another page is here.
  if (moved && before !== part) title.focus();
}

try {
  if (!window.env) throw new Problem('env.js is missing or damaged.');
  const [{ user, groups }, account] = await Promise.all([visitor(), session()]);
  if (!user) throw new Problem('Nobody has signed in here. Open this page through the gateway.');
  find('who').textContent = user;
  const leave = find('leave');
  leave.hidden = !account;
  leave.addEventListener('click', signOut);
  const context = {
    env: window.env,
    user,
    groups,
    account,
    signOut,
    workspaces: window.env.REACT_APP_URL_DTLINK !== undefined,
  };
  window.addEventListener('hashchange', () => open(context, true));
  await open(context, false);
} catch (error) {
  say(`${error.message} Reload the page; if that does not help, tell your operator.`);
}
