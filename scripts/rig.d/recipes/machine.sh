# shellcheck shell=bash
# The images of machines: servers in containers, with sshd and a docker engine of their own.
# Used by `scripts/rig`, whose functions it calls.
: "${debian_image:?}" "${bare_machine_image:?}" "${machine_image:?}" "${vagrant_image:?}"

images_make_machine() {
  local settings=(--change 'ENTRYPOINT ["/usr/bin/tini", "--", "/usr/local/sbin/start-machine"]' --change 'CMD []' --change 'EXPOSE 22')
  images_grow "$debian_image" "$bare_machine_image" machine/install-bare "${settings[@]}"
  images_grow "$bare_machine_image" "$machine_image" machine/install-docker "${settings[@]}"
  # As a box is: someone called vagrant may come in with the key that everybody has.
  images_grow "$machine_image" "$vagrant_image" machine/install-vagrant "${settings[@]}" --change 'ENV DTAAS_MACHINE_USER=vagrant'
}
