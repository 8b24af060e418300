# shellcheck shell=bash
# What the stand-ins for InfluxDB and Grafana are layers upon.
# Used by `scripts/rig`, whose functions it calls.
: "${debian_image:?}" "${standin_image:?}"

images_make_standin() { images_grow "$debian_image" "$standin_image" standin/install; }
