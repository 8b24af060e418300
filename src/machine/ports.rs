//! Addresses of the host that a container is to listen on: whether they are free, and who holds them if not.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};

use crate::machine::listening::{Listening, listening};
use crate::machine::neighbours::Neighbour;
use crate::machine::observed::{Holder, Taken};
use crate::platform::desired::{Component, Container};

/// How many ports are tried for one that is free.
const TRIED: u16 = 1000;

/// Whether an address can be listened on now; if not, who holds it where that can be told.
///
/// It is tried, by listening for a moment. An address that this machine does not have counts as free here, and so does whatever
/// cannot be tried.
fn held(address: SocketAddrV4) -> Option<Holder> {
    match TcpListener::bind(address) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            Some(holder(address).map_or(Holder::Unknown, Holder::Program))
        }
        Ok(_) | Err(_) => None,
    }
}

/// Whether this machine has an address, as far as listening there goes.
pub fn is_here(address: Ipv4Addr) -> bool {
    !matches!(TcpListener::bind((address, 0)), Err(error) if error.kind() == ErrorKind::AddrNotAvailable)
}

/// The addresses that a container is to listen on and that are taken now, or will be when a neighbour's container runs again; those
/// in `given_up` are free by then. No port in `spoken_for` is suggested, and what is suggested is spoken for.
pub fn taken_from(
    container: &Container,
    given_up: &[SocketAddrV4],
    neighbours: &[Neighbour],
    spoken_for: &mut Vec<SocketAddrV4>,
) -> Vec<Taken> {
    (0..)
        .zip(&container.listens)
        .filter(|(_, address)| !given_up.iter().any(|one| meet(*one, **address)))
        .filter_map(|(nth, address)| {
            let of_neighbour = neighbours.iter().find_map(|neighbour| {
                let listener = neighbour.at(*address)?;
                Some(Holder::Neighbour {
                    whose: format!("the {} of {neighbour}", listener.component),
                    runs: listener.runs,
                })
            });
            Some(Taken {
                address: *address,
                container: container.name.clone(),
                key: key(container.component, nth).to_owned(),
                holder: of_neighbour.or_else(|| held(*address))?,
                free: free(*address, neighbours, spoken_for),
            })
        })
        .collect()
}

/// The key of the spec that the port of a component's nth address comes from.
pub fn key(component: Component, nth: usize) -> &'static str {
    match (component, nth) {
        (Component::Gateway, 0) => "ports.http",
        (Component::Gateway, _) => "ports.https",
        (Component::Auth, _) => "ports.auth",
        (Component::Website, _) => "ports.website",
        (Component::Library, _) => "ports.library",
        (Component::RabbitMq, 0) => "rabbitmq.port",
        (Component::RabbitMq, 1) => "rabbitmq.management_port",
        (Component::RabbitMq, _) => "rabbitmq.plain_port",
        (Component::Mosquitto, 0) => "mosquitto.port",
        (Component::Mosquitto, _) => "mosquitto.plain_port",
        (Component::InfluxDb, _) => "influxdb.port",
        (Component::Grafana, _) => "grafana.port",
        (Component::Custom, _) => "services.custom",
        // Nothing of a workspace listens on the machine.
        (Component::Workspace, _) => "ports",
    }
}

/// A port that is free at the same address: the next one; for the usual ports of the web those that usually stand in for them.
fn free(
    address: SocketAddrV4,
    neighbours: &[Neighbour],
    spoken_for: &mut Vec<SocketAddrV4>,
) -> Option<u16> {
    let begin = match address.port() {
        80 => 8080,
        443 => 8443,
        port => port.checked_add(1)?,
    };
    let found = (begin..=begin.saturating_add(TRIED))
        .map(|port| SocketAddrV4::new(*address.ip(), port))
        .find(|candidate| {
            !spoken_for.iter().any(|one| meet(*one, *candidate))
                && neighbours.iter().all(|one| one.at(*candidate).is_none())
                && TcpListener::bind(candidate).is_ok()
        })?;
    spoken_for.push(found);
    Some(found.port())
}

/// Whether only one can listen where two want to.
pub fn meet(one: SocketAddrV4, other: SocketAddrV4) -> bool {
    one.port() == other.port()
        && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
}

/// One sentence about a taken address.
pub fn message(taken: &Taken) -> String {
    let holder = match &taken.holder {
        Holder::Unknown => "another program listens there already".to_owned(),
        Holder::Program(program) => format!("{program} listens there already"),
        Holder::Neighbour { whose, runs: true } => format!("{whose} listens there already"),
        Holder::Neighbour { whose, runs: false } => {
            format!("{whose} does when it runs again")
        }
    };
    format!(
        "{} needs {} ({}), and {holder}",
        taken.container, taken.address, taken.key
    )
}

/// What to do about it.
pub fn hint(taken: &Taken) -> String {
    let other = match taken.free {
        Some(free) => format!(
            "set {} in dtaas.yaml to another port, such as {free}",
            taken.key
        ),
        None => format!("set {} in dtaas.yaml to another port", taken.key),
    };
    match &taken.holder {
        Holder::Unknown | Holder::Program(_) => format!(
            "stop it (see: ss -ltnp sport = :{}), or {other}, then run this again",
            taken.address.port()
        ),
        Holder::Neighbour { .. } => format!("{other}, then run this again"),
    }
}

/// The program that listens on an address.
fn holder(address: SocketAddrV4) -> Option<String> {
    listening()
        .iter()
        .filter(|one| one.port == address.port())
        .find_map(Listening::program)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::neighbours::Listener;
    use crate::platform::desired::{Attachment, Capabilities, Limits};

    fn gateway(listens: &[SocketAddrV4]) -> Container {
        Container {
            name: "gateway".into(),
            component: Component::Gateway,
            user: None,
            image: String::new(),
            command: Vec::new(),
            environment: Default::default(),
            mounts: Vec::new(),
            network: Attachment::Host,
            hosts: Default::default(),
            listens: listens.to_vec(),
            run_as: None,
            read_only: true,
            capabilities: Capabilities::Only(Vec::new()),
            shm: None,
            limits: Limits::default(),
            config_digest: None,
            precious: false,
            running: true,
            ready: None,
        }
    }

    fn listening() -> (TcpListener, SocketAddrV4) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let std::net::SocketAddr::V4(address) = listener.local_addr().unwrap() else {
            unreachable!()
        };
        (listener, address)
    }

    #[test]
    fn a_taken_address_names_who_holds_it() {
        let (_held, address) = listening();
        let Some(Holder::Program(holder)) = held(address) else {
            panic!("free, or held by nobody known")
        };
        assert!(holder.ends_with(&format!("(process {})", std::process::id())));
    }

    #[test]
    fn a_free_address_is_free_and_not_suggested_for_two() {
        let (first, address) = listening();
        let (second, other) = listening();
        let mut spoken_for = Vec::new();
        let both = taken_from(&gateway(&[address, other]), &[], &[], &mut spoken_for);
        let free: Vec<u16> = both.iter().filter_map(|taken| taken.free).collect();
        assert_eq!(free.len(), 2, "{both:?}");
        assert_ne!(free[0], free[1]);
        let keys: Vec<&str> = both.iter().map(|taken| taken.key.as_str()).collect();
        assert_eq!(keys, ["ports.http", "ports.https"]);

        let given_up = taken_from(&gateway(&[address]), &[address], &[], &mut Vec::new());
        assert_eq!(given_up, []);
        drop((first, second));
        assert_eq!(held(address), None);
    }

    #[test]
    fn what_a_neighbour_listens_at_is_its_own_when_it_is_stopped_as_well() {
        let lab = |address: &str, runs| Neighbour {
            name: "lab".into(),
            root: Some("/srv/lab".into()),
            pool: None,
            listens: vec![Listener {
                component: "gateway".into(),
                address: address.parse().unwrap(),
                runs,
            }],
        };
        let said = |own: &str, neighbour: Neighbour| {
            let gateway = gateway(&[own.parse().unwrap()]);
            taken_from(&gateway, &[], &[neighbour], &mut Vec::new())
                .first()
                .map(message)
        };
        // Nothing listens at port 1 here.
        assert_eq!(
            said("127.0.0.1:1", lab("0.0.0.0:1", true)).as_deref(),
            Some(
                "gateway needs 127.0.0.1:1 (ports.http), and the gateway of the deployment lab in /srv/lab listens there already"
            )
        );
        assert_eq!(
            said("0.0.0.0:1", lab("127.0.0.2:1", false)).as_deref(),
            Some(
                "gateway needs 0.0.0.0:1 (ports.http), and the gateway of the deployment lab in /srv/lab does when it runs again"
            )
        );
        assert_eq!(said("127.0.0.1:1", lab("127.0.0.2:1", true)), None);
        assert_eq!(said("127.0.0.1:1", lab("127.0.0.1:2", true)), None);
    }

    #[test]
    fn an_address_of_another_machine_is_not_here() {
        assert!(is_here(Ipv4Addr::LOCALHOST));
        assert!(is_here(Ipv4Addr::UNSPECIFIED));
        // For documentation only (RFC 5737).
        assert!(!is_here(Ipv4Addr::new(203, 0, 113, 77)));
    }
}
