//! Help, version, colours.

use super::run::{Place, Ran, done};

#[test]
fn the_version_is_data() {
    let version = format!("dtaas {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(Place::new().run(&["--version"]), done(&version, ""));
}

#[test]
fn help_names_each_command_and_hides_the_platforms_own() {
    let place = Place::new();
    let help = place.run(&["--help"]);
    assert_eq!((help.code, help.talk.as_str()), (0, ""));
    let commands: Vec<&str> = help
        .out
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .map(|line| line.split_whitespace().next().unwrap())
        .collect();
    assert_eq!(
        commands,
        [
            "init", "import", "render", "plan", "up", "down", "status", "doctor", "logs",
            "restart", "exec", "heal", "history", "user", "secret", "share", "cert", "export",
            "backup", "restore", "lib", "trial", "route", "box", "help"
        ]
    );
    for command in commands.into_iter().filter(|command| *command != "help") {
        let help = place.run(&[command, "--help"]);
        assert_eq!(help.code, 0, "{command}");
        assert!(help.out.contains("Usage: dtaas "), "{command}");
    }
}

#[test]
fn without_a_command_help_is_talk() {
    let place = Place::new();
    let ran = place.run(&[]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert_eq!(ran.talk, place.run(&["--help"]).out);
}

#[test]
fn an_unknown_command_names_the_nearest() {
    let ran = Place::new().run(&["statsu"]);
    assert_eq!(
        ran,
        Ran {
            code: 2,
            out: String::new(),
            talk: "error: unrecognized subcommand 'statsu'\n\n  tip: a similar subcommand exists: 'status'\n\n\
                   Usage: dtaas [OPTIONS] <COMMAND>\n\nFor more information, try '--help'.\n"
                .into(),
        }
    );
}

#[test]
fn colours_are_for_terminals_unless_asked_for() {
    let place = Place::new();
    assert!(!place.run(&["render"]).talk.contains('\x1b'));
    assert!(
        !place
            .run(&["--color", "never", "render"])
            .talk
            .contains('\x1b')
    );
    let coloured = place.run(&["--color", "always", "render"]);
    assert!(
        coloured
            .talk
            .starts_with("\x1b[31m\x1b[1merror:\x1b[0m . is not a deployment"),
        "{:?}",
        coloured.talk
    );
}
