// Where things of the library are: in the page, and to be had. Nothing here touches the page.

import { encode } from './words.js';

/** The fragment that opens a folder. */
export const placeOf = (path) => `#files/${encode(path)}`;

/** The fragment that shows a file. */
export const viewOf = (path) => `#view/${encode(path)}`;

/** The fragment that searches. */
export const searchOf = (words) => `#search/${encodeURIComponent(words)}`;

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
