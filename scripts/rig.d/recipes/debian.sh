# shellcheck shell=bash
# A small Debian that other images are layers upon, so that it is made, pushed and pulled once.
# Used by `scripts/rig`, whose functions it calls.
: "${state:?}" "${mirror:?}" "${debian_image:?}"

images_make_debian() {
  local scratch=$1
  # dpkg need not wait for the disk, neither here nor in the layers: what is half made is thrown away.
  TMPDIR="$scratch" mmdebstrap --mode=root --variant=apt --quiet --include=ca-certificates,curl,iproute2,procps,tini \
    --dpkgopt='force-unsafe-io' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    bookworm "$scratch/debian.tar" "$mirror" >"$state/debian.log" 2>&1 9>&- ||
    { tail -n 5 -- "$state/debian.log" >&2; die "the Debian image could not be made; see $state/debian.log"; }
  images_import "$debian_image" <"$scratch/debian.tar"
  images_push "$debian_image"
}
