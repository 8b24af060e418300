//! The rig's box is one that the real `vagrant` brings up, logs in to and takes away.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::platform::deployment::{Deployment, Ran};
use crate::platform::engine::docker;
use crate::platform::steps::Steps;
use crate::rig::{rig_with_machines, there_is};

/// All that Vagrant needs to be told. The key is Vagrant's own insecure one.
const VAGRANTFILE: &str = r#"
Vagrant.configure("2") do |config|
  config.vm.define "services"
  config.vm.hostname = "services"
  config.vm.synced_folder ".", "/vagrant", disabled: true
  config.ssh.insert_key = false
  config.vm.provider "docker" do |container|
    container.image = ENV.fetch("DTAAS_RIG_VAGRANT_IMAGE")
    container.name = "NAME"
    container.has_ssh = true
    container.create_args = ENV.fetch("DTAAS_RIG_MACHINE_FLAGS").split
  end
end
"#;

/// Runs `vagrant` in a directory, with a home of its own there.
fn vagrant(directory: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new("vagrant");
    command.args(arguments).arg("--no-color");
    command.current_dir(directory).stdin(Stdio::null());
    command.env("VAGRANT_HOME", directory.join("home"));
    command.env("VAGRANT_CHECKPOINT_DISABLE", "1");
    Ran::of(command.output().unwrap())
}

/// Takes the container away, if Vagrant did not.
struct Swept(String);

impl Drop for Swept {
    fn drop(&mut self) {
        crate::platform::engine::run("docker", &["rm", "--force", "--volumes", &self.0]);
    }
}

#[test]
fn the_box_is_a_machine_of_the_real_vagrant() {
    const TEST: &str = "machines::vagrant::the_box_is_a_machine_of_the_real_vagrant";
    let Some((_, machines)) = rig_with_machines(TEST) else {
        return;
    };
    if !there_is("vagrant", which::which("vagrant").is_ok(), TEST) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let name = Swept(format!("rig-machine-suite-{}-vagrant", std::process::id()));
    fs::write(
        directory.join("Vagrantfile"),
        VAGRANTFILE.replace("NAME", &name.0),
    )
    .unwrap();

    vagrant(directory, &["up", "--provider", "docker"]).succeeded();
    let config = vagrant(directory, &["ssh-config", "services"]).succeeded();
    assert!(config.stdout.contains("HostName 127.0.0.1\n"), "{config:?}");
    assert!(config.stdout.contains("User vagrant\n"), "{config:?}");
    let who = [
        "ssh",
        "services",
        "-c",
        "hostname; sudo -n docker version -f '{{.Server.Os}}'",
    ];
    let said = vagrant(directory, &who).succeeded().stdout;
    assert_eq!(said.replace('\r', ""), "services\nlinux\n");
    assert_eq!(
        docker(&["inspect", "-f", "{{.Config.Image}}", &name.0]),
        machines.vagrant
    );

    vagrant(directory, &["halt"]).succeeded();
    let running = docker(&["inspect", "-f", "{{.State.Running}}", &name.0]);
    assert_eq!(running, "false");
    vagrant(directory, &["up", "--provider", "docker"]).succeeded();
    vagrant(directory, &["destroy", "--force"]).succeeded();
    assert_eq!(
        docker(&["ps", "-aq", "--filter", &format!("name={}", name.0)]),
        ""
    );
}

/// Machines of this deployment, by Vagrant's docker provider. `VAGRANT_HOME` is that of whoever runs the tests: nothing is kept there.
fn described(here: &Deployment, image: &str, flags: &[String]) {
    let path = here.path("dtaas.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let flags: Vec<String> = flags.iter().map(|flag| format!("{flag:?}")).collect();
    let of = |name: &str| {
        format!(
            "  {name}:\n    kind: vagrant\n    provider: docker\n    image: {image}\n    hostname: {name}.{}\n    create_args: [{}]\n",
            here.name,
            flags.join(", ")
        )
    };
    let machines = format!("machines:\n{}{}", of("dtaas"), of("services"));
    fs::write(&path, text.replace("machines: {}\n", &machines)).unwrap();
}

#[test]
fn two_virtual_machines_are_made_used_halted_and_destroyed() {
    const TEST: &str = "machines::vagrant::two_virtual_machines_are_made_used_halted_and_destroyed";
    let Some((rig, machines)) = rig_with_machines(TEST) else {
        return;
    };
    if !there_is("vagrant", which::which("vagrant").is_ok(), TEST) {
        return;
    }
    let steps = Steps::of(TEST);
    let here = steps.step("init", || {
        let here = Deployment::init(&rig, "vagrant", "foo.com", "alice", &[]);
        described(&here, &machines.vagrant, &machines.flags);
        here
    });
    let of_ours = || {
        docker(
            &[
                "ps",
                "-q",
                "--filter",
                "label=rig-machine",
                "--filter",
                "ancestor=DTAAS",
            ]
            .map(|word| match word {
                "ancestor=DTAAS" => format!("ancestor={}", machines.vagrant),
                word => word.to_owned(),
            })
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
        )
    };
    steps.step("up makes the machines, and the platform on them", || {
        let up = here.dtaas(&["up", "--profile", "two-machine"]).succeeded();
        assert!(
            up.stderr
                .contains("dtaas.yaml: profile is now two-machine\n"),
            "{up:?}"
        );
        assert_eq!(of_ours().lines().count(), 2);
    });
    steps.step("nothing is left to do", || {
        let plan = here.dtaas(&["plan"]).succeeded();
        assert_eq!(
            plan.stdout,
            "machine dtaas\nNothing to do.\nmachine services\nNothing to do.\n"
        );
    });
    steps.step("down halts them, and up starts them again", || {
        here.dtaas(&["down", "--yes"]).succeeded();
        assert_eq!(of_ours(), "");
        let halted = here.dtaas(&["status"]);
        assert_eq!(halted.code, Some(1));
        assert!(
            halted
                .stderr
                .contains("services: the virtual machine does not run"),
            "{halted:?}"
        );
        here.dtaas(&["up"]).succeeded();
    });
    steps.step("purged, nothing is left of them", || {
        here.dtaas(&["down", "--purge", "--yes"]).succeeded();
        assert_eq!(of_ours(), "");
        assert!(!here.root().exists());
    });
}
