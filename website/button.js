// Buttons that do something which may take a while, or go wrong.

import { make } from './element.js';
import { toast } from './toast.js';

/** Does some work for a button; while that goes on it cannot be pressed again, and keeps the cursor. */
export async function busy(button, work) {
  if (button.ariaDisabled === 'true') return;
  button.ariaDisabled = 'true';
  try {
    await work();
  } finally {
    button.ariaDisabled = null;
  }
}

/** A button with its work, which is given the event. What goes wrong is said. */
export function button(text, work, properties = {}) {
  const made = make('button', { type: 'button', ...properties }, text);
  made.addEventListener('click', (event) => busy(made, () => work(event)).catch((error) => toast(error.message, { seconds: 10 })));
  return made;
}

/** A button that copies a text. */
export function copy(text, name) {
  return button('Copy', async () => {
    if (!navigator.clipboard) throw new Error('The browser lets pages copy only over https. Mark the text, and copy it yourself.');
    await navigator.clipboard.writeText(text);
    toast(`${name} is copied.`);
  }, { className: 'plain', ariaLabel: `Copy ${name}` });
}
