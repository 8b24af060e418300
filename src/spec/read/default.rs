//! What counts where the spec says nothing. The values stand in the file that `init` writes.

/// Profile.
pub const PROFILE: &str = "single-host";
/// Gateway without TLS.
pub const HTTP: u16 = 80;
/// Gateway with TLS.
pub const HTTPS: u16 = 443;
/// Auth endpoint, on loopback.
pub const AUTH: u16 = 4002;
/// Website, on loopback; v0.2's port.
pub const WEBSITE: u16 = 4000;
/// Library server, on loopback; v0.2's port.
pub const LIBRARY: u16 = 4001;
/// Where the certificate comes from.
pub const TLS: &str = "self-signed";
/// Room for 8,192 workspaces in a corner of 10/8 that docker's own pools do not use.
pub const POOL: &str = "10.213.0.0/16";
/// Where users' files are.
pub const LIBRARY_ROOT: &str = "files";
/// What a folder of the library may come to through the library server.
pub const QUOTA: &str = "none";
/// The largest file that the library server takes: the largest asset that users have.
pub const MAX_UPLOAD: &str = "10g";
/// A current Traefik; v0.2's v2.5 is long out of support.
pub const GATEWAY_IMAGE: &str = "traefik:v3.7.15";
/// The broker that v0.2 runs, with the management page.
pub const RABBITMQ_IMAGE: &str = "rabbitmq:3-management";
/// AMQP's port with TLS.
pub const RABBITMQ: u16 = 5671;
/// RabbitMQ's management page and API; v0.2's port.
pub const RABBITMQ_MANAGEMENT: u16 = 15672;
/// RabbitMQ's memory: it stops taking messages before it has all of it.
pub const RABBITMQ_MEMORY: &str = "2g";
/// A current Mosquitto.
pub const MOSQUITTO_IMAGE: &str = "eclipse-mosquitto:2";
/// MQTT's port with TLS.
pub const MOSQUITTO: u16 = 8883;
/// Mosquitto's memory.
pub const MOSQUITTO_MEMORY: &str = "512m";
/// A current InfluxDB of the second line, which the documentation's clients speak with.
pub const INFLUXDB_IMAGE: &str = "influxdb:2.7";
/// InfluxDB's usual port.
pub const INFLUXDB: u16 = 8086;
/// InfluxDB's memory.
pub const INFLUXDB_MEMORY: &str = "2g";
/// A current Grafana.
pub const GRAFANA_IMAGE: &str = "grafana/grafana:11.6.0";
/// Grafana's usual port.
pub const GRAFANA: u16 = 3000;
/// Grafana's memory.
pub const GRAFANA_MEMORY: &str = "1g";
/// Ports in the clear are nowhere, and processors without a limit, unless the spec says otherwise.
pub const NONE: &str = "none";
/// How often workspaces are looked after.
pub const HEALING: &str = "5m";
/// How often one is restarted at most.
pub const HEALING_AT_MOST: &str = "1h";
/// v0.2's workspace.
pub const WORKSPACE_IMAGE: &str = "mltooling/ml-workspace:0.13.2";
/// ml-workspace's services run as root inside.
pub const WORKSPACE_USER: &str = "0:0";
/// Processors of a workspace.
pub const CPUS: &str = "2";
/// Memory of a workspace.
pub const MEMORY: &str = "4g";
/// Processes and threads of a workspace.
pub const PIDS: i64 = 4096;
/// v0.2's `--shm-size`.
pub const SHM: &str = "512m";
