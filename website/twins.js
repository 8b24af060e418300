// The digital twins: what to do with them, which there are, and JupyterLab where one of them lies.

import { here, question } from './api.js';
import { button, find, inATab, make, tabs } from './element.js';
import { link } from './links.js';
import { placeOf, viewOf } from './places.js';
import { encode, nameOf } from './words.js';

const TWINS = `query ($path: String!) {
  digitalTwins(path: $path) { name path readme { rawBlob isText } phases { name path executable } }
}`;

const PHASES = [
  {
    key: 'create',
    name: 'Create',
    help: 'Give each twin a folder of its own among your digital twins, with its configuration and one program for each phase of its life in “lifecycle”. Begin with a copy of one that is there.',
  },
  {
    key: 'execute',
    name: 'Execute',
    help: 'Run a twin’s “create”, then its “execute”, from a terminal in its folder: in JupyterLab below, or in VS Code. What draws windows runs on the desktop. Put what it measures into your data.',
  },
  {
    key: 'analyze',
    name: 'Analyze',
    help: 'Run “analyze” on what an execution left in your data, and look at the results in a notebook, or on the desktop. “save” keeps the twin’s state, “evolve” changes it, “terminate” and “clean” end it.',
  },
];

export function begin(context) {
  const { env, user, workspaces } = context;
  const place = find('twins-list');
  const mark = tabs(find('phases'), find('phase'), PHASES, (key) => { location.hash = `#twins/${key}`; });
  const list = make('ul', { className: 'cards', ariaLabel: 'Digital twins' });
  const state = make('p', { className: 'state', role: 'status' });
  const shown = make('div', { className: 'twin', tabIndex: -1 });
  const lab = make('div', { className: 'lab' });
  place.replaceChildren(list, state, shown, lab);
  let all = [];

  function inside(path) {
    if (env.DTAAS_WORKSPACE_ROOT === 'library') return path;
    // Where a workspace has the library: one's own folder at the top, and common in it.
    const [owner, ...rest] = path.split('/');
    return owner === user ? rest.join('/') : path;
  }

  function labAt(path) {
    const value = `${env.REACT_APP_URL_DTLINK}${path ? `/tree/${encode(inside(path))}` : ''}`;
    return link(env, user, value, here);
  }

  function openLab(path) {
    if (!workspaces) {
      lab.replaceChildren(make('p', { className: 'notice' }, 'No workspaces run here, so there is no JupyterLab to show. A trial has them where JupyterLab is installed on its machine: pip install jupyterlab, then start it again.'));
      return;
    }
    const address = labAt(path);
    const title = path ? `JupyterLab at ${nameOf(path)}` : 'JupyterLab';
    lab.replaceChildren(
      make('div', { className: 'head' }, make('h2', {}, title), inATab({ href: address }, 'In a tab of its own')),
      make('iframe', { src: address, title }),
    );
  }

  function card(twin) {
    const phases = twin.phases.map(({ name, executable }) => make('li', { className: executable === false ? 'off' : '' },
      executable === false ? `${name} (not executable)` : name));
    return make('li', { data: { twin: twin.name } },
      make('h2', {}, make('a', { href: `#twins/twin/${encode(twin.path)}` }, twin.name)),
      make('p', {}, twin.path.split('/')[0] === user ? 'Yours' : 'Common'),
      phases.length
        ? make('ul', { className: 'phases', ariaLabel: 'Phases of its life' }, ...phases)
        : make('p', {}, 'It has no programs for the phases of its life yet.'));
  }

  async function show(twin) {
    const phases = twin.phases.map(({ name, path }) => make('li', {}, make('a', { href: viewOf(path) }, name)));
    shown.replaceChildren(
      make('div', { className: 'head' },
        make('h2', {}, twin.name),
        make('span', { className: 'actions' },
          workspaces && button('Open JupyterLab here', () => openLab(twin.path)),
          make('a', { className: 'button quiet', href: placeOf(twin.path) }, 'Its folder'))),
      phases.length ? make('p', {}, 'Its programs:') : null,
      make('ul', { className: 'phases' }, ...phases),
    );
    if (twin.readme?.isText && twin.readme.rawBlob) {
      const { readmeOf } = await import('./readme.js');
      shown.append(await readmeOf(twin.readme.rawBlob, twin.path));
    } else {
      shown.append(make('p', { className: 'state' }, 'It has no README.'));
    }
    shown.focus();
  }

  async function load() {
    try {
      const found = await question(TWINS, { path: '' });
      const rank = (twin) => (twin.path.split('/')[0] === user ? 0 : 1);
      all = found.digitalTwins.sort((one, other) => rank(one) - rank(other));
      state.textContent = all.length ? '' : 'There are no digital twins yet.';
    } catch (error) {
      all = [];
      state.textContent = `The digital twins cannot be shown: ${error.message}`;
    }
    list.replaceChildren(...all.map(card));
  }

  return async ([first, ...rest]) => {
    const phase = PHASES.find(({ key }) => key === first) ?? PHASES[0];
    mark(phase.key);
    find('phase-help').textContent = phase.help;
    await load();
    const path = first === 'twin' ? rest.map(decodeURIComponent).join('/') : '';
    const twin = all.find((one) => one.path === path);
    if (twin) await show(twin);
    else shown.replaceChildren();
    if (!lab.children.length) {
      if (workspaces) lab.replaceChildren(make('p', {}, button('Open JupyterLab in this page', () => openLab(''))));
      else openLab('');
    }
  };
}
