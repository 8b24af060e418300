//! Which library is asked, as whom, and whose certificate counts.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use reqwest::Url;

use crate::error::Failure;
use crate::secrets::Secret;

use super::path::RemotePath;

/// What a connection to a library takes.
#[derive(Debug, Clone)]
pub struct Access {
    /// Where it is.
    pub endpoint: Endpoint,
    /// As whom it is asked; `None` where it is open to anyone.
    pub credentials: Option<Credentials>,
    /// Whose certificates count.
    pub trust: Trust,
    /// Where the endpoint's host is found, whatever its name leads to: the gateway of a deployment on this machine.
    pub at: Option<SocketAddr>,
}

/// A user's name and password.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The name; holds no colon (RFC 7617, 2).
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// Whose certificates count.
#[derive(Debug, Clone)]
pub enum Trust {
    /// The authorities that this machine trusts.
    System,
    /// These alone: PEM, one after the other.
    Only(Vec<u8>),
}

/// The address of a library's GraphQL endpoint: `https://foo.com/lib`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Endpoint {
    /// Reads an address.
    ///
    /// # Errors
    ///
    /// A usage failure: no http or https, or more in it than a host, a port and a path. A password in an address would be seen by
    /// every account of the machine.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let wrong = |why: &str| {
            Failure::usage(format!("this is no address of a library: {why}"))
                .hint("write it as in --url https://foo.com/lib")
        };
        let mut url = Url::parse(text).map_err(|_| wrong("it does not begin with https://"))?;
        match url.scheme() {
            "http" | "https" => {}
            _ => return Err(wrong("it does not begin with https://")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Failure::usage("credentials do not belong into the address")
                .hint("give the name with --user, and the password in DTAAS_LIB_PASSWORD or with --password-stdin"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("it goes on behind its path"));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }

    /// Where questions are asked.
    pub fn questions(&self) -> Url {
        self.0.clone()
    }

    /// Where a file or a directory is.
    pub fn file(&self, path: &RemotePath) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments
                .pop_if_empty()
                .push("files")
                .extend(path.segments());
        }
        url
    }

    /// Whether it speaks TLS.
    pub fn has_tls(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Whether what is sent there stays on this machine.
    pub fn is_loopback(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        match address.parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => host == "localhost" || host.ends_with(".localhost"),
        }
    }

    /// Fails where a password would travel for everyone on the way to read. `at` is where the host is found, whatever its name leads
    /// to.
    ///
    /// # Errors
    ///
    /// A usage failure that names the way out.
    pub fn check_for_password(
        &self,
        at: Option<SocketAddr>,
        insecure_http: bool,
    ) -> Result<(), Failure> {
        let stays = at.is_some_and(|at| at.ip().is_loopback()) || self.is_loopback();
        if self.has_tls() || stays || insecure_http {
            return Ok(());
        }
        Err(Failure::usage(format!(
            "{self} speaks plain http, and the password would be read by whoever is on the way"
        ))
        .hint("write https:// where the platform has a certificate, or accept it with --insecure-http"))
    }

    /// Its host, as certificates have it.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_a_port_and_a_path() {
        for (text, shown) in [
            ("https://foo.com/lib", "https://foo.com/lib"),
            ("https://foo.com/lib/", "https://foo.com/lib"),
            (
                "https://foo.com:8443/dtaas/lib",
                "https://foo.com:8443/dtaas/lib",
            ),
            ("http://127.0.0.1:4001", "http://127.0.0.1:4001"),
            ("http://[::1]:4001/", "http://[::1]:4001"),
        ] {
            assert_eq!(Endpoint::parse(text).unwrap().to_string(), shown);
        }
        for text in [
            "foo.com/lib",
            "ftp://foo.com/lib",
            "https://alice:secret@foo.com/lib",
            "https://alice@foo.com/lib",
            "https://foo.com/lib?path=x",
            "https://foo.com/lib#x",
            "",
        ] {
            let failure = Endpoint::parse(text).unwrap_err();
            assert!(!failure.to_string().contains("secret"), "{failure}");
        }
    }

    #[test]
    fn names_stay_segments_of_the_address() {
        for (endpoint, path, url) in [
            ("https://foo.com/lib", "", "https://foo.com/lib/files"),
            (
                "https://foo.com/lib",
                "alice/digital twins",
                "https://foo.com/lib/files/alice/digital%20twins",
            ),
            (
                "http://127.0.0.1:1",
                "a/100%25?#.txt",
                "http://127.0.0.1:1/files/a/100%2525%3F%23.txt",
            ),
            (
                "http://127.0.0.1:1",
                "a/back\\slash;x",
                "http://127.0.0.1:1/files/a/back%5Cslash;x",
            ),
        ] {
            let path = RemotePath::parse(path).unwrap();
            let endpoint = Endpoint::parse(endpoint).unwrap();
            assert_eq!(endpoint.file(&path).as_str(), url);
        }
        // What reads as a dot segment once it is decoded stays a name.
        let odd = RemotePath::parse("a/%2e%2e/b").unwrap();
        let endpoint = Endpoint::parse("http://127.0.0.1:1").unwrap();
        assert_eq!(
            endpoint.file(&odd).as_str(),
            "http://127.0.0.1:1/files/a/%252e%252e/b"
        );
    }

    #[test]
    fn a_password_goes_over_plain_http_to_this_machine_alone() {
        for (url, at, allowed) in [
            ("https://foo.com/lib", None, true),
            ("http://foo.com/lib", None, false),
            ("http://foo.com/lib", Some("127.0.0.1:80"), true),
            ("http://foo.com/lib", Some("192.0.2.1:80"), false),
            ("http://127.0.0.1:4001", None, true),
            ("http://127.3.2.1:4001", None, true),
            ("http://[::1]:4001", None, true),
            ("http://localhost:4001", None, true),
            ("http://127.0.0.1.foo.com", None, false),
            ("http://localhost.foo.com", None, false),
        ] {
            let endpoint = Endpoint::parse(url).unwrap();
            let at = at.map(|at| at.parse().unwrap());
            assert_eq!(
                endpoint.check_for_password(at, false).is_ok(),
                allowed,
                "{url}"
            );
            assert!(endpoint.check_for_password(at, true).is_ok(), "{url}");
        }
    }
}
