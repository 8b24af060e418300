// What the fields for text can do. Nothing here touches the page.

const STEP = '  ';

/**
 * The text after a Tab: { text, start, end }. Where a selection goes over several lines, all of them are indented; `back` takes
 * one step away at the beginning of each line.
 */
export function indent(text, start, end, back) {
  if (!back && !text.slice(start, end).includes('\n')) {
    return { text: text.slice(0, start) + STEP + text.slice(end), start: start + STEP.length, end: start + STEP.length };
  }
  const first = text.lastIndexOf('\n', start - 1) + 1;
  const after = text.indexOf('\n', end);
  const last = after < 0 ? text.length : after;
  const lines = text.slice(first, last).split('\n');
  const moved = lines.map((line) => (back ? line.replace(/^ {1,2}/, '') : STEP + line));
  const shift = (at) => moved[at].length - lines[at].length;
  const sum = moved.reduce((total, _, at) => total + shift(at), 0);
  return {
    text: text.slice(0, first) + moved.join('\n') + text.slice(last),
    start: Math.max(first, start + shift(0)),
    end: Math.max(first, end + sum),
  };
}

/** The names of the operations in a question, in their order. */
export function operations(text) {
  const bare = text.replace(/"""[\s\S]*?"""|"(?:[^"\\\n]|\\.)*"|#[^\n]*/g, '""');
  const names = [];
  let depth = 0;
  for (const [word] of bare.matchAll(/[{}]|[_A-Za-z][_0-9A-Za-z]*\s*(?:[_A-Za-z][_0-9A-Za-z]*)?/g)) {
    if (word === '{') depth += 1;
    else if (word === '}') depth -= 1;
    else if (depth === 0) {
      const found = /^(?:query|mutation)\s+(\S+)$/.exec(word);
      if (found) names.push(found[1]);
    }
  }
  return names;
}

/** The variables that stand in a text: { value } or { error }. */
export function readVariables(text) {
  if (!text.trim()) return { value: {} };
  try {
    const value = JSON.parse(text);
    const fine = value !== null && typeof value === 'object' && !Array.isArray(value);
    return fine ? { value } : { error: 'Variables are an object, such as {"path": "common"}.' };
  } catch (error) {
    return { error: `This is not JSON: ${error.message}.` };
  }
}

/** An error of an answer, in a line: code, message, and where. */
export function errorLine({ message, locations, path, extensions }) {
  const code = extensions?.code ? `${extensions.code}: ` : '';
  const at = (locations ?? []).map(({ line, column }) => `line ${line}, column ${column}`).join('; ');
  const where = [at, path?.length ? `in ${path.join('.')}` : ''].filter(Boolean).join(', ');
  return `${code}${message}${where ? ` (${where})` : ''}`;
}
