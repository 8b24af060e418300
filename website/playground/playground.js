import { errorLine, indent, operations, readVariables } from './editor.js';
import { EXAMPLES } from './examples.js';
import { INTROSPECTION, bareName, hasAll, search, typeText, typesOf } from './schema.js';

const HISTORY = 50;

const find = (id) => document.getElementById(id);
const query = find('query');
const variables = find('variables');
const operation = find('operation');

function make(tag, text, className) {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

/** Asks at this page's own address. Gives { status, answer }, or throws what to tell. */
async function ask(question, signal) {
  let response;
  try {
    // Not location.href: where somebody wrote name and password into the address, nothing could be fetched from it.
    response = await fetch(location.origin + location.pathname, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify(question),
      signal,
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Error('The library cannot be reached. Is it still running?');
  }
  const kind = response.headers.get('content-type') ?? '';
  if (!kind.startsWith('application/json')) {
    throw new Error(`The answer has status ${response.status} and is not JSON.`);
  }
  const text = await response.text();
  return { status: response.status, size: text.length, answer: JSON.parse(text) };
}

// The question

function put(one) {
  query.value = one.query;
  variables.value = Object.keys(one.variables).length ? JSON.stringify(one.variables, null, 2) : '';
  offerOperations();
  if (one.operationName) operation.value = one.operationName;
  query.focus();
}

function offerOperations() {
  const names = operations(query.value);
  const chosen = operation.value;
  operation.replaceChildren(...(names.length ? names : ['']).map((name) => {
    const option = make('option', name || 'the only one');
    option.value = name;
    return option;
  }));
  if (names.includes(chosen)) operation.value = chosen;
  operation.disabled = names.length < 2;
}

let leaving = false;
for (const field of [query, variables]) {
  field.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      run();
    } else if (event.key === 'Escape') {
      leaving = true;
      return;
    } else if (event.key === 'Tab' && !leaving && !event.ctrlKey && !event.altKey) {
      event.preventDefault();
      const { selectionStart, selectionEnd, value } = field;
      const { text, start, end } = indent(value, selectionStart, selectionEnd, event.shiftKey);
      field.value = text;
      field.setSelectionRange(start, end);
      field.dispatchEvent(new Event('input'));
    }
    leaving = false;
  });
}
query.addEventListener('input', offerOperations);

// The answer

function show(outcome, errors, answer) {
  find('outcome').textContent = outcome;
  find('errors').replaceChildren(...errors.map((error) => make('li', errorLine(error))));
  find('result').textContent = answer === undefined ? '' : JSON.stringify(answer, null, 2);
}

let running;
async function run() {
  const read = readVariables(variables.value);
  find('variables-error').textContent = read.error ?? '';
  if (read.error) return;
  if (!query.value.trim()) {
    show('There is no question yet. Write one, or choose an example.', []);
    return;
  }
  running?.abort();
  const mine = (running = new AbortController());
  const question = { query: query.value, variables: read.value };
  if (operation.value) question.operationName = operation.value;
  remember(question);
  show('Asking …', []);
  const began = performance.now();
  try {
    const { status, size, answer } = await ask(question, mine.signal);
    const errors = answer.errors ?? [];
    const told = errors.length ? `, ${errors.length} error${errors.length > 1 ? 's' : ''}` : '';
    const took = (performance.now() - began).toFixed(0);
    show(`Status ${status}${told}, ${size} characters in ${took} ms.`, errors, answer);
  } catch (error) {
    if (error.name !== 'AbortError') show('There is no answer.', [error]);
  }
}
find('run').addEventListener('click', run);

// What was asked before, the latest first; gone with the page

const asked = [];
function remember(question) {
  const same = (one) => JSON.stringify(one) === JSON.stringify(question);
  const known = asked.findIndex(same);
  if (known >= 0) asked.splice(known, 1);
  asked.unshift(question);
  asked.splice(HISTORY);
  const history = find('history');
  history.disabled = false;
  offer(history, 'Choose one', asked.map((one) => one.query.replace(/\s+/g, ' ').trim().slice(0, 80)));
}

function offer(select, heading, names) {
  const option = (name, value) => {
    const made = make('option', name);
    made.value = value;
    return made;
  };
  select.replaceChildren(option(heading, ''), ...names.map((name, at) => option(name, at)));
}

function chooseFrom(select, list) {
  select.addEventListener('change', () => {
    if (select.value !== '') put(list()[Number(select.value)]);
    select.value = '';
  });
}
chooseFrom(find('history'), () => asked);

// The schema

function typeLink(type) {
  const made = make('a', typeText(type), 'type');
  made.href = `#type-${bareName(type)}`;
  return made;
}

function memberItem(member) {
  const item = document.createElement('li');
  item.append(make('b', member.name));
  if (member.args?.length) {
    item.append('(');
    member.args.forEach((arg, at) => {
      item.append(at ? ', ' : '', make('span', arg.name, 'argument'), ': ', typeLink(arg.type));
      if (arg.defaultValue !== null) item.append(` = ${arg.defaultValue}`);
    });
    item.append(')');
  }
  if (member.type) item.append(': ', typeLink(member.type));
  if (member.description) item.append(make('p', member.description));
  return item;
}

function typeArticle({ type, members }) {
  const article = document.createElement('article');
  article.id = `type-${type.name}`;
  const heading = make('h2', type.name);
  heading.append(' ', make('small', type.kind.toLowerCase().replace('_', ' ')));
  article.append(heading);
  if (type.description) article.append(make('p', type.description));
  const list = document.createElement('ul');
  list.append(...members.map(memberItem));
  article.append(list);
  return article;
}

async function loadSchema() {
  const state = find('schema-state');
  let types;
  try {
    const { answer } = await ask({ query: INTROSPECTION });
    if (answer.errors?.length) throw new Error(errorLine(answer.errors[0]));
    types = typesOf(answer.data.__schema);
  } catch (error) {
    state.textContent = `The schema cannot be shown. ${error.message}`;
    return;
  }
  const filter = () => {
    const found = search(types, find('search').value);
    find('schema').replaceChildren(...found.map(typeArticle));
    state.textContent = found.length ? '' : 'Nothing in the schema is called so.';
  };
  find('search').addEventListener('input', filter);
  // A type that the search has hidden is shown again when somebody follows a link to it.
  find('schema').addEventListener('click', (event) => {
    const name = event.target.closest('a')?.hash.slice('#type-'.length);
    if (!name || find(`type-${name}`)) return;
    find('search').value = '';
    filter();
  });
  filter();
  const examples = EXAMPLES.filter(({ needs }) => hasAll(types, needs));
  offer(find('examples'), 'Choose one', examples.map(({ name }) => name));
  chooseFrom(find('examples'), () => examples);
  if (!query.value && examples.length) put(examples[0]);
}

offerOperations();
loadSchema();
