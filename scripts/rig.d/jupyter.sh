# shellcheck shell=bash
# A JupyterLab on the machine itself, for trials: the same as in the workspaces' image, in a directory of its own.
# Used by `scripts/rig`, whose functions it calls.
: "${state:?}" "${images_definitions:?}"

jupyter_make() {
  local requirements=$images_definitions/workspace/requirements.txt key
  key=$( (/usr/bin/python3 --version; cat -- "$requirements") | sha256sum)
  [[ -x $state/jupyter/bin/jupyter-lab && $(cat -- "$state/jupyter.key" 2>/dev/null) == "$key" ]] && return
  rm -rf -- "$state/jupyter" "$state/jupyter.key"
  # Without a pip of its own it needs no further package.
  /usr/bin/python3 -m venv --without-pip "$state/jupyter"
  env -u PIP_FIND_LINKS -u PYTHONPATH /usr/bin/python3 -m pip --python "$state/jupyter/bin/python" install -q --disable-pip-version-check \
    --no-cache-dir --only-binary=:all: --require-hashes -r "$requirements" >"$state/jupyter.log" 2>&1 9>&- ||
    { tail -n 5 -- "$state/jupyter.log" >&2; die "JupyterLab cannot be installed; see $state/jupyter.log"; }
  echo "$key" >"$state/jupyter.key"
}
