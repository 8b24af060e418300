//! The services' settings.

use super::default;
use super::image::image;
use crate::spec::document::Section;
use crate::spec::model::{Ports, RabbitMq};

/// Reads `rabbitmq`. Its ports are its own on any machine: the gateway's may be on the same.
pub(super) fn rabbitmq(mut section: Section<'_>, ports: Ports) -> RabbitMq {
    const FORM: &str = "write a port from 1 to 65535";
    let image = image(&mut section).unwrap_or_else(|| default::RABBITMQ_IMAGE.to_owned());
    let mut port = |key, default| {
        let port: u16 = section.get(key, FORM).unwrap_or(default);
        let other = [
            ("http", ports.http),
            ("https", ports.https),
            ("auth", ports.auth),
            ("website", ports.website),
            ("library", ports.library),
        ];
        if port == 0 {
            section.problem(key, "0 is not a port", FORM);
        } else if let Some((other, _)) = other.iter().find(|(_, number)| *number == port) {
            let reason = format!("ports.{other} is {port} as well");
            section.problem(key, reason, "give each its own");
        }
        port
    };
    let broker = port("port", default::RABBITMQ);
    let management = port("management_port", default::RABBITMQ_MANAGEMENT);
    if broker == management {
        section.problem(
            "management_port",
            format!("rabbitmq.port is {broker} as well"),
            "give each its own",
        );
    }
    section.finish();
    RabbitMq {
        image,
        port: broker,
        management_port: management,
    }
}
