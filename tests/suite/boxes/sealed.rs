//! What sealing does to a machine: it is still to be reached, and whatever is made of it is another one.

use std::process::Command;

use crate::rig::there_is;

const PROVISION: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/templates/vagrant/provision.sh"
);

/// A machine's `/etc`, as far as that goes; what is done there is what systemd does when ssh.service starts.
const MACHINE: &str = r#"
set -eu
mkdir "$PLACE/ssh" "$PLACE/system"
echo 0123456789abcdef0123456789abcdef >"$PLACE/machine-id"
mount --bind "$PLACE/ssh" /etc/ssh
mount --bind "$PLACE/system" /etc/systemd/system
mount --bind "$PLACE/machine-id" /etc/machine-id
ssh-keygen -q -A >/dev/null
start() {
  sed -n 's/^ExecStartPre=//p' /etc/systemd/system/ssh.service.d/dtaas-host-keys.conf | grep -v sshd |
    while IFS= read -r line; do [ -z "$line" ] || eval "$line"; done >/dev/null
}
is_sealed() { bash "$PROVISION" --check --seal && echo sealed || echo open; }
is_sealed
before=$(cat /etc/ssh/ssh_host_ed25519_key.pub)
bash "$PROVISION" --seal
is_sealed
[ "$before" = "$(cat /etc/ssh/ssh_host_ed25519_key.pub)" ] && echo "reached as before"
wc -c </etc/machine-id
start
[ "$before" != "$(cat /etc/ssh/ssh_host_ed25519_key.pub)" ] && echo "another one"
is_sealed
after=$(cat /etc/ssh/ssh_host_ed25519_key.pub)
start
[ "$after" = "$(cat /etc/ssh/ssh_host_ed25519_key.pub)" ] && echo "the same from then on"
"#;

#[test]
fn a_sealed_machine_is_reached_until_it_is_off_and_another_one_then() {
    const TEST: &str =
        "boxes::sealed::a_sealed_machine_is_reached_until_it_is_off_and_another_one_then";
    let root = rustix::process::geteuid().is_root();
    let systemd = std::path::Path::new("/etc/systemd/system").is_dir();
    let ssh = which::which("ssh-keygen").is_ok() && std::path::Path::new("/etc/ssh").is_dir();
    if !(there_is("root", root, TEST)
        && there_is("ssh-keygen", ssh, TEST)
        && there_is("/etc/systemd/system", systemd, TEST))
    {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", MACHINE])
        .env("PLACE", place.path())
        .env("PROVISION", PROVISION)
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "open\nsealed\nreached as before\n0\nanother one\nopen\nthe same from then on\n",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
