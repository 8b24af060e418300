//! What is written beside the project for whoever runs it: how, and what compose does not do.

use super::source::{DATA, LIBRARY, Place};
use super::{IMAGE, firewall, mounted};
use crate::platform::accounts::Way;
use crate::platform::desired::{Desired, Firewall};

/// What compose does not do, in a line each, as the command says it as well.
pub fn left_out(desired: &Desired) -> Vec<String> {
    let mut all = Vec::new();
    if desired.firewall.is_some() {
        all.push(format!(
            "The packet filter: without the rules in {} users' programs reach every port of this machine.",
            firewall::FILE
        ));
    }
    for accounts in &desired.accounts {
        let service = match &accounts.way {
            Way::RabbitMq(_) => "RabbitMQ",
            Way::InfluxDb(_) => "InfluxDB",
            Way::Grafana { .. } => "Grafana",
            Way::PostgreSql { .. } => "PostgreSQL",
        };
        all.push(format!(
            "Users' accounts at {service}: those that `dtaas up` made are in its data, and nobody makes others."
        ));
    }
    all.push("Users who come, go or change: an entry in auth/, a file in config/auth/ and one in config/gateway/dynamic/ are a user's, and a service in compose.yaml.".to_owned());
    all.push("Waiting until all of it answers, and the certificate's renewal.".to_owned());
    all
}

/// The text of `README.md`.
pub fn text(desired: &Desired) -> String {
    let name = &desired.deployment;
    let places = mounted(desired);
    let variables: Vec<String> = [
        (Place::Library, LIBRARY, "users' files"),
        (Place::Data, DATA, "the services' data"),
    ]
    .into_iter()
    .filter(|(place, _, _)| places.contains(place))
    .map(|(_, variable, what)| format!("- `{variable}`: {what}\n"))
    .collect();
    let left_out: Vec<String> = left_out(desired)
        .iter()
        .map(|line| format!("- {line}\n"))
        .collect();
    let disabled = match desired.containers.iter().all(|one| one.running) {
        true => "",
        false => {
            "Workspaces of disabled users are in the profile `disabled`, which is not started.\n\n"
        }
    };
    let firewall = desired.firewall.as_ref().map_or_else(String::new, rules);
    format!(
        "# {name} for docker compose\n\n\
         The platform {name} as `dtaas export compose` wrote it down, for docker compose 2. It has secrets in it: keep the directory to root.\n\n\
         ## Start and stop\n\n\
         The same platform of `dtaas up` must not run at the same time: `dtaas down` first, which leaves files and data where they are.\n\n\
         {firewall}\
         As root, in this directory:\n\n    \
         docker compose up -d\n    \
         docker compose stop\n    \
         docker compose start\n\n\
         `docker compose down` removes the workspaces' containers as well, with all that users installed in them; so does `dtaas down`. \
         `dtaas down --purge` deletes users' files and the data that this project uses: move them first.\n\n\
         {disabled}\
         The directory {IMAGE} has the program `dtaas`, of which compose makes the image of the sign-in, the website and the library.\n\n\
         ## What lies elsewhere\n\n\
         These stay where the deployment has them; `.env` says where that is:\n\n{variables}\n\
         For another machine copy this directory and those (`rsync -aH --numeric-ids`), and write the new places into `.env`.\n\
         It takes Linux on x86_64; with fewer processors than a `cpus` in compose.yaml the engine refuses, so lower that.\n\n\
         ## What compose does not do\n\n{left_out}\n\
         Passwords that users change, sessions and what they share are kept here, in auth/, sessions/ and shares/, and not in the deployment.\n",
        variables = variables.concat(),
        left_out = left_out.concat(),
    )
}

/// How the packet filter's rules are set, and how they are taken away.
fn rules(wanted: &Firewall) -> String {
    let (prefix, chain) = (&wanted.bridge_prefix, &wanted.chain);
    let gone: Vec<String> = ["iptables", "ip6tables"]
        .iter()
        .map(|program| {
            format!(
                "    {program} -t mangle -D PREROUTING -i {prefix}+ -j {chain}\n    \
                 {program} -t mangle -F {chain}\n    \
                 {program} -t mangle -X {chain}\n"
            )
        })
        .collect();
    format!(
        "Before the first start, and after each of the machine's own, set the packet filter's rules. Docker starts workspaces by itself when \
         the machine has started: until the rules are there, what runs in them reaches the machine's other ports and each other. Have \
         systemd set them before (a unit of Type=oneshot with Before=docker.service and these two lines as ExecStart=, with whole paths), \
         or keep docker from starting by itself (systemctl disable docker docker.socket).\n\n    \
         iptables-restore -w --noflush < {}\n    \
         ip6tables-restore -w --noflush < {}\n\n\
         They are gone with\n\n{}\n",
        firewall::FILE,
        firewall::FILE_V6,
        gone.concat()
    )
}
