//! The scripts leave alone what is not theirs, and the benchmarks can be run.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use crate::rig::{binary, there_is};

/// Runs a script with the few programs that it needs for saying no; with any other it could do harm.
fn run(script: &str, argument: &str, variable: &str, place: &Path) -> Output {
    let programs = tempfile::tempdir().unwrap();
    for name in [
        "bash", "chmod", "dirname", "flock", "id", "ls", "mkdir", "sed",
    ] {
        let program = which::which_global(name).unwrap();
        symlink(program, programs.path().join(name)).unwrap();
    }
    symlink("/bin/false", programs.path().join("cargo")).unwrap();
    Command::new("/bin/bash")
        .arg(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("scripts")
                .join(script),
        )
        .args((!argument.is_empty()).then_some(argument))
        .env("PATH", programs.path())
        .env(variable, place)
        .output()
        .unwrap()
}

#[test]
fn a_directory_that_is_not_theirs_is_left_alone() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: the scripts run as root alone");
        return;
    }
    for (script, argument, variable) in [
        ("quickstart", "", "DTAAS_QUICKSTART"),
        ("rig", "up", "DTAAS_RIG_STATE"),
    ] {
        let place = tempfile::tempdir().unwrap();
        let kept = place.path().join("thesis.odt");
        std::fs::write(&kept, "years of work").unwrap();
        std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o755)).unwrap();

        let output = run(script, argument, variable, place.path());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        let refusal = format!("{} is not empty and not a", place.path().display());
        assert!(said.contains(&refusal), "{said}");

        let end = if script == "rig" {
            "down --purge"
        } else {
            "down"
        };
        let output = run(script, end, variable, place.path());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.contains("nothing here to take away") || script == "rig",
            "{said}"
        );
        assert_eq!(std::fs::read(&kept).unwrap(), b"years of work");
        let mode = std::fs::metadata(place.path())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o755);
    }
}

#[test]
fn the_benchmarks_can_be_run_and_leave_nothing() {
    let test = "the_benchmarks_can_be_run_and_leave_nothing";
    let root = rustix::process::geteuid().is_root();
    let python = Path::new("/usr/bin/python3").exists();
    if !there_is("root", root, test) || !there_is("/usr/bin/python3", python, test) {
        return;
    }
    // No rig here, so that nothing of another run is waited for.
    let place = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/bench"))
            .args(arguments)
            .env("DTAAS_BIN", binary())
            .env("DTAAS_RIG_STATE", place.path().join("rig"))
            .env("DTAAS_BENCH_RESULTS", place.path().join("results"))
            .env("TMPDIR", place.path())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let talk = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), said, talk)
    };

    let (code, said, talk) = run(&["--quick", "startup", "render", "users", "library"]);
    assert_eq!(code, Some(0), "{said}\n{talk}");
    let figures = [
        "startup: ",
        "  --version ",
        "render: ",
        "  100 users, nothing changed, nothing written ",
        "users: ",
        "  user add at 100: files of others touched ",
        "library: ",
        "  a directory of 500 entries, beside getdents, sort and JSON alone ",
        "  1 KiB of it by Range, bytes a second ",
        "  memory at most, in all of this ",
        "  memory for 200 slow connections ",
    ];
    let mut rest = said.as_str();
    for figure in figures {
        let position = rest.find(figure);
        assert!(position.is_some(), "no {figure:?} in {said}\n{talk}");
        rest = &rest[position.unwrap_or_default()..];
    }
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);

    let (code, said, talk) = run(&["--quick", "speed"]);
    assert_eq!((code, said.as_str()), (Some(2), ""), "{talk}");
    assert!(talk.contains("scripts/bench [--quick]"), "{talk}");
}
