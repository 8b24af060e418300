use super::*;

fn me() -> Me {
    Me {
        user: "me".into(),
        home: "/home/me".into(),
    }
}

fn hops(target: &Target, config: &str) -> Result<Vec<Hop>> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config");
    std::fs::write(&path, config).unwrap();
    let config = SshConfig::read(Some(&path), &me().home).unwrap();
    resolve(target, &config, &me())
}

fn foo() -> Target {
    Target::new("dtaas", "foo.com", "/opt/dtaas/foo.com")
}

#[test]
fn without_a_word_it_is_as_openssh_does() {
    let keys = [
        "/home/me/.ssh/id_ed25519",
        "/home/me/.ssh/id_ecdsa",
        "/home/me/.ssh/id_rsa",
    ];
    assert_eq!(
        hops(&foo(), "").unwrap(),
        [Hop {
            host: "foo.com".into(),
            known_as: "foo.com".into(),
            port: 22,
            user: "me".into(),
            keys: keys.map(PathBuf::from).to_vec(),
            keys_named: false,
            known_hosts: vec![
                "/home/me/.ssh/known_hosts".into(),
                "/etc/ssh/ssh_known_hosts".into()
            ],
        }]
    );
}

#[test]
fn the_spec_counts_before_the_configuration() {
    let config = "Host foo.com\n HostName %h.internal\n Port 2200\n User root\n IdentityFile ~/.ssh/%r\n\
                  IdentityFile %d/b\n UserKnownHostsFile ~/k none\n HostKeyAlias foo\n";
    let found = hops(&foo(), config).unwrap();
    assert_eq!(
        found,
        [Hop {
            host: "foo.com.internal".into(),
            known_as: "foo".into(),
            port: 2200,
            user: "root".into(),
            keys: vec!["/home/me/.ssh/root".into(), "/home/me/b".into()],
            keys_named: true,
            known_hosts: vec!["/home/me/k".into()],
        }]
    );
    let written = Target {
        port: Some(22),
        user: Some("admin".into()),
        key: Some("~/key".into()),
        known_hosts: Some("/k".into()),
        ..foo()
    };
    let [found] = hops(&written, config).unwrap().try_into().unwrap();
    assert_eq!((found.port, found.user.as_str()), (22, "admin"));
    assert_eq!(found.keys, [PathBuf::from("/home/me/key")]);
    assert_eq!(found.known_hosts, [PathBuf::from("/k")]);
}

fn way(target: &Target, config: &str) -> String {
    match hops(target, config) {
        Ok(hops) => {
            let shown = |hop: &Hop| format!("{}@{hop}", hop.user);
            hops.iter().map(shown).collect::<Vec<_>>().join(" → ")
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_is_gone_through_is_found() {
    let through = |jump: &str| Target {
        jump: Some(jump.into()),
        ..foo()
    };
    for (target, config, found) in [
        (foo(), "ProxyJump none\n", "me@foo.com:22"),
        (foo(), "ProxyCommand none\n", "me@foo.com:22"),
        (
            through("none"),
            "Host foo.com\n ProxyJump a\n",
            "me@foo.com:22",
        ),
        (
            foo(),
            "Host foo.com\n ProxyJump a\nHost a\n User root\n Port 1\n",
            "root@a:1 → me@foo.com:22",
        ),
        (
            foo(),
            "Host foo.com\n ProxyJump a\nHost a\n ProxyJump b\n",
            "me@b:22 → me@a:22 → me@foo.com:22",
        ),
        (through("x@a:5,b"), "", "x@a:5 → me@b:22 → me@foo.com:22"),
        (
            through("ssh://[fd00::1]:5"),
            "",
            "me@[fd00::1]:5 → me@foo.com:22",
        ),
        (through("fd00::1"), "", "me@[fd00::1]:22 → me@foo.com:22"),
        (
            through("a:b"),
            "",
            "dtaas: \"a:b\" is no host to go through",
        ),
        (through("@a"), "", "dtaas: \"@a\" is no host to go through"),
        (
            foo(),
            "Host foo.com\n ProxyJump a\nHost a\n ProxyJump b\nHost b\n ProxyJump a\n",
            "dtaas: the hosts on the way go in circles: a",
        ),
        (
            foo(),
            "ProxyCommand nc %h %p\n",
            "dtaas: the SSH configuration reaches foo.com through a command (ProxyCommand), which is not done here",
        ),
    ] {
        assert_eq!(way(&target, config), found, "{config}");
    }
}

#[test]
fn a_host_that_goes_through_itself_everywhere_is_no_endless_way() {
    // OpenSSH has it in its manual: `ProxyJump` for all hosts, and `none` for the one.
    let config = "Host hop\n ProxyJump none\nHost *\n ProxyJump hop\n";
    assert_eq!(way(&foo(), config), "me@hop:22 → me@foo.com:22");
}
