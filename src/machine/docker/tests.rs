use super::*;
use bollard::models::{SystemVersionComponents, SystemVersionPlatform};

fn version(api: &str) -> SystemVersion {
    SystemVersion {
        version: Some("20.10.24".into()),
        api_version: Some(api.into()),
        ..Default::default()
    }
}

fn refused(version: &SystemVersion, info: &SystemInfo) -> String {
    refuse(version, info).unwrap_err().to_string()
}

#[test]
fn engines_that_nobody_has_tried_are_refused_by_name() {
    let plain = SystemInfo::default();
    let with = |option: &str| SystemInfo {
        security_options: Some(vec!["name=seccomp,profile=default".into(), option.into()]),
        ..Default::default()
    };
    let podman = SystemVersion {
        components: Some(vec![SystemVersionComponents {
            name: "Podman Engine".into(),
            ..Default::default()
        }]),
        ..version("1.41")
    };
    let desktop = SystemVersion {
        platform: Some(SystemVersionPlatform {
            name: "Docker Desktop 4.30.0 (149282)".into(),
        }),
        ..version("1.45")
    };
    assert_eq!(refused(&podman, &plain), "Podman is not supported");
    assert_eq!(refused(&desktop, &plain), "Docker Desktop is not supported");
    assert_eq!(
        refused(&version("1.41"), &with("name=rootless")),
        "rootless docker is not supported"
    );
    assert_eq!(
        refused(&version("1.41"), &with("name=userns")),
        "docker with userns-remap is not supported"
    );
}

#[test]
fn the_interface_must_be_new_enough() {
    let plain = SystemInfo::default();
    assert!(refuse(&version("1.41"), &plain).is_ok());
    assert!(refuse(&version("1.52"), &plain).is_ok());
    assert!(refused(&version("1.40"), &plain).contains("is too old"));
}

#[test]
fn only_a_unix_socket_is_taken_from_the_environment() {
    assert_eq!(socket_from(None).unwrap(), Path::new(SOCKET));
    assert_eq!(
        socket_from(Some("unix:///run/other.sock")).unwrap(),
        Path::new("/run/other.sock")
    );
    assert!(socket_from(Some("tcp://127.0.0.1:2375")).is_err());
}

#[tokio::test]
async fn no_engine_is_one_clear_error() {
    let error = Engine::connect(Some(Path::new("/nowhere/docker.sock")))
        .await
        .unwrap_err();
    assert_eq!(
        crate::error::failure_of(&error).unwrap().to_string(),
        "the docker engine is not installed or not running: nothing answers at /nowhere/docker.sock"
    );
}
