//! RabbitMQ with its management page, in host network mode: real client addresses, no port of docker's that would go round the
//! machine's packet filter.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::RangeInclusive;

use serde::Serialize;

use super::super::desired::{
    Attachment, Capabilities, Component, Container, Content, Desired, Directory, File, Image,
    Limits, Mount, Probe, Question, Scheme, digest,
};
use super::super::{Input, naming, plain, read_only};
use crate::render::RenderError;
use crate::secrets::Secret;

/// Its configuration, relative to the root; it stands in for the image's `/etc/rabbitmq/conf.d`, and the server reads what ends in
/// `.conf` there (RabbitMQ, "Configuration", on conf.d).
const CONFIG: &str = "config/rabbitmq";

/// Its data, relative to the root.
const DATA: &str = "data/rabbitmq";

/// Who it runs as: `rabbitmq` in the official image, which takes any user.
const OWNER: (u32, u32) = (999, 999);

/// The administrator's name.
pub const ADMINISTRATOR: &str = "dtaas";

/// Seconds until it counts as failed: the first start makes its database.
const DEADLINE: u64 = 180;

#[derive(Serialize)]
struct Context<'a> {
    port: u16,
    management_port: u16,
    user: &'static str,
    password: &'a str,
}

/// Adds the container, its files and directories.
pub fn add(input: &Input<'_>, desired: &mut Desired) -> Result<(), RenderError> {
    let settings = &input.spec.rabbitmq;
    let configuration = input.templates.render(
        "services/rabbitmq.conf",
        &Context {
            port: settings.port,
            management_port: settings.management_port,
            user: ADMINISTRATOR,
            password: input.secrets.rabbitmq.expose(),
        },
    )?;
    let closed = |path: &str| Directory {
        mode: 0o700,
        owner: Some(OWNER),
        enforce: true,
        ..Directory::plain(path)
    };
    desired.directories.extend([closed(CONFIG), closed(DATA)]);
    let image = input.image(&settings.image);
    desired.images.push(Image::Pull {
        reference: image.clone(),
    });
    desired
        .containers
        .push(container(input, image, digest([configuration.as_str()])));
    let own = |file: File| File {
        owner: Some(OWNER),
        ..file
    };
    let mut configuration = plain(format!("{CONFIG}/10-dtaas.conf"), 0o400, configuration);
    configuration.content = Content::Secret(Secret::new(configuration.content.expose()));
    desired.files.push(own(configuration));
    desired.files.push(own(plain(
        format!("{CONFIG}/enabled_plugins"),
        0o400,
        "[rabbitmq_management].\n".to_owned(),
    )));
    Ok(())
}

fn container(input: &Input<'_>, image: String, config_digest: String) -> Container {
    let settings = &input.spec.rabbitmq;
    let everywhere = |port| SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port);
    let here = |port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    let environment = [
        // Its data is filed under this name, which must stay the same, and resolve.
        ("RABBITMQ_NODENAME", naming::node(&input.spec.name)),
        // One node alone: nobody else has to do with these ports (RabbitMQ, "Networking").
        ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
        (
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            "-kernel inet_dist_use_interface {127,0,0,1}".to_owned(),
        ),
        (
            "RABBITMQ_ENABLED_PLUGINS_FILE",
            "/etc/rabbitmq/conf.d/enabled_plugins".to_owned(),
        ),
        ("HOME", "/var/lib/rabbitmq".to_owned()),
    ];
    Container {
        name: naming::container(&input.spec.name, Component::RabbitMq, None),
        component: Component::RabbitMq,
        user: None,
        image,
        command: Vec::new(),
        environment: environment
            .into_iter()
            .map(|(key, value)| (key.to_owned(), Secret::new(value)))
            .collect::<BTreeMap<_, _>>(),
        mounts: vec![
            read_only(input, CONFIG, "/etc/rabbitmq/conf.d"),
            Mount {
                source: input.root.join(DATA),
                target: "/var/lib/rabbitmq".into(),
                read_only: false,
            },
        ],
        network: Attachment::Host,
        listens: vec![
            everywhere(settings.port),
            everywhere(settings.management_port),
        ],
        run_as: Some(format!("{}:{}", OWNER.0, OWNER.1)),
        read_only: false,
        capabilities: Capabilities::Only(Vec::new()),
        shm: None,
        limits: Limits::default(),
        config_digest: Some(config_digest),
        precious: false,
        running: true,
        ready: Some(Probe {
            questions: vec![
                Question::amqp(here(settings.port)),
                Question {
                    scheme: Scheme::Http,
                    address: here(settings.management_port),
                    host: None,
                    path: "/".to_owned(),
                    wanted: vec![RangeInclusive::new(200, 399)],
                    certificate: None,
                },
            ],
            deadline_seconds: DEADLINE,
        }),
    }
}
