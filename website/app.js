// The page as a whole: who is here, and which part of it is shown. Each part is loaded when it is wanted first.

import { Problem, ask, here, remove } from './api.js';
import { busy } from './button.js';
import { find } from './element.js';
import { removals } from './removals.js';
import { partOf, subjectOf } from './route.js';
import { toast } from './toast.js';

const PARTS = {
  library: () => import('./library.js'),
  twins: () => import('./twins.js'),
  workbench: () => import('./workbench.js'),
  account: () => import('./account.js'),
};

const deleted = removals(remove);

/** The parts that were shown already, each the function that shows a place in it. */
const begun = {};

let shown;
/** How often something was opened. */
let visits = 0;

function say(error) {
  const notice = find('notice');
  notice.textContent = `${error.message} Reload the page; if that does not help, tell your operator.`;
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
  // Afterwards nothing could be deleted any more. What was not deleted is said already.
  if ((await deleted.settleAll()).includes(false)) return;
  const answer = await ask('account/signout', { method: 'POST' });
  if (!answer.ok) throw new Problem('You could not be signed out. Try again, or close the browser.');
  location.assign(`${here}signin`);
}

/** What shows places of a part. One that could not be begun is begun anew the next time, and no other. */
async function begin(part, context) {
  const beginning = (begun[part] ??= PARTS[part]().then((module) => module.begin(context)));
  try {
    return await beginning;
  } catch (error) {
    if (begun[part] === beginning) delete begun[part];
    throw error;
  }
}

async function open(context, moved) {
  const mine = (visits += 1);
  const route = partOf(location.hash);
  const { part, rest } = route;
  for (const section of document.querySelectorAll('.page')) section.hidden = section.id !== part;
  for (const link of document.querySelectorAll('[data-page]')) {
    if (link.dataset.page === part) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  const title = find(`${part}-title`);
  document.title = [...new Set([subjectOf(route), title.textContent, 'Digital Twins'])].filter(Boolean).join(' – ');
  const entered = shown !== part;
  shown = part;
  find('notice').hidden = true;
  // Whoever cannot see it is told that another page is here.
  if (moved && entered) title.focus();
  try {
    const show = await begin(part, context);
    // Another place may have been opened while this part was on its way.
    if (mine === visits) await show(rest, { entered });
  } catch (error) {
    if (mine === visits) say(error);
  }
}

// Its fragment is no place of the page.
document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  find('main').focus();
  find('main').scrollIntoView();
});

try {
  if (!window.env) throw new Problem('env.js is missing or damaged.');
  const [{ user, groups }, account] = await Promise.all([visitor(), session()]);
  if (!user) throw new Problem('Nobody has signed in here. Open this page through the gateway.');
  find('who').textContent = user;
  const leave = find('leave');
  leave.hidden = !account;
  leave.addEventListener('click', () => busy(leave, signOut).catch((error) => toast(error.message)));
  // Whoever leaves the page has decided.
  window.addEventListener('pagehide', () => deleted.settleAll());
  const context = {
    env: window.env,
    user,
    groups,
    account,
    signOut,
    removals: deleted,
    workspaces: window.env.REACT_APP_URL_DTLINK !== undefined,
  };
  window.addEventListener('hashchange', () => open(context, true));
  await open(context, false);
} catch (error) {
  say(error);
}
