//! The services that digital twins use to talk to their physical twins.

pub mod rabbitmq;

use super::Input;
use super::desired::Component;

/// Ports of the services on the same machine as the workspaces, which may reach them there.
pub fn ports(input: &Input<'_>) -> Vec<u16> {
    match input.placed.contains(&Component::RabbitMq) {
        false => Vec::new(),
        true => vec![
            input.spec.rabbitmq.port,
            input.spec.rabbitmq.management_port,
        ],
    }
}
