//! Directories and files.

use super::*;

#[test]
fn routes_are_written_after_the_files_that_they_name() {
    let mut desired = desired(&[]);
    let alice = "alice".parse().unwrap();
    desired.files = vec![
        file("config/gateway/dynamic/tls.yml", "cert", None),
        file(
            "config/gateway/dynamic/user-alice.yml",
            "route",
            Some(&alice),
        ),
        file("config/gateway/tls/cert.pem", "cert", None),
        file("config/auth/alice.json", "groups", Some(&alice)),
    ];
    let mut observed = applied(&desired);
    observed
        .paths
        .retain(|_, state| state.kind == Kind::Directory);
    let plan = plan(&desired, &observed);
    assert_eq!(
        lines(&plan),
        [
            "write config/gateway/tls/cert.pem",
            "write config/auth/alice.json",
            "write config/gateway/dynamic/tls.yml",
            "write config/gateway/dynamic/user-alice.yml",
        ]
    );
    assert_ne!(plan.steps[1].phase(), plan.steps[2].phase());
}

#[test]
fn differences_of_files_are_shown_and_those_of_secret_ones_are_not() {
    let mut desired = desired(&[]);
    let observed = applied(&desired);
    desired.files[0].content = Content::Plain("PORT=2\n".into());
    let shown = plan(&desired, &observed);
    assert_eq!(lines(&shown), ["change lib.env"]);
    assert_eq!(shown.steps[0].detail(), ["-PORT=1", "+PORT=2"]);

    desired.files[0].content = Content::Secret(Secret::new("PORT=2\n"));
    let masked = plan(&desired, &observed);
    assert_eq!(lines(&masked), ["change lib.env (secret content differs)"]);
    assert_eq!(masked.steps[0].detail(), [""; 0]);
}

#[test]
fn what_a_user_puts_in_place_of_a_folder_holds_nothing_up() {
    let mut desired = desired(&["alice"]);
    let alice = "alice".parse().unwrap();
    desired.directories.push(Directory {
        yielding: true,
        ..directory("files/alice/data", Some(&alice))
    });
    let mut observed = applied(&desired);
    for (kind, what) in [
        (Kind::File, "a file"),
        (Kind::Link, "a symbolic link"),
        (Kind::Other, "no regular file"),
    ] {
        observed
            .paths
            .insert("files/alice/data".into(), path(kind, 0o777, None));
        let plan = plan(&desired, &observed);
        assert!(plan.is_empty(), "{plan:?}");
        assert_eq!(
            plan.notes,
            [format!(
                "files/alice/data is {what}, where a directory is expected; it is left as it is"
            )]
        );
    }
    // What is mounted must be a directory.
    observed
        .paths
        .insert("routes".into(), path(Kind::Link, 0o777, None));
    assert_eq!(
        plan(&desired, &observed).refused[0].message,
        "routes is in the way: it is no directory"
    );
}

#[test]
fn what_guards_others_files_gets_its_owner_and_mode_back() {
    let mut desired = desired(&[]);
    desired.directories = vec![Directory {
        mode: 0o700,
        owner: Some((1000, 100)),
        ..directory("files", None)
    }];
    let mut observed = applied(&desired);
    let mut with = |mode, owner| {
        let state = PathState {
            owner,
            ..path(Kind::Directory, mode, None)
        };
        observed.paths.insert("files".into(), state);
        lines(&plan(&desired, &observed))
    };
    assert_eq!(
        with(0o755, Some((0, 0))),
        ["set owner of files (0:0 → 1000:100)"]
    );
    assert_eq!(
        with(0o755, Some((1000, 100))),
        ["set mode of files (755 → 700)"]
    );
    assert_eq!(with(0o700, Some((1000, 100))), [""; 0]);
    // Who is not root cannot change it, and did not look.
    assert_eq!(with(0o700, None), [""; 0]);
}
