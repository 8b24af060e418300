// What a file looks like, without leaving the page.

import { ask, here } from './api.js';
import { beginning } from './beginning.js';
import { inATab, make } from './element.js';
import { addressOf } from './places.js';
import { reason } from './reason.js';
import { above, nameOf, size, table } from './words.js';

// More of a text than anyone reads.
const MOST = 256 * 1024;
const ROWS = 500;
const COLUMNS = 100;
const NOTEBOOK = 8 * 1024 * 1024;

const PICTURES = /\.(png|jpe?g|gif|webp|avif|bmp|ico|svg)$/i;

/** The first bytes of a file, how large it is, and whether they are all of it. */
async function start(path, most) {
  const answer = await ask(addressOf(path), { headers: { range: `bytes=0-${most - 1}` } });
  if (answer.status === 416) return { bytes: new Uint8Array(), total: 0, whole: true };
  if (answer.ok) return beginning(answer, most);
  throw new Error(answer.status === 404 ? 'It is not there any more.' : await reason(answer, 'Reading it'));
}

/** The text in bytes that may end within a letter; undefined where it is none. */
function textOf(bytes, whole) {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: !whole });
    return text.includes('\0') ? undefined : text;
  } catch {
    return undefined;
  }
}

const note = (words) => make('p', { className: 'state' }, words);

function spreadsheet(text) {
  const all = table(text, ROWS + 1, COLUMNS + 1);
  const wide = all.some((row) => row.length > COLUMNS);
  const rows = all.map((row) => row.slice(0, COLUMNS));
  const [head = [], ...rest] = rows;
  const named = head.some((cell) => Number.isNaN(Number(cell)));
  const body = named ? rest : rows;
  const made = make('table', { className: 'sheet' },
    named && make('thead', {}, make('tr', {}, ...head.map((cell) => make('th', { scope: 'col' }, cell)))),
    make('tbody', {}, ...body.slice(0, ROWS).map((row) => make('tr', {}, ...row.map((cell) => make('td', {}, cell))))));
  const group = make('div', { className: 'wide', tabIndex: 0, role: 'group', ariaLabel: 'Table' }, made);
  return wide ? make('div', {}, note(`The first ${COLUMNS} columns.`), group) : group;
}

async function shape(path) {
  const name = nameOf(path);
  if (PICTURES.test(name)) {
    return make('img', { className: 'picture', src: here + addressOf(path), alt: name });
  }
  const notebook = /\.ipynb$/i.test(name);
  const most = notebook ? NOTEBOOK : MOST;
  const { bytes, total, whole } = await start(path, most);
  const text = textOf(bytes, whole);
  const large = total === undefined ? '' : ` (${size(total)})`;
  if (text === undefined) return note(`This is not text${large}. Download it to open it with a program of yours.`);
  if (text === '') return note('This file is empty.');
  if (notebook && whole) {
    const { cells } = await import('./notebook.js');
    const made = await cells(text, above(path));
    if (made) return made;
  }
  if (/\.(md|markdown)$/i.test(name) && whole) {
    const { readmeOf } = await import('./readme.js');
    return readmeOf(text, above(path));
  }
  const cut = whole ? null : note(`The first ${size(bytes.length)}${total === undefined ? '' : ` of ${size(total)}`}.`);
  if (/\.(csv|tsv)$/i.test(name)) return make('div', {}, cut, spreadsheet(text));
  return make('div', {}, cut, make('pre', { className: 'text', tabIndex: 0, ariaLabel: name }, text));
}

/** A file as elements. */
export async function preview(path) {
  const article = make('article', { className: 'preview', ariaLabel: nameOf(path) });
  try {
    article.append(await shape(path));
  } catch (error) {
    article.append(make('p', { className: 'state' }, `This file cannot be shown: ${error.message}`));
  }
  article.append(make('p', {}, inATab({ href: here + addressOf(path) }, 'Open it by itself')));
  return article;
}
