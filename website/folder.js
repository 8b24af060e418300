// The library in three views: a folder, a file, and what was found by its name.

import { here, writable } from './api.js';
import { button } from './button.js';
import { changes } from './changes.js';
import { make } from './element.js';
import { frame } from './frame.js';
import { ROWS, found, list, readmeShown } from './listing.js';
import { addressOf, archiveOf, searchOf, viewOf } from './places.js';
import { choosing, receive } from './receiving.js';
import { rowOf } from './rows.js';
import { once } from './turns.js';
import { above, nameOf } from './words.js';

const downloading = (path) => make('a', { className: 'button quiet', href: here + archiveOf(path), download: '', id: 'archive' }, 'Download as zip');

/** What to say of a folder that cannot be shown; `owned` is one that its user may make. */
const wrong = (error, owned) => (error.code === 'NOT_FOUND' && owned ? 'There is no such folder yet.' : `This folder cannot be shown: ${error.message}`);

/** What to say of what was found. */
function aboutFound({ rows, more }) {
  const said = rows.length ? `${rows.length} found.` : 'Nothing in your library has such a name.';
  return more ? `${said} There may be more: use a longer part of the name.` : said;
}

/** Puts the three views together in `place`, and gives what shows each: a folder or a file by its path, and what has some words in its name. */
export function folderView(context, place, owners) {
  const { user, groups, removals } = context;
  const shown = frame(place, owners, (words) => { location.hash = searchOf(words); });
  /** What the page is to show, from the moment when that is asked for. Another one may be asked for while one is on its way. */
  let wanted = {};
  /** The folder that is shown and may be changed: where files go that are dropped. */
  let open;
  let offered;

  const ours = (path) => path !== '' && (path.split('/')[0] !== 'common' || groups.includes('publishers'));

  /** Shows the folder anew, if it is one that is wanted, with the cursor on the row of that name. */
  async function refresh(focus) {
    // The end of a form shows it anew.
    if (wanted.kind === 'folder' && !shown.isNaming()) await folder(wanted.path, { name: focus });
  }
  const toRows = changes({ removals, refresh });
  const arrived = once(() => refresh());

  const take = receive(place, () => open, {
    sending: shown.sending,
    before: (path) => removals.settle(path),
    done: () => arrived(),
  });

  const changing = (path) => [
    ...choosing((files) => take(files, path)),
    button('New folder', () => toRows.newFolder(path, shown.actions), { className: 'quiet' }),
  ];

  function offer(path, mayChange, any) {
    const next = JSON.stringify([path, mayChange]);
    // Who is giving a name there is left alone.
    if (offered !== next) {
      offered = next;
      shown.actions.replaceChildren(...(mayChange ? changing(path) : []), downloading(path));
    }
    shown.actions.querySelector('#archive').hidden = !path || !any;
  }

  /** Leaves the folder: nothing of it can be changed. */
  function leave(kind) {
    open = undefined;
    offered = undefined;
    shown.actions.replaceChildren();
    shown.more.replaceChildren();
    shown.rows('', []);
    shown.says('');
    wanted = { kind };
    return wanted;
  }

  async function folder(path, keep) {
    const mine = { kind: 'folder', path };
    wanted = mine;
    let listed = { rows: [], count: 0 };
    let said;
    let mayChange = false;
    try {
      const [answer, may] = await Promise.all([list(path), writable()]);
      listed = answer;
      mayChange = may && ours(path);
    } catch (error) {
      said = wrong(error, ['common', user].includes(path.split('/')[0]));
      if (error.code === 'NOT_A_DIRECTORY' && wanted === mine) {
        location.replace(viewOf(path));
        return;
      }
    }
    if (wanted !== mine) return;
    const rows = listed.rows.filter((row) => !removals.hides(row.path)).slice(0, ROWS);
    if (!rows.length) said ??= mayChange ? 'This folder is empty. Drop files here, or upload some.' : 'This folder is empty.';
    if (listed.count > ROWS) said ??= `${listed.count - ROWS} more are not shown here. Find them by name.`;
    open = mayChange ? path : undefined;
    shown.asks('');
    shown.lead(path);
    offer(path, mayChange, rows.length > 0);
    // Where a workspace has the common folder, nothing is to be moved.
    const fixed = `${user}/common`;
    shown.rows('What is in this folder', rows.map((row) => rowOf(row, mayChange && row.path !== fixed && toRows)), keep);
    shown.says(said ?? '');
    // Another folder's README goes at once; this one's stays until it is there anew.
    if (!keep) shown.more.replaceChildren();
    const readme = listed.readme && !removals.hides(listed.readme.path) && await readmeShown(listed.readme, path);
    if (wanted === mine) shown.more.replaceChildren(readme || '');
  }

  async function file(path) {
    const mine = leave('file');
    shown.lead(above(path), nameOf(path));
    shown.actions.replaceChildren(make('a', { className: 'button', href: here + addressOf(path), download: nameOf(path) }, 'Download'));
    const { preview } = await import('./preview.js');
    const made = await preview(path);
    if (wanted === mine) shown.more.replaceChildren(made);
  }

  async function search(words) {
    const mine = leave('search');
    shown.lead('', `“${words}”`);
    shown.asks(words);
    let rows = [];
    let said;
    try {
      const answer = await found(words);
      rows = answer.rows.filter((row) => !removals.hides(row.path));
      said = aboutFound({ rows, more: answer.more });
    } catch (error) {
      said = `The search did not work: ${error.message}`;
    }
    if (wanted !== mine) return;
    shown.rows('What was found', rows.map((row) => rowOf(row)));
    shown.says(said);
  }

  return { folder, file, search };
}
