// Files that come to a folder: chosen, or dropped on it.

import { aboutFolders, dropped } from './dropped.js';
import { toast } from './toast.js';
import { within } from './words.js';

/**
 * Lets files be dropped on `place` while `folder` gives where they go. Gives what takes chosen ones to a folder. `before` is given the path of
 * each and waited for; `done` is called when one is there.
 */
export function receive(place, folder, { sending, before, done }) {
  async function take(files, to) {
    const { sendFile } = await import('./sending.js');
    for (const file of files) {
      const path = within(to, file.name);
      sendFile(sending, file, path, { before: () => before(path), done });
    }
  }

  place.addEventListener('dragover', (event) => {
    if (folder() === undefined || !event.dataTransfer.types.includes('Files')) return;
    event.preventDefault();
    place.classList.add('dropping');
  });
  for (const event of ['dragleave', 'drop']) place.addEventListener(event, () => place.classList.remove('dropping'));
  place.addEventListener('drop', (event) => {
    const to = folder();
    if (to === undefined) return;
    event.preventDefault();
    const { files, folders } = dropped(event.dataTransfer);
    const said = aboutFolders(folders);
    if (said) toast(said, { seconds: 12 });
    if (files.length) take(files, to).catch((error) => toast(error.message, { seconds: 10 }));
  });

  return (files, to) => take(files, to).catch((error) => toast(error.message, { seconds: 10 }));
}
