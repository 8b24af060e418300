//! The services' settings.

use super::default;
use super::image::image;
use crate::spec::document::Section;
use crate::spec::model::{Limit, Ports};
use crate::spec::quantity::{Bytes, Cpus};
use crate::spec::services::{Grafana, InfluxDb, Mosquitto, RabbitMq, ServiceLimits};

pub(super) const FORM: &str = "write a port from 1 to 65535";

/// The ports that are given already, by the keys that give them. Each has its own on any machine: they may all be on one.
pub(super) struct Given(Vec<(String, u16)>);

impl Given {
    pub(super) fn new(ports: Ports) -> Self {
        let all = [
            ("http", ports.http),
            ("https", ports.https),
            ("auth", ports.auth),
            ("website", ports.website),
            ("library", ports.library),
        ];
        Self(
            all.into_iter()
                .map(|(key, port)| (format!("ports.{key}"), port))
                .collect(),
        )
    }

    pub(super) fn add(&mut self, section: &Section<'_>, service: &str, key: &str, port: u16) {
        let other = self.0.iter().find(|(_, number)| *number == port);
        if port == 0 {
            section.problem(key, "0 is not a port", FORM);
        } else if let Some((other, _)) = other {
            let reason = format!("{other} is {port} as well");
            section.problem(key, reason, "give each its own");
        }
        self.0.push((format!("{service}.{key}"), port));
    }

    fn port(
        &mut self,
        section: &mut Section<'_>,
        service: &str,
        key: &'static str,
        usual: u16,
    ) -> u16 {
        let port = section.get(key, FORM).unwrap_or(usual);
        self.add(section, service, key, port);
        port
    }

    fn plain_port(&mut self, section: &mut Section<'_>, service: &str) -> Option<u16> {
        const KEY: &str = "plain_port";
        let port = section.get::<Limit<u16>>(KEY, "write a port from 1 to 65535, or none")?;
        let port = port.most()?;
        self.add(section, service, KEY, port);
        Some(port)
    }
}

/// Reads `rabbitmq`.
pub(super) fn rabbitmq(mut section: Section<'_>, given: &mut Given) -> RabbitMq {
    let read = RabbitMq {
        image: image(&mut section).unwrap_or_else(|| default::RABBITMQ_IMAGE.to_owned()),
        port: given.port(&mut section, "rabbitmq", "port", default::RABBITMQ),
        plain_port: given.plain_port(&mut section, "rabbitmq"),
        management_port: given.port(
            &mut section,
            "rabbitmq",
            "management_port",
            default::RABBITMQ_MANAGEMENT,
        ),
        limits: limits(section.section("limits"), default::RABBITMQ_MEMORY),
    };
    section.finish();
    read
}

/// Reads `mosquitto`.
pub(super) fn mosquitto(mut section: Section<'_>, given: &mut Given) -> Mosquitto {
    let read = Mosquitto {
        image: image(&mut section).unwrap_or_else(|| default::MOSQUITTO_IMAGE.to_owned()),
        port: given.port(&mut section, "mosquitto", "port", default::MOSQUITTO),
        plain_port: given.plain_port(&mut section, "mosquitto"),
        limits: limits(section.section("limits"), default::MOSQUITTO_MEMORY),
    };
    section.finish();
    read
}

/// Reads `influxdb`.
pub(super) fn influxdb(mut section: Section<'_>, given: &mut Given) -> InfluxDb {
    let read = InfluxDb {
        image: image(&mut section).unwrap_or_else(|| default::INFLUXDB_IMAGE.to_owned()),
        port: given.port(&mut section, "influxdb", "port", default::INFLUXDB),
        limits: limits(section.section("limits"), default::INFLUXDB_MEMORY),
    };
    section.finish();
    read
}

/// Reads `grafana`.
pub(super) fn grafana(mut section: Section<'_>, given: &mut Given) -> Grafana {
    let read = Grafana {
        image: image(&mut section).unwrap_or_else(|| default::GRAFANA_IMAGE.to_owned()),
        port: given.port(&mut section, "grafana", "port", default::GRAFANA),
        limits: limits(section.section("limits"), default::GRAFANA_MEMORY),
    };
    section.finish();
    read
}

pub(super) fn limits(mut section: Section<'_>, memory: &str) -> ServiceLimits {
    let cpus: Option<Limit<Cpus>> = section.get("cpus", "write a number such as 2, or none");
    let given: Option<Limit<Bytes>> = section.get("memory", "write an amount such as 2g, or none");
    section.finish();
    ServiceLimits {
        cpus: cpus.and_then(Limit::most),
        memory: given.map_or_else(|| memory.parse().ok(), Limit::most),
    }
}
