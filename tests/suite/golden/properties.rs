//! What holds for every spec: no value breaks out of the file that it stands in, networks never overlap, nobody's
//! objects are another's.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use dtaas::platform::desired::{Content, Desired, File};
use dtaas::platform::gateway;
use dtaas::secrets::Secret;
use dtaas::spec::load;
use dtaas::spec::model::{Spec, User};
use dtaas::spec::names::UserName;
use dtaas::spec::quantity::{Bytes, Cpus};
use proptest::prelude::*;
use serde_yaml::{Mapping, Value};

use super::fixture::Fixture;

/// Texts of all kinds, many of which are nearly right.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z0-9.`\"'{}()|&/\\\\<>#: \n\t-]{1,24}",
        "[a-z0-9][a-z0-9._-]{0,40}",
        "([a-z]{1,8}[./-]){0,6}[a-z]{1,8}",
    ]
}

fn spec_of(pairs: &[(&str, Value)]) -> Option<Spec> {
    let mut values = Mapping::new();
    values.insert("version".into(), 1.into());
    values.insert("domain".into(), "foo.com".into());
    for (key, value) in pairs {
        values.insert((*key).into(), value.clone());
    }
    let text = serde_yaml::to_string(&values).unwrap();
    load::from_texts(&text, &[].into()).ok()
}

/// A spec with these users, each in the slot that is its place.
fn with_users(mut spec: Spec, names: &BTreeSet<UserName>) -> Spec {
    spec.users = names.iter().cloned().zip((0..).map(user_in)).collect();
    spec
}

fn user_in(slot: u32) -> User {
    User {
        slot,
        enabled: true,
        groups: Vec::new(),
        image: None,
        limits: Default::default(),
    }
}

fn names() -> impl Strategy<Value = BTreeSet<UserName>> {
    proptest::collection::btree_set("[a-z0-9]([a-z0-9._-]{0,12}[a-z0-9])?", 1..6).prop_map(
        |names| {
            names
                .into_iter()
                .filter_map(|name| name.parse().ok())
                .collect()
        },
    )
}

fn text_of<'a>(desired: &'a Desired, path: &str) -> &'a str {
    desired.file(Path::new(path)).unwrap().content.expose()
}

fn yaml_of(desired: &Desired, path: &str) -> Value {
    serde_yaml::from_str(text_of(desired, path)).unwrap()
}

/// The names in a mapping below others.
fn names_at<'a>(value: &'a Value, path: &[&str]) -> Vec<&'a str> {
    let found = path.iter().fold(value, |value, key| &value[*key]);
    let keys = found.as_mapping().unwrap().keys();
    keys.map(|key| key.as_str().unwrap()).collect()
}

/// Reads `KEY: 'value',` lines of `env.js`, unescaping as ECMA-262 (12.9.4) does for the escapes that we write.
fn env_js(text: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.first(), Some(&"window.env = {"));
    assert_eq!(lines.last(), Some(&"};"));
    lines[1..lines.len() - 1]
        .iter()
        .map(|line| {
            let (key, literal) = line.trim_start().split_once(": '").unwrap();
            (
                key.to_owned(),
                unescape(literal.strip_suffix("',").unwrap()),
            )
        })
        .collect()
}

fn unescape(literal: &str) -> String {
    let mut units: Vec<u16> = Vec::new();
    let mut rest = literal.chars();
    while let Some(c) = rest.next() {
        assert!((' '..='~').contains(&c) && c != '\'', "{c:?} in {literal}");
        let digits = match c {
            '\\' => match rest.next().unwrap() {
                'x' => 2,
                'u' => 4,
                other => {
                    units.push(other as u16);
                    continue;
                }
            },
            _ => {
                units.push(c as u16);
                continue;
            }
        };
        let code: String = rest.by_ref().take(digits).collect();
        units.push(u16::from_str_radix(&code, 16).unwrap());
    }
    String::from_utf16(&units).unwrap()
}

proptest! {
    #[test]
    fn a_domain_and_a_base_path_are_refused_or_stay_in_their_place(domain in texts(), base in texts()) {
        let pairs = [("domain", Value::from(domain.as_str())), ("base_path", base.as_str().into())];
        let pairs = [&pairs[..], &pairs[..1], &pairs[1..]];
        for spec in pairs.into_iter().filter_map(spec_of) {
            let fixture = Fixture::of(with_users(spec, &["alice".parse().unwrap()].into()));
            let input = fixture.input();
            let desired = fixture.machine();

            let platform = yaml_of(&desired, "config/gateway/dynamic/platform.yml");
            prop_assert_eq!(names_at(&platform, &["http", "routers"]), ["website", "library", "door", "shared", "sockets", "live"]);
            let rules = &platform["http"]["routers"];
            prop_assert_eq!(&rules["website"]["rule"], &Value::from(gateway::rule(&input, "")));
            prop_assert_eq!(&rules["library"]["rule"], &Value::from(gateway::rule(&input, "lib")));
            // Backticks end a text in a rule; what stands between them has none.
            prop_assert_eq!(gateway::rule(&input, "x").matches('`').count(), 6);
            let user = yaml_of(&desired, "config/gateway/dynamic/user-alice.yml");
            prop_assert_eq!(names_at(&user, &["http", "routers"]), ["workspace-alice"]);
            yaml_of(&desired, "config/gateway/static/traefik.yml");

            let base = fixture.spec.base_path.as_str();
            let env = env_js(text_of(&desired, "config/client/env.js"));
            prop_assert_eq!(env.len(), 10);
            prop_assert_eq!(&env[1], &("REACT_APP_URL".to_owned(), format!("https://{}/", fixture.spec.domain)));
            prop_assert_eq!(&env[2], &("REACT_APP_URL_BASENAME".to_owned(), base.to_owned()));
            let (lines, broken) = dtaas::library::env_file::parse(text_of(&desired, "config/lib.env"));
            prop_assert!(broken.is_empty());
            prop_assert_eq!(lines.len(), 6);
        }
    }

    #[test]
    fn a_user_name_is_refused_or_stays_in_its_place(name in texts()) {
        let Ok(user) = name.parse::<UserName>() else { return Ok(()) };
        let fixture = Fixture::of(with_users(spec_of(&[]).unwrap(), &[user.clone()].into()));
        let desired = fixture.machine();

        let path = gateway::user_file(&user);
        let dynamic = yaml_of(&desired, path.to_str().unwrap());
        prop_assert_eq!(names_at(&dynamic, &["http", "routers"]), [format!("workspace-{name}")]);
        prop_assert_eq!(names_at(&dynamic, &["http", "middlewares"]), [format!("only-{name}")]);
        for File { path, .. } in &desired.files {
            prop_assert!(path.components().all(|part| matches!(part, Component::Normal(_))), "{path:?}");
        }
        for directory in &desired.directories {
            prop_assert!(directory.path.components().all(|part| matches!(part, Component::Normal(_))));
        }
        prop_assert!(desired.networks.iter().all(|network| network.bridge.len() <= 15));
    }

    #[test]
    fn an_environment_value_is_refused_or_arrives_as_it_is(name in prop_oneof![texts(), "[A-Z_][A-Z0-9_]{0,6}"], value in texts()) {
        let environment = Mapping::from_iter([(Value::from(name.as_str()), Value::from(value.as_str()))]);
        let workspace = Mapping::from_iter([(Value::from("environment"), Value::from(environment))]);
        let Some(spec) = spec_of(&[("workspace", workspace.into())]) else { return Ok(()) };
        let users = ["alice".parse().unwrap()].into();
        let without = Fixture::of(with_users(spec_of(&[]).unwrap(), &users)).machine();
        let mut with = Fixture::of(with_users(spec, &users)).machine();

        let workspace = with.containers.iter_mut().find(|container| container.precious).unwrap();
        let arrived = workspace.environment.remove(&name).unwrap();
        prop_assert_eq!(arrived.expose(), value);
        prop_assert_eq!(serde_json::to_string(&with).unwrap(), serde_json::to_string(&without).unwrap());
    }

    #[test]
    fn a_secret_stays_in_its_place(gateway in any::<String>(), desktop in any::<String>()) {
        let mut fixture = Fixture::of(spec_of(&[]).unwrap());
        fixture.secrets.gateway = Secret::new(&gateway);
        fixture.secrets.vnc_password = Secret::new(&desktop);
        let desired = fixture.machine();

        let platform = yaml_of(&desired, "config/gateway/dynamic/platform.yml");
        let header = &platform["http"]["middlewares"]["from-gateway"]["headers"]["customRequestHeaders"];
        prop_assert_eq!(header["X-Dtaas-Gateway"].as_str(), Some(gateway.as_str()));
        let env = env_js(text_of(&desired, "config/client/env.js"));
        prop_assert_eq!(&env[6].1, &format!("/tools/vnc/?password={desktop}"));
        // Whatever holds a secret is masked, and no command line or image shows one.
        for file in &desired.files {
            if let Content::Plain(text) = &file.content {
                prop_assert!(gateway.len() < 4 || !text.contains(&gateway), "{:?}", file.path);
            }
        }
    }

    #[test]
    fn networks_lie_in_the_pool_and_never_overlap(prefix in 20u8..=29, taken in proptest::collection::btree_set(0u32..600, 0..40)) {
        let mut spec = spec_of(&[]).unwrap();
        spec.pool = format!("10.64.0.0/{prefix}").parse().unwrap();
        let slots = spec.slots();
        let taken: Vec<u32> = taken.into_iter().filter(|slot| *slot < slots).collect();
        spec.users = taken.iter().map(|slot| (format!("u{slot}").parse().unwrap(), user_in(*slot))).collect();

        let mut networks: Vec<_> = taken.iter().map(|slot| spec.subnet(*slot).unwrap()).collect();
        match spec.free_slot() {
            Some(free) => networks.push(spec.subnet(free).unwrap()),
            None => prop_assert_eq!(taken.len(), slots as usize),
        }

        networks.sort();
        for network in &networks {
            prop_assert!(spec.pool.contains(network));
        }
        for pair in networks.windows(2) {
            prop_assert!(pair[0].broadcast() < pair[1].network(), "{pair:?}");
        }
        prop_assert_eq!(spec.subnet(slots), None);
    }

    #[test]
    fn amounts_are_read_as_they_are_written(bytes in 0..=i64::MAX as u64, hundredths in 1i64..=1_000_000) {
        let cpus = Cpus { nano: hundredths * 10_000_000 };
        prop_assert_eq!(Bytes(bytes).to_string().parse(), Ok(Bytes(bytes)));
        prop_assert_eq!(cpus.to_string().parse(), Ok(cpus));
        let yaml = serde_yaml::to_string(&(Bytes(bytes), cpus)).unwrap();
        prop_assert_eq!(serde_yaml::from_str::<(Bytes, Cpus)>(&yaml).unwrap(), (Bytes(bytes), cpus));
    }

    #[test]
    fn the_same_spec_is_the_same_state(names in names()) {
        let fixture = || Fixture::of(with_users(spec_of(&[]).unwrap(), &names));
        let state = |desired: &Desired| serde_json::to_string(desired).unwrap();
        prop_assert_eq!(state(&fixture().machine()), state(&fixture().machine()));
    }

    #[test]
    fn what_is_one_users_is_part_of_the_whole_and_of_nobody_else(names in names(), basic in any::<bool>()) {
        let auth = Value::from(if basic { "basic" } else { "session" });
        let fixture = Fixture::of(with_users(spec_of(&[("auth", auth)]).unwrap(), &names));
        let whole = fixture.machine();
        for name in &names {
            let part = fixture.user(name);
            let own = |user: &Option<UserName>| user.as_ref() == Some(name);

            prop_assert!(part.networks.iter().all(|network| network.user == *name));
            prop_assert!(part.networks.iter().all(|network| whole.networks.contains(network)));
            prop_assert!(part.containers.iter().all(|container| own(&container.user) && whole.containers.contains(container)));
            prop_assert_eq!(part.containers.len(), 1);
            prop_assert!(part.directories.iter().all(|directory| (own(&directory.user) || directory.path == Path::new("files")) && whole.directories.contains(directory)));
            prop_assert!(part.files.iter().all(|file| whole.files.contains(file)));
            let shared: Vec<&str> = part.files.iter().filter(|file| !own(&file.user)).map(|file| file.path.to_str().unwrap()).collect();
            match basic {
                true => prop_assert_eq!(shared, ["config/gateway/auth", "config/gateway/dynamic/platform.yml"]),
                false => prop_assert_eq!(shared, ["config/gateway/auth"]),
            }
            prop_assert!(part.owned.is_empty() && part.absent.is_empty());
        }
        // Everything that is somebody's is in what is converged for them alone.
        let of_all = |desired: &Desired| desired.files.iter().filter(|file| file.user.is_some()).count();
        prop_assert_eq!(of_all(&whole), names.iter().map(|name| of_all(&fixture.user(name))).sum::<usize>());
    }

    #[test]
    fn of_a_user_who_left_nothing_is_desired_but_that_the_files_go(names in names()) {
        let gone: UserName = "someone.who-left".parse().unwrap();
        let fixture = Fixture::of(with_users(spec_of(&[]).unwrap(), &names));
        let part = fixture.user(&gone);
        prop_assert!(part.networks.is_empty() && part.containers.is_empty() && part.directories.is_empty() && part.images.is_empty());
        let absent: Vec<&str> = part.absent.iter().map(|path| path.to_str().unwrap()).collect();
        prop_assert_eq!(absent, [
            "config/gateway/dynamic/user-someone.who-left.yml",
            "config/auth/someone.who-left.json",
            "sessions/someone.who-left",
            "shares/someone.who-left.json",
        ]);
    }
}
