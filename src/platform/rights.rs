//! How many rights a container has, in the words of the engine and of compose.

use super::desired::{Capabilities, Component};

impl Capabilities {
    /// What is taken away of docker's defaults, and what is given back then (docs.docker.com, "Runtime privilege and Linux capabilities").
    pub fn dropped_and_added(&self) -> (Vec<String>, Vec<String>) {
        match self {
            Capabilities::Only(kept) => (vec!["ALL".to_owned()], kept.clone()),
            Capabilities::DefaultsWithout(dropped) => (dropped.clone(), Vec::new()),
        }
    }
}

impl Component {
    /// What its containers run with besides: none gains rights, but in workspaces, where users may use `sudo`.
    pub fn security_options(self) -> Vec<String> {
        match self {
            Component::Workspace => Vec::new(),
            Component::Gateway
            | Component::Auth
            | Component::Website
            | Component::Library
            | Component::RabbitMq
            | Component::Mosquitto
            | Component::InfluxDb
            | Component::Grafana
            | Component::Custom => vec!["no-new-privileges".to_owned()],
        }
    }
}
