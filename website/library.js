// The library's page: tabs for the kinds of assets, one's own and everybody's, and the folders behind them.

import { here } from './api.js';
import { find, make, tabs } from './element.js';
import { folderView } from './folder.js';
import { linkIfAny } from './links.js';
import { placeOf } from './places.js';

const KINDS = [
  {
    key: 'functions',
    name: 'Functions',
    help: 'Code that prepares what goes into a twin and works on what comes out: cleaning measurements, calibrating a model, raising an alarm.',
  },
  {
    key: 'models',
    name: 'Models',
    help: 'Descriptions of how a thing behaves, ready to be simulated. One thing may have several: of its shape, its wear, its motion.',
  },
  {
    key: 'tools',
    name: 'Tools',
    help: 'Programs that make, run or examine models. They belong to one kind of computer, so they travel less well than models do.',
  },
  {
    key: 'data',
    name: 'Data',
    help: 'What twins read and what they leave: measurements of the physical thing, tests by its maker, results of a run.',
  },
  {
    key: 'digital twins',
    name: 'Digital Twins',
    help: 'Ready combinations of the other four, a folder each, with a program for each phase of its life. Copy one, change what is yours.',
  },
];

const ALL = {
  key: 'all',
  name: 'All files',
  help: 'Everything in your library: your own folder, and the common one that you share with the others.',
};

const keyOf = (kind) => kind.key.replace(' ', '-');

/** The kind of assets that a path leads into. */
function kindOf(path) {
  return KINDS.find((kind) => kind.key === path.split('/')[1]) ?? ALL;
}

export function begin(context) {
  const { env, user, workspaces } = context;
  const entries = [...KINDS, ALL].map((kind) => ({ key: keyOf(kind), name: kind.name }));
  let owner = user;
  const home = (key) => {
    const kind = KINDS.find((kind) => keyOf(kind) === key);
    return kind ? `${owner}/${kind.key}` : '';
  };
  const mark = tabs(find('kinds'), find('kind'), entries, (key) => { location.hash = placeOf(home(key)); });
  if (workspaces) {
    const manager = find('manager');
    const href = linkIfAny(env, user, env.REACT_APP_URL_LIBLINK, here);
    if (href) Object.assign(manager, { href, target: '_blank', rel: 'noopener', hidden: false });
    else manager.replaceWith(make('p', { className: 'state' }, 'The address of the file manager in env.js is none.'));
  }
  const owners = make('div', { className: 'whose', role: 'group', ariaLabel: 'Whose assets' });
  const [mine, common] = [[user, 'Mine'], ['common', 'Common']].map(([name, text]) => make('a', { data: { owner: name } }, text));
  owners.append(mine, common);
  const view = folderView(context, find('files'), owners);

  return async ([what, ...segments]) => {
    if (what === 'search') {
      mark('all');
      find('help').textContent = ALL.help;
      owners.hidden = true;
      await view.search(segments.join('/'));
      return;
    }
    const shown = what === undefined ? `${user}/functions` : segments.filter(Boolean).join('/');
    const kind = kindOf(shown);
    owner = shown.split('/')[0] === 'common' ? 'common' : user;
    mark(keyOf(kind));
    find('help').textContent = kind.help;
    owners.hidden = kind === ALL;
    for (const anchor of [mine, common]) {
      anchor.href = placeOf(`${anchor.dataset.owner}/${kind.key}`);
      if (anchor.dataset.owner === owner) anchor.setAttribute('aria-current', 'true');
      else anchor.removeAttribute('aria-current');
    }
    if (what === 'view') await view.file(shown);
    else await view.folder(shown);
  };
}

