//! A user's workspace: a network of its own, a container at a fixed address, a route, the folders that are mounted.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use super::desired::{
    Attachment, Capabilities, Component, Container, Desired, File, Image, LimitKey, Limits, Mount,
    Network, Probe, Question, Scheme,
};
use super::naming::WORKSPACE_PORT;
use super::{COMMON, Input, auth, gateway, naming, of_user, services};
use crate::render::RenderError;
use crate::secrets::Secret;
use crate::spec::model::{Group, User, WorkspaceLimits};
use crate::spec::names::UserName;

/// Seconds until a workspace counts as failed: ml-workspace starts a desktop, and 20 of them at once share the processors.
const DEADLINE: u64 = 300;

/// Adds everything of a user who is in the spec.
pub fn add(input: &Input<'_>, name: &UserName, desired: &mut Desired) -> Result<(), RenderError> {
    let Some(user) = input.spec.users.get(name) else {
        return Ok(());
    };
    // The spec was validated: the slot lies in the pool.
    let Some(subnet) = input.spec.subnet(user.slot) else {
        return Ok(());
    };
    let host = Ipv4Addr::from(u32::from(subnet.network()) + 1);
    let address = SocketAddrV4::new(Ipv4Addr::from(u32::from(host) + 1), WORKSPACE_PORT);
    let network = Network {
        name: naming::network(&input.spec.name, name),
        bridge: naming::bridge(&input.spec.name, user.slot),
        subnet,
        gateway: host,
        user: name.clone(),
    };
    let container = container(input, name, user, &network, address);
    let image = Image::Pull {
        reference: container.image.clone(),
    };
    if !desired.images.contains(&image) {
        desired.images.push(image);
    }
    let route = gateway::user(input, name, address)?.map(|file| File {
        leads_to: Some(container.name.clone()),
        ..file
    });
    let own = [
        user.limits.cpus.map(|_| LimitKey::Cpus),
        user.limits.memory.map(|_| LimitKey::Memory),
    ];
    desired
        .own_limits
        .insert(name.clone(), own.into_iter().flatten().collect());
    desired.networks.push(network);
    desired.containers.push(container);
    services::users::add(input, name, desired)?;
    if user.enabled {
        let files = route
            .into_iter()
            .chain([auth::user_access(name, user, address)]);
        desired.files.extend(files.map(|file| of_user(file, name)));
    }
    Ok(())
}

fn container(
    input: &Input<'_>,
    name: &UserName,
    user: &User,
    network: &Network,
    address: SocketAddrV4,
) -> Container {
    let workspace = &input.spec.workspace;
    let WorkspaceLimits {
        cpus,
        memory,
        pids,
        shm,
    } = workspace.limits.with(user.limits);
    let base_url = input.spec.base_path.path(name.as_str());
    let mut environment: BTreeMap<String, Secret> = workspace
        .environment
        .iter()
        .map(|(key, value)| (key.clone(), Secret::new(value)))
        .collect();
    environment.extend([
        // The gateway has asked already.
        ("AUTHENTICATE_VIA_JUPYTER".to_owned(), Secret::new("")),
        (
            "WORKSPACE_BASE_URL".to_owned(),
            Secret::new(base_url.trim_start_matches('/')),
        ),
        ("VNC_PW".to_owned(), input.secrets.vnc_password.clone()),
    ]);
    let library = input.library_root();
    let mut mounts = vec![
        Mount {
            source: library.join(name.as_str()),
            target: "/workspace".into(),
            read_only: false,
        },
        Mount {
            source: library.join(COMMON),
            target: "/workspace/common".into(),
            read_only: !user.groups.contains(&Group::Publishers),
        },
    ];
    mounts.extend(workspace.mounts.iter().map(|extra| Mount {
        source: extra.source.clone(),
        target: extra.target.clone(),
        read_only: extra.read_only,
    }));
    mounts.extend(services::users::mounts(input, name));
    Container {
        name: naming::container(&input.spec.name, Component::Workspace, Some(name)),
        component: Component::Workspace,
        user: Some(name.clone()),
        image: input.image(user.image.as_ref().unwrap_or(&workspace.image)),
        command: Vec::new(),
        environment,
        mounts,
        network: Attachment::Bridge {
            network: network.name.clone(),
            address: *address.ip(),
        },
        hosts: services::users::hosts(input, network.gateway),
        listens: Vec::new(),
        run_as: Some(String::from(workspace.user)),
        read_only: false,
        // Users install software with sudo and apt; frames of their own making and device files are not part of that.
        capabilities: Capabilities::DefaultsWithout(["NET_RAW", "MKNOD"].map(str::to_owned).into()),
        shm: Some(shm),
        limits: Limits { cpus, memory, pids },
        config_digest: None,
        precious: true,
        running: user.enabled,
        ready: user.enabled.then(|| Probe {
            questions: vec![Question {
                scheme: Scheme::Http,
                address,
                host: None,
                path: format!("{base_url}/"),
                // A 404 is some other workspace, or this one under another path.
                wanted: vec![200..=399, 401..=401, 403..=403],
                certificate: None,
                authority: None,
            }],
            deadline_seconds: DEADLINE,
        }),
    }
}
