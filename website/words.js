// Sizes, times and paths in words. Nothing here touches the page.

const UNITS = ['bytes', 'KB', 'MB', 'GB', 'TB'];

/** A number of bytes as people read it: `1.5 MB`. */
export function size(bytes) {
  let amount = Number(bytes);
  let unit = 0;
  while (amount >= 1000 && unit < UNITS.length - 1) {
    amount /= 1000;
    unit += 1;
  }
  if (unit === 0) return amount === 1 ? '1 byte' : `${amount} bytes`;
  return `${amount.toFixed(amount < 10 ? 1 : 0)} ${UNITS[unit]}`;
}

/** A moment, as the language of the page writes it. */
export function moment(time) {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return '';
  return new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short' }).format(date);
}

/** Words with a full stop. */
export const sentence = (text) => (/[.!?…]$/.test(text) ? text : `${text}.`);

/** A path as it stands in an address. */
export const encode = (path) => path.split('/').map(encodeURIComponent).join('/');

/** The path of something in a folder. */
export const within = (folder, name) => (folder ? `${folder}/${name}` : name);

/** The folder that something is in. */
export const above = (path) => path.split('/').slice(0, -1).join('/');

/** What something is called. */
export const nameOf = (path) => path.split('/').at(-1);

/** What a heading is called in links to it, as GitHub does it; of such a link, what it names. */
export function slug(text) {
  let words = text;
  try {
    words = decodeURIComponent(text);
  } catch {
    // It is meant as it stands.
  }
  return words.trim().toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-');
}

/** What is wrong with a name for something in a folder; undefined where it is one. */
export function badName(name) {
  if (name === '') return 'It needs a name.';
  if (name === '.' || name === '..') return `“${name}” is no name: it stands for a folder.`;
  if (name.includes('/')) return 'A name has no “/”: that stands between folders.';
  return undefined;
}

/** Where a relative link in a file of `folder` leads in the library; undefined where it leads out, or elsewhere. */
export function resolve(folder, link) {
  if (/^([a-z][a-z0-9+.-]*:|\/|#|\?)/i.test(link)) return undefined;
  let decoded;
  try {
    decoded = decodeURIComponent(link.split(/[?#]/, 1)[0]);
  } catch {
    return undefined;
  }
  const path = folder ? folder.split('/') : [];
  for (const part of decoded.split('/')) {
    if (part === '..') {
      if (!path.length) return undefined;
      path.pop();
    } else if (part && part !== '.') {
      path.push(part);
    }
  }
  return path.join('/');
}

/**
 * The rows of a text of comma-separated values (RFC 4180), `most` of them with their first `widest` cells; also with semicolons or tabs, as the
 * first line has more of.
 */
export function table(text, most, widest = Infinity) {
  const first = text.split(/[\r\n]/, 1)[0];
  const count = (sign) => first.split(sign).length;
  const sign = [',', ';', '\t'].reduce((best, next) => (count(next) > count(best) ? next : best));
  const rows = [];
  let row = [];
  let cell = '';
  let quoted = false;
  const endCell = () => {
    if (row.length < widest) row.push(cell);
    cell = '';
  };
  for (let at = 0; at < text.length && rows.length < most; at += 1) {
    const c = text[at];
    if (quoted) {
      if (c === '"' && text[at + 1] === '"') { cell += '"'; at += 1; }
      else if (c === '"') quoted = false;
      else cell += c;
    } else if (c === '"' && cell === '') {
      quoted = true;
    } else if (c === sign) {
      endCell();
    } else if (c === '\n' || c === '\r') {
      // A line ends in one of them, or in both.
      if (c === '\r' && text[at + 1] === '\n') at += 1;
      endCell();
      rows.push(row);
      row = [];
    } else {
      cell += c;
    }
  }
  if ((cell !== '' || row.length) && rows.length < most) {
    endCell();
    rows.push(row);
  }
  return rows;
}
