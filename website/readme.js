// A text in Markdown as a part of the page.

import { Problem, good, here } from './api.js';
import { make } from './element.js';
import { addressOf, placeOf } from './places.js';
import { resolve, slug } from './words.js';

// The platform's own answer is clean already; what is not in this list is text nevertheless.
const TAGS = new Set(['A', 'B', 'BLOCKQUOTE', 'BR', 'CODE', 'DD', 'DEL', 'DETAILS', 'DL', 'DT', 'EM', 'H1', 'H2', 'H3', 'H4', 'H5', 'H6', 'HR', 'I',
  'IMG', 'KBD', 'LI', 'OL', 'P', 'PRE', 'S', 'STRONG', 'SUB', 'SUMMARY', 'SUP', 'TABLE', 'TBODY', 'TD', 'TH', 'THEAD', 'TR', 'UL']);

/** A link of a file in `folder`: into the library it stays in this page, elsewhere it opens a tab. Where it leads to no folder, the page finds out. */
function follow(anchor, href, folder) {
  const path = resolve(folder, href);
  if (path !== undefined) {
    anchor.href = placeOf(path);
  } else if (href.startsWith('#')) {
    anchor.dataset.heading = slug(href);
  } else if (/^(https?:|mailto:)/i.test(href)) {
    Object.assign(anchor, { href, target: '_blank', rel: 'noopener noreferrer' });
  }
}

/** Lets links lead to the headings that they name in the same text. */
function join(text) {
  const headings = new Map([...text.querySelectorAll('h2, h3, h4, h5, h6')].reverse().map((heading) => [slug(heading.textContent), heading]));
  for (const anchor of text.querySelectorAll('a[data-heading]')) {
    const heading = headings.get(anchor.dataset.heading);
    if (!heading) continue;
    heading.tabIndex = -1;
    // The page's own fragment says what is shown, so it stays.
    anchor.href = location.hash || '#';
    anchor.addEventListener('click', (event) => {
      event.preventDefault();
      heading.focus();
      heading.scrollIntoView();
    });
  }
  return text;
}

function picture(image, folder) {
  const source = image.getAttribute('src') ?? '';
  const path = resolve(folder, source);
  // One without words is there for its looks alone.
  const alt = image.getAttribute('alt');
  if (path !== undefined) return make('img', { src: here + addressOf(path), alt: alt ?? source, loading: 'lazy' });
  const elsewhere = make('a', {}, `${alt || source} (a picture from elsewhere)`);
  follow(elsewhere, source, folder);
  return elsewhere;
}

function copied(node, folder) {
  if (node.nodeType === Node.TEXT_NODE) return document.createTextNode(node.data);
  if (node.nodeType !== Node.ELEMENT_NODE) return '';
  const children = [...node.childNodes].map((child) => copied(child, folder));
  if (!TAGS.has(node.tagName)) return make('span', {}, ...children);
  if (node.tagName === 'IMG') return picture(node, folder);
  // The page's own headings come first.
  const tag = node.tagName.replace(/^H([1-5])$/, (_, level) => `H${Number(level) + 1}`).toLowerCase();
  const made = make(tag, {}, ...children);
  if (tag === 'a') follow(made, node.getAttribute('href') ?? '', folder);
  return tag === 'table' ? make('div', { className: 'wide', tabIndex: 0, role: 'group', ariaLabel: 'Table' }, made) : made;
}

/** A text of a file in `folder` as elements. */
export async function markdown(text, folder) {
  const answer = await good('render', {
    method: 'POST',
    headers: { 'content-type': 'text/markdown' },
    body: text,
  }, 'Showing this text');
  const { body } = new DOMParser().parseFromString(await answer.text(), 'text/html');
  return join(make('div', { className: 'markdown' }, ...[...body.childNodes].map((node) => copied(node, folder))));
}

/** A folder's README. */
export async function readmeOf(text, folder) {
  const article = make('article', { className: 'readme', ariaLabel: 'README' });
  try {
    article.append(await markdown(text, folder));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    article.append(make('pre', {}, text));
  }
  return article;
}
