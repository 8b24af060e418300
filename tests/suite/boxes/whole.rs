//! A build from nothing to its end, and what is left to do then.

use super::world::{INSECURE_RSA, OTHER, STEPS, World};

/// What it says of VirtualBox's box in the end.
const THERE: &str = "\
Vagrant has the box dtaas now, for the user who ran this. Its machines answer to DIR/box/vagrant; keep that file.
To pack it anew, remove DIR/box/dtaas.vagrant and run this again.
";

/// What Vagrant says while a machine of the box is tried.
const TRIED: &str = "  ==> check: Importing base box 'dtaas'...
  ==> check: Waiting for machine to boot. This may take a few minutes...
  ==> check: Machine booted and ready!
  ==> check: Destroying VM and associated drives...
";

/// How a machine of the box is tried: whoever says yes to ours must say no to two others.
const TRIAL: [&str; 7] = [
    "check$ vagrant box list --machine-readable",
    "check$ vagrant up check --provider virtualbox --no-color",
    "check$ vagrant ssh-config check",
    "ssh check vagrant: true",
    "ssh check insecure-rsa.pub: true",
    "ssh check insecure-ed25519.pub: true",
    "check$ vagrant destroy -f --no-color",
];

#[test]
fn all_steps_are_done_and_told_in_order() {
    // Given nothing but Vagrant; when a box is built
    let world = World::new();
    let ran = world.build();

    // then each step is told, with what Vagrant says of it, and where the key is.
    let [
        pair,
        files,
        start,
        own,
        used,
        log_in,
        insecure,
        install,
        asked,
        seal,
        halt,
        pack,
        add,
        check,
    ] = STEPS;
    assert_eq!(
        ran.talk,
        format!(
            "✓ {pair}
✓ {files}
  ==> base: Importing base box 'ubuntu/jammy64'...
  ==> base: Waiting for machine to boot. This may take a few minutes...
  ==> base: Machine booted and ready!
✓ {start}
✓ {own}
✓ {used}
✓ {log_in}
✓ {insecure}
  ==> base: Running provisioner: software (shell)...
✓ {install}
✓ {asked}
✓ {seal}
  ==> base: Attempting graceful shutdown of VM...
✓ {halt}
  ==> dtaas-base: Exporting VM...
  ==> dtaas-base: Compressing package to: DIR/box/dtaas.vagrant.new
✓ {pack}
  ==> box: Adding box 'dtaas' (v0) for provider: 
  ==> box: Successfully added box 'dtaas' (v0) for 'virtualbox'!
✓ {add}
{TRIED}✓ {check}
{THERE}"
        )
    );
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
}

#[test]
fn vagrant_is_told_no_more_than_what_is_needed() {
    // Given nothing but Vagrant; when a box is built
    let world = World::new();
    assert_eq!(world.build().code, 0);

    // then this is what was called, in order. The base machine is reached with Vagrant's key first, and with ours from then on.
    let with = "ssh base vagrant,insecure_private_key";
    let expected = [
        "ssh-keygen -q -m PEM -t rsa -b 4096 -N  -C dtaas -f DIR/box/key",
        "box$ vagrant status --machine-readable",
        "box$ vagrant up base --provider virtualbox --no-provision --no-color",
        "ssh-keygen -y -P  -f DIR/box/vagrant",
        "box$ vagrant ssh-config base",
        &format!("{with}: test ! -e .ssh/authorized_keys || cat .ssh/authorized_keys"),
        "ssh-keygen -y -P  -f DIR/box/vagrant",
        &format!("{with}: test ! -e .ssh/authorized_keys || cat .ssh/authorized_keys"),
        &format!("{with}: write 4 keys"),
        "box$ vagrant ssh base -c true",
        &format!("{with}: test ! -e .ssh/authorized_keys || cat .ssh/authorized_keys"),
        &format!("{with}: test ! -e .ssh/authorized_keys || cat .ssh/authorized_keys"),
        &format!("{with}: write 2 keys"),
        &format!("{with}: sudo -n bash -s -- --check docker node"),
        "box$ vagrant provision base --no-color",
        "ssh base vagrant: true",
        "ssh base insecure-rsa.pub: true",
        "ssh base insecure-ed25519.pub: true",
        &format!("{with}: sudo -n bash -s -- --check --seal"),
        &format!("{with}: sudo -n bash -s -- --seal"),
        "box$ vagrant status --machine-readable",
        "box$ vagrant halt --no-color",
        "ssh-keygen -y -P  -f DIR/box/vagrant",
        "box$ vagrant package --base dtaas-base --info info.json --output dtaas.vagrant.new --no-color",
        "box$ vagrant box list --machine-readable",
        "box$ vagrant box list --machine-readable",
        "box$ vagrant box add --name dtaas ./dtaas.vagrant --no-color",
    ];
    let calls = world.calls();
    assert_eq!(calls, [&expected, TRIAL.as_slice()].concat());

    // And in the box is who is to be let in, and the software; what was needed on the way is gone.
    let own = world.read("box/vagrant.pub");
    let packed = |name: &str| world.read(&format!("world/boxes/dtaas/machine/{name}"));
    assert_eq!(packed("home/.ssh/authorized_keys"), format!("{OTHER}{own}"));
    assert_eq!(packed("software"), "docker\nnode\n");
    assert_eq!(
        world.names("box"),
        [
            ".lock",
            ".vagrant",
            "Vagrantfile",
            "boxes.json",
            "dtaas.vagrant",
            "info.json",
            "provision.sh",
            "vagrant",
            "vagrant.pub"
        ]
    );
}

#[test]
fn the_second_time_it_is_only_looked_at() {
    // Given a box that is built; when it is built again
    let world = World::with_key_pair();
    assert_eq!(world.build().code, 0);
    world.calls();
    let ran = world.build();

    // then nothing is done, but that a machine of the box is tried once more.
    let [done @ .., check] = STEPS;
    let mut talk: String = done
        .map(|step| format!("✓ {step}: already done\n"))
        .concat();
    talk += &format!("{TRIED}✓ {check}\n{THERE}");
    assert_eq!(ran.talk, talk);
    assert_eq!(ran.code, 0);
    let looks = [
        "ssh-keygen -y -P  -f DIR/box/vagrant",
        "box$ vagrant box list --machine-readable",
    ];
    assert_eq!(world.calls(), [looks.as_slice(), &TRIAL].concat());
}

#[test]
fn another_software_makes_another_box() {
    // Given a box that is built; when it is built with less in it
    let world = World::with_key_pair();
    assert_eq!(world.build().code, 0);
    world.calls();
    let ran = world.build_with(&[]);

    // then it is packed anew, in place of the older one.
    assert_eq!(ran.code, 0, "{}", ran.talk);
    let calls = world.calls();
    let added = "box$ vagrant box add --name dtaas --force ./dtaas.vagrant --no-color";
    assert!(calls.iter().any(|call| call == added), "{calls:#?}");
    assert!(
        world
            .read("world/boxes/dtaas/info.json")
            .contains("\"software\": \"docker\"")
    );
}

#[test]
fn with_docker_it_ends_with_the_machine() {
    // Given nothing but Vagrant; when docker is to run the base machine
    let world = World::with_key_pair();
    let ran = world.build_with(&[
        "--with=node",
        "--provider=docker",
        "--image=machine:1",
        "--create-arg=--cap-add=ALL",
    ]);

    // then it is made, asked and shut down, and nothing is packed.
    let mut steps = STEPS[..9].to_vec();
    let pair = format!("{}: already done", STEPS[0]);
    steps[0] = &pair;
    steps.push(STEPS[10]);
    assert_eq!(ran.steps(), steps);
    assert!(
        ran.talk.ends_with(
            "The base machine is made, and answers to DIR/box/vagrant. There is no box: Vagrant packs machines of VirtualBox \
             alone, and its docker provider needs none.\nTo take the machine away: vagrant destroy -f, in DIR/box\n"
        ),
        "{}",
        ran.talk
    );
    assert_eq!(ran.code, 0);
    let mut calls = world.calls();
    calls.retain(|call| call.starts_with("box$"));
    assert_eq!(
        calls,
        [
            "box$ vagrant status --machine-readable",
            "box$ vagrant up base --provider docker --no-provision --no-color",
            "box$ vagrant ssh-config base",
            "box$ vagrant ssh base -c true",
            "box$ vagrant provision base --no-color",
            "box$ vagrant status --machine-readable",
            "box$ vagrant halt --no-color",
        ]
    );
    assert_eq!(world.read("world/machines/base/state"), "stopped\n");
    let keys = world.read("world/machines/base/home/.ssh/authorized_keys");
    assert!(!keys.contains(INSECURE_RSA), "{keys}");
}
