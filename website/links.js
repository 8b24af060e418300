// Where the tools are, from the keys of env.js. Nothing here touches the page.

const TOOL = 'REACT_APP_WORKBENCHLINK_';

// What people call the tools that come with a workspace.
const NAMES = {
  UNGIT: 'Ungit',
  JUPYTERLAB: 'JupyterLab',
  JUPYTERNOTEBOOK: 'Jupyter Notebook',
  VNCDESKTOP: 'VNC Desktop',
  VSCODE: 'VS Code',
};

const trim = (part) => String(part ?? '').trim().replace(/^\/+|\/+$/g, '');

/** URL / BASENAME / user / value; slashes at either end of each do not matter, and what is empty is left out. */
export function link(env, user, value, here) {
  // The page's own address holds the base path already.
  const start = env.REACT_APP_URL ? [env.REACT_APP_URL, env.REACT_APP_URL_BASENAME] : [here];
  const parts = [...start, encodeURIComponent(user), value].map(trim);
  const address = new URL(parts.filter((part) => part !== '').join('/'));
  if (address.protocol !== 'http:' && address.protocol !== 'https:') {
    throw new Error(`${address.protocol} is not an address of the web`);
  }
  return address.href;
}

/** What to call a tool: `VSCODE` is VS Code, `MY_TOOL` is My Tool. */
export function toolName(key) {
  const known = Object.hasOwn(NAMES, key) && NAMES[key];
  return known || key.split('_').filter(Boolean)
    .map((word) => word[0].toUpperCase() + word.slice(1).toLowerCase())
    .join(' ');
}

/** The same; undefined where that is no address. */
export function linkIfAny(env, user, value, here) {
  try {
    return link(env, user, value, here);
  } catch {
    return undefined;
  }
}

/** The workbench's tools in the order of env.js: [{ name, href }], without `href` where what stands there is no address. */
export function tools(env, user, here) {
  return Object.keys(env)
    .filter((key) => key.startsWith(TOOL) && key.length > TOOL.length)
    .map((key) => ({
      name: toolName(key.slice(TOOL.length)),
      href: linkIfAny(env, user, env[key], here),
    }));
}
