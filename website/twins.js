// The digital twins: what to do with them, which there are, and JupyterLab where one of them lies.

import { here, question } from './api.js';
import { button } from './button.js';
import { find, inATab, make, tabs } from './element.js';
import { link } from './links.js';
import { readmeShown } from './listing.js';
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

/** A twin in the list of all. */
function card(twin, user) {
  const phases = twin.phases.map(({ name, executable }) => make('li', { className: executable === false ? 'off' : '' },
    executable === false ? `${name} (not executable)` : name));
  return make('li', { data: { twin: twin.name } },
    make('h2', {}, make('a', { href: `#twins/twin/${encode(twin.path)}` }, twin.name)),
    make('p', {}, twin.path.split('/')[0] === user ? 'Yours' : 'Common'),
    phases.length
      ? make('ul', { className: 'phases', ariaLabel: 'Phases of its life' }, ...phases)
      : make('p', {}, 'It has no programs for the phases of its life yet.'));
}

/** JupyterLab in the page: gives what opens it where a path lies. */
function laboratory({ env, user, workspaces }, lab) {
  function inside(path) {
    if (env.DTAAS_WORKSPACE_ROOT === 'library') return path;
    // Where a workspace has the library: one's own folder at the top, and common in it.
    const [owner, ...rest] = path.split('/');
    return owner === user ? rest.join('/') : path;
  }

  return (path) => {
    if (!workspaces) {
      lab.replaceChildren(make('p', { className: 'notice' }, 'No workspaces run here, so there is no JupyterLab to show. A trial has them where JupyterLab is installed on its machine: pip install jupyterlab, then start it again.'));
      return;
    }
    const address = link(env, user, `${env.REACT_APP_URL_DTLINK}${path ? `/tree/${encode(inside(path))}` : ''}`, here);
    const title = path ? `JupyterLab at ${nameOf(path)}` : 'JupyterLab';
    lab.replaceChildren(
      make('div', { className: 'head' }, make('h2', {}, title), inATab({ href: address }, 'In a tab of its own')),
      make('iframe', { src: address, title }),
    );
  };
}

export function begin(context) {
  const { user, workspaces } = context;
  const mark = tabs(find('phases'), find('phase'), PHASES, (key) => { location.hash = `#twins/${key}`; });
  const list = make('ul', { className: 'cards', ariaLabel: 'Digital twins' });
  const state = make('p', { className: 'state', role: 'status' });
  const shown = make('div', { className: 'twin', tabIndex: -1 });
  const lab = make('div', { className: 'lab' });
  find('twins-list').replaceChildren(list, state, shown, lab);
  const openLab = laboratory(context, lab);
  if (workspaces) lab.replaceChildren(make('p', {}, button('Open JupyterLab in this page', () => openLab(''))));
  else openLab('');
  /** How often something was shown: what comes late is not shown over what was wanted since. */
  let latest = 0;
  let all = [];

  async function load(mine) {
    let found = [];
    let said = '';
    try {
      const rank = (twin) => (twin.path.split('/')[0] === user ? 0 : 1);
      found = (await question(TWINS, { path: '' })).digitalTwins.sort((one, other) => rank(one) - rank(other));
      if (!found.length) said = 'There are no digital twins yet.';
    } catch (error) {
      said = `The digital twins cannot be shown: ${error.message}`;
    }
    if (mine !== latest) return;
    all = found;
    state.textContent = said;
    list.replaceChildren(...all.map((twin) => card(twin, user)));
  }

  async function show(twin, mine) {
    const phases = twin.phases.map(({ name, path }) => make('li', {}, make('a', { href: viewOf(path) }, name)));
    shown.replaceChildren(
      make('div', { className: 'head' },
        make('h2', {}, twin.name),
        make('span', { className: 'actions' },
          workspaces && button('Open JupyterLab here', () => openLab(twin.path)),
          make('a', { className: 'button quiet', href: placeOf(twin.path) }, 'Its folder'))),
      phases.length ? make('p', {}, 'Its programs:') : '',
      make('ul', { className: 'phases' }, ...phases),
    );
    const readme = await readmeShown(twin.readme, twin.path);
    if (mine !== latest) return;
    shown.append(readme ?? make('p', { className: 'state' }, 'It has no README.'));
    shown.focus();
  }

  return async ([first, ...rest], { entered }) => {
    const mine = (latest += 1);
    const phase = PHASES.find(({ key }) => key === first) ?? PHASES[0];
    mark(phase.key);
    find('phase-help').textContent = phase.help;
    const path = first === 'twin' ? rest.join('/') : '';
    const wanted = () => all.find((one) => one.path === path);
    shown.replaceChildren();
    // Of moving between the tabs they do not become others.
    if (entered || !all.length || (path && !wanted())) await load(mine);
    if (mine === latest && wanted()) await show(wanted(), mine);
  };
}
