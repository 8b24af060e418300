// What was dropped on the page. It can be looked at only while it is being dropped.

/** The files of a drop, and the names of the folders, which a browser does not send. */
export function dropped({ items, files }) {
  const entries = [...items ?? []].filter((item) => item.kind === 'file').map((item) => item.webkitGetAsEntry?.());
  const folders = entries.filter((entry) => entry?.isDirectory).map((entry) => entry.name);
  // Both lists are in one order.
  return { folders, files: [...files].filter((file, at) => !entries[at]?.isDirectory) };
}

/** What to say of folders that were dropped; undefined where there are none. */
export function aboutFolders(folders) {
  if (!folders.length) return undefined;
  const names = folders.map((name) => `“${name}”`).join(', ');
  return folders.length === 1
    ? `${names} is a folder, and was not sent: make it here with “New folder”, and drop the files that are in it there.`
    : `${names} are folders, and were not sent: make them here with “New folder”, and drop the files that are in them there.`;
}
