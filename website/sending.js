// Files that are being sent, each with how far it is and what can be done about it.

import { ask } from './api.js';
import { button } from './button.js';
import { make } from './element.js';
import { addressOf } from './places.js';
import { turns } from './turns.js';
import { upload, uploadName } from './upload.js';
import { size } from './words.js';

/** How long it is shown that a file is there, in milliseconds. */
const SHOWN = 4000;

/** More at a time are not faster. */
const turn = turns(3);

/** Sends a file to a path. `before` is waited for first; `done` is called when it is there. */
export function sendFile(place, file, path, { before, done }) {
  const progress = make('progress', { max: Math.max(file.size, 1), value: 0, ariaLabel: `How much of ${file.name} is there` });
  const state = make('span', { className: 'state', tabIndex: -1 }, 'waits for others');
  const tools = make('span', {});
  const row = make('div', { className: 'upload', data: { name: file.name } }, make('strong', {}, file.name), progress, state, tools);
  place.append(row);
  let stop = new AbortController();

  const moved = (bytes) => {
    progress.value = bytes;
    state.textContent = `${size(bytes)} of ${size(file.size)}`;
  };

  /** Says how it is, and what can be done; the cursor stays here. */
  function says(words, ...offered) {
    const had = tools.contains(document.activeElement);
    state.textContent = words;
    tools.replaceChildren(...offered);
    if (had) (offered[0] ?? state).focus();
  }

  function leave() {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    if (row.contains(document.activeElement)) (next?.querySelector('button') ?? place.parentElement.querySelector('.actions button'))?.focus();
    row.remove();
  }

  async function cancel() {
    stop.abort();
    leave();
    const name = await uploadName(file, path);
    // Where this does not arrive, the library forgets it after a day.
    await ask(`${addressOf(path)}?upload=${name}`, { method: 'DELETE', headers: { 'content-range': `bytes */${file.size}` } }).catch(() => {});
  }

  const cancelling = () => button('Cancel', cancel, { className: 'plain', ariaLabel: `Cancel ${file.name}` });

  async function sent(signal, replace) {
    if (signal.aborted) return;
    state.textContent = 'begins';
    try {
      await before();
      const came = await upload(file, path, { ask, moved, signal, replace });
      if (came.state === 'whole') {
        says('is there');
        setTimeout(leave, SHOWN);
        done();
      } else if (came.state === 'taken') {
        says(`There is a ${file.name} already.`,
          button('Replace', () => go(true), { ariaLabel: `Replace the ${file.name} that is there` }),
          button('Keep', cancel, { className: 'plain', ariaLabel: `Keep the ${file.name} that is there` }));
      } else if (came.state === 'refused') {
        says(came.words, button('Dismiss', leave, { className: 'plain', ariaLabel: `Dismiss ${file.name}` }));
      }
    } catch (error) {
      says(`${error.message} ${size(progress.value)} of ${size(file.size)} are there.`,
        button('Resume', () => go(replace), { ariaLabel: `Resume ${file.name}` }), cancelling());
    }
  }

  function go(replace) {
    stop = new AbortController();
    const { signal } = stop;
    says('waits for others', cancelling());
    // Not waited for: the button that was pressed is gone by now.
    turn(() => sent(signal, replace));
  }

  go(false);
}
