//! `import v0.2`: what comes over, what is said of the rest, and that the old installation stays as it is.

use super::run::{Place, done, failed};
use crate::v02::{ALICE, BOB, CAROL, PASSWORD, V02, env_js};

const TABLE: &str = "USER   PASSWORD  DOOR\nalice  apr1      open\nbob    bcrypt    open\n";
const DESKTOPS: &str = "Note: old/deploy/config/client/env.js:8: the desktops had the password vncpassword, which everybody knows; they get another.\n";
const KEPT: &str = "Users' files stay in DIR/old/files, where `dtaas up` adds the folders that are missing. Who can enter it can read all of them: chmod 700.\n";
const MADE: &str =
    "The deployment is in DIR/d. Look at dtaas.yaml, stop v0.2, then run `dtaas up`.\n";
const NOTHING: &str = "nothing was written, and the old installation is as it was; mend this, and run the command again";
const ROUTES: &str = "deploy/config/gateway/fileConfig.yml";
const AUTH: &str = "deploy/config/gateway/auth";

fn old(place: &Place, users: &[&str], entries: &[&str]) -> V02 {
    let old = V02::new(&place.path("old"), users, entries);
    old.write(
        "files/alice/digital twins/mass spring/README.md",
        "# A spring\n",
    );
    old
}

#[test]
fn users_come_with_their_passwords_and_the_library_stays_where_it_is() {
    let place = Place::new();
    old(&place, &["alice", "bob"], &[ALICE, BOB]);
    let before = place.tree("old");

    let ran = place.in_d("import v0.2 old");

    assert_eq!(ran, done(TABLE, &format!("{DESKTOPS}{KEPT}{MADE}")));
    assert_eq!(place.tree("old"), before);
    assert_eq!(place.read("d/auth/alice"), format!("{ALICE}\n"));
    assert_eq!(place.read("d/auth/bob"), format!("{BOB}\n"));
    let spec = place.read("d/dtaas.yaml");
    for line in [
        "\ndomain: \"foo.com\"\n".to_owned(),
        "\nbase_path: \"\"\n".to_owned(),
        format!("\n  root: \"{}\"\n", place.path("old/files").display()),
    ] {
        assert!(spec.contains(&line), "{spec}");
    }
    assert_eq!(
        place.in_d("user list").out,
        "USER   DOOR  GROUPS  NETWORK\nalice  open          10.213.0.0/29\nbob    open          10.213.0.8/29\n"
    );
    assert!(!place.path("d/files").exists());
}

#[test]
fn a_dry_run_says_the_same_and_writes_nothing() {
    let place = Place::new();
    old(&place, &["alice", "bob"], &[ALICE, BOB]);
    let before = place.tree("");
    for (flag, becomes) in [("", "used where they are"), (" --files copy", "copied")] {
        let ran = place.in_d(&format!("import v0.2 old --dry-run{flag}"));
        let says = format!(
            "{DESKTOPS}Nothing was written. The platform would be at https://foo.com/, and the files in DIR/old/files would be {becomes}.\n"
        );
        assert_eq!(ran, done(TABLE, &says));
        assert_eq!(place.tree(""), before);
    }
}

#[test]
fn files_are_copied_where_that_is_asked_for() {
    let place = Place::new();
    let old = old(&place, &["alice", "bob"], &[ALICE, BOB]);
    std::os::unix::fs::symlink("/etc/passwd", place.path("old/files/alice/link")).unwrap();
    old.write("files/alice/data/rooms.csv", "room,celsius\n");
    // What a run left that was killed.
    place.write(
        "d/secrets/hash-key",
        "killed-before-anything-was-whole-1234567",
    );
    place.write("d/files/alice/data/.copied.dtaas-new", "room,c");

    let ran = place.in_d("import v0.2 old --files copy");

    let copied = "Users' files were copied to DIR/d/files; what changes in DIR/old/files from now on is not in it.\n";
    assert_eq!(ran, done(TABLE, &format!("{DESKTOPS}{copied}{MADE}")));
    let (before, now) = (place.tree("old/files"), place.tree("d/files"));
    for (path, one) in &before {
        assert_eq!(now.get(path), Some(one), "{path}");
    }
    assert!(place.path("d/files/alice/link").is_symlink());
    assert!(!place.path("d/files/alice/data/.copied.dtaas-new").exists());
    assert_eq!(
        place.read("d/files/alice/digital twins/mass spring/README.md"),
        "# A spring\n"
    );
    assert_eq!(place.tree("d")["files/"].0, 0o700);
    assert!(place.read("d/dtaas.yaml").contains("\n  root: \"files\"\n"));
}

#[test]
fn what_does_not_come_over_is_said() {
    let place = Place::new();
    let old = old(
        &place,
        &["alice", "dave", "erin", "vis"],
        &[
            "# users",
            ALICE,
            CAROL,
            "dave:$1$abcdefgh$irWbblnpmw.5z7wgBnprh0",
            "foo:$apr1$.5CkPgSA$lp/CCCDH10tk02jYe1naN0",
            "gina:{SHA}87u9ZqY9S/F0eUBXjsPQEDUw4h0=",
        ],
    );
    std::fs::remove_dir_all(place.path("old/files/vis")).unwrap();
    old.write("files/zoe/data/x", "");
    old.write(
        "deploy/services.sh",
        "#!/bin/sh\ndocker exec rabbitmq rabbitmqctl add_user incubator incubator\n",
    );
    old.replace(
        "deploy/config/client/env.js",
        "DTLINK: '/lab'",
        "DTLINK: '/tree'",
    );
    old.replace("deploy/config/client/env.js", "vncpassword", "secret12");

    let ran = place.in_d("import v0.2 old --leave-out gina");

    let at = |path: &str, line: usize| format!("old/{path}:{line}");
    let notes = [
        format!(
            "{}: erin has a route and a folder, and no password, which nobody can sign in without: `dtaas user passwd erin` makes one",
            at(ROUTES, 27)
        ),
        format!(
            "{}: the route /vis leads to no workspace and does not come over",
            at(ROUTES, 35)
        ),
        format!(
            "{}: carol has a password and no route to a workspace: the door stays closed until `dtaas user enable carol`",
            at(AUTH, 3)
        ),
        format!(
            "{}: dave's password is kept as an MD5 hash of crypt, which is not accepted here: `dtaas user passwd dave` makes a new one",
            at(AUTH, 4)
        ),
        format!(
            "{}: foo has a password and no route to a workspace: the door stays closed until `dtaas user enable foo`",
            at(AUTH, 5)
        ),
        format!(
            "{}: REACT_APP_URL_DTLINK is \"/tree\", and \"/lab\" here; to have it as it was, put a template of your own at templates/client/env.js.hbs",
            at("deploy/config/client/env.js", 5)
        ),
        format!(
            "{}: the desktops get another password",
            at("deploy/config/client/env.js", 8)
        ),
        "gina is left out".to_owned(),
        "folders of the library that are no user's, and which nobody sees: zoe".to_owned(),
        format!(
            "{}: RabbitMQ has the password incubator, which everybody knows, for as long as it runs; nothing of it comes over",
            at("deploy/services.sh", 2)
        ),
    ];
    let notes: Vec<String> = notes
        .iter()
        .map(|note| format!("Note: {note}.\n"))
        .collect();
    let known = "Note: foo's password is one that everybody tries first; `dtaas user passwd foo` makes another.\n";
    assert_eq!(
        ran,
        done(
            "USER   PASSWORD  DOOR\n\
             alice  apr1      open\n\
             carol  sha1      closed\n\
             dave   none      open\n\
             erin   none      open\n\
             foo    apr1      closed\n",
            &format!("{known}{}{KEPT}{MADE}", notes.concat())
        )
    );
    assert!(!place.path("d/auth/dave").exists() && !place.path("d/auth/gina").exists());
    assert_eq!(
        place.in_d("user list").out,
        "USER   DOOR         GROUPS  NETWORK\n\
         alice  open                 10.213.0.0/29\n\
         carol  disabled             10.213.0.8/29\n\
         dave   no password          10.213.0.16/29\n\
         erin   no password          10.213.0.24/29\n\
         foo    disabled             10.213.0.32/29\n"
    );
}

#[test]
fn everything_that_is_wrong_comes_at_once_and_nothing_is_written() {
    let place = Place::new();
    let old = old(
        &place,
        &["alice", "Bob"],
        &[
            ALICE,
            "Bob:{SHA}87u9ZqY9S/F0eUBXjsPQEDUw4h0=",
            "lib:{SHA}87u9ZqY9S/F0eUBXjsPQEDUw4h0=",
            "hunter2",
        ],
    );
    old.replace(
        ROUTES,
        "Host(`foo.com`) && PathPrefix(`/alice`)",
        "Host(`bar.com`) && PathPrefix(`/alice`)",
    );
    let before = place.tree("");
    // A line that cannot be read comes before what the lines mean.
    assert_eq!(
        place.in_d("import v0.2 old"),
        failed(
            2,
            "old/deploy/config/gateway/auth:4: this is no line of htpasswd: a name, a colon and a hash; copy the file, mend that line, and name the copy with --htpasswd",
            NOTHING
        )
    );
    old.replace(AUTH, "\nhunter2\n", "\n");
    let before = {
        drop(before);
        place.tree("")
    };
    assert_eq!(
        place.in_d("import v0.2 old"),
        failed(
            2,
            "3 problems in the v0.2 installation\n  \
             old/deploy/config/gateway/auth:2: \"Bob\" is not a user name: 'B' is not allowed; use a-z, 0-9, '.', '_' and '-'; leave that user out with --leave-out \"Bob\", and make another with `dtaas user add` later\n  \
             old/deploy/config/gateway/auth:3: \"lib\" is not a user name: the platform uses this name for a page or a folder of its own; leave that user out with --leave-out \"lib\", and make another with `dtaas user add` later\n  \
             old/deploy/config/gateway/fileConfig.yml:11: the host is \"bar.com\" here, and \"foo.com\" in old/deploy/config/gateway/fileConfig.yml:3; give the one that browsers call the platform with --domain",
            NOTHING
        )
    );
    assert_eq!(place.tree(""), before);
    let ran = place.in_d("import v0.2 old --leave-out Bob,lib --domain foo.com");
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn pieces_that_lie_elsewhere_are_named() {
    let place = Place::new();
    let old = old(&place, &["alice"], &[ALICE]);
    for piece in [ROUTES, AUTH, "deploy/config/client/env.js"] {
        let text = place.read(&format!("old/{piece}"));
        let name = piece.rsplit('/').next().unwrap();
        std::fs::remove_file(place.path(&format!("old/{piece}"))).unwrap();
        place.write(&format!("my {name}"), &text);
    }
    old.replace("deploy/config/lib", "/files", "/nothing");
    place.write(
        "my env.js",
        &env_js("https://lab.foo.com:8443/dtaas/", "dtaas"),
    );
    let routes = place.read("my fileConfig.yml").replace(
        "foo.com`) && PathPrefix(`/",
        "foo.com`) && PathPrefix(`/dtaas/",
    );
    let routes = routes.replace(
        "Host(`foo.com`)'",
        "Host(`foo.com`) && PathPrefix(`/dtaas`)'",
    );
    place.write(
        "my fileConfig.yml",
        &routes.replace("`foo.com`", "`lab.foo.com`"),
    );

    assert_eq!(
        place.in_d("import v0.2 old"),
        failed(
            2,
            "old: there is no gateway/fileConfig.yml in deploy/config, servers/config or config; name another directory, or the file itself with --gateway",
            NOTHING
        )
    );
    let ran = place.run(&[
        "-C",
        "d",
        "import",
        "v0.2",
        "old",
        "--gateway",
        "my fileConfig.yml",
        "--htpasswd",
        "my auth",
        "--env-js",
        "my env.js",
        "--library",
        "old/files",
    ]);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (0, "USER   PASSWORD  DOOR\nalice  apr1      open\n"),
        "{ran:?}"
    );
    let spec = place.read("d/dtaas.yaml");
    for line in [
        "\ndomain: \"lab.foo.com\"\n",
        "\nbase_path: \"dtaas\"\n",
        "\n  https: 8443\n",
    ] {
        assert!(spec.contains(line), "{spec}");
    }
}

#[test]
fn a_second_run_changes_nothing_and_says_what_is_otherwise() {
    let place = Place::new();
    let old = old(&place, &["alice", "bob"], &[ALICE, BOB]);
    assert_eq!(place.in_d("import v0.2 old").code, 0);
    let before = place.tree("");
    assert_eq!(
        place.in_d("import v0.2 old"),
        done("", "DIR/d is a deployment already; nothing was changed.\n")
    );
    old.write(AUTH, &format!("{ALICE}\n{BOB}\n{CAROL}\n"));
    assert_eq!(
        place.in_d("import v0.2 old --domain bar.com"),
        failed(
            2,
            "DIR/d is a deployment already, and says otherwise\n  \
             domain is foo.com, not bar.com: edit dtaas.yaml, then `dtaas up`\n  \
             there is no user carol yet: `dtaas user add carol`",
            "nothing was changed"
        )
    );
    old.write(AUTH, &format!("{ALICE}\n{BOB}\n"));
    assert_eq!(place.tree(""), before);
}

#[test]
fn a_run_that_was_killed_is_run_again() {
    let undisturbed = Place::new();
    old(&undisturbed, &["alice", "bob"], &[ALICE, BOB]);
    assert_eq!(undisturbed.in_d("import v0.2 old --files copy").code, 0);
    for moment in [
        "d/.lock",
        "d/secrets/hash-key",
        "d/files/alice",
        "d/auth/alice",
        "d/users/alice.yaml",
        "d/config/lib.env",
    ] {
        let place = Place::new();
        old(&place, &["alice", "bob"], &[ALICE, BOB]);
        let mut child = place
            .command()
            .args(["-C", "d", "import", "v0.2", "old", "--files", "copy"])
            .spawn()
            .unwrap();
        while !place.path(moment).exists() && child.try_wait().unwrap().is_none() {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();

        let ran = place.in_d("import v0.2 old --files copy");
        assert_eq!(ran.code, 0, "{moment}: {ran:?}");
        assert_eq!(place.modes("d"), undisturbed.modes("d"), "{moment}");
        assert_eq!(place.read("d/auth/bob"), format!("{BOB}\n"), "{moment}");
        assert_eq!(
            place.in_d("render --check"),
            done("Nothing to do.\n", ""),
            "{moment}"
        );
    }
}

#[test]
fn neither_lies_in_the_other() {
    let place = Place::new();
    old(&place, &["alice"], &[ALICE]);
    let before = place.tree("");
    for directory in ["old", "old/new", "old/files/new", "."] {
        let ran = place.run(&["-C", directory, "import", "v0.2", "old"]);
        assert_eq!(ran.code, 2, "{directory}: {ran:?}");
        assert!(
            ran.talk.contains("would lie in one another"),
            "{directory}: {ran:?}"
        );
    }
    assert_eq!(place.tree(""), before);
}

#[test]
fn the_old_password_opens() {
    for entry in [ALICE, BOB, CAROL] {
        let (_, hash) = entry.split_once(':').unwrap();
        assert_eq!(
            dtaas::auth::password::verify(PASSWORD, hash),
            dtaas::auth::password::Verdict::Right,
            "{entry}"
        );
    }
}
