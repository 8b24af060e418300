// What the library says of folders, and of what is found by its name.

import { question } from './api.js';
import { make } from './element.js';
import { within } from './words.js';

const LIST = `query ($path: String!, $first: Int!) {
  listDirectory(path: $path) { repository { tree {
    trees(first: $first) { count edges { node { name modified } } }
    blobs(first: $first) { count edges { node { name size modified } } }
    readme { name path rawBlob isText }
  } } }
}`;

const SEARCH = `query ($name: String!, $first: Int!) {
  search(path: "", name: $name, first: $first) {
    truncated edges { node { name type path modified ... on Blob { size } } }
  }
}`;

/** More rows than anyone reads make a page slow. */
export const ROWS = 1000;
const FOUND = 200;

/** What is in a folder, the folders first: its rows, how many there are in all, and its README. */
export async function list(path) {
  const data = await question(LIST, { path, first: ROWS });
  const { trees, blobs, readme } = data.listDirectory.repository.tree;
  const rows = [
    ...trees.edges.map(({ node }) => ({ ...node, folder: true })),
    ...blobs.edges.map(({ node }) => node),
  ].map((row) => ({ ...row, path: within(path, row.name) }));
  return { rows, count: trees.count + blobs.count, readme };
}

/** What has words in its name, and whether there may be more. */
export async function found(words) {
  const { edges, truncated } = (await question(SEARCH, { name: words, first: FOUND })).search;
  const rows = edges.map(({ node }) => ({ ...node, folder: node.type === 'tree', name: node.path }));
  return { rows, more: truncated || rows.length === FOUND };
}

/** A README as an element; undefined where there is none to show. */
export async function readmeShown(readme, folder) {
  if (!readme?.isText || !readme.rawBlob) return undefined;
  try {
    const { readmeOf } = await import('./readme.js');
    return await readmeOf(readme.rawBlob, folder);
  } catch (error) {
    return make('p', { className: 'state' }, `The README cannot be shown: ${error.message}`);
  }
}
