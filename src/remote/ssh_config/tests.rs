use super::*;

fn config(text: &str) -> SshConfig {
    let mut config = SshConfig::default();
    config.add(text, Path::new("/home/me"), &[], 0).unwrap();
    config
}

#[test]
fn the_first_value_counts_and_keys_add_up() {
    let config = config(
        "Port 2200\n\
         Host box other\n  HostName 10.0.0.5\n  User root\n  IdentityFile ~/.ssh/a\n  Port 1\n\
         Host *\n  User nobody\n  IdentityFile ~/.ssh/b\n  ProxyJump hop\n  UserKnownHostsFile ~/.ssh/k1 ~/.ssh/k2\n",
    );
    assert_eq!(
        config.query("box", None, "me"),
        Settings {
            host_name: Some("10.0.0.5".into()),
            port: Some(2200),
            user: Some("root".into()),
            keys: vec!["~/.ssh/a".into(), "~/.ssh/b".into()],
            jump: Some("hop".into()),
            command: None,
            known_hosts: vec!["~/.ssh/k1".into(), "~/.ssh/k2".into()],
            alias: None,
        }
    );
    assert_eq!(
        config.query("else", None, "me").user.as_deref(),
        Some("nobody")
    );
}

#[test]
fn sections_of_match_are_told_apart() {
    let config = config(
        "Host box\n  HostName foo.com\n\
         Match exec \"touch /tmp/never\"\n  User evil\n\
         Match host *.com user root\n  Port 22\n\
         Match originalhost box\n  Port 2222\n\
         Match !localuser me\n  User other\n\
         Match all\n  ProxyCommand nc %h %p\n",
    );
    let found = config.query("box", None, "me");
    assert_eq!(found.user, None);
    assert_eq!(found.port, Some(2222));
    assert_eq!(found.command.as_deref(), Some("nc %h %p"));
    assert_eq!(config.query("box", Some("root"), "me").port, Some(22));
    assert_eq!(
        config.query("x", None, "you").user.as_deref(),
        Some("other")
    );
}

#[test]
fn included_files_stay_in_the_section_that_includes_them() {
    let home = tempfile::tempdir().unwrap();
    let ssh = home.path().join(".ssh");
    fs::create_dir_all(ssh.join("config.d")).unwrap();
    fs::write(ssh.join("config.d/a.conf"), "User a\nHost inner\n Port 1\n").unwrap();
    fs::write(ssh.join("config.d/b.txt"), "User b\n").unwrap();
    fs::write(
        ssh.join("config"),
        "Host outer\n  Include config.d/*.conf\n  Port 2\nInclude config\nHost *\n User c\n",
    )
    .unwrap();
    let config = SshConfig::read(Some(&ssh.join("config")), home.path()).unwrap();
    let outer = config.query("outer", None, "me");
    assert_eq!((outer.user.as_deref(), outer.port), (Some("a"), Some(2)));
    let inner = config.query("inner", None, "me");
    assert_eq!((inner.user.as_deref(), inner.port), (Some("c"), None));
}

#[test]
fn a_file_that_was_given_must_be_there() {
    let error = SshConfig::read(Some(Path::new("/nowhere/config")), Path::new("/")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no SSH configuration /nowhere/config"
    );
}
