//! Keyed hashes of what was desired, kept in labels: how a later run sees that an object is still as it should be.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;

use crate::platform::desired::{Container, Network, hex};
use crate::secrets::Secret;

/// Goes into every hash. Raised when containers are made in another way, so that those made before are seen to differ.
const WAY_OF_MAKING: u32 = 1;

/// HMAC-SHA256 of some bytes, in lower-case hex.
pub fn keyed(key: &Secret, bytes: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()) else {
        unreachable!("HMAC takes keys of any length")
    };
    mac.update(bytes);
    hex(&mac.finalize().into_bytes())
}

/// HMAC-SHA256 of some data's JSON, in lower-case hex.
fn keyed_json(key: &Secret, data: &impl Serialize) -> String {
    match serde_json::to_vec(data) {
        Ok(json) => keyed(key, &json),
        Err(error) => unreachable!("desired state is plain data: {error}"),
    }
}

/// The hashes of the parts of a container that can only be changed by making it anew, by what an operator calls them.
/// Limits, whether it runs, and when it is ready are not among them: those change live.
pub fn parts(key: &Secret, container: &Container) -> BTreeMap<String, String> {
    let Container {
        name,
        component,
        user,
        image,
        command,
        environment,
        mounts,
        network,
        hosts,
        listens: _,
        run_as,
        read_only,
        capabilities,
        shm,
        limits: _,
        config_digest,
        precious: _,
        running: _,
        ready: _,
    } = container;
    let short = |hash: String| hash[..16].to_owned();
    // Named only where there are any: containers made before there could be stay as they are.
    let hosts = (!hosts.is_empty()).then(|| ("hosts", short(keyed_json(key, hosts))));
    [
        ("image", short(keyed_json(key, image))),
        ("command", short(keyed_json(key, command))),
        ("environment", short(keyed_json(key, environment))),
        ("mounts", short(keyed_json(key, mounts))),
        ("network", short(keyed_json(key, network))),
        ("user", short(keyed_json(key, run_as))),
        (
            "rights",
            short(keyed_json(key, &(read_only, capabilities, WAY_OF_MAKING))),
        ),
        ("shared memory", short(keyed_json(key, shm))),
        ("configuration", short(keyed_json(key, config_digest))),
        ("name", short(keyed_json(key, &(name, component, user)))),
    ]
    .into_iter()
    .chain(hosts)
    .map(|(part, hash)| (part.to_owned(), hash))
    .collect()
}

/// The parts of a container that differ from what its label says of them. One that the label does not name is the same: a part
/// that a later version tells apart must not make every workspace differ.
pub fn differing(
    key: &Secret,
    container: &Container,
    labelled: &BTreeMap<String, String>,
) -> Vec<String> {
    let mut parts = parts(key, container);
    if !labelled.is_empty() {
        parts.retain(|part, hash| labelled.get(part).is_some_and(|had| had != hash));
    }
    parts.into_keys().collect()
}

/// The hash of a network.
pub fn network(key: &Secret, network: &Network) -> String {
    keyed_json(key, &(network, WAY_OF_MAKING))
}

/// The hash of one variable of an environment, so that a plan can say which one differs.
pub fn variable(key: &Secret, name: &str, value: &str) -> String {
    keyed(key, format!("{name}\0{value}").as_bytes())[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::desired::{Attachment, Capabilities, Component, Limits, Mount};

    fn workspace() -> Container {
        Container {
            name: "dtaas-foo.com-workspace-alice".into(),
            component: Component::Workspace,
            user: "alice".parse().ok(),
            image: "mltooling/ml-workspace:0.13.2".into(),
            command: Vec::new(),
            environment: BTreeMap::from([(
                "AUTHENTICATE_VIA_JUPYTER".into(),
                Secret::new("token"),
            )]),
            mounts: vec![Mount {
                source: "/srv/foo/files/alice".into(),
                target: "/workspace".into(),
                read_only: false,
            }],
            network: Attachment::Bridge {
                network: "dtaas-foo.com-net-alice".into(),
                address: [10, 90, 0, 2].into(),
            },
            hosts: BTreeMap::new(),
            listens: Vec::new(),
            run_as: None,
            read_only: false,
            capabilities: Capabilities::DefaultsWithout(vec!["NET_RAW".into()]),
            shm: Some("512m".parse().unwrap()),
            limits: Limits::default(),
            config_digest: None,
            precious: true,
            running: true,
            ready: None,
        }
    }

    /// Whoever changes one of these hashes makes every workspace that there is differ from what is desired: each of them is
    /// held from then on, until its user's work in it is given up.
    #[test]
    fn hashes_of_workspaces_never_change() {
        let parts = parts(&Secret::new("key"), &workspace());
        let parts: Vec<(&str, &str)> = parts
            .iter()
            .map(|(part, hash)| (part.as_str(), hash.as_str()))
            .collect();
        assert_eq!(
            parts,
            [
                ("command", "8cf3d584bac42070"),
                ("configuration", "348ac383b4b016e3"),
                ("environment", "a771e1aec6cf2234"),
                ("image", "49f702e6bcef1977"),
                ("mounts", "1fda122b979e4e49"),
                ("name", "31de7519d16fc2e6"),
                ("network", "9f2f5f1c6ede1e93"),
                ("rights", "172428baa6ca72e9"),
                ("shared memory", "59307cb4aeeea82d"),
                ("user", "348ac383b4b016e3"),
            ]
        );
    }

    /// Likewise: a network that differs is held with its workspace.
    #[test]
    fn hashes_of_networks_never_change() {
        let network = Network {
            name: "dtaas-foo.com-net-alice".into(),
            bridge: "dtf29b6d-000000".into(),
            subnet: "10.90.0.0/29".parse().unwrap(),
            gateway: [10, 90, 0, 1].into(),
            user: "alice".parse().unwrap(),
        };
        assert_eq!(
            super::network(&Secret::new("key"), &network),
            "9e053202791ea6f1ed8423383b894c5c0840794db7611bde3884c17b8acce657"
        );
    }

    #[test]
    fn a_part_that_the_label_does_not_name_is_the_same() {
        let (key, mut container) = (Secret::new("key"), workspace());
        let mut labelled = parts(&key, &container);
        labelled.remove("shared memory");
        container.shm = None;
        container.image = "mltooling/ml-workspace:0.13.3".into();
        assert_eq!(differing(&key, &container, &labelled), ["image"]);
        // Without any, it was not made as we make them.
        assert_eq!(differing(&key, &container, &BTreeMap::new()).len(), 10);
    }
}
