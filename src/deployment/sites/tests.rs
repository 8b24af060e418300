use std::collections::BTreeMap;

use super::*;
use crate::error::failure_of;

fn of(profile: &str, machines: &str) -> anyhow::Result<Vec<Site>> {
    let text = format!("version: 1\ndomain: foo.com\nprofile: {profile}\n{machines}");
    let spec = load::from_texts(&text, &BTreeMap::new())?;
    let profile = crate::profile::load(Path::new("."), &spec.profile)?;
    sites(Path::new("/srv/d"), &spec, &profile)
}

fn refused(profile: &str, machines: &str) -> (String, String) {
    let error = of(profile, machines).unwrap_err();
    let hint = failure_of(&error).unwrap().remedy().unwrap().to_owned();
    (error.to_string(), hint)
}

#[test]
fn all_on_this_machine_needs_nothing_said() {
    let sites = of("single-host", "").unwrap();

    assert_eq!(sites.len(), 1);
    assert!(sites[0].is_local() && sites[0].is_users());
    assert_eq!(sites[0].root, Path::new("/srv/d"));
}

#[test]
fn a_machine_is_what_the_spec_says_it_is() {
    let sites = of(
        "two-machine",
        "machines:\n  dtaas: {kind: local}\n  services: {kind: ssh, address: s.foo.com, port: 2222, key: keys/id}\n",
    )
    .unwrap();

    assert_eq!(sites[0].reach, Reach::Local);
    assert_eq!(
        sites[1].reach,
        Reach::Ssh {
            ssh: Ssh {
                address: Some("s.foo.com".into()),
                port: Some(2222),
                ..Ssh::default()
            },
            key: Some("/srv/d/keys/id".into()),
        }
    );
    assert_eq!(sites[1].root, Path::new("/opt/dtaas/foo.com"));
    assert!(!sites[1].is_users());
}

#[test]
fn what_is_missing_is_told_as_the_lines_to_add() {
    let (error, hint) = refused("two-machine", "");
    assert_eq!(
        error,
        "dtaas.yaml says too little of the machines dtaas and services of the profile two-machine"
    );
    assert_eq!(
        hint,
        "add these lines, with your own values; kind may be local, ssh or vagrant:\n\
         machines:\n  dtaas:\n    kind: ssh\n    address: 192.0.2.10\n  services:\n    kind: ssh\n    address: 192.0.2.10"
    );

    let (_, hint) = refused(
        "two-machine",
        "machines:\n  dtaas: {kind: local}\n  services: {kind: vagrant}\n",
    );
    assert_eq!(
        hint,
        "add these lines below machines, with your own values; kind may be local, ssh or vagrant:\n  services:\n    bridge: eno1"
    );
}

#[test]
fn what_has_no_effect_is_refused() {
    let (error, _) = refused(
        "single-host",
        "machines:\n  server: {port: 22}\n  sever: {kind: local}\n",
    );
    assert_eq!(
        error,
        "dtaas.yaml: machines.server.port: it counts with kind ssh alone; leave it out\n  \
         machines.sever: the profile single-host has no such machine; did you mean server?"
    );
}

#[test]
fn two_machines_are_not_one() {
    let (error, _) = refused(
        "two-machine",
        "machines:\n  dtaas: {kind: local}\n  services: {kind: local}\n",
    );
    assert_eq!(
        error,
        "the machines dtaas and services are all of the kind local, which is this one machine"
    );
}

#[test]
fn two_machines_are_not_reached_as_one() {
    let both = "machines:\n  dtaas: {kind: ssh, address: s.foo.com}\n  services: {kind: ssh, address: s.foo.com";
    let (error, _) = refused("two-machine", &format!("{both}}}\n"));
    assert_eq!(
        error,
        "the machines dtaas and services are both reached as s.foo.com, which is one machine"
    );
    assert_eq!(
        of("two-machine", &format!("{both}, port: 2222}}\n"))
            .unwrap()
            .len(),
        2
    );
}
