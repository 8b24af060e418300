#!/bin/bash
# Behaves as the published image's run.sh: what a variable that ends with __FILE names is read into the variable without that end.
set -eu

if [[ ! -w $GF_PATHS_DATA ]]; then
  echo "GF_PATHS_DATA='$GF_PATHS_DATA' is not writable."
fi
for file in $(compgen -e | grep '^GF_.*__FILE$' || true); do
  if [[ -z ${!file} ]]; then continue; fi
  name=${file%__FILE}
  if [[ -n ${!name-} ]]; then
    echo "ERROR: Both $name and $file are set (but are exclusive)" >&2
    exit 1
  fi
  echo "Getting secret $name from ${!file}"
  # A failed `cat` ends it, as it would not within the export.
  value=$(cat -- "${!file}")
  export "$name=$value"
  unset "$file"
done
export HOME=$GF_PATHS_HOME
exec grafana server "$@"
