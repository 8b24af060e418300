//! `user add --file` where no docker engine is.

use super::run::{Place, Ran, done, failed};

fn add(place: &Place, csv: &[u8], more: &[&str]) -> Ran {
    std::fs::write(place.path("users.csv"), csv).unwrap();
    let mut arguments = vec!["-C", "d", "user", "add", "--file", "users.csv"];
    arguments.extend(more);
    place.run(&arguments)
}

#[test]
fn everyone_in_a_file_comes() {
    let place = Place::with_deployment();
    let csv = b"username,password,groups\r\n\
        carl,\"a, \"\"long\"\" one\",\r\n\
        \r\n\
        dora,,publishers|admins\r\n\
        emil,an eighth secret,\"admins, publishers\"\r\n";

    let ran = add(&place, csv, &["--credentials-file", "new"]);

    assert_eq!(
        ran,
        done(
            "",
            "The password is in new.\n3 users are added; `dtaas up` starts their workspaces with the platform.\n"
        )
    );
    assert_eq!(
        place.in_d("user list"),
        done(
            "USER   DOOR  GROUPS             NETWORK\n\
             alice  open                     10.213.0.0/29\n\
             bob    open                     10.213.0.8/29\n\
             carl   open                     10.213.0.16/29\n\
             dora   open  publishers,admins  10.213.0.24/29\n\
             emil   open  admins,publishers  10.213.0.32/29\n",
            ""
        )
    );
    assert_eq!(place.in_d("render --check"), done("Nothing to do.\n", ""));
    let credentials = place.read("new");
    let made = credentials.strip_prefix("dora:").unwrap().trim_end();
    for (user, password) in [
        ("carl", "a, \"long\" one"),
        ("dora", made),
        ("emil", "an eighth secret"),
    ] {
        assert!(opens(&place, user, password), "{user}");
    }
}

fn opens(place: &Place, user: &str, password: &str) -> bool {
    let entry = place.read(&format!("d/auth/{user}"));
    let hash = entry
        .trim_end()
        .strip_prefix(&format!("{user}:"))
        .unwrap()
        .to_owned();
    bcrypt::verify(password, &hash).unwrap()
}

#[test]
fn what_spreadsheets_write_is_understood() {
    for csv in [
        "\u{feff}username;password;groups\r\ncarl;eight letters;publishers\r\n",
        "Groups\tUsername\tPassword\npublishers\tcarl\teight letters\n",
        "\"groups\" , \"username\", \"password\"\npublishers,carl,eight letters",
        "password,username,groups\n\n\neight letters, carl , publishers\n",
    ] {
        let place = Place::with_deployment();
        let ran = place.with_input(&["-C", "d", "user", "add", "--file", "-"], csv);
        assert_eq!(
            ran,
            done(
                "",
                "carl is added; `dtaas up` starts the workspace with the platform.\n"
            ),
            "{csv:?}"
        );
        assert!(opens(&place, "carl", "eight letters"), "{csv:?}");
        assert_eq!(
            place.read("d/config/auth/carl.json"),
            "{\"groups\":[\"publishers\"],\"workspace\":\"10.213.0.18:8080\"}\n"
        );
    }
}

#[test]
fn made_passwords_are_shown_once() {
    let place = Place::with_deployment();
    let ran = add(&place, b"username\ncarl\ndoroteia\n", &[]);
    let rows: Vec<Vec<&str>> = ran
        .out
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let [heading, carl, dora] = rows.as_slice() else {
        panic!("{ran:?}");
    };
    assert_eq!(heading[..], ["USER", "PASSWORD"]);
    assert!(opens(&place, "carl", carl[1]) && opens(&place, "doroteia", dora[1]));
    assert_eq!(
        ran.talk,
        "These passwords are shown this once.\n2 users are added; `dtaas up` starts their workspaces with the platform.\n"
    );
}

#[test]
fn every_bad_line_is_named_and_nothing_is_done() {
    let place = Place::with_deployment();
    let before = place.tree("d");
    let mut csv = b"username,password,groups\r\n\
        carl,,\r\n\
        \r\n\
        Dora,,\r\n\
        CARL,,\r\n\
        carl,,\r\n\
        alice,,\r\n\
        emil,short,\r\n\
        fred,,editors\r\n\
        gina,\r\n\
        \"hans,,\r\n\
        ..,seven77,editors|admins\r\n"
        .to_vec();
    csv.extend(b"j\xf6rg,,\r\n");

    let ran = add(&place, &csv, &["--credentials-file", "new"]);

    assert_eq!(
        ran,
        failed(
            2,
            "13 problems in users.csv\n  \
             users.csv:4: username is \"Dora\": 'D' is not allowed; use a-z, 0-9, '.', '_' and '-'; give another name\n  \
             users.csv:5: username is \"CARL\": line 2 names the same; take one out\n  \
             users.csv:5: username is \"CARL\": 'C' is not allowed; use a-z, 0-9, '.', '_' and '-'; give another name\n  \
             users.csv:6: username is \"carl\": line 2 names the same; take one out\n  \
             users.csv:7: username is \"alice\": there is such a user already; take the line out, or give --skip-existing\n  \
             users.csv:8: password: the password is refused: it has fewer than 8 characters; give another, or leave it empty to have one made\n  \
             users.csv:9: groups is \"editors\": there is no such group; write publishers, admins, or both with | between\n  \
             users.csv:10: it has 2 fields, and the heading has 3; put a field that holds the separator in quotes\n  \
             users.csv:11: a quote is opened and not closed on this line; write a quote in a field as two\n  \
             users.csv:12: username is \"..\": it must begin and end with a letter or a digit; give another name\n  \
             users.csv:12: password: the password is refused: it has fewer than 8 characters; give another, or leave it empty to have one made\n  \
             users.csv:12: groups is \"editors\": there is no such group; write publishers, admins, or both with | between\n  \
             users.csv:13: it is not UTF-8; save the file as CSV in UTF-8",
            "nobody was added; mend this and run the command again"
        )
    );
    assert_eq!(place.tree("d"), before);
    assert!(!place.path("new").exists() && !place.path(".new.new").exists());
}

#[test]
fn a_file_without_a_use_says_what_is_wrong_with_it() {
    let place = Place::with_deployment();
    for (csv, error) in [
        (
            &b""[..],
            "users.csv: it is empty; begin it with a line such as username,password,groups",
        ),
        (
            b"username\n",
            "users.csv: it names nobody; give a line for each user",
        ),
        (
            b"\xff\xfeu\0s\0",
            "users.csv: it is UTF-16; save it as CSV in UTF-8",
        ),
        (
            b"carl,a secret of theirs\n",
            "users.csv:1: the first line is no heading; write a heading such as username,password,groups",
        ),
        (
            b"username\ncarl;a secret of theirs\n",
            "users.csv:2: it has more fields than the heading; write a heading of as many columns, separated alike",
        ),
        (
            b"password\nlong enough\n",
            "users.csv:1: there is no column username; write a heading such as username,password,groups",
        ),
        (
            b"username,username\ncarl,carl\n",
            "users.csv:1: there are two columns username; leave one",
        ),
    ] {
        assert_eq!(
            add(&place, csv, &[]),
            failed(
                2,
                error,
                "nobody was added; mend this and run the command again"
            )
        );
    }
    assert_eq!(
        place.in_d("user add --file nowhere"),
        failed(
            2,
            "--file: cannot read nowhere: No such file or directory (os error 2)",
            "name a CSV file of users; nothing was changed"
        )
    );
}

#[test]
fn a_pool_that_is_too_small_is_said_before_anyone_is_added() {
    let place = Place::new();
    place.in_d("init --domain foo.com --users alice --pool 10.9.0.0/28");
    assert_eq!(
        add(&place, b"username\nbob\ncarl\n", &[]),
        failed(
            2,
            "users.csv: it has 2 new users, and network.pool 10.9.0.0/28 has room for 1 more; remove users, or make network.pool in dtaas.yaml larger",
            "nobody was added; mend this and run the command again"
        )
    );
    assert!(!place.path("d/auth/bob").exists());
}

#[test]
fn a_run_that_was_cut_off_is_repeated_by_the_same_line() {
    // Given what a run left that was killed when carl existed and dora had no more than an entry,
    let place = Place::with_deployment();
    let csv = b"username\ncarl\ndora\nemil\n";
    let line = ["--skip-existing", "--credentials-file", "new"];
    assert_eq!(add(&place, csv, &line).code, 0);
    let credentials = place.read("new");
    for left in ["users/emil.yaml", "auth/emil", "users/dora.yaml"] {
        std::fs::remove_file(place.path("d").join(left)).unwrap();
    }
    place.write(".new.new", "half of");
    let carl = place.read("d/users/carl.yaml") + &place.read("d/auth/carl");

    // when it is repeated,
    let ran = add(&place, csv, &line);

    // then all exist, with the passwords that were handed out.
    assert_eq!(
        ran,
        done(
            "",
            "The passwords are in new.\ncarl exists already and stays as it is.\n\
             2 users are added; `dtaas up` starts their workspaces with the platform.\n"
        )
    );
    assert_eq!(place.read("new"), credentials);
    for line in credentials.lines() {
        let (user, password) = line.split_once(':').unwrap();
        assert!(opens(&place, user, password), "{user}");
    }
    assert_eq!(
        place.read("d/users/carl.yaml") + &place.read("d/auth/carl"),
        carl
    );
    assert_eq!(place.in_d("render --check"), done("Nothing to do.\n", ""));

    // A third time there is nobody left, and that is no error.
    let ran = add(&place, csv, &line);
    assert_eq!(
        ran,
        done(
            "",
            "These exist already and stay as they are: carl, dora, emil.\nNobody is left to add.\n"
        )
    );
    assert_eq!(place.read("new"), credentials);
}

#[test]
fn a_credentials_file_of_something_else_is_not_carried_on() {
    for (text, mode) in [
        ("alice:a good password\n", 0o600),
        ("carl:a good password\nnotes\n", 0o600),
        ("carl:a good password\n", 0o644),
        ("", 0o600),
    ] {
        let place = Place::with_deployment();
        place.write("new", text);
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(place.path("new"), permissions).unwrap();
        assert_eq!(
            add(&place, b"username\ncarl\n", &["--credentials-file", "new"]),
            failed(
                2,
                "--credentials-file: new exists already",
                "name a file that does not exist; nothing was changed"
            )
        );
        assert_eq!(place.read("new"), text);
    }
}
