// A folder of the library: what is in it, and what can be done there.

import { here, makeFolder, move, question, remove } from './api.js';
import { button, make, toast } from './element.js';
import { addressOf, archiveOf, placeOf, searchOf, viewOf, wayTo } from './places.js';
import { above, moment, nameOf, size, within } from './words.js';

const LIST = `query ($path: String!, $first: Int!) {
  listDirectory(path: $path) { repository { tree {
    trees(first: $first) { count edges { node { name modified } } }
    blobs(first: $first) { count edges { node { name size modified mediaType } } }
    readme { name path rawBlob isText }
  } } }
}`;

const SEARCH = `query ($name: String!) {
  search(path: "", name: $name, first: 200) {
    truncated edges { node { name type path modified ... on Blob { size } } }
  }
}`;

// More rows than anyone reads make a page slow.
const ROWS = 1000;

/** For how long something that was deleted can be had back. */
const UNDO = 8;

async function list(path) {
  const data = await question(LIST, { path, first: ROWS });
  const { trees, blobs, readme } = data.listDirectory.repository.tree;
  const folders = trees.edges.map(({ node }) => ({ ...node, folder: true }));
  const files = blobs.edges.map(({ node }) => node);
  return { rows: [...folders, ...files], count: trees.count + blobs.count, readme };
}

/** What waits to be deleted: it is not shown, and goes when nobody has asked for it back. */
const going = new Map();
window.addEventListener('pagehide', () => {
  for (const [path] of going) remove(path);
  going.clear();
});

export function folderView(context, place, { whose, mayWrite }) {
  const way = make('ol', { className: 'way' });
  const actions = make('div', { className: 'actions' });
  const field = make('input', { type: 'search', name: 'words', placeholder: 'Find by name', ariaLabel: 'Find by name', maxLength: 200 });
  const finder = make('form', { className: 'finder', role: 'search', on: { submit: find } }, field, make('button', {}, 'Find'));
  const state = make('p', { className: 'state', role: 'status' });
  const body = make('tbody', { id: 'entries' });
  const sheet = make('table', { className: 'entries' },
    make('caption', { className: 'unseen' }, 'What is in this folder'),
    make('thead', {}, make('tr', {}, ...['Name', 'Size', 'Changed', ''].map((text) => (text
      ? make('th', { scope: 'col' }, text)
      : make('td', {}, make('span', { className: 'unseen' }, 'What can be done')))))), body);
  const more = make('div', { className: 'more' });
  const sending = make('div', { className: 'sending' });
  place.replaceChildren(
    make('div', { className: 'top' }, make('nav', { ariaLabel: 'The way to this folder' }, way), whose, finder),
    actions, sending, sheet, state, more,
  );
  let latest = 0;
  let open = '';

  function find(event) {
    event.preventDefault();
    if (field.value.trim()) location.hash = searchOf(field.value.trim());
  }

  const writes = (path) => mayWrite && path !== ''
    && (path.split('/')[0] !== 'common' || context.groups.includes('publishers'));

  function lead(path, last) {
    const parts = wayTo(path).map(({ name, path }) => make('li', {}, make('a', { href: placeOf(path) }, name)));
    if (last) parts.push(make('li', { aria: { current: 'page' } }, last));
    else parts.at(-1).firstChild.setAttribute('aria-current', 'page');
    way.replaceChildren(...parts);
  }

  /** Does something of this folder, says what went wrong, and shows the folder as it is then. */
  async function act(work) {
    try {
      await work();
    } catch (error) {
      toast(error.message, { seconds: 10 });
    }
    if (location.hash.startsWith('#files') || !location.hash.startsWith('#view')) await folder(open);
  }

  function rename(row, cell) {
    const input = make('input', { value: row.name, ariaLabel: `New name of ${row.name}`, maxLength: 255 });
    const form = make('form', {
      className: 'rename',
      on: {
        submit: (event) => {
          event.preventDefault();
          const name = input.value.trim();
          if (!name || name === row.name || name.includes('/')) { folder(open); return; }
          act(() => move(row.path, within(open, name)));
        },
        keydown: (event) => { if (event.key === 'Escape') folder(open); },
      },
    }, input, make('button', {}, 'Rename'));
    cell.replaceChildren(form);
    input.focus();
    input.setSelectionRange(0, row.folder || !row.name.includes('.') ? row.name.length : row.name.lastIndexOf('.'));
  }

  function away(row) {
    const timer = setTimeout(() => {
      if (going.delete(row.path)) act(() => remove(row.path));
    }, UNDO * 1000);
    going.set(row.path, timer);
    toast(`${row.name} is deleted.`, {
      label: 'Undo',
      seconds: UNDO,
      action: () => {
        clearTimeout(timer);
        going.delete(row.path);
        folder(open);
      },
    });
    folder(open);
  }

  function shown(row, mayChange) {
    const name = make('td', { className: row.folder ? 'name folder' : 'name file' },
      make('a', { href: row.folder ? placeOf(row.path) : viewOf(row.path) }, row.name));
    const tools = make('td', { className: 'row-tools' });
    if (!row.folder) {
      tools.append(make('a', { href: here + addressOf(row.path), download: row.name, ariaLabel: `Download ${row.name}` }, 'Download'));
    } else if (row.path.includes('/')) {
      tools.append(make('a', { href: here + archiveOf(row.path), download: '', ariaLabel: `Download ${row.name} as a zip` }, 'Zip'));
    }
    if (mayChange) {
      tools.append(
        button('Rename', () => rename(row, name), { className: 'plain', ariaLabel: `Rename ${row.name}` }),
        button('Delete', () => away(row), { className: 'plain', ariaLabel: `Delete ${row.name}` }),
      );
    }
    return make('tr', { data: { name: row.name } }, name,
      make('td', { className: 'size' }, row.size === null || row.size === undefined ? '' : size(row.size)),
      make('td', { className: 'time' }, row.modified ? moment(row.modified) : ''),
      tools);
  }

  function offer(path, rows) {
    const all = [];
    if (writes(path)) {
      const choose = make('input', { type: 'file', multiple: true, hidden: true, on: { change: () => take(choose.files) } });
      all.push(choose, button('Upload', () => choose.click()), button('New folder', () => newFolder(path), { className: 'quiet' }));
    }
    if (path && rows.length) all.push(make('a', { className: 'button quiet', href: here + archiveOf(path), download: '', id: 'archive' }, 'Download as zip'));
    actions.replaceChildren(...all);
  }

  function newFolder(path) {
    const input = make('input', { name: 'name', ariaLabel: 'Name of the new folder', placeholder: 'Name', maxLength: 255 });
    const form = make('form', {
      className: 'rename',
      on: {
        submit: (event) => {
          event.preventDefault();
          if (input.value.trim()) act(() => makeFolder(within(path, input.value.trim())));
        },
        keydown: (event) => { if (event.key === 'Escape') form.remove(); },
      },
    }, input, make('button', {}, 'Make folder'));
    actions.append(form);
    input.focus();
  }

  async function take(files) {
    const { send } = await import('./sending.js');
    for (const file of files) send(sending, file, within(open, file.name), () => folder(open));
  }

  place.addEventListener('dragover', (event) => {
    if (!writes(open) || !event.dataTransfer.types.includes('Files')) return;
    event.preventDefault();
    place.classList.add('dropping');
  });
  for (const event of ['dragleave', 'drop']) place.addEventListener(event, () => place.classList.remove('dropping'));
  place.addEventListener('drop', (event) => {
    if (!writes(open)) return;
    event.preventDefault();
    take(event.dataTransfer.files);
  });

  async function folder(path) {
    const mine = (latest += 1);
    let rows = [];
    let said = '';
    let readme;
    try {
      const listed = await list(path);
      readme = listed.readme;
      rows = listed.rows.map((row) => ({ ...row, path: within(path, row.name) })).filter((row) => !going.has(row.path)).slice(0, ROWS);
      if (!rows.length) said = writes(path) ? 'This folder is empty. Drop files here, or upload some.' : 'This folder is empty.';
      if (listed.count > ROWS) said = `${listed.count - ROWS} more are not shown here. Find them by name.`;
    } catch (error) {
      const owned = ['common', context.user].includes(path.split('/')[0]);
      said = error.code === 'NOT_FOUND' && owned
        ? 'There is no such folder yet.'
        : `This folder cannot be shown: ${error.message}`;
    }
    // Another one may have been opened while this was on its way.
    if (mine !== latest) return;
    open = path;
    field.value = '';
    lead(path);
    offer(path, rows);
    sheet.hidden = !rows.length;
    // Where a workspace has the common folder, nothing is to be moved.
    const fixed = `${context.user}/common`;
    body.replaceChildren(...rows.map((row) => shown(row, writes(path) && row.path !== fixed)));
    state.textContent = said;
    more.replaceChildren();
    if (readme?.isText && readme.rawBlob) {
      const { readmeOf } = await import('./readme.js');
      if (mine === latest) more.replaceChildren(await readmeOf(readme.rawBlob, path));
    }
  }

  async function file(path) {
    const mine = (latest += 1);
    lead(above(path), nameOf(path));
    actions.replaceChildren(make('a', { className: 'button', href: here + addressOf(path), download: nameOf(path) }, 'Download'));
    sheet.hidden = true;
    state.textContent = '';
    const { preview } = await import('./preview.js');
    const shown = await preview(path);
    if (mine === latest) more.replaceChildren(shown);
  }

  async function search(words) {
    const mine = (latest += 1);
    lead('', `“${words}”`);
    actions.replaceChildren();
    more.replaceChildren();
    field.value = words;
    let rows = [];
    let said = '';
    try {
      const { edges, truncated } = (await question(SEARCH, { name: words })).search;
      rows = edges.map(({ node }) => ({ ...node, folder: node.type === 'tree', name: node.path }));
      said = rows.length === 0 ? 'Nothing in your library has such a name.' : `${rows.length} found.`;
      if (truncated || rows.length === 200) said += ' There may be more: use a longer part of the name.';
    } catch (error) {
      said = `The search did not work: ${error.message}`;
    }
    if (mine !== latest) return;
    sheet.hidden = !rows.length;
    body.replaceChildren(...rows.map((row) => shown(row, false)));
    state.textContent = said;
  }

  return { folder, file, search };
}
