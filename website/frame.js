// What stands around the library's folders and files: the way there, what can be done, and the rows.

import { make } from './element.js';
import { placeOf, wayTo } from './places.js';

/** Where the cursor is among rows; undefined where it is elsewhere. */
function cursorIn(body) {
  const row = document.activeElement?.closest('tr');
  if (!row || !body.contains(row)) return undefined;
  const controls = [...row.querySelectorAll('a, button')];
  return { name: row.dataset.name, at: [...body.rows].indexOf(row), control: controls.indexOf(document.activeElement) };
}

/** Puts it there again: into the row of that name, or into the one that is in its place now. Says whether there is one. */
function putCursor(body, { name, at = 0, control = 0 }) {
  const rows = [...body.rows];
  const same = rows.find((row) => row.dataset.name === name);
  const controls = [...(same ?? rows[Math.min(at, rows.length - 1)])?.querySelectorAll('a, button') ?? []];
  const next = (same && controls[control]) ?? controls[0];
  next?.focus();
  return next !== undefined;
}

/** Puts it together in `place`; `seek` is what is done with words that are searched. */
export function frame(place, owners, seek) {
  const way = make('ol', { className: 'way', tabIndex: -1 });
  const field = make('input', { type: 'search', name: 'words', placeholder: 'Find by name', ariaLabel: 'Find by name', maxLength: 200 });
  const submit = (event) => {
    event.preventDefault();
    if (field.value.trim()) seek(field.value.trim());
  };
  const finder = make('form', { className: 'finder', role: 'search', on: { submit } }, field, make('button', {}, 'Find'));
  const actions = make('div', { className: 'actions' });
  const sending = make('div', { className: 'sending' });
  const caption = make('caption', { className: 'unseen' });
  const body = make('tbody', { id: 'entries' });
  const entries = make('table', { className: 'entries', hidden: true }, caption,
    make('thead', {}, make('tr', {}, ...['Name', 'Size', 'Changed', ''].map((text) => (text
      ? make('th', { scope: 'col' }, text)
      : make('td', {}, make('span', { className: 'unseen' }, 'What can be done')))))), body);
  const state = make('p', { className: 'state', role: 'status' });
  const more = make('div', { className: 'more' });
  place.replaceChildren(
    make('div', { className: 'top' }, make('nav', { ariaLabel: 'The way to this folder' }, way), owners, finder),
    actions, sending, entries, state, more,
  );

  return {
    actions,
    sending,
    more,
    says: (words) => { state.textContent = words; },
    asks: (words) => { field.value = words; },

    /** Shows the way to a folder, with `last` behind it. */
    lead(path, last) {
      const parts = wayTo(path).map(({ name, path }) => make('li', {}, make('a', { href: placeOf(path) }, name)));
      if (last) parts.push(make('li', { aria: { current: 'page' } }, last));
      else parts.at(-1).firstChild.setAttribute('aria-current', 'page');
      way.replaceChildren(...parts);
    },

    /**
     * Shows rows, and says of what. With `keep` they are the ones that were shown, as they are now: the cursor stays where it is among them, or
     * goes to the one of that `name`.
     */
    rows(what, all, keep) {
      const before = cursorIn(body);
      const cursor = keep?.name === undefined ? before : keep;
      caption.textContent = what;
      entries.hidden = !all.length;
      body.replaceChildren(...all);
      if (!cursor) return;
      if (!keep) way.focus();
      else if (!putCursor(body, cursor)) (actions.querySelector('button') ?? way).focus();
    },

    /** Whether one of them is being given another name. */
    isNaming: () => body.querySelector('.rename') !== null,
  };
}
