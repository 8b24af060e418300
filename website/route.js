// What a fragment of the address names: a part of the page, and what is to be seen there. Nothing here touches the page.

const PARTS = ['library', 'twins', 'workbench', 'account'];

// What the fragments of the library begin with, beside its name.
const OF_THE_LIBRARY = ['files', 'view', 'search'];

/** What was meant by a piece of an address; what cannot be decoded stays as it is. */
function decoded(piece) {
  try {
    return decodeURIComponent(piece);
  } catch {
    return piece;
  }
}

/** The part that a fragment names, and what it says to that part. */
export function partOf(fragment) {
  const [first, ...rest] = fragment.replace(/^#/, '').split('/').map(decoded);
  if (OF_THE_LIBRARY.includes(first)) return { part: 'library', rest: [first, ...rest] };
  return PARTS.includes(first) ? { part: first, rest } : { part: 'library', rest: [] };
}

/** What is to be seen there, where that has a name of its own: a folder, a file, words that are searched, a twin. */
export function subjectOf({ part, rest: [what, ...path] }) {
  if (part === 'library' && what === 'search') return `“${path.join('/')}”`;
  const named = part === 'library' || (part === 'twins' && what === 'twin');
  return named ? path.filter(Boolean).at(-1) : undefined;
}
