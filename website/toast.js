// What is said at the edge of the page for a while.

import { find, make } from './element.js';

/**
 * Says something, with something to do about it perhaps. It stays as long as the cursor or the pointer is on it, and `seconds` more; `over` is
 * called then. Gives what takes it away, and what puts the cursor on what can be done.
 */
export function toast(text, { action, label, seconds = 6, over = () => {} } = {}) {
  let timer;
  let from;
  const on = { focus: false, pointer: false };
  const said = make('div', { className: 'toast' }, make('span', {}, text));

  function away() {
    clearTimeout(timer);
    // Who came here by the keyboard goes back to where that was.
    if (said.contains(document.activeElement)) (from?.isConnected ? from : find('main')).focus();
    said.remove();
  }
  function run() {
    clearTimeout(timer);
    if (on.focus || on.pointer || !said.isConnected) return;
    timer = setTimeout(() => { away(); over(); }, seconds * 1000);
  }
  const held = (by, is) => { on[by] = is; run(); };

  said.addEventListener('pointerenter', () => held('pointer', true));
  said.addEventListener('pointerleave', () => held('pointer', false));
  said.addEventListener('focusin', (event) => { from ??= event.relatedTarget; held('focus', true); });
  said.addEventListener('focusout', () => held('focus', false));
  said.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') { away(); over(); }
  });
  const button = action && make('button', { type: 'button', className: 'plain', on: { click: () => { away(); action(); } } }, label);
  if (button) said.append(button);
  find('toasts').append(said);
  run();
  return { away, focus: () => button?.focus() };
}
