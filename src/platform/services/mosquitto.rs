//! Mosquitto, the MQTT broker, in host network mode. Its users stand in a file, which it reads anew when it is told to.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use sha2::Sha512;

use super::super::desired::{
    Attachment, Capabilities, Component, Container, Desired, File, Image, Mount, Probe, Question,
    Scheme, digest, sha256,
};
use super::super::{Input, naming, plain, read_only, secret};
use super::{certificate, closed, limits, own};
use crate::render::RenderError;
use crate::secrets::Secret;

/// Its configuration, relative to the root; the official image looks for it at `/mosquitto/config`.
const CONFIG: &str = "config/mosquitto";

/// Its data, relative to the root.
pub(super) const DATA: &str = "data/mosquitto";

/// Who it runs as: `mosquitto` in the official image.
const OWNER: (u32, u32) = (1883, 1883);

/// Seconds until it counts as failed.
const DEADLINE: u64 = 60;

/// How often a password is hashed: `mosquitto_passwd`'s own number. These passwords are long and random.
const ITERATIONS: u32 = 101;

#[derive(Serialize)]
struct Context {
    port: u16,
    plain_port: Option<u16>,
}

/// Adds the container, its files and directories, and its users.
pub fn add(input: &Input<'_>, desired: &mut Desired) -> Result<(), RenderError> {
    let settings = &input.spec.mosquitto;
    let configuration = input.templates.render(
        "services/mosquitto.conf",
        &Context {
            port: settings.port,
            plain_port: settings.plain_port,
        },
    )?;
    desired
        .directories
        .extend([CONFIG, DATA].map(|path| closed(path, OWNER)));
    let image = input.image(&settings.image);
    desired.images.push(Image::Pull {
        reference: image.clone(),
    });
    let config_digest = digest([configuration.as_str(), ACCESS]);
    desired
        .containers
        .push(container(input, image, config_digest));
    let files = [
        plain(format!("{CONFIG}/mosquitto.conf"), 0o400, configuration),
        plain(format!("{CONFIG}/access"), 0o400, ACCESS.to_owned()),
    ];
    desired.files.extend(files.map(|file| own(OWNER, file)));
    add_users(input, desired);
    Ok(())
}

/// What each user may do: read and write below a topic of their own name (mosquitto.conf(5), on patterns in `acl_file`).
const ACCESS: &str = "# Made by dtaas; changes are overwritten.\npattern readwrite %u/#\n";

/// Adds what it reads anew while it runs, and what makes it do so: users, and its certificate.
pub(super) fn add_users(input: &Input<'_>, desired: &mut Desired) {
    let open = input.spec.users.iter().filter(|(_, user)| user.enabled);
    let lines: String = open
        .filter_map(|(name, _)| {
            let password = input
                .services
                .password(name, Component::Mosquitto.as_str())?;
            Some(format!("{name}:{}\n", password_hash(&password)))
        })
        .collect();
    let mut files = vec![own(OWNER, secret(format!("{CONFIG}/users"), lines))];
    files.extend(certificate(input, CONFIG, OWNER));
    let contents: Vec<&str> = files.iter().map(|file| file.content.expose()).collect();
    // Written when it was told: a run that is killed before that is done again.
    let read = plain(
        format!("{CONFIG}/read"),
        0o400,
        sha256(digest(contents)) + "\n",
    );
    files.push(File {
        reloads: Some(name(input)),
        ..read
    });
    desired.files.extend(files);
}

/// A line of its password file (mosquitto_passwd(1)): PBKDF2 with HMAC-SHA512. The salt is always the same for a password, so that what is
/// rendered is the same as well.
fn password_hash(password: &Secret) -> String {
    let salt = password.derived("salt");
    let salt = &salt.expose().as_bytes()[..12];
    let mut hash = [0; 64];
    pbkdf2::pbkdf2_hmac::<Sha512>(password.expose().as_bytes(), salt, ITERATIONS, &mut hash);
    format!(
        "$7${ITERATIONS}${}${}",
        STANDARD.encode(salt),
        STANDARD.encode(hash)
    )
}

fn name(input: &Input<'_>) -> String {
    naming::container(&input.spec.name, Component::Mosquitto, None)
}

fn container(input: &Input<'_>, image: String, config_digest: String) -> Container {
    let settings = &input.spec.mosquitto;
    let everywhere = |port| SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port);
    let certificate = input.services.certificate.as_ref();
    let ready = certificate.map(|(_, host)| Probe {
        questions: vec![Question::broker(
            Scheme::Mqtts,
            SocketAddrV4::new(Ipv4Addr::LOCALHOST, settings.port),
            host,
            &input.services.authority,
        )],
        deadline_seconds: DEADLINE,
    });
    Container {
        name: name(input),
        component: Component::Mosquitto,
        user: None,
        image,
        command: Vec::new(),
        environment: BTreeMap::new(),
        mounts: vec![
            read_only(input, CONFIG, "/mosquitto/config"),
            Mount {
                source: input.root.join(DATA),
                target: "/mosquitto/data".into(),
                read_only: false,
            },
        ],
        network: Attachment::Host,
        hosts: BTreeMap::new(),
        listens: [settings.port]
            .into_iter()
            .chain(settings.plain_port)
            .map(everywhere)
            .collect(),
        run_as: Some(format!("{}:{}", OWNER.0, OWNER.1)),
        read_only: true,
        capabilities: Capabilities::Only(Vec::new()),
        shm: None,
        limits: limits(settings.limits),
        config_digest: Some(config_digest),
        precious: false,
        running: true,
        ready,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_hashed_as_mosquitto_does() {
        // python3: hashlib.pbkdf2_hmac('sha512', b'secret', salt, 101), where salt are the first twelve letters of
        // hmac.new(b'secret', b'salt', 'sha256').hexdigest()
        assert_eq!(
            password_hash(&Secret::new("secret")),
            "$7$101$ODY4NTcxNWY2ZDc3$rJZzS67oWGUWGJ+lKMq1lZoiI54AOoXeWualKSQKSlTc+co3wjdmk860opp1X94Adw9EUZ5DRgblzYLLx3FaTw=="
        );
    }
}
