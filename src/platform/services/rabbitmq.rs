//! RabbitMQ with its management page, in host network mode: real client addresses, no port of docker's that would go round the
//! machine's packet filter.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::super::accounts::{Accounts, Way};
use super::super::desired::{
    Attachment, Capabilities, Component, Container, Desired, Image, Mount, Probe, Question, Scheme,
    digest,
};
use super::super::{Input, naming, plain, read_only, secret};
use super::{certificate, closed, endpoint, limits, own, users_accounts};
use crate::render::RenderError;
use crate::secrets::Secret;

/// Its configuration, relative to the root; it stands in for the image's `/etc/rabbitmq/conf.d`, and the server reads what ends in
/// `.conf` there (RabbitMQ, "Configuration", on conf.d).
const CONFIG: &str = "config/rabbitmq";

/// Its data, relative to the root.
pub(super) const DATA: &str = "data/rabbitmq";

/// Who it runs as: `rabbitmq` in the official image, which takes any user.
const OWNER: (u32, u32) = (999, 999);

/// The administrator's name: one that no user can have ([`RESERVED`](crate::spec::names::RESERVED)).
pub const ADMINISTRATOR: &str = "_dtaas";

/// Seconds until it counts as failed: the first start makes its database.
const DEADLINE: u64 = 180;

#[derive(Serialize)]
struct Context {
    port: u16,
    plain_port: Option<u16>,
    management_port: u16,
}

/// Adds the container, its files and directories, and users' accounts.
pub fn add(input: &Input<'_>, desired: &mut Desired) -> Result<(), RenderError> {
    let settings = &input.spec.rabbitmq;
    let configuration = input.templates.render(
        "services/rabbitmq.conf",
        &Context {
            port: settings.port,
            plain_port: settings.plain_port,
            management_port: settings.management_port,
        },
    )?;
    let definitions = definitions(&input.secrets.rabbitmq);
    desired
        .directories
        .extend([CONFIG, DATA].map(|path| closed(path, OWNER)));
    let image = input.image(&settings.image);
    desired.images.push(Image::Pull {
        reference: image.clone(),
    });
    desired.containers.push(container(
        input,
        image,
        digest([configuration.as_str(), &definitions]),
    ));
    let files = [
        plain(format!("{CONFIG}/10-dtaas.conf"), 0o400, configuration),
        secret(format!("{CONFIG}/definitions.json"), definitions),
        plain(
            format!("{CONFIG}/enabled_plugins"),
            0o400,
            "[rabbitmq_management].\n".to_owned(),
        ),
    ];
    desired.files.extend(files.map(|file| own(OWNER, file)));
    desired.files.extend(certificate(input, CONFIG, OWNER));
    desired.accounts.extend(accounts(input));
    Ok(())
}

/// What it takes over whenever it starts (RabbitMQ, "Schema Definition Export and Import", on import at boot): so the administrator is who
/// we say, also where somebody changed that, and no guest is made.
fn definitions(password: &Secret) -> String {
    let definitions = json!({
        "users": [{
            "name": ADMINISTRATOR,
            "password_hash": password_hash(password.expose(), salt(password)),
            "hashing_algorithm": HASHING,
            "tags": "administrator",
        }],
        "vhosts": [{ "name": "/" }],
        "permissions": [{
            "user": ADMINISTRATOR, "vhost": "/", "configure": ".*", "write": ".*", "read": ".*",
        }],
    });
    format!("{definitions:#}\n")
}

/// How passwords are hashed: RabbitMQ, "Passwords", on this algorithm.
pub const HASHING: &str = "rabbit_password_hashing_sha256";

/// The hash of a password: base64 of four bytes of salt, and the SHA-256 of them and the password.
pub fn password_hash(password: &str, salt: [u8; 4]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(salt);
    hasher.update(password);
    STANDARD.encode([salt.as_slice(), &hasher.finalize()].concat())
}

/// Always the same for a password, so that what is rendered is the same as well. These passwords are long and random: nobody has a table
/// of them.
fn salt(password: &Secret) -> [u8; 4] {
    let digest = Sha256::digest(password.derived("salt").expose());
    [digest[0], digest[1], digest[2], digest[3]]
}

/// Users' accounts, each with a virtual host of its own.
pub(super) fn accounts(input: &Input<'_>) -> Option<Accounts> {
    let settings = &input.spec.rabbitmq;
    Some(Accounts {
        container: naming::container(&input.spec.name, Component::RabbitMq, None),
        ready: ready(input)?,
        way: Way::RabbitMq(endpoint(
            input,
            settings.management_port,
            ADMINISTRATOR,
            &input.secrets.rabbitmq,
        )),
        users: users_accounts(input, Component::RabbitMq.as_str()),
    })
}

/// `None` where there is no certificate: then nothing of it is rendered to be run.
fn ready(input: &Input<'_>) -> Option<Probe> {
    let settings = &input.spec.rabbitmq;
    let (_, host) = input.services.certificate.as_ref()?;
    let here = |port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    let broker = Question::broker(
        Scheme::Amqps,
        here(settings.port),
        host,
        &input.services.authority,
    );
    let management = Question {
        scheme: Scheme::Https,
        address: here(settings.management_port),
        host: Some(host.clone()),
        path: "/".to_owned(),
        wanted: vec![RangeInclusive::new(200, 399)],
        certificate: None,
        authority: None,
    };
    Some(Probe {
        questions: vec![broker, management],
        deadline_seconds: DEADLINE,
    })
}

fn container(input: &Input<'_>, image: String, config_digest: String) -> Container {
    let settings = &input.spec.rabbitmq;
    let everywhere = |port| SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port);
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
    let ports = [settings.port, settings.management_port];
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
        hosts: BTreeMap::new(),
        listens: ports
            .into_iter()
            .chain(settings.plain_port)
            .map(everywhere)
            .collect(),
        run_as: Some(format!("{}:{}", OWNER.0, OWNER.1)),
        read_only: false,
        capabilities: Capabilities::Only(Vec::new()),
        shm: None,
        limits: limits(settings.limits),
        config_digest: Some(config_digest),
        precious: false,
        running: true,
        ready: ready(input),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_user_is_the_administrator() {
        assert!(
            ADMINISTRATOR
                .parse::<crate::spec::names::UserName>()
                .is_err()
        );
    }

    #[test]
    fn a_password_is_hashed_as_rabbitmq_does() {
        // The example of RabbitMQ's page "Passwords": test12, salt 908D C60A.
        assert_eq!(
            password_hash("test12", [0x90, 0x8d, 0xc6, 0x0a]),
            "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"
        );
    }
}
