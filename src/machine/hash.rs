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
    .map(|(part, hash)| (part.to_owned(), hash))
    .collect()
}

/// The hash of a container: of all its parts.
pub fn container(key: &Secret, container: &Container) -> String {
    keyed_json(key, &parts(key, container))
}

/// The hash of a network.
pub fn network(key: &Secret, network: &Network) -> String {
    keyed_json(key, &(network, WAY_OF_MAKING))
}

/// The hash of one variable of an environment, so that a plan can say which one differs.
pub fn variable(key: &Secret, name: &str, value: &str) -> String {
    keyed(key, format!("{name}\0{value}").as_bytes())[..16].to_owned()
}
