//! What the website's `env.js` says: the platform's address, and links that may differ from those here.

use super::well_known::OF_DESKTOPS;
use super::{At, Old};
use crate::spec::problem::Problem;

/// The key of the base path.
pub const BASENAME: &str = "REACT_APP_URL_BASENAME";
/// The key of the address.
const URL: &str = "REACT_APP_URL";
/// The key of the desktop's link.
const DESKTOP: &str = "REACT_APP_WORKBENCHLINK_VNCDESKTOP";
/// What the desktop's link is, but for the password.
const DESKTOP_LINK: &str = "tools/vnc/?password=";

/// The other keys, and what they are here (`templates/client/env.js.hbs`).
const USUAL: [(&str, &str); 7] = [
    ("REACT_APP_ENVIRONMENT", "prod"),
    ("REACT_APP_URL_DTLINK", "/lab"),
    ("REACT_APP_URL_LIBLINK", ""),
    ("REACT_APP_WORKBENCHLINK_TERMINAL", "/terminals/main"),
    ("REACT_APP_WORKBENCHLINK_VSCODE", "/tools/vscode/"),
    ("REACT_APP_WORKBENCHLINK_JUPYTERLAB", "/lab"),
    ("REACT_APP_WORKBENCHLINK_JUPYTERNOTEBOOK", ""),
];

/// A part of the address, and where the address stands.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// The part.
    pub text: &'a str,
    /// Where.
    pub at: &'a At,
}

/// The website's address, taken apart.
#[derive(Debug, Clone, Copy, Default)]
pub struct Address<'a> {
    /// Its host.
    pub host: Option<Part<'a>>,
    /// Its port, where it names one and is without TLS.
    pub http_port: Option<u16>,
    /// Its port, where it names one and is with TLS.
    pub https_port: Option<u16>,
}

/// The address that `env.js` names; none where there is no such file.
pub fn address<'a>(old: &'a Old, problems: &mut Vec<Problem>) -> Address<'a> {
    let Some(setting) = old.website.iter().find(|setting| setting.key == URL) else {
        return Address::default();
    };
    let (tls, rest) = match setting.value.split_once("://") {
        Some(("https", rest)) => (true, rest),
        Some(("http", rest)) => (false, rest),
        Some(_) | None => {
            problems.push(setting.at.problem(
                format!(
                    "{URL} is {:?}, which is no address of a website",
                    setting.value
                ),
                "copy the file, mend that, and name the copy with --env-js",
            ));
            return Address::default();
        }
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, port.parse().ok()),
        None => (authority, None),
    };
    Address {
        host: Some(Part {
            text: host,
            at: &setting.at,
        }),
        http_port: port.filter(|_| !tls),
        https_port: port.filter(|_| tls),
    }
}

/// What is otherwise here.
pub fn notes(old: &Old, notes: &mut Vec<String>) {
    for setting in &old.website {
        let (at, key) = (&setting.at, setting.key.as_str());
        let value = setting.value.trim_matches('/');
        if key == URL && setting.value.starts_with("http://") {
            notes.push(format!(
                "{at}: the website was at {}, without TLS; the gateway here has a certificate of its own, unless --tls says otherwise",
                setting.value
            ));
        }
        if key == URL || key == BASENAME {
            continue;
        }
        if key == DESKTOP {
            match value.strip_prefix(DESKTOP_LINK) {
                Some(OF_DESKTOPS) => notes.push(format!(
                    "{at}: the desktops had the password {OF_DESKTOPS}, which everybody knows; they get another"
                )),
                Some(_) => notes.push(format!("{at}: the desktops get another password")),
                None => notes.push(differs(at, key, &setting.value, "/tools/vnc/?password=…")),
            }
            continue;
        }
        match USUAL.iter().find(|(known, _)| *known == key) {
            Some((_, usual)) if usual.trim_matches('/') == value => {}
            Some((_, usual)) => notes.push(differs(at, key, &setting.value, usual)),
            None => notes.push(format!(
                "{at}: {key} is not known here; to have it, put a template of your own at templates/client/env.js.hbs"
            )),
        }
    }
}

fn differs(at: &At, key: &str, old: &str, new: &str) -> String {
    format!(
        "{at}: {key} is {old:?}, and {new:?} here; to have it as it was, put a template of your own at templates/client/env.js.hbs"
    )
}
