// What was deleted and can be had back for a while: it is not shown, and goes when it is settled. Nothing here touches the page.

const within = (path, folder) => path === folder || path.startsWith(`${folder}/`);

/** `remove` removes what is at a path, if it is what a condition says. */
export function removals(remove) {
  const waiting = new Map();

  async function go(path, entry) {
    entry.over();
    try {
      await remove(path, entry.condition);
      return true;
    } catch (error) {
      entry.failed(error);
      return false;
    } finally {
      waiting.delete(path);
    }
  }

  // One that is on its way already is waited for.
  const settled = (entries) => Promise.all(entries.map(([path, entry]) => {
    entry.sent ??= go(path, entry);
    return entry.sent;
  }));

  return {
    /** What is at this path waits. `over` is called when it cannot be had back any more, `failed` when it could not be removed. */
    add(path, { condition, over, failed }) {
      waiting.set(path, { condition, over, failed });
    },

    /** Has it back; says whether that was in time. */
    takeBack(path) {
      return !waiting.get(path)?.sent && waiting.delete(path);
    },

    /** Whether something is deleted for whoever looks: itself, or a folder above it. */
    hides: (path) => [...waiting.keys()].some((one) => within(path, one)),

    /** Removes now what waits at these paths, above or below them. Says of each that did whether it is gone. */
    settle: (...paths) => settled([...waiting].filter(([one]) => paths.some((path) => within(path, one) || within(one, path)))),

    /** The same with all that waits. */
    settleAll: () => settled([...waiting]),
  };
}
