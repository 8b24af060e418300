//! Machines that answer to the wrong keys, and boxes of others.

use super::world::{INSECURE_ED25519, INSECURE_RSA, OTHER, STEPS, World};

const INSECURE: [(&str, &str); 2] = [("rsa", INSECURE_RSA), ("ed25519", INSECURE_ED25519)];

fn failure(error: &str, hint: &str) -> String {
    format!("error: {error}\nhint: {hint}\n")
}

#[test]
fn a_machine_that_answers_to_a_key_that_everybody_has_is_not_packed() {
    for (name, key) in INSECURE {
        // Given a machine with one of Vagrant's keys in a file that is not its user's; when a box is built
        let world = World::with_key_pair();
        world.write("world/image/other_keys", key);
        let ran = world.build();

        // then it is refused before anything is packed,
        let expected = failure(
            &format!("the machine answers to Vagrant's insecure {name} key, which everybody has"),
            "do not use it: look which file of sshd_config's AuthorizedKeysFile holds that key, take it out there, then run this again",
        );
        assert_eq!(ran.failure(), expected);
        assert_eq!(ran.code, 1);
        assert_eq!(ran.steps().len(), 8, "{}", ran.talk);
        assert!(!world.path("box/dtaas.vagrant").exists());

        // and once that key is taken out, it goes on there.
        std::fs::remove_file(world.path("world/machines/base/other_keys")).unwrap();
        let ran = world.build();
        assert_eq!(ran.steps()[8..], STEPS[8..]);
        assert_eq!(ran.code, 0, "{}", ran.talk);
    }
}

#[test]
fn a_box_that_answers_to_a_key_that_everybody_has_is_not_to_be_used() {
    for (name, key) in INSECURE {
        // Given that Vagrant puts one of its keys into what it adds; when a box is built
        let world = World::with_key_pair();
        world.write("world/after-add", key);
        let ran = world.build();

        // then it is refused, and the machine that it was tried with is gone;
        let expected = failure(
            &format!("the machine answers to Vagrant's insecure {name} key, which everybody has"),
            "do not use it: look which file of sshd_config's AuthorizedKeysFile holds that key, take it out there, in the base \
             machine (`vagrant up` and `vagrant ssh` in DIR/box); remove DIR/box/dtaas.vagrant, then run this again",
        );
        assert_eq!(ran.failure(), expected);
        assert_eq!(ran.code, 1);
        assert_eq!(ran.steps().len(), 13, "{}", ran.talk);
        assert_eq!(world.names("world/machines"), ["base"]);

        // and it is refused as long as it is the same box, whatever was mended elsewhere.
        std::fs::remove_file(world.path("world/after-add")).unwrap();
        assert_eq!(world.build().failure(), expected);
        // As the hint says: it is packed anew.
        std::fs::remove_file(world.path("box/dtaas.vagrant")).unwrap();
        let ran = world.build();
        assert_eq!(ran.steps()[11..], STEPS[11..]);
        assert_eq!(ran.code, 0, "{}", ran.talk);
    }
}

#[test]
fn a_machine_that_cannot_be_taken_away_does_not_hide_what_it_answers_to() {
    // Given a box that is refused, whose machine cannot be taken away; when a box is built
    let world = World::with_key_pair();
    world.write("world/after-add", INSECURE_RSA);
    world.fails(
        "check$ vagrant destroy *",
        1,
        "The machine is locked by another process.",
    );
    let ran = world.build();

    // then what is said is why the box must not be used,
    assert!(
        ran.failure().starts_with(
            "error: the machine answers to Vagrant's insecure rsa key, which everybody has\n"
        ),
        "{}",
        ran.talk
    );
    assert_eq!(world.names("world/machines"), ["base", "check"]);
    // and the next run begins with taking the machine away.
    assert_eq!(world.build().failure(), ran.failure());
    assert_eq!(world.names("world/machines"), ["base"]);
}

#[test]
fn a_machine_that_does_not_answer_to_our_key_is_refused() {
    // Given software that writes other keys in place of ours; when a box is built
    let world = World::with_key_pair();
    world.write("world/after-provision", OTHER);
    let ran = world.build();

    // then it is refused before anything is packed,
    assert_eq!(
        ran.failure(),
        failure(
            "the machine does not answer to DIR/box/vagrant",
            "`vagrant ssh` in the same directory, then look at .ssh/authorized_keys"
        )
    );
    assert_eq!(ran.code, 1);
    assert_eq!(ran.steps().len(), 8, "{}", ran.talk);
    assert!(!world.path("box/dtaas.vagrant").exists());

    // and again, by who cannot log in any more.
    assert_eq!(
        world.build().failure(),
        failure(
            "cannot log in to the machine base at 127.0.0.1 port 2222: vagrant@127.0.0.1: Permission denied (publickey).",
            "run this again; if that does not help: `vagrant ssh` in the same directory shows more, `vagrant destroy` begins anew"
        )
    );
}

#[test]
fn a_key_that_stands_behind_options_or_in_a_comment_is_judged_by_what_it_opens() {
    // Given a machine with one of Vagrant's keys behind options, and one commented out; when a box is built
    let world = World::with_key_pair();
    let keys = format!("no-pty,command=\"echo no\" {INSECURE_RSA}# {INSECURE_ED25519}");
    world.write("world/image/home/.ssh/authorized_keys", &keys);
    let ran = world.build();

    // then the first goes, and the second, which lets nobody in, stays.
    assert_eq!(ran.code, 0, "{}", ran.talk);
    assert_eq!(
        world.read("world/boxes/dtaas/machine/home/.ssh/authorized_keys"),
        format!("# {INSECURE_ED25519}{}", world.read("box/vagrant.pub"))
    );
}

#[test]
fn a_box_of_somebody_else_is_not_replaced() {
    // Given a box of that name that somebody else made; when one is built
    let world = World::with_key_pair();
    let info = "{\n  \"author\": \"somebody, else\"\n}\n";
    world.write("world/boxes/dtaas/info.json", info);
    let ran = world.build();

    // then it stays, and what to do is said.
    assert_eq!(
        ran.failure(),
        failure(
            "Vagrant has a box dtaas for virtualbox that `dtaas box build` did not make",
            "choose another name with --name, or take that box away: vagrant box remove dtaas --provider virtualbox"
        )
    );
    assert_eq!(ran.code, 1);
    assert_eq!(ran.steps().len(), 12, "{}", ran.talk);
    assert_eq!(world.read("world/boxes/dtaas/info.json"), info);
}
