//! The services that digital twins use: their settings, wherever the profile places them.

use super::quantity::{Bytes, Cpus};

/// RabbitMQ's settings.
#[derive(Debug, Clone, PartialEq)]
pub struct RabbitMq {
    /// Its image, without the prefix.
    pub image: String,
    /// AMQP by TLS, on all addresses of its machine.
    pub port: u16,
    /// AMQP in the clear, on all addresses of its machine; `None` is nowhere.
    pub plain_port: Option<u16>,
    /// The management page and API by TLS, on all addresses of its machine.
    pub management_port: u16,
    /// What it may take of its machine.
    pub limits: ServiceLimits,
}

/// Mosquitto's settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Mosquitto {
    /// Its image, without the prefix.
    pub image: String,
    /// MQTT by TLS, on all addresses of its machine.
    pub port: u16,
    /// MQTT in the clear, on all addresses of its machine; `None` is nowhere.
    pub plain_port: Option<u16>,
    /// What it may take of its machine.
    pub limits: ServiceLimits,
}

/// InfluxDB's settings.
#[derive(Debug, Clone, PartialEq)]
pub struct InfluxDb {
    /// Its image, without the prefix.
    pub image: String,
    /// Its page and API by TLS, on all addresses of its machine; it has no port besides.
    pub port: u16,
    /// What it may take of its machine.
    pub limits: ServiceLimits,
}

/// Grafana's settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Grafana {
    /// Its image, without the prefix.
    pub image: String,
    /// Its page and API by TLS, on all addresses of its machine; the gateway has it as well, at `/vis`.
    pub port: u16,
    /// What it may take of its machine.
    pub limits: ServiceLimits,
}

/// What a service may take of its machine; `None` is without a limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ServiceLimits {
    /// Processors.
    pub cpus: Option<Cpus>,
    /// Memory.
    pub memory: Option<Bytes>,
}
