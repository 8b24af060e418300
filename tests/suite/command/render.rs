//! `render` and `render --check`, with the operator's own templates as well.

use std::os::unix::fs::PermissionsExt;

use super::run::{Place, done, failed};

const DIFFERS: &str = "error: the rendered configuration differs from the spec\n\
                       hint: `dtaas render` writes it, `dtaas up` applies it as well\n";

#[test]
fn what_was_changed_by_hand_is_shown_and_put_right() {
    let place = Place::with_deployment();
    assert_eq!(place.in_d("render --check"), done("Nothing to do.\n", ""));
    let whole = place.tree("d");
    place.write("d/config/lib.env", "PORT='4001'\nMODE='remote'\n");
    place.write("d/config/client/env.js", "window.env = {};\n");
    place.write("d/config/auth/mallory.json", "{}");
    std::fs::remove_file(place.path("d/config/gateway/auth")).unwrap();
    let platform = place.path("d/config/gateway/dynamic/platform.yml");
    std::fs::set_permissions(platform, std::fs::Permissions::from_mode(0o666)).unwrap();
    std::fs::remove_file(place.path("d/config/website/gateway-secret")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", place.path("d/config/website/gateway-secret"))
        .unwrap();
    let broken = place.tree("d");

    let plan = "+ remove config/auth/mallory.json\n\
                + write config/gateway/auth\n\
                + change config/client/env.js (secret content differs)\n\
                + replace config/website/gateway-secret, which is no regular file\n\
                + change config/lib.env\n    \
                     PORT='4001'\n    \
                    -MODE='remote'\n    \
                    +MODE='local'\n    \
                    +LOCAL_PATH='/library'\n    \
                    +LOG_LEVEL='info'\n    \
                    +APOLLO_PATH='/lib'\n    \
                    +GRAPHQL_PLAYGROUND='false'\n\
                + set mode of config/gateway/dynamic/platform.yml (666 → 600)\n\
                6 steps.\n"
        .replace("    PORT=", "     PORT=");
    let ran = place.in_d("render --check");
    assert_eq!((ran.code, ran.talk.as_str()), (1, DIFFERS));
    assert_eq!(ran.out, plan);
    assert_eq!(place.tree("d"), broken);

    assert_eq!(place.in_d("render"), done(&plan, ""));
    assert_eq!(without_lock(place.tree("d")), without_lock(whole));
    assert_eq!(place.in_d("render"), done("Nothing to do.\n", ""));
}

#[test]
fn a_template_of_the_operators_own_replaces_ours() {
    let place = Place::with_deployment();
    place.write(
        "d/templates/lib.env.hbs",
        "PORT={{env port}}\nLOCAL_PATH={{env local_path}}\nLOG_LEVEL='debug'\n",
    );

    assert_eq!(place.in_d("render").code, 0);

    assert_eq!(
        place.read("d/config/lib.env"),
        "PORT='4001'\nLOCAL_PATH='/library'\nLOG_LEVEL='debug'\n"
    );
    std::fs::remove_dir_all(place.path("d/templates")).unwrap();
    assert_eq!(place.in_d("render").code, 0);
    assert!(place.read("d/config/lib.env").contains("LOG_LEVEL='info'"));
}

#[test]
fn a_template_that_cannot_be_is_refused_and_nothing_is_written() {
    let hint = |name: &str| {
        format!("mend templates/{name}.hbs in the deployment, or remove it: then ours counts")
    };
    for (name, text, error) in [
        (
            "lib.env",
            "PORT=1\nMODE={{env mood}}\n",
            "template lib.env: line 2: there is no variable \"mood\" here",
        ),
        (
            "lib.env",
            "PORT={{shout port}}\n",
            "template lib.env: line 1: there is no helper \"shout\"; there are yaml, js, env and line",
        ),
        (
            "lib.env",
            "PORT=\\{{port}}\n",
            "template lib.env: a placeholder is left over in line 1 of what it gives",
        ),
        (
            "lib.env",
            "PORT=1\nMODE={{env port}\n",
            "template lib.env: line 2: a placeholder cannot be read; is every {{…}} closed, and every {{#…}} ended?",
        ),
        (
            "gateway/dynamic/user.yml",
            "http:\n  routers: [\n",
            "template gateway/dynamic/user.yml: what it gives is not YAML: did not find expected node content at line 3 column 1, while parsing a flow node",
        ),
        (
            "gateway/traefik.yml",
            "",
            "template gateway/traefik.yml: it replaces none of ours, which are: gateway/static/traefik.yml, gateway/dynamic/platform.yml, \
             gateway/dynamic/tls.yml, gateway/dynamic/user.yml, gateway/dynamic/service.yml, gateway/dynamic/vis.yml, gateway/auth, lib.env, client/env.js, services/rabbitmq.conf, \
             services/mosquitto.conf, services/services.env, services/README.md",
        ),
    ] {
        let place = Place::with_deployment();
        place.write(&format!("d/templates/{name}.hbs"), text);
        let before = place.tree("d/config");
        for line in ["render", "render --check"] {
            assert_eq!(place.in_d(line), failed(2, error, &hint(name)), "{text:?}");
        }
        assert_eq!(place.tree("d/config"), before);
    }
}

fn without_lock(
    mut tree: std::collections::BTreeMap<String, (u32, Vec<u8>)>,
) -> std::collections::BTreeMap<String, (u32, Vec<u8>)> {
    tree.remove(".lock");
    tree
}
