//! The profile's machines, as the spec describes them.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::image::is_image;
use crate::spec::document::Section;
use crate::spec::machine::{Kind, Machine, Ssh, Vagrant};
use crate::spec::quantity::Bytes;

/// Reads `machines`; whether the profile has these machines is not known here.
pub(super) fn machines(mut section: Section<'_>) -> BTreeMap<String, Machine> {
    section
        .named_sections()
        .into_iter()
        .map(|(name, machine)| (name, read(machine)))
        .collect()
}

fn read(mut section: Section<'_>) -> Machine {
    let machine = Machine {
        kind: section.get::<Kind>("kind", "write local, ssh or vagrant"),
        root: root(&mut section),
        key: section.get("key", "write the path of a private key"),
        hostname: word(
            &mut section,
            "hostname",
            "write a host name, such as services.foo.com",
            is_host,
        ),
        ssh: ssh(&mut section),
        vagrant: vagrant(&mut section),
    };
    section.finish();
    machine
}

/// Where a tree may lie: a directory of its own, for `down --purge` removes it.
fn root(section: &mut Section<'_>) -> Option<PathBuf> {
    const FORM: &str =
        "write a directory of its own with at least two parts, such as /opt/dtaas/foo.com";
    let root: PathBuf = section.get("root", FORM)?;
    let parts: Vec<Component> = root.components().collect();
    let plain = parts
        .iter()
        .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    if !root.is_absolute() || !plain || parts.len() < 3 || has_control(&root) {
        section.problem("root", "this is not a directory of its own", FORM);
    }
    Some(root)
}

fn has_control(path: &Path) -> bool {
    path.to_string_lossy().chars().any(char::is_control)
}

fn ssh(section: &mut Section<'_>) -> Ssh {
    const HOST: &str = "write a host name, an address or an alias of ~/.ssh/config";
    const PORT: &str = "write a port from 1 to 65535";
    let address = word(section, "address", HOST, is_host);
    let port: Option<u16> = section.get("port", PORT);
    if port == Some(0) {
        section.problem("port", "0 is not a port", PORT);
    }
    let user = word(section, "user", "write a login name, such as root", is_word);
    let jump = word(
        section,
        "jump",
        "write user@host:port, several with commas",
        |text| text.split(',').all(is_word),
    );
    Ssh {
        address,
        port,
        user,
        jump,
        known_hosts: section.get("known_hosts", "write the path of a known_hosts file"),
    }
}

fn vagrant(section: &mut Section<'_>) -> Vagrant {
    let image = section.get::<String>("image", "write name:tag");
    if image.as_deref().is_some_and(|image| !is_image(image)) {
        section.problem("image", "this is not an image's name", "write name:tag");
    }
    let memory: Option<Bytes> = section.get("memory", "write an amount such as 16g");
    let cpus: Option<u32> = section.get("cpus", "write a whole number, such as 8");
    if cpus == Some(0) {
        section.problem(
            "cpus",
            "a machine has one at least",
            "write a whole number, such as 8",
        );
    }
    Vagrant {
        mac: word(
            section,
            "mac",
            "write a MAC address, such as 08:00:27:12:34:56",
            |text| {
                text.bytes().filter(u8::is_ascii_hexdigit).count() == 12
                    && text
                        .bytes()
                        .all(|c| c.is_ascii_hexdigit() || matches!(c, b':' | b'-'))
            },
        ),
        bridge: word(
            section,
            "bridge",
            "write an interface of this machine, such as eno1",
            |text| !text.is_empty() && !text.chars().any(char::is_control),
        ),
        memory,
        cpus,
        provider: word(section, "provider", "write virtualbox or docker", is_word),
        base: word(section, "box", "write a box's name, such as dtaas", is_word),
        image,
        create_args: section
            .get("create_args", "write a list of arguments of docker create")
            .unwrap_or_default(),
    }
}

/// A text that is as it should be; one that is not is a problem.
fn word(
    section: &mut Section<'_>,
    key: &'static str,
    form: &str,
    good: impl Fn(&str) -> bool,
) -> Option<String> {
    let text: String = section.get(key, form)?;
    if !good(&text) {
        section.problem(key, "this cannot be used", form);
    }
    Some(text)
}

/// One word that no program takes for an option.
fn is_word(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && !text.chars().any(|c| c.is_control() || c.is_whitespace())
}

fn is_host(text: &str) -> bool {
    is_word(text)
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%'))
}
