//! A spec with mistakes: all of them at once, each with where, what, why and what to write.

use super::run::{Place, failed};

const MEND: &str = "nothing was changed; mend this and run the command again";

#[test]
fn all_problems_come_at_once() {
    let place = Place::new();
    place.write(
        "d/dtaas.yaml",
        "version: 2\n\
         domain: https://foo.com\n\
         prots:\n  https: 443\n\
         ports:\n  http: 70000\n  auth: many\n\
         tls:\n  mode: letsencrypt\n\
         auth: none\n\
         library:\n  root: secrets\n\
         gateway:\n  image: \"traefik latest\"\n  log_level: loud\n\
         workspace:\n  user: root\n  limits:\n    cpus: many\n    memory: 1m\n    shm: 0\n  \
           environment:\n    A-B: x\n    PORT: 8080\n    VNC_PW: x\n  \
           mounts:\n    - source: data\n      target: /workspace/\n    - source: /a\n      taget: /b\n",
    );
    place.write(
        "d/users/alice.yaml",
        "slot: 0\ngroups: [editors]\nenabeld: true\n",
    );
    place.write("d/users/Bob.yaml", "slot: 1\n");
    place.write("d/users/notes.txt", "");
    let before = place.tree("");

    let expected = "25 problems in the spec\n  \
         dtaas.yaml:1: version is 2: this program knows version 1; write version: 1\n  \
         dtaas.yaml:2: domain is \"https://foo.com\": \"https://foo.com\" is not a domain: leave out the scheme: write foo.com, not https://foo.com; write a host name, such as foo.com\n  \
         dtaas.yaml:3: prots: there is no such key; did you mean ports?\n  \
         dtaas.yaml:6: ports.http is 70000: this cannot stand here; write a port from 1 to 65535\n  \
         dtaas.yaml:7: ports.auth is \"many\": this cannot stand here; write a port from 1 to 65535\n  \
         dtaas.yaml:9: tls.mode is \"letsencrypt\": there is no such mode; write off, self-signed, files or acme\n  \
         dtaas.yaml:10: auth is \"none\": there is no \"none\"; write session or basic\n  \
         dtaas.yaml:12: library.root is \"secrets\": the deployment keeps its own files there; write a directory of its own, such as files or /srv/library\n  \
         dtaas.yaml:14: gateway.image is \"traefik latest\": this is not an image's name; write name:tag or name@sha256:…\n  \
         dtaas.yaml:15: gateway.log_level is \"loud\": there is no \"loud\"; write DEBUG, INFO, WARN or ERROR\n  \
         dtaas.yaml:17: workspace.user is \"root\": \"root\" is not a pair of numbers; write uid:gid, such as \"0:0\"\n  \
         dtaas.yaml:19: workspace.limits.cpus is \"many\": \"many\" is not a number of processors; write 2 or 0.5; write a number such as 2 or 0.5, or none\n  \
         dtaas.yaml:20: workspace.limits.memory is \"1m\": docker takes no less than 6m; write an amount such as 4g, or none\n  \
         dtaas.yaml:21: workspace.limits.shm is 0: there is no /dev/shm of no size; write an amount such as 512m\n  \
         dtaas.yaml:23: workspace.environment.A-B: this is not a variable's name; use letters, digits and '_'\n  \
         dtaas.yaml:24: workspace.environment.PORT: its value is no text; put it in quotes, such as PORT: \"8080\"\n  \
         dtaas.yaml:25: workspace.environment.VNC_PW: the platform sets it; take it out\n  \
         dtaas.yaml:27: workspace.mounts[0].source is \"data\": this is not an absolute path; begin it with / and leave out ..\n  \
         dtaas.yaml:28: workspace.mounts[0].target is \"/workspace/\": the platform's own folders are there; write another path\n  \
         dtaas.yaml:29: workspace.mounts[1].target: this key is missing; write an absolute path in the workspace\n  \
         dtaas.yaml:30: workspace.mounts[1].taget: there is no such key; did you mean target?\n  \
         users/Bob.yaml: \"Bob\" is not a user name: 'B' is not allowed; use a-z, 0-9, '.', '_' and '-'; rename it, or move it away\n  \
         users/alice.yaml:2: groups is a list: there is no \"editors\"; write a list of publishers and admins, such as [publishers]\n  \
         users/alice.yaml:3: enabeld: there is no such key; did you mean enabled?\n  \
         users/notes.txt: a user's file ends in .yaml; rename it, or move it away";
    for line in [
        "render",
        "plan",
        "up",
        "status",
        "down --yes",
        "user list",
        "user add carl",
    ] {
        assert_eq!(place.in_d(line), failed(2, expected, MEND), "{line}");
    }
    let mut after = place.tree("");
    after.remove("d/.lock");
    assert_eq!(after, before);
}

#[test]
fn what_is_not_yaml_says_where() {
    let place = Place::new();
    place.write("d/dtaas.yaml", "version: 1\n\tdomain: foo.com\n");
    let ran = place.in_d("render");
    assert_eq!(ran.code, 2);
    assert_eq!(
        ran.talk,
        format!(
            "error: dtaas.yaml:2: this is not YAML: found a tab character that violates indentation at line 2 column 1, \
             while scanning a plain scalar at line 1 column 10; see the comments that `dtaas init` writes for the form\nhint: {MEND}\n"
        )
    );
}

#[test]
fn users_cannot_share_a_network() {
    let place = Place::with_deployment();
    place.write("d/users/bob.yaml", "slot: 0\n");
    place.write("d/users/carl.yaml", "slot: 8192\n");
    assert_eq!(
        place.in_d("render"),
        failed(
            2,
            "2 problems in the spec\n  \
             users/bob.yaml: slot 0 is alice's; give it another slot\n  \
             users/carl.yaml: slot 8192 is outside network.pool, which has 8192 (0 to 8191); give it another slot, or make the pool larger",
            MEND
        )
    );
}

#[test]
fn an_absolute_library_lies_beside_the_deployment() {
    let place = Place::with_deployment();
    let spec = std::fs::read_to_string(place.path("d/dtaas.yaml")).unwrap();
    let root = place.path("d");
    for library in [root.join("config/auth"), root.clone(), place.path("")] {
        let line = format!("root: \"{}\"", library.display());
        place.write("d/dtaas.yaml", &spec.replace("root: \"files\"", &line));
        let whole = || {
            let mut tree = place.tree("");
            tree.remove("d/.lock");
            tree
        };
        let before = whole();
        let ran = place.in_d("render");
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.talk.contains("lie in one another"), "{ran:?}");
        assert_eq!(whole(), before);
    }
}

#[test]
fn a_directory_that_is_no_deployment_is_named() {
    let place = Place::new();
    place.write("file", "");
    const HINT: &str = "make one here with `dtaas init --domain … --users …`, or name another with `dtaas -C DIR …`";
    for directory in [".", "nowhere", "file"] {
        for command in ["render", "plan", "up", "down", "status"] {
            assert_eq!(
                place.run(&["-C", directory, command]),
                failed(
                    2,
                    &format!("{directory} is not a deployment: it has no dtaas.yaml"),
                    HINT
                )
            );
        }
    }
    assert_eq!(place.tree("").len(), 1);
}
