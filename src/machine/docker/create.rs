//! What the engine is told of a container that it is to make.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HostConfig, HostConfigLogConfig,
    Mount, MountType, NetworkingConfig, RestartPolicy, RestartPolicyNameEnum,
};

use super::containers::{TO_END, as_signed};
use crate::machine::hash;
use crate::machine::observed::Facts;
use crate::platform::desired::{self, Attachment, Container, Desired, label};

/// Where what a container writes is kept, and how much of it: docker's logging driver and its options.
pub const LOG: (&str, [(&str, &str); 2]) = ("json-file", [("max-size", "10m"), ("max-file", "3")]);

pub(super) fn body(
    desired: &Desired,
    container: &Container,
    machine: &Facts,
) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(container.image.clone()),
        user: container.run_as.clone(),
        cmd: (!container.command.is_empty()).then(|| container.command.clone()),
        env: Some(
            container
                .environment
                .iter()
                .map(|(name, value)| format!("{name}={}", value.expose()))
                .collect(),
        ),
        labels: Some(labels(desired, container)),
        stop_timeout: Some(i64::from(TO_END)),
        host_config: Some(host_config(container, machine)),
        networking_config: endpoints(container),
        ..Default::default()
    }
}

fn labels(desired: &Desired, container: &Container) -> HashMap<String, String> {
    let parts = hash::parts(&desired.hash_key, container)
        .into_iter()
        .map(|(part, hash)| format!("{part}={hash}"))
        .collect::<Vec<_>>()
        .join(",");
    let mut labels = HashMap::from([
        (label::DEPLOYMENT.to_owned(), desired.deployment.to_string()),
        (label::INSTANCE.to_owned(), desired.instance()),
        (
            label::COMPONENT.to_owned(),
            container.component.as_str().to_owned(),
        ),
        (label::PARTS.to_owned(), parts),
    ]);
    if !container.listens.is_empty() {
        let listens: Vec<String> = container.listens.iter().map(ToString::to_string).collect();
        labels.insert(label::LISTENS.to_owned(), listens.join(","));
    }
    if let Some(user) = &container.user {
        labels.insert(label::USER.to_owned(), user.to_string());
    }
    labels
}

fn host_config(container: &Container, machine: &Facts) -> HostConfig {
    let limits = container.limits.effective(machine);
    let memory = limits.memory.map(|bytes| as_signed(bytes.0));
    // What is not said is as the engine has it.
    let said = |words: Vec<String>| (!words.is_empty()).then_some(words);
    let (cap_drop, cap_add) = container.capabilities.dropped_and_added();
    HostConfig {
        mounts: Some(container.mounts.iter().map(mount).collect()),
        network_mode: Some(match &container.network {
            Attachment::Host => "host".to_owned(),
            Attachment::Bridge { network, .. } => network.clone(),
        }),
        // Unlike `always` this keeps a disabled user's workspace stopped when the machine or the engine restarts.
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::UNLESS_STOPPED),
            maximum_retry_count: None,
        }),
        log_config: Some(HostConfigLogConfig {
            typ: Some(LOG.0.to_owned()),
            config: Some(
                LOG.1
                    .map(|(option, value)| (option.to_owned(), value.to_owned()))
                    .into(),
            ),
        }),
        extra_hosts: (!container.hosts.is_empty()).then(|| {
            let hosts = container.hosts.iter();
            hosts
                .map(|(name, address)| format!("{name}:{address}"))
                .collect()
        }),
        readonly_rootfs: Some(container.read_only),
        cap_add: said(cap_add),
        cap_drop: said(cap_drop),
        security_opt: said(container.component.security_options()),
        shm_size: container.shm.map(|bytes| as_signed(bytes.0)),
        nano_cpus: limits.cpus.map(|cpus| cpus.nano),
        memory,
        // As much memory with swap as without: a workspace at its limit is ended, and does not drag the machine into swapping.
        memory_swap: memory,
        pids_limit: limits.pids,
        ..Default::default()
    }
}

/// As a mount rather than a bind: for a source that is missing the engine then fails, instead of making a directory.
fn mount(mount: &desired::Mount) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(mount.source.to_string_lossy().into_owned()),
        target: Some(mount.target.to_string_lossy().into_owned()),
        read_only: Some(mount.read_only),
        ..Default::default()
    }
}

fn endpoints(container: &Container) -> Option<NetworkingConfig> {
    match &container.network {
        Attachment::Host => None,
        Attachment::Bridge { network, address } => Some(NetworkingConfig {
            endpoints_config: Some(HashMap::from([(
                network.clone(),
                EndpointSettings {
                    ipam_config: Some(EndpointIpamConfig {
                        ipv4_address: Some(address.to_string()),
                        ..Default::default()
                    }),
                    ..Default::default()
                },
            )])),
        }),
    }
}
