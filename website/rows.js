// A row of a folder, or of what was found.

import { here } from './api.js';
import { button } from './button.js';
import { make } from './element.js';
import { addressOf, archiveOf, placeOf, viewOf } from './places.js';
import { moment, size } from './words.js';

/** How a file or a folder of the library can be had. */
function download(row) {
  if (!row.folder) return make('a', { href: here + addressOf(row.path), download: row.name, ariaLabel: `Download ${row.name}` }, 'Download');
  // The top folders are as large as the library.
  if (!row.path.includes('/')) return null;
  return make('a', { href: here + archiveOf(row.path), download: '', ariaLabel: `Download ${row.name} as a zip` }, 'Zip');
}

/** A row; `changes` are what can be done to it: { rename(row, cell), remove(row, byKey) }. */
export function rowOf(row, changes) {
  const name = make('td', { className: row.folder ? 'name folder' : 'name file' },
    make('a', { href: row.folder ? placeOf(row.path) : viewOf(row.path) }, row.name));
  return make('tr', { data: { name: row.name } }, name,
    make('td', { className: 'size' }, row.size === null || row.size === undefined ? '' : size(row.size)),
    make('td', { className: 'time' }, row.modified ? moment(row.modified) : ''),
    make('td', { className: 'row-tools' }, download(row),
      changes && button('Rename', () => changes.rename(row, name), { className: 'plain', ariaLabel: `Rename ${row.name}` }),
      // A press by the keyboard is no click of a pointer.
      changes && button('Delete', (event) => changes.remove(row, event.detail === 0), { className: 'plain', ariaLabel: `Delete ${row.name}` })));
}
