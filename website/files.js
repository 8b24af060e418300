// The library as folders and files. Names are other people's: they go into the page as text alone.

const LIST = `query ($path: String!) {
  listDirectory(path: $path) { repository { tree {
    trees { edges { node { name } } }
    blobs { edges { node { name } } }
  } } }
}`;

// More rows than anyone reads make a page slow.
const ROWS = 1000;

// What a fragment of the page's address begins with when it names a folder.
const PLACE = '#files/';

const encode = (path) => path.split('/').map(encodeURIComponent).join('/');

/** The fragment that opens a folder. */
export const placeOf = (path) => PLACE + encode(path);

/** The folder that a fragment names; undefined where it names none. */
export function pathOf(fragment) {
  if (!fragment.startsWith(PLACE)) return undefined;
  try {
    return fragment.slice(PLACE.length).split('/').map(decodeURIComponent).filter(Boolean).join('/');
  } catch {
    return undefined;
  }
}

/** Where a file can be had, from the page's own address. */
export const addressOf = (path) => `lib/files/${encode(path)}`;

/** Where all of a folder can be had in one file. */
export const archiveOf = (path) => `${addressOf(path)}?zip`;

/** The folders on the way to a path, the top first: [{ name, path }]. */
export function wayTo(path) {
  const segments = path.split('/').filter(Boolean);
  const below = segments.map((name, at) => ({ name, path: segments.slice(0, at + 1).join('/') }));
  return [{ name: 'Library', path: '' }, ...below];
}

/** What a folder holds: { folders, files }, names only. */
async function list(here, path) {
  const answer = await fetch(`${here}lib`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ query: LIST, variables: { path } }),
  });
  const kind = answer.headers.get('content-type') ?? '';
  if (!kind.startsWith('application/json')) throw new Error(`the library answered ${answer.status}`);
  const { data, errors } = await answer.json();
  if (errors?.length) throw new Error(errors[0].message);
  const names = ({ edges }) => edges.map(({ node }) => node.name);
  const { trees, blobs } = data.listDirectory.repository.tree;
  return { folders: names(trees), files: names(blobs) };
}

function anchor(text, href) {
  const made = document.createElement('a');
  made.textContent = text;
  made.href = href;
  return made;
}

function item(kind, made) {
  const row = document.createElement('li');
  row.className = kind;
  row.append(made);
  return row;
}

function folder(name, path) {
  return item('folder', anchor(name, placeOf(path)));
}

function file(here, name, path) {
  const made = anchor(name, here + addressOf(path));
  made.target = '_blank';
  made.rel = 'noopener';
  return item('file', made);
}

/** Shows the library of the platform at `here` in these elements of the page, and follows the page's address. */
export function browse(here, { way, state, entries, archive }) {
  let latest = 0;

  async function open(path) {
    const mine = (latest += 1);
    const parts = wayTo(path).map(({ name, path }) => item('part', anchor(name, placeOf(path))));
    parts.at(-1).firstChild.ariaCurrent = 'true';
    way.replaceChildren(...parts);
    let rows = [];
    let said = '';
    try {
      const { folders, files } = await list(here, path);
      const within = (name) => (path ? `${path}/${name}` : name);
      const all = [...folders.map((name) => [folder, name]), ...files.map((name) => [file.bind(null, here), name])];
      rows = all.slice(0, ROWS).map(([make, name]) => make(name, within(name)));
      if (!all.length) said = 'This folder is empty.';
      if (all.length > ROWS) said = `And ${all.length - ROWS} more, which are not shown here.`;
    } catch (error) {
      said = `This folder cannot be shown: ${error.message}.`;
    }
    // Another folder may have been opened while this one was on its way.
    if (mine !== latest) return;
    entries.replaceChildren(...rows);
    state.textContent = said;
    archive.hidden = !path || !rows.length;
    archive.href = here + archiveOf(path);
  }

  window.addEventListener('hashchange', () => {
    const path = pathOf(location.hash);
    if (path !== undefined) open(path);
  });
  return open(pathOf(location.hash) ?? '');
}
