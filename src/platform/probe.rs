//! When a container counts as ready: questions, and the answers that are wanted.

use std::fmt;
use std::net::SocketAddrV4;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// A container is ready when it answers all of these questions as it should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Asked in this order.
    pub questions: Vec<Question>,
    /// After how many seconds it counts as failed.
    pub deadline_seconds: u64,
}

/// A GET, and the statuses that are a good answer; or a broker's greeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// With or without TLS. Of a GET, whether browsers trust a certificate is another question, and not asked.
    pub scheme: Scheme,
    /// Who is asked.
    pub address: SocketAddrV4,
    /// By which name, in the request and in TLS; `None` is by the address.
    pub host: Option<String>,
    /// What is asked for, beginning with a slash.
    pub path: String,
    /// Good statuses.
    pub wanted: Vec<RangeInclusive<u16>>,
    /// The certificate that must be shown: SHA-256 of its DER, in lower-case hex. `None` takes any.
    pub certificate: Option<String>,
    /// The only authority (PEM) that a broker's certificate may be by.
    pub authority: Option<String>,
}

/// How a question is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// In the clear.
    Http,
    /// By TLS.
    Https,
    /// By TLS and the header with which an AMQP client begins; the broker's offer is the good answer, and no status.
    Amqps,
    /// That somebody listens is the good answer.
    Tcp,
    /// By TLS and the packet with which an MQTT client begins; the broker's answer is good, whatever it is.
    Mqtts,
}

impl Probe {
    /// One question without TLS, by address, that must be answered with 200.
    pub fn of(address: SocketAddrV4, path: impl Into<String>, deadline_seconds: u64) -> Self {
        Self {
            questions: vec![Question {
                scheme: Scheme::Http,
                address,
                host: None,
                path: path.into(),
                wanted: vec![200..=200],
                certificate: None,
                authority: None,
            }],
            deadline_seconds,
        }
    }
}

impl Question {
    /// Whether a broker takes clients at an address, with a certificate for this name by this authority.
    pub fn broker(scheme: Scheme, address: SocketAddrV4, host: &str, authority: &str) -> Self {
        Self {
            scheme,
            address,
            host: Some(host.to_owned()),
            path: String::new(),
            wanted: Vec::new(),
            certificate: None,
            authority: Some(authority.to_owned()),
        }
    }

    /// The address as a browser has it.
    pub fn url(&self) -> String {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Amqps => "amqps",
            Scheme::Tcp => "tcp",
            Scheme::Mqtts => "mqtts",
        };
        match &self.host {
            Some(host) => format!("{scheme}://{host}:{}{}", self.address.port(), self.path),
            None => format!("{scheme}://{}{}", self.address, self.path),
        }
    }
}

/// The URL, and who is asked where that does not say it.
impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.url())?;
        match self.host {
            Some(_) => write!(f, " (at {})", self.address),
            None => Ok(()),
        }
    }
}
