//! `backup` and `restore`: what is refused, in which words, and that nothing is changed by it.

use super::run::{Place, failed, is_root};
use crate::rig::there_is;

fn restic(test: &str) -> bool {
    there_is("restic", which::which("restic").is_ok(), test)
}

#[test]
fn without_restic_it_is_said_how_to_get_it() {
    let place = Place::with_deployment();
    let before = place.tree("");
    let mut command = place.command();
    command.env("PATH", "/nonexistent");
    command.args(["-C", "d", "backup", "--to", "r"]);
    assert_eq!(
        place.finish(command, ""),
        failed(
            1,
            "restic is not installed, and backups are made with it",
            "apt-get install restic"
        )
    );
    assert_eq!(place.tree(""), before);
}

#[test]
fn where_backups_are_kept_must_be_said_and_be_elsewhere() {
    let place = Place::with_deployment();
    assert_eq!(
        place.in_d("backup"),
        failed(
            2,
            "it is not said where backups are kept",
            "give --to DIRECTORY, or write backup.repository in dtaas.yaml"
        )
    );
    assert_eq!(
        place.in_d("backup --to d/files/r"),
        failed(
            2,
            "the repository DIR/d/files/r and DIR/d, which goes into it, lie in one another",
            "name a directory elsewhere, best on another disk"
        )
    );
    assert_eq!(
        place.in_d("backup list --to r"),
        failed(
            1,
            "there is no backup of this deployment yet",
            "make one: dtaas backup --to DIRECTORY"
        )
    );
    let ran = place.in_d("backup --to s3:bucket");
    assert_eq!(ran.code, 2);
    assert!(
        ran.talk.contains(
            "\"s3:bucket\" names no repository: write a directory, or sftp:user@host:/path"
        ),
        "{}",
        ran.talk
    );
}

#[test]
fn a_deployment_comes_back_as_it_was() {
    const TEST: &str = "command::backup::a_deployment_comes_back_as_it_was";
    if !restic(TEST) || !is_root(TEST) {
        return;
    }
    let place = Place::with_deployment();
    place.write("d/files/alice/data/a file", "kept\n");
    std::os::unix::fs::symlink("a file", place.path("d/files/alice/data/a link")).unwrap();
    // Whoever had signed in does so anew.
    place.write("d/sessions/alice", "{}");
    let made = place.in_d("backup --to r");
    assert_eq!(made.code, 0, "{made:?}");
    assert!(
        made.talk
            .starts_with("DIR/r is a repository of backups now.\n"),
        "{made:?}"
    );
    assert!(
        made.talk.ends_with(
            "Keep a copy of DIR/d/secrets/backup-password elsewhere: nobody can read a backup without it.\n"
        ),
        "{made:?}"
    );
    let again = place.in_d("backup --to r");
    std::fs::remove_file(place.path("d/sessions/alice")).unwrap();
    assert!(!again.talk.contains("Keep a copy"), "{again:?}");
    let check = place.in_d("backup check --to r");
    assert_eq!(
        check.talk,
        "DIR/r is whole: all that is in it was read, and it holds 2 backups of foo.com.\n"
    );
    let restore = ["-C", "n", "restore", "--from", "r", "--password-file"];
    let ran = place.run(&[&restore[..], &["d/secrets/backup-password"]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.talk
            .ends_with(" is in DIR/n. Run `dtaas -C n up` to start it.\n"),
        "{ran:?}"
    );
    assert_eq!(place.tree("n"), place.tree("d"));

    // As if it had been killed at its very end.
    let listed = place.in_d("backup list --json --to r").out;
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let doing = format!(
        "{{\"snapshot\": {}, \"repository\": \"r\"}}",
        listed[1]["snapshot"]
    );
    place.write("n/.restoring", &doing);
    let ran = place.run(&[&restore[..], &["d/secrets/backup-password"]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(place.tree("n"), place.tree("d"));
    let plan = place.run(&["-C", "n", "render", "--check"]);
    assert_eq!(plan.code, 0, "{plan:?}");
}

#[test]
fn a_library_elsewhere_comes_back_to_where_it_was() {
    const TEST: &str = "command::backup::a_library_elsewhere_comes_back_to_where_it_was";
    if !restic(TEST) || !is_root(TEST) {
        return;
    }
    let place = Place::with_deployment();
    let library = place.path("library");
    let text = place.read("d/dtaas.yaml");
    let root = format!("  root: {}", library.display());
    place.write(
        "d/dtaas.yaml",
        &text.replacen("  root: \"files\"", &root, 1),
    );
    place.write("library/alice/data/a file", "kept\n");
    let made = place.in_d("backup --to r");
    assert_eq!(made.code, 0, "{made:?}");
    let before = place.tree("library");

    let restore = "restore --from r --password-file d/secrets/backup-password";
    let restore: Vec<&str> = ["-C", "n"].into_iter().chain(restore.split(' ')).collect();
    let refused = place.run(&restore);
    assert_eq!(
        refused.talk,
        "reading the whole repository …\n\
         error: the library belongs to DIR/library, and that is not empty\n\
         hint: move away what is there; nothing was changed\n"
    );
    assert!(!place.path("n").exists());

    std::fs::remove_dir_all(&library).unwrap();
    let ran = place.run(&restore);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(place.tree("library"), before);
}

#[test]
fn nothing_is_restored_over_anything_or_out_of_anything_else() {
    const TEST: &str = "command::backup::nothing_is_restored_over_anything_or_out_of_anything_else";
    if !restic(TEST) {
        return;
    }
    let place = Place::with_deployment();
    assert_eq!(place.in_d("backup --to r").code, 0);
    place.write("guess", "a guess\n");
    let before = place.tree("");
    for (line, refusal) in [
        (
            "-C d restore --from r --password-file d/secrets/backup-password",
            failed(
                2,
                "d is not empty",
                "name a directory that is empty or not there: dtaas -C NEWDIR restore …; nothing was changed",
            ),
        ),
        (
            "-C n restore --from r",
            failed(
                2,
                "the repository's password is not given, and nobody can be asked",
                "give --password-file FILE: a copy of secrets/backup-password; nothing was changed",
            ),
        ),
        (
            "-C n restore --from r --password-file guess",
            failed(
                1,
                "the password does not open the repository DIR/r",
                "it is the one in secrets/backup-password of the deployment that made it; nothing was changed",
            ),
        ),
        (
            "-C n restore --from d --password-file guess",
            failed(
                1,
                "there is no repository of backups at DIR/d",
                "look for a typing error; nothing was changed",
            ),
        ),
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        assert_eq!(place.run(&arguments), refusal, "{line}");
    }
    assert_eq!(place.tree(""), before);
}

#[test]
fn what_others_keep_there_is_left_alone() {
    const TEST: &str = "command::backup::what_others_keep_there_is_left_alone";
    if !restic(TEST) {
        return;
    }
    let place = Place::with_deployment();
    place.write("papers/thesis.tex", "x\n");
    assert_eq!(
        place.in_d("backup --to papers"),
        failed(
            1,
            "DIR/papers is not empty, and no repository of backups",
            "name an empty directory, or one that is to be made; nothing was changed"
        )
    );
    let restic = |arguments: &[&str]| {
        let ran = std::process::Command::new("restic")
            .args(["--no-cache", "-q", "-r", "foreign"])
            .args(arguments)
            .env("RESTIC_PASSWORD_FILE", "d/secrets/backup-password")
            .current_dir(place.path(""))
            .output()
            .unwrap();
        assert!(ran.status.success(), "{ran:?}");
    };
    restic(&["init"]);
    restic(&["backup", "papers"]);
    let foreign = failed(
        1,
        "what is in DIR/foreign was not made by dtaas backup",
        "give each its own repository; nothing was changed",
    );
    assert_eq!(place.in_d("backup --to foreign"), foreign);
    let line = "-C n restore --from foreign --password-file d/secrets/backup-password";
    let arguments: Vec<&str> = line.split(' ').collect();
    assert_eq!(place.run(&arguments), foreign);
    restic(&[
        "backup",
        "--host",
        "bar.com",
        "--tag",
        "dtaas,bar.com",
        "papers",
    ]);
    assert_eq!(
        place.in_d("backup --to foreign"),
        failed(
            1,
            "DIR/foreign holds backups of bar.com, and none of foo.com",
            "give each deployment its own repository; nothing was changed"
        )
    );
    let says_nothing = place.run(&arguments);
    assert_eq!(says_nothing.code, 1);
    assert!(
        says_nothing
            .talk
            .ends_with("in DIR/foreign was not made by dtaas backup\nhint: nothing was changed\n"),
        "{says_nothing:?}"
    );
    assert!(!place.path("n").exists());
}

#[test]
fn a_half_restored_deployment_is_not_started() {
    let place = Place::with_deployment();
    place.write("d/.restoring", "{}\n");
    assert_eq!(
        place.in_d("user add carol"),
        failed(
            1,
            "the restore into d was interrupted",
            "run the same dtaas restore again: it goes on with what is missing"
        )
    );
}
