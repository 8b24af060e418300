// The account: who I am, my password, my credentials at the services, what I share.

import { ask, good, sendJson } from './api.js';
import { busy, button, copy } from './button.js';
import { find, make } from './element.js';
import { toast } from './toast.js';
import { moment } from './words.js';

let fields = 0;

/** A field with its label. */
function labelled(text, properties) {
  fields += 1;
  const input = make('input', { id: `field-${fields}`, ...properties });
  return { input, row: make('div', { className: 'field' }, make('label', { htmlFor: input.id }, text), input) };
}

const current = () => labelled('Your current password', { type: 'password', autocomplete: 'current-password', required: true, maxLength: 200 });

/** Whose password it is, for programs that keep passwords. */
const nameField = (user) => make('input', { name: 'username', autocomplete: 'username', defaultValue: user, hidden: true, readOnly: true });

/** A form that does something and says what came of it. */
function form(label, rows, work) {
  const state = make('p', { className: 'state', role: 'status' });
  const go = make('button', {}, label);
  const submit = (event) => {
    event.preventDefault();
    busy(go, async () => {
      state.textContent = '';
      state.classList.remove('wrong');
      try {
        state.textContent = (await work(event.target)) ?? '';
      } catch (error) {
        state.textContent = error.message;
        state.classList.add('wrong');
      }
    });
  };
  return make('form', { on: { submit } }, ...rows, go, state);
}

function part(id, title, ...children) {
  return make('section', { className: 'card', ariaLabel: title, id }, make('h2', {}, title), ...children);
}

function me({ user, groups, account, signOut }) {
  const list = groups.map((group) => make('li', {}, group === 'publishers' ? 'publishers: may change the common assets' : group));
  return part('me', user,
    list.length ? make('ul', {}, ...list) : make('p', {}, 'You are in no group: you can change your own folder, and read the common one.'),
    account
      ? make('p', {}, button('Sign out everywhere', signOut, { className: 'quiet' }))
      : make('p', {}, 'To sign out, close the browser.'));
}

function password({ user }) {
  const [old, one, two] = [
    current(),
    labelled('A new one', { type: 'password', autocomplete: 'new-password', required: true, maxLength: 200 }),
    labelled('The new one again', { type: 'password', autocomplete: 'new-password', required: true, maxLength: 200 }),
  ];
  return part('password', 'Password',
    make('p', {}, 'A new password signs you out everywhere else.'),
    form('Change it', [nameField(user), old.row, one.row, two.row], async (target) => {
      if (one.input.value !== two.input.value) throw new Error('The new passwords differ.');
      await sendJson('POST', 'account/password', { current: old.input.value, new: one.input.value }, 'Changing the password');
      target.reset();
      return 'You have a new password.';
    }));
}

function credentials({ user }) {
  const old = current();
  const list = make('dl', { className: 'variables' });
  return part('credentials', 'Credentials for the services',
    make('p', {}, 'What your programs need for InfluxDB, RabbitMQ and the others. In your workspace they are in /run/dtaas/services.env, and in every new terminal.'),
    form('Show them', [nameField(user), old.row], async (target) => {
      list.replaceChildren();
      const answer = await sendJson('POST', 'account/credentials', { current: old.input.value }, 'Showing them');
      const { variables } = await answer.json();
      target.reset();
      list.replaceChildren(...variables.flatMap(({ name, value }) => [
        make('dt', {}, name),
        make('dd', {}, make('code', {}, value), copy(value, name)),
      ]));
      return '';
    }), list);
}

function shares({ user }) {
  const list = make('ul', { className: 'shares' });
  const link = make('p', { className: 'link', hidden: true });
  const [name, port, days, old] = [
    labelled('What to call it', { required: true, pattern: '[a-z0-9]([a-z0-9\\-]*[a-z0-9])?', maxLength: 40, title: 'a-z, 0-9 and -', autocomplete: 'off' }),
    labelled('Port in your workspace', { type: 'number', min: 1, max: 65535, required: true }),
    labelled('For how many days', { type: 'number', min: 1, max: 366, defaultValue: 30, required: true }),
    current(),
  ];
  fields += 1;
  const open = make('input', { type: 'checkbox', id: `field-${fields}` });
  const openRow = make('div', { className: 'field check' }, open, make('label', { htmlFor: open.id }, 'Open to everybody, without the secret in its address'));

  async function load() {
    const answer = await good('account/shares', {}, 'Listing what you share');
    const all = (await answer.json()).shares;
    list.replaceChildren(...all.map((share, at) => make('li', {},
      make('a', { href: share.url, target: '_blank', rel: 'noopener' }, share.name),
      make('span', {}, `port ${share.port}, ${share.public ? 'open to everybody' : 'with its secret'}, until ${moment(share.until)}`),
      button('End it', () => end(share, at), { className: 'plain', ariaLabel: `End ${share.name}` }))));
    if (!all.length) list.replaceChildren(make('li', {}, 'You share nothing.'));
  }

  async function end(share, at) {
    const had = list.contains(document.activeElement);
    await good(`account/shares/${encodeURIComponent(share.name)}`, { method: 'DELETE' }, 'Ending it')
      .catch((error) => toast(error.message));
    await load();
    const left = [...list.querySelectorAll('button')];
    if (had) (left[Math.min(at, left.length - 1)] ?? name.input).focus();
  }

  const made = part('shares', 'What I share',
    make('p', {}, 'A program in your workspace that listens on a port, on all addresses (0.0.0.0), becomes a page for people who have no account here: a running twin as a service.'),
    list,
    form('Share it', [nameField(user), name.row, port.row, days.row, openRow, old.row], async (target) => {
      const answer = await sendJson('POST', 'account/shares', {
        name: name.input.value,
        port: Number(port.input.value),
        public: open.checked,
        days: Number(days.input.value),
        current: old.input.value,
      }, 'Sharing it');
      const share = await answer.json();
      target.reset();
      link.replaceChildren(share.public ? 'Give this address away: ' : 'Give this address away; it is shown once: ', make('code', {}, share.link), copy(share.link, 'the address'));
      link.hidden = false;
      await load();
      return `${share.name} is shared.`;
    }), link);
  return { made, load };
}

export async function begin(context) {
  const place = find('account-parts');
  const parts = [me(context)];
  if (context.account) {
    parts.push(password(context));
    if (context.workspaces) {
      parts.push(credentials(context));
      const shared = shares(context);
      const offered = await ask('account/shares').catch(() => undefined);
      if (offered?.ok) {
        parts.push(shared.made);
        await shared.load().catch((error) => toast(error.message));
      }
    }
  }
  place.replaceChildren(...parts);
  return () => {};
}

