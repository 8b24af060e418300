// Files that come to a folder: chosen, or dropped on it.

import { button } from './button.js';
import { aboutFolders, dropped } from './dropped.js';
import { make } from './element.js';
import { toast } from './toast.js';
import { within } from './words.js';

/** What lets files be chosen, which `take` is given. */
export function choosing(take) {
  const choose = make('input', {
    type: 'file',
    multiple: true,
    hidden: true,
    on: {
      change: () => {
        take([...choose.files]);
        // The same file can be chosen again.
        choose.value = '';
      },
    },
  });
  return [choose, button('Upload', () => choose.click())];
}

/**
 * Lets files be dropped on `place` while `folder` gives where they go. Gives what takes chosen ones to a folder. `before` is given the path of
 * each and waited for; `done` is called when one is there.
 */
export function receive(place, folder, { sending, before, done }) {
  async function take(files, to) {
    try {
      const { sendFile } = await import('./sending.js');
      for (const file of files) {
        const path = within(to, file.name);
        sendFile(sending, file, path, { before: () => before(path), done });
      }
    } catch (error) {
      toast(error.message, { seconds: 10 });
    }
  }

  // Where nothing takes them, the browser would leave the page for one of them.
  place.addEventListener('dragover', (event) => {
    if (!event.dataTransfer.types.includes('Files')) return;
    event.preventDefault();
    if (folder() === undefined) event.dataTransfer.dropEffect = 'none';
    else place.classList.add('dropping');
  });
  for (const event of ['dragleave', 'drop']) place.addEventListener(event, () => place.classList.remove('dropping'));
  place.addEventListener('drop', (event) => {
    event.preventDefault();
    const to = folder();
    if (to === undefined) return;
    const { files, folders } = dropped(event.dataTransfer);
    const said = aboutFolders(folders);
    if (said) toast(said, { seconds: 12 });
    if (files.length) take(files, to);
  });

  return take;
}
