// Elements of the page. Names and contents are other people's: they go in as text alone.

/** An element with properties (`on` holds listeners, `data` and `aria` attributes) and children, texts among them. */
export function make(tag, { on = {}, data = {}, aria = {}, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  for (const [event, listener] of Object.entries(on)) made.addEventListener(event, listener);
  Object.assign(made.dataset, data);
  for (const [name, value] of Object.entries(aria)) made.setAttribute(`aria-${name}`, value);
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

export const find = (id) => document.getElementById(id);

/** A link that leaves the page as it is. */
export function inATab(properties, ...children) {
  return make('a', { target: '_blank', rel: 'noopener', ...properties }, ...children);
}

/** Tabs as WAI-ARIA has them: arrows move, one of them is in the order of the Tab key. `choose` is given the chosen one's key. */
export function tabs(list, panel, entries, choose) {
  const made = entries.map(({ key, name }) => make('button', {
    type: 'button',
    role: 'tab',
    id: `${list.id}-${key}`,
    data: { key },
    aria: { controls: panel.id },
    on: { click: () => choose(key) },
  }, name));
  list.addEventListener('keydown', (event) => {
    const at = made.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: made.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    const next = made[(to + made.length) % made.length];
    next.focus();
    choose(next.dataset.key);
  });
  list.replaceChildren(...made);
  return (key) => {
    for (const tab of made) {
      const chosen = tab.dataset.key === key;
      tab.ariaSelected = String(chosen);
      tab.tabIndex = chosen ? 0 : -1;
      if (chosen) panel.setAttribute('aria-labelledby', tab.id);
    }
    if (!made.some((tab) => tab.dataset.key === key)) made[0].tabIndex = 0;
  };
}
