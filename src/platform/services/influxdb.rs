//! InfluxDB 2, the time series database, in host network mode: one port, by TLS.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use super::super::accounts::{Accounts, Way};
use super::super::desired::{
    Attachment, Capabilities, Component, Container, Desired, Directory, Image, Mount, Probe,
    Question, Scheme, digest,
};
use super::super::{Input, naming, read_only, secret};
use super::{certificate, closed, endpoint, limits, own, users_accounts};
use crate::secrets::Secret;

/// What it reads, relative to the root.
const CONFIG: &str = "config/influxdb";

/// What is closed to others, relative to the root.
const CLOSED: [&str; 2] = [CONFIG, ABOVE];

/// What its data lie in, relative to the root.
pub(super) const ABOVE: &str = "data/influxdb";

/// Its data, and what the image keeps beside it, relative to the root. The image sets their modes itself.
const DATA: [&str; 2] = ["data/influxdb/data", "data/influxdb/cli"];

/// Where the image has these (InfluxData, "Install InfluxDB: Docker").
const PLACES: [&str; 2] = ["/var/lib/influxdb2", "/etc/influxdb2"];

/// Where it finds what it reads.
const INSIDE: &str = "/run/dtaas";

/// Who it runs as: `influxdb` in the official image.
const OWNER: (u32, u32) = (1000, 1000);

/// The operator's name there: one that no user can have ([`RESERVED`](crate::spec::names::RESERVED)).
pub const ADMINISTRATOR: &str = "_dtaas";

/// The organisation that users' buckets are in, and the operator's own bucket; v0.2's names.
pub const ORGANISATION: &str = "dtaas";

/// Seconds until it counts as failed: the first start sets it up.
const DEADLINE: u64 = 180;

/// Adds the container, its files and directories, and users' accounts.
pub fn add(input: &Input<'_>, desired: &mut Desired) {
    let data = DATA.map(|path| Directory {
        owner: Some(OWNER),
        ..Directory::plain(path)
    });
    desired.directories.extend(
        CLOSED
            .map(|path| closed(path, OWNER))
            .into_iter()
            .chain(data),
    );
    let token = &input.secrets.influxdb;
    let files = [
        secret(format!("{CONFIG}/token"), token.expose().to_owned()),
        // Nobody types it: it is what the setup demands.
        secret(
            format!("{CONFIG}/password"),
            token.derived("password").expose().to_owned(),
        ),
    ];
    desired.files.extend(files.map(|file| own(OWNER, file)));
    // These it reads when it starts, and then never again.
    let tls = certificate(input, CONFIG, OWNER);
    let config_digest = digest(tls.iter().map(|file| file.content.expose()));
    desired.files.extend(tls);
    let image = input.image(&input.spec.influxdb.image);
    desired.images.push(Image::Pull {
        reference: image.clone(),
    });
    desired
        .containers
        .push(container(input, image, config_digest));
    desired.accounts.extend(accounts(input));
}

/// Users' accounts: a bucket for each, and a token for it, which InfluxDB makes.
pub(super) fn accounts(input: &Input<'_>) -> Option<Accounts> {
    let mut users = users_accounts(input, Component::InfluxDb.as_str());
    for (name, account) in &mut users {
        account.token = input.services.tokens.get(name).cloned();
    }
    Some(Accounts {
        container: naming::container(&input.spec.name, Component::InfluxDb, None),
        ready: ready(input)?,
        way: Way::InfluxDb(endpoint(
            input,
            input.spec.influxdb.port,
            ADMINISTRATOR,
            &input.secrets.influxdb,
        )),
        users,
    })
}

/// `None` where there is no certificate: then nothing of it is rendered to be run.
fn ready(input: &Input<'_>) -> Option<Probe> {
    let (_, host) = input.services.certificate.as_ref()?;
    Some(Probe {
        questions: vec![Question {
            scheme: Scheme::Https,
            address: SocketAddrV4::new(Ipv4Addr::LOCALHOST, input.spec.influxdb.port),
            host: Some(host.clone()),
            path: "/health".to_owned(),
            wanted: vec![200..=200],
            certificate: None,
            authority: None,
        }],
        deadline_seconds: DEADLINE,
    })
}

fn container(input: &Input<'_>, image: String, config_digest: String) -> Container {
    let settings = &input.spec.influxdb;
    let here = |file: &str| format!("{INSIDE}/{file}");
    let environment = [
        ("INFLUXD_HTTP_BIND_ADDRESS", format!(":{}", settings.port)),
        ("INFLUXD_TLS_CERT", here("cert.pem")),
        ("INFLUXD_TLS_KEY", here("key.pem")),
        ("INFLUXD_REPORTING_DISABLED", "true".to_owned()),
        // The image sets a new database up before it answers at its port, and leaves one that is there as it is. For that second it listens
        // in the clear at port 9999: whoever is faster there makes it begin again, and gets nothing.
        ("DOCKER_INFLUXDB_INIT_MODE", "setup".to_owned()),
        ("DOCKER_INFLUXDB_INIT_USERNAME", ADMINISTRATOR.to_owned()),
        ("DOCKER_INFLUXDB_INIT_PASSWORD_FILE", here("password")),
        ("DOCKER_INFLUXDB_INIT_ADMIN_TOKEN_FILE", here("token")),
        ("DOCKER_INFLUXDB_INIT_ORG", ORGANISATION.to_owned()),
        ("DOCKER_INFLUXDB_INIT_BUCKET", ORGANISATION.to_owned()),
    ];
    let data = DATA.iter().zip(PLACES).map(|(source, target)| Mount {
        source: input.root.join(source),
        target: target.into(),
        read_only: false,
    });
    Container {
        name: naming::container(&input.spec.name, Component::InfluxDb, None),
        component: Component::InfluxDb,
        user: None,
        image,
        command: Vec::new(),
        environment: environment
            .into_iter()
            .map(|(key, value)| (key.to_owned(), Secret::new(value)))
            .collect::<BTreeMap<_, _>>(),
        mounts: std::iter::once(read_only(input, CONFIG, INSIDE))
            .chain(data)
            .collect(),
        network: Attachment::Host,
        hosts: BTreeMap::new(),
        listens: vec![SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, settings.port)],
        run_as: Some(format!("{}:{}", OWNER.0, OWNER.1)),
        read_only: false,
        capabilities: Capabilities::Only(Vec::new()),
        shm: None,
        limits: limits(settings.limits),
        config_digest: Some(config_digest),
        precious: false,
        running: true,
        ready: ready(input),
    }
}
