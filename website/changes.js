// What can be changed in a folder: names, what is deleted, new folders.

import { conditionOf, makeFolder, move } from './api.js';
import { naming } from './naming.js';
import { toast } from './toast.js';
import { above, within } from './words.js';

/** For how long something that was deleted can be had back, in seconds. */
const UNDO = 8;

/** `refresh` shows the folder anew, with the cursor on what it is told, and is not called while one is left. */
export function changes({ removals, refresh }) {
  const wrong = (error) => toast(error.message, { seconds: 10 });

  /** Does something with paths once nothing waits there to be deleted, says what went wrong, and shows the folder as it is then. */
  async function act(paths, work, names) {
    let focus = names.after;
    await removals.settle(...paths);
    try {
      await work();
    } catch (error) {
      wrong(error);
      focus = names.before;
    }
    await refresh(focus);
  }

  function rename(row, cell) {
    const { form, input } = naming({
      label: `New name of ${row.name}`,
      does: 'Rename',
      value: row.name,
      named: (name) => {
        const to = within(above(row.path), name);
        act([row.path, to], () => move(row.path, to), { before: row.name, after: name });
      },
      left: () => refresh(row.name),
    });
    cell.replaceChildren(form);
    input.focus();
    input.setSelectionRange(0, row.folder || !row.name.includes('.') ? row.name.length : row.name.lastIndexOf('.'));
  }

  function newFolder(folder, place) {
    const button = document.activeElement;
    const { form, input } = naming({
      label: 'Name of the new folder',
      does: 'Make folder',
      named: (name) => {
        const path = within(folder, name);
        act([path], () => makeFolder(path), { after: name });
      },
      left: () => button.focus(),
    });
    place.querySelector('.rename')?.remove();
    place.append(form);
    input.focus();
  }

  async function remove(row, byKey) {
    const condition = await conditionOf(row);
    // What was deleted in it before makes it another folder than the one that was listed.
    const emptied = (await removals.settle(row.path)).length > 0;
    const told = toast(`${row.name} is deleted.`, {
      label: 'Undo',
      seconds: UNDO,
      over: () => removals.settle(row.path),
      action: () => { if (removals.takeBack(row.path)) refresh(row.name); },
    });
    removals.add(row.path, {
      condition: row.folder && emptied ? {} : condition,
      over: told.away,
      failed: (error) => {
        wrong(error);
        refresh();
      },
    });
    await refresh();
    if (byKey) told.focus();
  }

  return { rename, newFolder, remove };
}
