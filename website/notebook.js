// A notebook as it was left: its texts, its code, and what the code gave. Nothing in it runs, and its HTML is not shown.

import { make } from './element.js';
import { markdown } from './readme.js';
import { turns } from './turns.js';

const MOST = 300;
const LONGEST = 20_000;

/** So many texts are rendered at a time. */
const turn = turns(4);

const joined = (text, by = '') => (Array.isArray(text) ? text.join(by) : String(text ?? ''));
const listed = (list) => (Array.isArray(list) ? list : []);
const cut = (text) => (text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);

function output(given) {
  const data = given?.data ?? {};
  const kind = ['image/png', 'image/jpeg', 'image/gif'].find((kind) => data[kind]);
  const base64 = kind && joined(data[kind]).replace(/\s/g, '');
  if (base64 && /^[A-Za-z0-9+/=]+$/.test(base64)) {
    return make('img', { src: `data:${kind};base64,${base64}`, alt: cut(joined(data['text/plain'])) || 'A picture that the code made' });
  }
  // Colours for terminals are left out.
  const trace = joined(given?.traceback, '\n').replace(/\u001b\[[0-9;]*m/g, '');
  const text = given?.text !== undefined ? joined(given.text) : joined(data['text/plain']) || trace;
  return text ? make('pre', { className: 'output', tabIndex: 0, ariaLabel: 'Output' }, cut(text)) : null;
}

async function cell(given, folder) {
  const source = joined(given?.source);
  if (given?.cell_type === 'markdown') {
    try {
      return await turn(() => markdown(source, folder));
    } catch {
      // One text that cannot be rendered is no reason to show nothing of the others.
      return make('pre', { tabIndex: 0, ariaLabel: 'Text' }, cut(source));
    }
  }
  const number = given?.execution_count ?? ' ';
  return make('div', { className: 'cell' },
    source && make('div', { className: 'code' },
      given.cell_type === 'code' && make('span', { className: 'count' }, `[${number}]`),
      make('pre', { tabIndex: 0, ariaLabel: 'Code' }, cut(source))),
    ...listed(given?.outputs).map(output));
}

/** The cells of a notebook's text; undefined where it is none. */
export async function cells(text, folder) {
  let all;
  try {
    all = JSON.parse(text)?.cells;
  } catch {
    return undefined;
  }
  if (!Array.isArray(all)) return undefined;
  const made = await Promise.all(all.slice(0, MOST).map((one) => cell(one, folder)));
  const rest = all.length > MOST ? make('p', { className: 'state' }, `${all.length - MOST} more cells are not shown.`) : null;
  return make('div', { className: 'notebook' }, ...made, rest);
}
