//! Where the GitLab is, and what is read of it: each setting parsed once.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use reqwest::Url;
use rustls::pki_types::CertificateDer;

use crate::secrets::Secret;

use super::trust;

/// The project that holds what everyone shares, where nothing else is said.
pub const COMMON_PROJECT: &str = "commons";
/// How long GitLab may take for an answer, where nothing else is said. It gives up itself after 30 seconds, and a question of
/// ours must be answered in as many, whatever number of answers that takes.
pub const TIMEOUT: Duration = Duration::from_secs(15);
/// Where GitLab has its GraphQL API.
const ENDPOINT: &str = "/api/graphql";

/// The settings of `MODE='gitlab'`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where GitLab's GraphQL API answers.
    pub url: Url,
    /// The full path of the group whose projects are the library's top folders.
    pub group: String,
    /// An access token that may read the API and the repositories.
    pub token: Secret,
    /// The project that answers for `common`.
    pub common_project: String,
    /// The authorities that GitLab's certificate may come from, and no others; without them, those that the machine trusts.
    pub authorities: Option<Vec<CertificateDer<'static>>>,
    /// How long one answer of GitLab's may take.
    pub timeout: Duration,
}

/// Why a value is no good, and what to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Why.
    pub why: String,
    /// What to write.
    pub fix: &'static str,
}

fn wrong(why: impl Into<String>, fix: &'static str) -> Wrong {
    Wrong {
        why: why.into(),
        fix,
    }
}

/// Reads `GITLAB_URL`. The token is sent there, so it must be https; to this machine itself http will do.
///
/// # Errors
///
/// That it is no address, or not one of a GraphQL API.
pub fn url(value: &str) -> Result<Url, Wrong> {
    const FIX: &str = "write the address of GitLab's API, as in 'https://gitlab.com/api/graphql'";
    let url = Url::parse(value).map_err(|error| wrong(format!("no address ({error})"), FIX))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("a name or a password has no place in it", FIX));
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => {
            let why = "over http anyone on the way could read the token";
            return Err(wrong(why, FIX));
        }
        _ => return Err(wrong("neither https nor http", FIX)),
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("something follows its path", FIX));
    }
    if !url.path().ends_with(ENDPOINT) {
        let why = format!("GitLab's GraphQL API is at {ENDPOINT}");
        return Err(wrong(why, FIX));
    }
    Ok(url)
}

/// Whether this is an address of this machine alone.
pub fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else {
        return false;
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Reads `GITLAB_GROUP`: the group's path, with those of the groups it lies in.
///
/// # Errors
///
/// That no group has such a path.
pub fn group(value: &str) -> Result<String, Wrong> {
    const FIX: &str =
        "write the group's path as in its address: 'dtaas', or 'company/dtaas' for a subgroup";
    if value.split('/').all(is_path) {
        return Ok(value.to_owned());
    }
    Err(wrong("no group has such a path", FIX))
}

/// Reads `GITLAB_COMMON_PROJECT`: the path of a project in the group.
///
/// # Errors
///
/// That no project has such a path.
pub fn project(value: &str) -> Result<String, Wrong> {
    if is_path(value) {
        return Ok(value.to_owned());
    }
    let fix = "write the project's path in the group, as in 'commons'";
    Err(wrong("no project has such a path", fix))
}

/// What GitLab lets stand for a group or a project in an address (its documentation, "Characters in names").
fn is_path(segment: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    !segment.is_empty()
        && !segment.starts_with(['-', '.'])
        && !segment.ends_with('.')
        && segment.chars().all(legal)
}

/// Reads `TOKEN`. The problem does not show it.
///
/// # Errors
///
/// That it cannot be sent in a header.
pub fn token(value: &str) -> Result<Secret, Wrong> {
    const FIX: &str = "write an access token of the group, with the scope read_api";
    if value.is_empty() {
        return Err(wrong("it is empty", FIX));
    }
    if !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong("it holds what no token holds", FIX));
    }
    Ok(Secret::new(value))
}

/// Reads `GITLAB_TIMEOUT`, in seconds.
///
/// # Errors
///
/// That it is no number, or leads to answers that come too late for whoever asked.
pub fn timeout(value: &str) -> Result<Duration, Wrong> {
    match value.parse::<u64>() {
        Ok(seconds) if (1..=25).contains(&seconds) => Ok(Duration::from_secs(seconds)),
        Ok(_) | Err(_) => {
            let fix = "write a number of seconds from 1 to 25";
            Err(wrong("not such a time", fix))
        }
    }
}

/// Reads the certificates in the file that `GITLAB_CA_FILE` names.
///
/// # Errors
///
/// That the file cannot be read, or holds no certificate that a chain can end in.
pub fn authorities(value: &str) -> Result<Vec<CertificateDer<'static>>, Wrong> {
    const FIX: &str =
        "write the path of a file with the certificate of GitLab's authority, in PEM form";
    trust::read(Path::new(value)).map_err(|why| wrong(why, FIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value that comes of it, or why it is refused.
    fn outcome<T: ToString>(read: Result<T, Wrong>) -> String {
        match read {
            Ok(value) => value.to_string(),
            Err(wrong) => format!("REFUSED: {}", wrong.why),
        }
    }

    #[test]
    fn the_address_keeps_the_token_to_gitlab() {
        for (value, expected) in [
            (
                "https://gitlab.com/api/graphql",
                "https://gitlab.com/api/graphql",
            ),
            (
                "https://gitlab.foo.com:8443/git/api/graphql",
                "https://gitlab.foo.com:8443/git/api/graphql",
            ),
            (
                "http://127.0.0.1:8080/api/graphql",
                "http://127.0.0.1:8080/api/graphql",
            ),
            (
                "http://[::1]:8080/api/graphql",
                "http://[::1]:8080/api/graphql",
            ),
            (
                "http://localhost/api/graphql",
                "http://localhost/api/graphql",
            ),
            (
                "http://gitlab.foo.com/api/graphql",
                "REFUSED: over http anyone on the way could read the token",
            ),
            (
                "http://127.0.0.1.foo.com/api/graphql",
                "REFUSED: over http anyone on the way could read the token",
            ),
            (
                "https://me:secret@gitlab.com/api/graphql",
                "REFUSED: a name or a password has no place in it",
            ),
            (
                "https://gitlab.com/api/graphql?private_token=x",
                "REFUSED: something follows its path",
            ),
            (
                "https://gitlab.com",
                "REFUSED: GitLab's GraphQL API is at /api/graphql",
            ),
            (
                "ftp://gitlab.com/api/graphql",
                "REFUSED: neither https nor http",
            ),
            (
                "gitlab.com/api/graphql",
                "REFUSED: no address (relative URL without a base)",
            ),
        ] {
            assert_eq!(outcome(url(value)), expected, "{value}");
        }
    }

    #[test]
    fn groups_and_projects_are_paths() {
        for value in ["dtaas", "DTaaS", "company/lab-2/dt.aas", "_x"] {
            assert_eq!(outcome(group(value)), value);
        }
        for value in [
            "", "/dtaas", "dtaas/", "a//b", "my group", "..", "a/../b", "-a", "a.",
        ] {
            assert_eq!(outcome(group(value)), "REFUSED: no group has such a path");
        }
        assert_eq!(outcome(project("commons")), "commons");
        assert_eq!(
            outcome(project("a/b")),
            "REFUSED: no project has such a path"
        );
    }

    #[test]
    fn a_token_is_taken_and_not_shown() {
        assert_eq!(token("glpat-abc_DEF").unwrap().expose(), "glpat-abc_DEF");
        for value in ["two words", "line\nbreak", "caf\u{e9}"] {
            let refused = token(value).unwrap_err();
            assert!(!refused.why.contains(value), "{refused:?}");
        }
    }
}
