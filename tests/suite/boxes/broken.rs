//! A build that is broken off at each step: what failed and what to do is said, and the next run goes on there.

use super::world::{STEPS, World};

/// How a build is broken off.
enum Cause {
    /// The first call that is like a pattern fails, with a code and these words.
    Fails(&'static str, i32, &'static str),
    /// A directory stands where this file belongs.
    InTheWay(&'static str),
}

struct Broken {
    /// The step, by its place.
    at: usize,
    cause: Cause,
    error: &'static str,
    hint: &'static str,
    /// The steps that the next run does; it finds the others done.
    next: &'static [usize],
}

const WORDS_OF_VAGRANT: &str = "`vagrant status` in DIR/box shows how the machines stand; what is above is Vagrant's own words";

const BROKEN: [Broken; 14] = [
    Broken {
        at: 0,
        cause: Cause::Fails(
            "ssh-keygen -q *",
            1,
            "Saving key \"key\" failed: No space left on device",
        ),
        error: "ssh-keygen failed: Saving key \"key\" failed: No space left on device",
        hint: "see that there is room on that disk (df -h), then run this again",
        next: &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
    },
    Broken {
        at: 1,
        cause: Cause::InTheWay("Vagrantfile"),
        error: "cannot write DIR/box/Vagrantfile: Is a directory (os error 21)",
        hint: "a directory stands where a file should be: move it away first",
        next: &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
    },
    Broken {
        at: 2,
        cause: Cause::Fails(
            "box$ vagrant up base *",
            1,
            "There was an error while executing `VBoxManage`, a CLI used by Vagrant\n\
             for controlling VirtualBox. The command and stderr is shown below.\n\n\
             Command: [\"startvm\", \"8d1f\", \"--type\", \"headless\"]\n\n\
             Stderr: VBoxManage: error: VT-x is disabled in the BIOS for all CPU modes (VERR_VMX_MSR_ALL_VMX_DISABLED)",
        ),
        error: "`vagrant up base --provider virtualbox --no-provision` in DIR/box failed:
  There was an error while executing `VBoxManage`, a CLI used by Vagrant
  for controlling VirtualBox. The command and stderr is shown below.
  Command: [\"startvm\", \"8d1f\", \"--type\", \"headless\"]
  Stderr: VBoxManage: error: VT-x is disabled in the BIOS for all CPU modes (VERR_VMX_MSR_ALL_VMX_DISABLED)",
        hint: "switch on virtualization (VT-x or AMD-V) in this host's firmware, then run this again",
        next: &[2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
    },
    Broken {
        at: 3,
        cause: Cause::Fails(
            "ssh base *: write 4 keys",
            1,
            "cat: write error: No space left on device",
        ),
        error: "on the machine base, `umask 077 && mkdir -p .ssh && cat >.ssh/authorized_keys.new && test \"$(wc -c \
                <.ssh/authorized_keys.new)\" -eq N && mv .ssh/authorized_keys.new .ssh/authorized_keys` failed: cat: write error: \
                No space left on device",
        hint: "`vagrant ssh` in the same directory shows what is wrong there; then run this again",
        next: &[3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
    },
    Broken {
        at: 4,
        cause: Cause::InTheWay(".vagrant/machines/base/virtualbox/private_key"),
        error: "cannot read DIR/box/.vagrant/machines/base/virtualbox/private_key: Is a directory (os error 21)",
        hint: "a directory stands where a file should be: move it away first",
        next: &[4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
    },
    Broken {
        at: 5,
        cause: Cause::Fails(
            "box$ vagrant ssh base -c true",
            255,
            "vagrant@127.0.0.1: Permission denied (publickey).",
        ),
        error: "`vagrant ssh base -c true` in DIR/box failed:\n  vagrant@127.0.0.1: Permission denied (publickey).",
        hint: WORDS_OF_VAGRANT,
        next: &[5, 6, 7, 8, 9, 10, 11, 12, 13],
    },
    Broken {
        at: 6,
        cause: Cause::Fails(
            "ssh base *: write 2 keys",
            255,
            "Connection to 127.0.0.1 closed by remote host.",
        ),
        error: "cannot log in to the machine base at 127.0.0.1 port 2222: Connection to 127.0.0.1 closed by remote host.",
        hint: "run this again; if that does not help: `vagrant ssh` in the same directory shows more, `vagrant destroy` begins anew",
        next: &[5, 6, 7, 8, 9, 10, 11, 12, 13],
    },
    Broken {
        at: 7,
        cause: Cause::Fails(
            "box$ vagrant provision base *",
            1,
            "The SSH command responded with a non-zero exit status. Vagrant\n\
             assumes that this means the command failed. The output for this command\n\
             should be in the log above. Please read the output to determine what\n\
             went wrong.",
        ),
        error: "`vagrant provision base` in DIR/box failed:
  The SSH command responded with a non-zero exit status. Vagrant
  assumes that this means the command failed. The output for this command
  should be in the log above. Please read the output to determine what
  went wrong.",
        hint: WORDS_OF_VAGRANT,
        next: &[5, 7, 8, 9, 10, 11, 12, 13],
    },
    Broken {
        at: 8,
        cause: Cause::Fails(
            "ssh base insecure-ed25519.pub: true",
            255,
            "ssh: connect to host 127.0.0.1 port 2222: Connection timed out",
        ),
        error: "it cannot be found out whether the machine answers to Vagrant's insecure ed25519 key: ssh: connect to host 127.0.0.1 \
                port 2222: Connection timed out",
        hint: "run this again",
        next: &[5, 8, 9, 10, 11, 12, 13],
    },
    Broken {
        at: 9,
        cause: Cause::Fails(
            "ssh base *: sudo -n bash -s -- --seal",
            1,
            "bash: line 66: /etc/machine-id: Read-only file system",
        ),
        error: "on the machine base, `sudo -n bash -s -- --seal` failed: bash: line 66: /etc/machine-id: Read-only \
                file system",
        hint: "`vagrant ssh` in the same directory shows what is wrong there; then run this again",
        next: &[5, 8, 9, 10, 11, 12, 13],
    },
    Broken {
        at: 10,
        cause: Cause::Fails(
            "box$ vagrant halt *",
            1,
            "An action 'halt' was attempted on the machine 'base',\n\
             but another process is already executing an action on the machine.",
        ),
        error: "`vagrant halt` in DIR/box failed:
  An action 'halt' was attempted on the machine 'base',
  but another process is already executing an action on the machine.",
        hint: "another vagrant works on that machine: wait until it has ended, then run this again",
        next: &[5, 8, 10, 11, 12, 13],
    },
    Broken {
        at: 11,
        cause: Cause::Fails(
            "box$ vagrant package *",
            1,
            "There was an error while executing `VBoxManage`, a CLI used by Vagrant\n\
             for controlling VirtualBox. The command and stderr is shown below.\n\n\
             Stderr: VBoxManage: error: Appliance write failed (VERR_DISK_FULL)",
        ),
        error: "`vagrant package --base dtaas-base --info info.json --output dtaas.vagrant.new` in DIR/box failed:
  There was an error while executing `VBoxManage`, a CLI used by Vagrant
  for controlling VirtualBox. The command and stderr is shown below.
  Stderr: VBoxManage: error: Appliance write failed (VERR_DISK_FULL)",
        hint: WORDS_OF_VAGRANT,
        // Nothing can be seen in a machine that does not run: it is started, looked at, sealed and shut down first.
        next: &[2, 5, 8, 9, 10, 11, 12, 13],
    },
    Broken {
        at: 12,
        cause: Cause::Fails(
            "box$ vagrant box add *",
            1,
            "The box failed to unpackage properly. Please verify that the box\n\
             file you're trying to add is not corrupted and that enough disk space\n\
             is available and then try again.",
        ),
        error: "`vagrant box add --name dtaas ./dtaas.vagrant` in DIR/box failed:
  The box failed to unpackage properly. Please verify that the box
  file you're trying to add is not corrupted and that enough disk space
  is available and then try again.",
        hint: WORDS_OF_VAGRANT,
        next: &[12, 13],
    },
    Broken {
        at: 13,
        cause: Cause::Fails(
            "check$ vagrant up check *",
            1,
            "Timed out while waiting for the machine to boot. This means that\n\
             Vagrant was unable to communicate with the guest machine within\n\
             the configured (\"config.vm.boot_timeout\" value) time period.",
        ),
        error: "`vagrant up check --provider virtualbox` in DIR/box/check failed:
  Timed out while waiting for the machine to boot. This means that
  Vagrant was unable to communicate with the guest machine within
  the configured (\"config.vm.boot_timeout\" value) time period.",
        hint: "`vagrant status` in DIR/box/check shows how the machines stand; what is above is Vagrant's own words",
        next: &[13],
    },
];

/// What a run says of its steps that does these, and finds the others done.
fn told(done: &[usize]) -> Vec<String> {
    let step = |(at, step): (usize, &&str)| match done.contains(&at) {
        true => (*step).to_owned(),
        false => format!("{step}: already done"),
    };
    STEPS.iter().enumerate().map(step).collect()
}

#[test]
fn every_step_can_be_broken_off_and_is_gone_on_with() {
    for (at, broken) in BROKEN.iter().enumerate() {
        assert_eq!(broken.at, at);
    }
    // Two at a time: they do little but start programs.
    let (one, other) = BROKEN.split_at(BROKEN.len() / 2);
    std::thread::scope(|scope| {
        for half in [one, other] {
            scope.spawn(move || half.iter().for_each(goes_on));
        }
    });
}

fn goes_on(broken: &Broken) {
    let name = STEPS[broken.at];
    // Given a build that is broken off
    let world = match broken.at {
        0 => World::new(),
        _ => World::with_key_pair(),
    };
    let ran = match broken.cause {
        Cause::Fails(call, code, said) => {
            world.fails(call, code, said);
            world.build()
        }
        Cause::InTheWay(file) => {
            let in_the_way = world.path(&format!("box/{file}"));
            std::fs::create_dir_all(&in_the_way).unwrap();
            let ran = world.build();
            std::fs::remove_dir(&in_the_way).unwrap();
            ran
        }
    };
    // at that step, as is said,
    let expected = format!("error: {}\nhint: {}\n", broken.error, broken.hint);
    assert_eq!(ran.failure(), expected, "{name}");
    assert_eq!(ran.code, 1, "{name}");
    assert_eq!(ran.steps().len(), broken.at, "{name}: {}", ran.talk);

    // when the same command is run again, then it goes on there,
    let ran = world.build();
    assert_eq!(ran.steps(), told(broken.next), "{name}");
    assert_eq!(ran.code, 0, "{name}: {}", ran.talk);
    // and what comes of it is what comes of a build in one go.
    assert_there(&world, name);
}

/// The box is there with what belongs into it, no machine runs, and nothing is left of what was broken off.
fn assert_there(world: &World, name: &str) {
    let machine = |path: &str| world.read(&format!("world/boxes/dtaas/machine/{path}"));
    let keys = machine("home/.ssh/authorized_keys");
    let expected = format!("{}{}", super::world::OTHER, world.read("box/vagrant.pub"));
    assert_eq!(keys, expected, "{name}");
    assert_eq!(machine("software"), "docker\nnode\n", "{name}");
    assert!(
        world.path("world/boxes/dtaas/machine/sealed").exists(),
        "{name}"
    );
    assert_eq!(world.names("world/machines"), ["base"], "{name}");
    assert_eq!(
        world.read("world/machines/base/state"),
        "poweroff\n",
        "{name}"
    );
    let left = [
        ".lock",
        ".vagrant",
        "Vagrantfile",
        "boxes.json",
        "dtaas.vagrant",
        "info.json",
        "provision.sh",
        "vagrant",
        "vagrant.pub",
    ];
    assert_eq!(world.names("box"), left, "{name}");
}
