//! Names that are refused wherever they can be given: the value, the rule, exit code 2, and nothing is written.

use dtaas::spec::names::RESERVED;

use super::run::{Place, Ran};

const LETTERS: &str = "use a-z, 0-9, '.', '_' and '-'";
const EDGES: &str = "it must begin and end with a letter or a digit";
const OWN: &str = "the platform uses this name for a page or a folder of its own";

/// Names that nobody may have, each with the rule that it breaks.
fn users() -> Vec<(String, String)> {
    let letter = |c: char| format!("{c:?} is not allowed; {LETTERS}");
    let mut all = vec![
        (String::new(), "it is empty".to_owned()),
        (".".into(), EDGES.into()),
        ("..".into(), EDGES.into()),
        ("a..b".into(), "two dots in a row are not allowed".into()),
        ("a/b".into(), letter('/')),
        ("../alice".into(), letter('/')),
        ("-x".into(), EDGES.into()),
        ("_x".into(), EDGES.into()),
        ("x-".into(), EDGES.into()),
        ("x.".into(), EDGES.into()),
        ("a".repeat(70), "it has more than 32 characters".into()),
        // The first letter is Cyrillic, the `l` has a mark, the `a` is wide, the `i` has no dot.
        ("\u{430}lice".into(), letter('\u{430}')),
        ("al\u{ed}ce".into(), letter('\u{ed}')),
        ("\u{ff41}lice".into(), letter('\u{ff41}')),
        ("al\u{131}ce".into(), letter('\u{131}')),
        // A space of no width, and a turn of the direction of writing.
        ("al\u{200b}ice".into(), letter('\u{200b}')),
        ("\u{202e}ecila".into(), letter('\u{202e}')),
        ("alice\n".into(), letter('\n')),
        ("alice\r".into(), letter('\r')),
        ("al\tice".into(), letter('\t')),
        (" alice".into(), letter(' ')),
        ("al ice".into(), letter(' ')),
        ("Alice".into(), letter('A')),
        ("ALICE".into(), letter('A')),
        ("alice:x".into(), letter(':')),
        ("a`b".into(), letter('`')),
        ("$(id)".into(), letter('$')),
    ];
    all.extend(
        RESERVED
            .iter()
            .filter(|name| !name.starts_with('_'))
            .map(|name| ((*name).to_owned(), OWN.to_owned())),
    );
    all
}

/// Domains that cannot be, each with the rule that it breaks.
fn domains() -> Vec<(String, String)> {
    let letter = |c: char| format!("{c:?} is not allowed; use a-z, 0-9, '-' and '.'");
    let scheme = "leave out the scheme: write foo.com, not https://foo.com";
    let dots = "two dots in a row, or one at an end";
    vec![
        (String::new(), "it is empty".into()),
        ("foo bar".into(), letter(' ')),
        ("http://foo.com".into(), scheme.into()),
        ("https://foo.com/x".into(), scheme.into()),
        (
            "foo.com/x".into(),
            "it holds a path; use base_path for that".into(),
        ),
        ("foo..com".into(), dots.into()),
        (".foo.com".into(), dots.into()),
        ("foo.com.".into(), dots.into()),
        (
            "-foo.com".into(),
            "the part \"-foo\" begins or ends with '-'".into(),
        ),
        (
            "foo-.com".into(),
            "the part \"foo-\" begins or ends with '-'".into(),
        ),
        ("foo`.com".into(), letter('`')),
        ("foo\"com".into(), letter('"')),
        ("foo\ncom".into(), letter('\n')),
        ("f\u{43e}o.com".into(), letter('\u{43e}')),
        ("foo_bar.com".into(), letter('_')),
        ("*.foo.com".into(), letter('*')),
        (
            "foo.com:8443".into(),
            "it holds a port; use ports.https or ports.http for that".into(),
        ),
        (
            "::1".into(),
            "it holds a port; use ports.https or ports.http for that".into(),
        ),
        ("a.".repeat(150), "it has more than 253 characters".into()),
        (
            "1.2.3.400".into(),
            "it is made of digits alone and is no IPv4 address".into(),
        ),
    ]
}

/// What the command line says of a value that it refuses.
fn refused(value: &str, argument: &str, kind: &str, rule: &str) -> Ran {
    let error = format!(
        "error: invalid value '{value}' for '{argument}': {value:?} is not a {kind}: {rule}"
    );
    Ran {
        code: 2,
        out: String::new(),
        talk: format!("{error}\n\nFor more information, try '--help'.\n"),
    }
}

/// All there is but the lock, which each run writes itself into.
fn whole(place: &Place) -> std::collections::BTreeMap<String, (u32, Vec<u8>)> {
    let mut tree = place.tree("");
    tree.remove("d/.lock");
    tree
}

#[test]
fn no_deployment_is_made_with_a_name_that_is_refused() {
    let place = Place::new();
    for (name, rule) in users() {
        let users = format!("--users={name}");
        let ran = place.run(&["-C", "d", "init", "--domain", "foo.com", &users]);
        assert_eq!(ran, refused(&name, "--users <NAMES>", "user name", &rule));
        assert!(place.tree("").is_empty(), "{name:?}");
    }
    for (domain, rule) in domains() {
        let given = format!("--domain={domain}");
        let ran = place.run(&["-C", "d", "init", &given, "--users", "alice"]);
        assert_eq!(ran, refused(&domain, "--domain <DOMAIN>", "domain", &rule));
        assert!(place.tree("").is_empty(), "{domain:?}");
    }
}

#[test]
fn nobody_is_added_with_a_name_that_is_refused() {
    let place = Place::with_deployment();
    let before = place.tree("");
    for (name, rule) in users() {
        for (command, argument) in [
            ("add", "[NAME]..."),
            ("disable", "<NAME>..."),
            ("enable", "<NAME>..."),
            ("passwd", "<NAME>"),
            ("remove", "<NAME>..."),
        ] {
            let ran = place.run(&["-C", "d", "user", command, "--", &name]);
            assert_eq!(
                ran,
                refused(&name, argument, "user name", &rule),
                "{command}"
            );
        }
    }
    assert_eq!(place.tree(""), before);
}

#[test]
fn a_users_file_written_by_hand_is_held_to_the_same_rules() {
    let place = Place::with_deployment();
    for (name, rule) in users() {
        // What cannot be a file's name cannot be written by hand, and hidden files are nobody's.
        if name.is_empty() || name.contains('/') || name.starts_with('.') {
            continue;
        }
        let file = format!("d/users/{name}.yaml");
        place.write(&file, "slot: 7\n");
        let before = whole(&place);
        for line in ["render", "user add carl", "up"] {
            let ran = place.in_d(line);
            assert_eq!(
                (ran.code, ran.out.as_str()),
                (2, ""),
                "{name:?} {line}: {ran:?}"
            );
            assert!(
                ran.talk.contains(&rule) && ran.talk.contains("users/"),
                "{name:?} {line}: {}",
                ran.talk
            );
        }
        assert_eq!(whole(&place), before, "{name:?}");
        std::fs::remove_file(place.path(&file)).unwrap();
    }
}

#[test]
fn a_domain_written_by_hand_is_held_to_the_same_rules() {
    let place = Place::with_deployment();
    let spec = place.read("d/dtaas.yaml");
    for (domain, rule) in domains() {
        let given = serde_json::to_string(&domain).unwrap();
        let changed = spec.replace("domain: \"foo.com\"", &format!("domain: {given}"));
        assert_ne!(changed, spec);
        place.write("d/dtaas.yaml", &changed);
        let before = whole(&place);
        for line in ["render", "user add carl", "up"] {
            let ran = place.in_d(line);
            assert_eq!(
                (ran.code, ran.out.as_str()),
                (2, ""),
                "{domain:?} {line}: {ran:?}"
            );
            assert!(
                ran.talk.contains("dtaas.yaml") && ran.talk.contains(&rule),
                "{domain:?} {line}: {}",
                ran.talk
            );
        }
        assert_eq!(whole(&place), before, "{domain:?}");
    }
}

#[test]
fn an_address_and_localhost_are_domains() {
    for domain in [
        "localhost",
        "127.0.0.1",
        "192.0.2.7",
        "dt-1.lab.example.org",
    ] {
        let place = Place::new();
        let ran = place.run(&["-C", "d", "init", "--domain", domain, "--users", "alice"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(place.in_d("render --check").code, 0, "{domain}");
    }
}
