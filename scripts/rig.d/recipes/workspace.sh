# shellcheck shell=bash
# The workspaces' images: a small Debian with the real JupyterLab, and the same once more with a file that tells them apart.
# Used by `scripts/rig`, whose functions it calls.
: "${state:?}" "${mirror:?}" "${images_definitions:?}" "${workspace_image:?}" "${other_workspace_image:?}"

images_make_workspace() {
  local scratch=$1 from=$images_definitions/workspace certificates=${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}
  # pip runs inside, so that what it installs fits the Python that is there. Its certificates may be this machine's own.
  # shellcheck disable=SC2016  # "$1" is for the shells that mmdebstrap starts
  env -u PIP_FIND_LINKS from="$from" certificates="$certificates" TMPDIR="$scratch" mmdebstrap --mode=root --variant=apt --quiet \
    --include=ca-certificates,curl,iproute2,iputils-ping,procps,python3,python3-pip,sudo,tini \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook='install -D -m 644 "$from/jupyter_server_config.py" "$1/etc/dtaas-rig/jupyter_server_config.py"' \
    --customize-hook='install -D -m 755 "$from/start" "$1/usr/local/bin/start-workspace"' \
    --customize-hook='mkdir "$1/pip" && cp "$from/requirements.txt" "$1/pip/" && cp "$certificates" "$1/pip/certificates.pem"' \
    --customize-hook='env -u SSL_CERT_FILE -u SSL_CERT_DIR PIP_CERT=/pip/certificates.pem REQUESTS_CA_BUNDLE=/pip/certificates.pem chroot "$1" \
        pip install -q --break-system-packages --root-user-action=ignore --disable-pip-version-check --no-cache-dir --only-binary=:all: --require-hashes -r /pip/requirements.txt' \
    --customize-hook='rm -r "$1/pip" && mkdir -m 755 "$1/workspace"' \
    --customize-hook='echo "ALL ALL=(ALL) NOPASSWD: ALL" >"$1/etc/sudoers.d/workspace" && chmod 440 "$1/etc/sudoers.d/workspace"' \
    bookworm "$scratch/workspace.tar" "$mirror" >"$state/workspace.log" 2>&1 9>&- ||
    { tail -n 5 -- "$state/workspace.log" >&2; die "the workspace image could not be made; see $state/workspace.log"; }
  images_import "$workspace_image" <"$scratch/workspace.tar" \
    --change 'ENTRYPOINT ["/usr/bin/tini", "-g", "--"]' --change 'CMD ["/usr/local/bin/start-workspace"]' \
    --change 'EXPOSE 8080' --change 'WORKDIR /workspace' --change 'ENV HOME=/root' --change 'ENV LANG=C.UTF-8'
  images_push "$workspace_image"
  images_make_other_workspace "$scratch"
}

images_make_other_workspace() {
  local container=dtaas-rig-other-workspace
  docker container rm -f "$container" >/dev/null 2>&1 || true
  docker create --name "$container" --network none "$(registry_address)/$workspace_image" >/dev/null
  echo "another image" >"$1/other"
  docker cp "$1/other" "$container:/etc/dtaas-rig/other" >/dev/null 2>&1
  docker commit "$container" "$(registry_address)/$other_workspace_image" >/dev/null
  docker container rm "$container" >/dev/null
  images_push "$other_workspace_image"
}
