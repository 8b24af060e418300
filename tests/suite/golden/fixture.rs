//! A deployment that exists in memory only, the same each time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use dtaas::platform::desired::{Component, Desired};
use dtaas::platform::services::Services;
use dtaas::platform::{self, Certificate, Input};
use dtaas::profile;
use dtaas::render::Templates;
use dtaas::secrets::{DeploymentSecrets, Secret};
use dtaas::spec::load;
use dtaas::spec::model::{Spec, Tls};
use dtaas::spec::names::UserName;

static TEMPLATES: LazyLock<Templates> = LazyLock::new(|| Templates::new(&BTreeMap::new()).unwrap());

/// Everything that a desired state is made of, owned.
pub struct Fixture {
    pub spec: Spec,
    pub secrets: DeploymentSecrets,
    entries: BTreeMap<UserName, Secret>,
    certificate: Certificate,
    /// What the services need: nothing, unless there are some.
    pub services: Services,
    /// What runs on the machine.
    pub placed: BTreeSet<Component>,
    /// Whether it is another than the operator's.
    pub remote: bool,
}

impl Fixture {
    /// From the text of `dtaas.yaml` and of each user's file, all of whom have a password.
    pub fn new(text: &str, users: &[(&str, &str)]) -> Self {
        let users = users
            .iter()
            .map(|(name, text)| (format!("{name}.yaml"), (*text).to_owned()))
            .collect();
        Self::of(load::from_texts(text, &users).unwrap())
    }

    /// From a spec.
    pub fn of(spec: Spec) -> Self {
        let entries = spec
            .users
            .keys()
            .map(|name| (name.clone(), Secret::new(entry(name))))
            .collect();
        Self {
            spec,
            secrets: DeploymentSecrets {
                hash_key: Secret::new("a-hash-key-of-the-tests"),
                gateway: Secret::new("a-gateway-secret-of-the-tests"),
                vnc_password: Secret::new("vnc-test"),
                rabbitmq: Secret::new("a-rabbitmq-password-of-the-tests"),
                influxdb: Secret::new("an-influxdb-token-of-the-tests"),
                grafana: Secret::new("a-grafana-password-of-the-tests"),
            },
            entries,
            certificate: Certificate {
                chain: "the certificate of the tests\n".into(),
                key: Secret::new("the key of the tests\n"),
            },
            services: Services::default(),
            placed: profile::load(Path::new("."), "single-host")
                .unwrap()
                .on("server"),
            remote: false,
        }
    }

    /// What the machine should have.
    pub fn machine(&self) -> Desired {
        platform::machine(&self.input()).unwrap()
    }

    /// What it should have of one user.
    pub fn user(&self, name: &UserName) -> Desired {
        platform::users(&self.input(), &[name.clone()].into()).unwrap()
    }

    /// The input itself.
    pub fn input(&self) -> Input<'_> {
        Input {
            spec: &self.spec,
            secrets: &self.secrets,
            entries: &self.entries,
            certificate: match self.spec.tls {
                Tls::Off | Tls::Acme(_) => None,
                Tls::SelfSigned | Tls::Files { .. } => Some(&self.certificate),
            },
            services: &self.services,
            templates: &TEMPLATES,
            root: Path::new("/srv/dtaas"),
            placed: &self.placed,
            remote: self.remote,
            own_image: "dtaas-self/foo.com:0123456789abcdef",
        }
    }
}

/// A user's htpasswd entry: the right form, and nobody's password.
pub fn entry(name: &UserName) -> String {
    format!("{name}:$2y$10$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234")
}
