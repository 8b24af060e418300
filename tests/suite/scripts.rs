//! The scripts leave alone what is not theirs.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

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
