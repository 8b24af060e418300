import { browse } from './files.js';
import { link, tools } from './links.js';

// Not location.href: where somebody wrote name and password into the address, nothing could be fetched from it.
const here = new URL('.', location.origin + location.pathname).href;

const find = (id) => document.getElementById(id);

function say(text) {
  const notice = find('notice');
  notice.textContent = text;
  notice.hidden = false;
}

function inATab(anchor, href) {
  anchor.href = href;
  anchor.target = '_blank';
  anchor.rel = 'noopener';
  anchor.hidden = false;
}

async function visitor() {
  const answer = await fetch(`${here}whoami`, { headers: { accept: 'application/json' } });
  if (!answer.ok) throw new Error(`whoami answered ${answer.status}`);
  return answer.json();
}

function show(env, user, groups) {
  find('greeting').textContent = `Welcome, ${user}`;
  const who = find('who');
  who.textContent = groups.length ? `${user} (${groups.join(', ')})` : user;
  who.hidden = false;

  find('files').hidden = false;
  browse(here, { way: find('way'), state: find('files-state'), entries: find('entries'), archive: find('archive') });
  if (env.REACT_APP_URL_DTLINK === undefined) {
    find('lead').textContent = 'This is your library. No workspaces run here.';
    find('tools-lead').textContent = 'A platform that was set up in full gives each user a workspace with tools. There is none here.';
    find('tools').remove();
    return;
  }

  const sections = { library: env.REACT_APP_URL_LIBLINK, twins: env.REACT_APP_URL_DTLINK };
  for (const anchor of document.querySelectorAll('[data-link]')) {
    inATab(anchor, link(env, user, sections[anchor.dataset.link], here));
  }
  const list = find('tools');
  for (const { name, href } of tools(env, user, here)) {
    const anchor = document.createElement('a');
    inATab(anchor, href);
    const badge = document.createElement('span');
    badge.className = 'badge';
    badge.ariaHidden = 'true';
    badge.textContent = name[0];
    anchor.append(badge, name);
    const item = document.createElement('li');
    item.append(anchor);
    list.append(item);
  }
  if (!list.children.length) list.replaceWith('No tool is configured.');
}

try {
  if (!window.env) throw new Error('env.js is missing or damaged');
  const { user, groups } = await visitor();
  if (user) {
    show(window.env, user, groups);
  } else {
    say('Nobody has signed in here, so there is no workspace to link to. Open this page through the gateway.');
  }
} catch (error) {
  say(`The links to your workspace cannot be shown: ${error.message}. Reload the page; if that does not help, tell your operator.`);
}
