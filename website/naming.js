// A form for a name.

import { make } from './element.js';
import { badName } from './words.js';

/** Asks for a name. `named` is given one that can be one, `left` is called where nobody wants to give one. The form is gone by then. */
export function naming({ label, does, value = '', named, left }) {
  const input = make('input', { name: 'name', value, ariaLabel: label, maxLength: 255, autocomplete: 'off' });
  const form = make('form', {
    className: 'rename',
    noValidate: true,
    on: {
      submit: (event) => {
        event.preventDefault();
        const name = input.value.trim();
        input.setCustomValidity(badName(name) ?? '');
        if (!input.reportValidity()) return;
        form.remove();
        if (name === value) left();
        else named(name);
      },
      input: () => input.setCustomValidity(''),
      keydown: (event) => {
        if (event.key !== 'Escape') return;
        form.remove();
        left();
      },
    },
  }, input, make('button', {}, does));
  return { form, input };
}
