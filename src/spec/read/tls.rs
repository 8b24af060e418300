//! Where the gateway's certificate comes from, and what an ACME server could never sign.

use std::path::PathBuf;

use super::default;
use crate::spec::document::Section;
use crate::spec::model::{Acme, Challenge, Ports, Tls};
use crate::spec::names::Domain;

/// The ports that an ACME server asks at, whatever ours are (RFC 8555, 8.3; RFC 8737, 3).
const HTTP: u16 = 80;
const HTTPS: u16 = 443;

/// Names that no server signs for: they lead elsewhere on each machine, or nowhere (RFC 6761, RFC 6762).
const NEVER: &[&str] = &["local", "localhost", "test", "example", "invalid", "onion"];
/// Names of private networks: only an ACME server of the same network can know them.
const PRIVATE: &[&str] = &[
    "internal", "intranet", "lan", "home", "corp", "private", "arpa",
];

const MODES: &str = "write off, self-signed, files or acme";

/// What `tls.mode` may be.
enum Mode {
    Off,
    SelfSigned,
    Files,
    Acme,
}

/// The keys that count with a mode, in their order.
const OF_FILES: &[&str] = &["cert", "key"];
const OF_ACME: &[&str] = &["email", "ca_server", "challenge"];

pub(super) fn tls(mut section: Section<'_>, domain: Option<&Domain>, ports: Ports) -> Option<Tls> {
    let mode: String = section
        .get("mode", MODES)
        .unwrap_or_else(|| default::TLS.to_owned());
    let cert: Option<PathBuf> = section.get("cert", "write a PEM file's path");
    let key: Option<PathBuf> = section.get("key", "write a PEM file's path");
    let email: Option<String> = section.get("email", "write an address, such as admin@foo.com");
    let ca_server: Option<String> = section.get("ca_server", CA_SERVER);
    let challenge: Option<Challenge> = section.get("challenge", "write http or tls");
    let mode = match mode.as_str() {
        "off" => Mode::Off,
        "self-signed" => Mode::SelfSigned,
        "files" => Mode::Files,
        "acme" => Mode::Acme,
        _ => {
            section.problem("mode", "there is no such mode", MODES);
            section.finish();
            return None;
        }
    };
    let strange: &[&[&str]] = match mode {
        Mode::Off | Mode::SelfSigned => &[OF_FILES, OF_ACME],
        Mode::Files => &[OF_ACME],
        Mode::Acme => &[OF_FILES],
    };
    for (keys, mode) in [(OF_FILES, "files"), (OF_ACME, "acme")] {
        if strange.contains(&keys) && keys.iter().any(|key| section.has(key)) {
            let keys: Vec<String> = keys.iter().map(|key| format!("tls.{key}")).collect();
            section.problem(
                "mode",
                format!("{} count only with mode {mode}", list(&keys)),
                format!("write {mode}, or take them out"),
            );
        }
    }
    let tls = match mode {
        Mode::Off => Some(Tls::Off),
        Mode::SelfSigned => Some(Tls::SelfSigned),
        Mode::Files => match (cert, key) {
            (Some(cert), Some(key)) => Some(Tls::Files { cert, key }),
            (None, _) | (_, None) => {
                section.problem(
                    "mode",
                    "tls.cert and tls.key are both needed with it",
                    "name both PEM files",
                );
                None
            }
        },
        Mode::Acme => {
            let challenge = challenge.unwrap_or(Challenge::Http);
            check_email(&section, email.as_deref());
            check_server(&section, ca_server.as_deref());
            if let Some(domain) = domain {
                check_domain(&section, domain, ca_server.as_deref());
            }
            check_port(&section, challenge, ports);
            email.map(|email| {
                Tls::Acme(Acme {
                    email,
                    ca_server,
                    challenge,
                })
            })
        }
    };
    section.finish();
    tls
}

fn list(keys: &[String]) -> String {
    match keys {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// An address as ACME servers take it: one mailbox at a host name with a dot.
fn check_email(section: &Section<'_>, email: Option<&str>) {
    const FIX: &str = "write an address that somebody reads, such as admin@foo.com";
    let Some(email) = email else {
        if !section.has("email") {
            section.problem("email", "this key is missing, and mode acme needs it", FIX);
        }
        return;
    };
    // The characters of RFC 5322's dot-atom; quoted mailboxes are refused by the servers as well.
    let mailbox = |text: &str| {
        !text.is_empty()
            && text.split('.').all(|part| !part.is_empty())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c))
    };
    let host = |text: &str| {
        let host = text.to_ascii_lowercase().parse::<Domain>();
        host.is_ok_and(|host| host.address().is_none() && host.as_str().contains('.'))
    };
    let is_one = email
        .split_once('@')
        .is_some_and(|(before, behind)| mailbox(before) && host(behind));
    if !is_one || email.len() > 254 {
        section.problem("email", "this is not an e-mail address", FIX);
    }
}

const CA_SERVER: &str = "write the address of an ACME directory, such as \
                         https://acme-staging-v02.api.letsencrypt.org/directory, or leave it out for Let's Encrypt";

/// ACME is spoken over https alone (RFC 8555, 6.1).
fn check_server(section: &Section<'_>, server: Option<&str>) {
    let Some(server) = server else { return };
    let reason = match reqwest::Url::parse(server) {
        _ if !server.chars().all(|c| c.is_ascii_graphic()) => "this is not a URL",
        Err(_) => "this is not a URL",
        Ok(url) if url.scheme() != "https" => "ACME servers are asked over https",
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            "an ACME server takes no user and no password"
        }
        Ok(url) if url.fragment().is_some() => "it has a fragment (#…)",
        Ok(_) => return,
    };
    section.problem("ca_server", reason, CA_SERVER);
}

fn check_domain(section: &Section<'_>, domain: &Domain, ca_server: Option<&str>) {
    let name = domain.as_str();
    let last = name.rsplit('.').next().unwrap_or(name);
    let reason = if domain.address().is_some() {
        format!("an ACME server signs for host names, and domain is the address {domain}")
    } else if !name.contains('.') {
        format!("no ACME server signs for {domain}, which has no dot in it")
    } else if NEVER.contains(&last) {
        format!("no ACME server signs for {domain}: names in .{last} are of no use outside")
    } else if PRIVATE.contains(&last) && ca_server.is_none() {
        format!("Let's Encrypt does not sign for {domain}: names in .{last} are private")
    } else {
        return;
    };
    section.problem(
        "mode",
        reason,
        "write self-signed or files, or a domain that is known outside",
    );
}

fn check_port(section: &Section<'_>, challenge: Challenge, ports: Ports) {
    let (needs, key, has, other) = match challenge {
        Challenge::Http => (HTTP, "http", ports.http, "tls, with ports.https: 443"),
        Challenge::Tls => (HTTPS, "https", ports.https, "http, with ports.http: 80"),
    };
    if has != needs {
        let at = match section.has("challenge") {
            true => "challenge",
            false => "mode",
        };
        section.problem(
            at,
            format!(
                "with challenge {} the ACME server asks at port {needs}, and ports.{key} is {has}",
                challenge.as_str()
            ),
            format!("write ports.{key}: {needs}, or challenge: {other}"),
        );
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::spec::load::from_texts;

    /// What is wrong with this below `tls:`, with this domain and these other lines.
    fn wrong(domain: &str, tls: &str, more: &str) -> String {
        let text = format!("version: 1\ndomain: {domain}\ntls: {{{tls}}}\n{more}");
        match from_texts(&text, &BTreeMap::new()) {
            Ok(_) => "nothing".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_no_acme_server_could_sign_is_refused() {
        let acme = "mode: acme, email: admin@foo.com";
        let own = "mode: acme, email: admin@foo.com, ca_server: \"https://ca.lab/directory\"";
        for (domain, tls, reason) in [
            ("foo.com", acme, "nothing"),
            ("dt.lab.example.org", acme, "nothing"),
            (
                "localhost",
                acme,
                "no ACME server signs for localhost, which has no dot in it",
            ),
            (
                "10.1.2.3",
                acme,
                "an ACME server signs for host names, and domain is the address 10.1.2.3",
            ),
            (
                "dtserver",
                own,
                "no ACME server signs for dtserver, which has no dot in it",
            ),
            (
                "dt.local",
                own,
                "no ACME server signs for dt.local: names in .local are of no use outside",
            ),
            (
                "a.localhost",
                acme,
                "no ACME server signs for a.localhost: names in .localhost are of no use outside",
            ),
            (
                "dt.lan",
                acme,
                "Let's Encrypt does not sign for dt.lan: names in .lan are private",
            ),
            ("dt.lab.internal", own, "nothing"),
        ] {
            let found = wrong(domain, tls, "");
            assert!(found.contains(reason), "{domain}: {found}");
        }
    }

    #[test]
    fn the_port_that_an_acme_server_asks_at_must_be_ours() {
        let with = |challenge: &str, ports: &str| {
            let tls = format!("mode: acme, email: a@foo.com{challenge}");
            wrong("foo.com", &tls, &format!("ports: {{{ports}}}\n"))
        };
        assert_eq!(
            with("", "http: 8080"),
            "dtaas.yaml:3: tls.mode is \"acme\": with challenge http the ACME server asks at port 80, and ports.http is 8080; \
             write ports.http: 80, or challenge: tls, with ports.https: 443"
        );
        assert_eq!(with("", "https: 8443"), "nothing");
        assert_eq!(
            with(", challenge: tls", "https: 8443"),
            "dtaas.yaml:3: tls.challenge is \"tls\": with challenge tls the ACME server asks at port 443, and ports.https is 8443; \
             write ports.https: 443, or challenge: http, with ports.http: 80"
        );
        assert_eq!(with(", challenge: tls", "http: 8080"), "nothing");
        assert!(with(", challenge: dns", "").contains("write http or tls"));
    }

    #[test]
    fn an_email_and_a_server_are_checked() {
        let with = |email: &str| wrong("foo.com", &format!("mode: acme, email: {email:?}"), "");
        for email in ["a@foo.com", "first.last+dt@lab.foo.com", "A@FOO.COM"] {
            assert_eq!(with(email), "nothing", "{email}");
        }
        for email in [
            "",
            "foo",
            "@foo.com",
            "a@",
            "a@b",
            "a b@foo.com",
            "a@foo.com, b@foo.com",
            ".a@foo.com",
            "a@1.2.3.4",
        ] {
            assert!(
                with(email).contains("this is not an e-mail address"),
                "{email}"
            );
        }
        assert!(
            wrong("foo.com", "mode: acme", "")
                .contains("tls.email: this key is missing, and mode acme needs it")
        );
        let with = |server: &str| {
            wrong(
                "foo.com",
                &format!("mode: acme, email: a@foo.com, ca_server: {server:?}"),
                "",
            )
        };
        assert_eq!(
            with("https://ca.lab.foo.com:9000/acme/acme/directory"),
            "nothing"
        );
        for (server, reason) in [
            (
                "http://ca.foo.com/directory",
                "ACME servers are asked over https",
            ),
            ("ca.foo.com", "this is not a URL"),
            ("https://", "this is not a URL"),
            ("https://ca.foo.com/a b", "this is not a URL"),
            (
                "https://me:secret@ca.foo.com/",
                "takes no user and no password",
            ),
            ("https://ca.foo.com/#a", "it has a fragment"),
        ] {
            assert!(with(server).contains(reason), "{server}: {}", with(server));
        }
    }

    #[test]
    fn keys_of_another_mode_are_refused() {
        for (tls, reason) in [
            (
                "mode: acme, email: a@foo.com, cert: a.crt",
                "tls.cert and tls.key count only with mode files; write files",
            ),
            (
                "mode: \"off\", email: a@foo.com",
                "tls.email, tls.ca_server and tls.challenge count only with mode acme",
            ),
            (
                "mode: files, cert: a, key: b, challenge: http",
                "count only with mode acme",
            ),
            (
                "mode: files, cert: a",
                "tls.cert and tls.key are both needed with it",
            ),
            ("key: b", "tls.cert and tls.key count only with mode files"),
        ] {
            let found = wrong("foo.com", tls, "");
            assert!(found.contains(reason), "{tls}: {found}");
        }
    }
}
