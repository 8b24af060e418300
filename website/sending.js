// Files that are being sent, each with how far it is and what can be done about it.

import { ask } from './api.js';
import { button, make } from './element.js';
import { addressOf } from './places.js';
import { upload, uploadName } from './upload.js';
import { size } from './words.js';

/** Sends a file to a path; `done` is called when it is there. */
export function send(place, file, path, done) {
  const progress = make('progress', { max: Math.max(file.size, 1), value: 0, ariaLabel: `How much of ${file.name} is there` });
  const state = make('span', { className: 'state' }, 'begins');
  const tools = make('span', {});
  const row = make('div', { className: 'upload', data: { name: file.name } }, make('strong', {}, file.name), progress, state, tools);
  place.append(row);
  let stop = new AbortController();

  const moved = (bytes) => {
    progress.value = bytes;
    state.textContent = `${size(bytes)} of ${size(file.size)}`;
  };

  async function cancel() {
    stop.abort();
    row.remove();
    const name = await uploadName(file, path);
    // Where this does not arrive, the library forgets it after a day.
    await ask(`${addressOf(path)}?upload=${name}`, { method: 'DELETE', headers: { 'content-range': `bytes */${file.size}` } }).catch(() => {});
  }

  async function go() {
    stop = new AbortController();
    tools.replaceChildren(button('Cancel', cancel, { className: 'plain', ariaLabel: `Cancel ${file.name}` }));
    try {
      const came = await upload(file, path, { ask, moved, signal: stop.signal });
      if (came === 'stopped') return;
      if (came === 'whole') {
        state.textContent = 'is there';
        tools.replaceChildren();
        setTimeout(() => row.remove(), 4000);
        done();
        return;
      }
      state.textContent = came;
      tools.replaceChildren(button('Dismiss', () => row.remove(), { className: 'plain' }));
    } catch (error) {
      state.textContent = `${error.message} ${size(progress.value)} of ${size(file.size)} are there.`;
      tools.replaceChildren(
        button('Resume', go, { ariaLabel: `Resume ${file.name}` }),
        button('Cancel', cancel, { className: 'plain', ariaLabel: `Cancel ${file.name}` }),
      );
    }
  }

  go();
}
