//! What `init` refuses: named with the rule or the reason, and nothing is written.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

use super::run::{Place, Ran, failed};

#[test]
fn what_is_missing_is_named_at_once() {
    for (line, error, hint) in [
        (
            "init",
            "no domain and no users are given",
            "give --domain foo.com --users alice,bob",
        ),
        (
            "init --domain foo.com",
            "no users are given",
            "give --users alice,bob",
        ),
        (
            "init --users alice",
            "no domain is given",
            "give --domain foo.com, or --domain localhost",
        ),
    ] {
        let place = Place::new();
        assert_eq!(place.in_d(line), failed(2, error, hint), "{line}");
        assert!(place.tree("").is_empty(), "{line}");
    }
}

#[test]
fn what_the_command_line_refuses_is_named_with_the_rule() {
    for (flags, error) in [
        (
            "--domain https://foo.com",
            "'--domain <DOMAIN>': \"https://foo.com\" is not a domain: leave out the scheme: write foo.com, not https://foo.com",
        ),
        (
            "--domain foo.com:8443",
            "'--domain <DOMAIN>': \"foo.com:8443\" is not a domain: it holds a port; use ports.https or ports.http for that",
        ),
        (
            "--domain Foo.com",
            "'--domain <DOMAIN>': \"Foo.com\" is not a domain: 'F' is not allowed; use a-z, 0-9, '-' and '.'",
        ),
        (
            "--users Alice",
            "'--users <NAMES>': \"Alice\" is not a user name: 'A' is not allowed; use a-z, 0-9, '.', '_' and '-'",
        ),
        (
            "--users alice,lib",
            "'--users <NAMES>': \"lib\" is not a user name: the platform uses this name for a page or a folder of its own",
        ),
        (
            "--users alice,../bob",
            "'--users <NAMES>': \"../bob\" is not a user name: '/' is not allowed; use a-z, 0-9, '.', '_' and '-'",
        ),
        (
            "--users alice,",
            "'--users <NAMES>': \"\" is not a user name: it is empty",
        ),
        (
            "--https-port 70000",
            "'--https-port <PORT>': 70000 is not in 0..=65535",
        ),
        (
            "--https-port https",
            "'--https-port <PORT>': invalid digit found in string",
        ),
        (
            "--base-path a/../b",
            "'--base-path <PATH>': \"a/../b\" is not a base path: the part \"..\" must be letters, digits, '.', '_' and '-'",
        ),
        (
            "--name Foo",
            "'--name <NAME>': \"Foo\" is not a deployment name: use 1 to 63 of a-z, 0-9, '.' and '-', with a letter or a digit beside each '.' and at both ends",
        ),
        (
            "--bind ::1",
            "'--bind <ADDRESS>': invalid IPv4 address syntax",
        ),
        (
            "--pool 10.0.0.0",
            "'--pool <RANGE>': invalid IP address syntax",
        ),
    ] {
        let place = Place::new();
        let value = flags.split_once(' ').unwrap().1.rsplit(',').next().unwrap();
        let ran = place.in_d(&format!("init {flags}"));
        let talk = format!(
            "error: invalid value '{value}' for {error}\n\nFor more information, try '--help'.\n"
        );
        assert_eq!(
            ran,
            Ran {
                code: 2,
                out: String::new(),
                talk
            }
        );
        assert!(place.tree("").is_empty(), "{flags}");
    }
}

#[test]
fn what_does_not_go_together_is_refused_and_nothing_is_written() {
    const OTHERS: &str = "nothing was written; give other values";
    for (flags, error, hint) in [
        (
            "--https-port 80",
            "ports.https is 80: ports.http is 80 as well; give each its own",
            OTHERS,
        ),
        (
            "--http-port 0",
            "ports.http is 0: 0 is not a port; write a port from 1 to 65535",
            OTHERS,
        ),
        (
            "--pool 10.0.0.0/30",
            "network.pool is \"10.0.0.0/30\": its prefix must be from 8 to 29; write a private range with a prefix from 8 to 29, such as 10.213.0.0/16",
            OTHERS,
        ),
        (
            "--pool 10.0.0.1/24",
            "network.pool is \"10.0.0.1/24\": it has bits set behind its prefix; write a private range with a prefix from 8 to 29, such as 10.213.0.0/16",
            OTHERS,
        ),
        (
            "--image-prefix lab",
            "images.prefix is \"lab\": this is not the beginning of an image's name; end it with a slash",
            OTHERS,
        ),
        (
            "--image-prefix lab --auth-port 80",
            "2 problems in the spec\n  \
             ports.auth is 80: ports.http is 80 as well; give each its own\n  \
             images.prefix is \"lab\": this is not the beginning of an image's name; end it with a slash",
            OTHERS,
        ),
        (
            "--users alice,bob,alice",
            "the user alice is named twice",
            "name each user once; nothing was written",
        ),
        (
            "--users a,b,c --pool 10.0.0.0/28",
            "the pool has room for 2 users, not for 3",
            "nothing was written; give --pool a larger range, such as 10.213.0.0/16",
        ),
        (
            "--profile two-hosts",
            "there is no profile \"two-hosts\"",
            "known are single-host, single-vagrant, two-machine; a file of your own is written with its path, such as ./mine.yaml",
        ),
        (
            "--profile ./mine.yaml",
            "cannot read the profile d/./mine.yaml: No such file or directory (os error 2)",
            "name a file that is there, relative to the deployment, or one of ours: single-host, single-vagrant, two-machine",
        ),
    ] {
        let place = Place::new();
        let users = if flags.contains("--users") {
            ""
        } else {
            " --users alice"
        };
        let ran = place.in_d(&format!("init --domain foo.com{users} {flags}"));
        assert_eq!(ran, failed(2, error, hint), "{flags}");
        assert!(place.tree("").is_empty(), "{flags}");
    }
}

#[test]
fn passwords_that_cannot_be_are_refused_and_nothing_is_written() {
    for (input, error, hint) in [
        (
            "",
            "standard input has no line for alice's password",
            "give one line for each user, in their order; nothing was changed",
        ),
        (
            "long enough\n",
            "standard input has no line for bob's password",
            "give one line for each user, in their order; nothing was changed",
        ),
        (
            "long enough\nshort\n",
            "the password for bob is refused: it has fewer than 8 characters",
            "give another; nothing was changed",
        ),
        (
            "long\tenough\n",
            "the password for alice is refused: it holds a control character",
            "give another; nothing was changed",
        ),
    ] {
        let place = Place::new();
        let arguments = [
            "-C",
            "d",
            "init",
            "--domain",
            "foo.com",
            "--users",
            "alice,bob",
            "--password-stdin",
        ];
        assert_eq!(
            place.with_input(&arguments, input),
            failed(2, error, hint),
            "{input:?}"
        );
        assert!(place.tree("").is_empty(), "{input:?}");
    }
}

#[test]
fn a_credentials_file_that_exists_is_not_touched() {
    let place = Place::new();
    place.write("credentials", "precious");
    let before = place.tree("");

    let ran = place.in_d("init --domain foo.com --users alice --credentials-file credentials");

    assert_eq!(
        ran,
        failed(
            2,
            "--credentials-file: credentials exists already",
            "name a file that does not exist; nothing was changed"
        )
    );
    assert_eq!(place.tree(""), before);
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let place = Place::new();
    place.write("file", "");
    let ran = place.run(&[
        "-C", "file/d", "init", "--domain", "foo.com", "--users", "alice",
    ]);
    assert_eq!(
        ran,
        failed(
            1,
            "cannot make directory file/d: Not a directory (os error 20)",
            "a symbolic link or a file stands where a directory should be, and links are not followed: replace it by a directory"
        )
    );

    // Nobody but root may write in a directory of root's; the binary lies where nobody can run it.
    std::fs::set_permissions(place.path(""), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::create_dir(place.path("closed")).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_dtaas"), place.path("dtaas")).unwrap();
    let mut command = std::process::Command::new(place.path("dtaas"));
    command
        .current_dir(place.path(""))
        .args([
            "-C", "closed", "init", "--domain", "foo.com", "--users", "alice",
        ])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    if rustix::process::geteuid().is_root() {
        command.uid(65534).gid(65534);
    } else {
        std::fs::set_permissions(place.path("closed"), std::fs::Permissions::from_mode(0o555))
            .unwrap();
    }
    let ran = place.finish(command, "");
    assert_eq!(
        ran,
        Ran {
            code: 1,
            out: String::new(),
            talk: "error: cannot open the lock closed/.lock: Permission denied (os error 13)\n"
                .into(),
        }
    );
    assert!(place.tree("closed").is_empty());
}

#[test]
fn an_installation_of_another_kind_is_not_overwritten() {
    let place = Place::new();
    place.write("d/config/gateway/dynamic/fileConfig.yml", "http: {}\n");
    place.write("d/config/gateway/auth", "foo:$apr1$x\n");
    let before = place.tree("d");
    let ran = place.run(&["-C", "d", "init", "--domain", "foo.com", "--users", "alice"]);
    assert_eq!(
        ran,
        failed(
            2,
            "d/config is there already and is not of a deployment; it would be overwritten",
            "make the deployment in another directory, or move this one away; nothing was written"
        )
    );
    assert_eq!(place.tree("d"), before);
}
