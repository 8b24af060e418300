//! Which cookies go on to a workspace: its own do (Jupyter guards forms with one), the platform's never.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

/// What the names of all the platform's own cookies begin with, `__Host-` aside.
pub const PREFIX: &str = "dtaas";

/// The cookies of a request, `name=value` each, as bytes: pages set names and values of any letters, and one that we could not read as text
/// would hide the others.
pub fn each(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b';'))
        .map(<[u8]>::trim_ascii)
        .filter(|cookie| !cookie.is_empty())
}

/// The values of the cookies of a name.
pub fn named<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a [u8]> {
    each(headers)
        .filter_map(|cookie| {
            let at = cookie.iter().position(|byte| *byte == b'=')?;
            Some((cookie[..at].trim_ascii(), cookie[at + 1..].trim_ascii()))
        })
        .filter(move |(found, _)| *found == name.as_bytes())
        .map(|(_, value)| value)
}

/// The `Cookie` header for whatever is behind the gateway, which takes it from our answer (Traefik's `authResponseHeaders`):
/// what was sent, without the platform's own; `None` when nothing is left.
pub fn passed_on(headers: &HeaderMap) -> Option<HeaderValue> {
    let kept: Vec<&[u8]> = each(headers).filter(|cookie| !is_ours(cookie)).collect();
    match kept.is_empty() {
        true => None,
        false => HeaderValue::from_bytes(&kept.join(&b"; "[..])).ok(),
    }
}

fn is_ours(cookie: &[u8]) -> bool {
    let end = cookie.iter().position(|byte| *byte == b'=');
    let name = cookie[..end.unwrap_or(cookie.len())].trim_ascii();
    let bare = ["__Host-", "__Secure-"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix.as_bytes()))
        .unwrap_or(name);
    bare.get(..PREFIX.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(PREFIX.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(cookies: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(COOKIE, HeaderValue::from_bytes(cookie.as_bytes()).unwrap());
        }
        let value = passed_on(&headers)?;
        Some(String::from_utf8(value.as_bytes().to_vec()).unwrap())
    }

    #[test]
    fn a_workspaces_cookies_go_on_and_the_platforms_do_not() {
        assert_eq!(
            passed(&[
                "_xsrf=2|a|b; __Host-dtaas-session=s; theme=dark",
                "DTAAS=x;a=b"
            ])
            .as_deref(),
            Some("_xsrf=2|a|b; theme=dark; a=b")
        );
        assert_eq!(
            passed(&["n=José; dtaas-session=s; é=dtaas; _xsrf=2"]).as_deref(),
            Some("n=José; é=dtaas; _xsrf=2")
        );
        assert_eq!(passed(&["dtaas-session=s"]), None);
        assert_eq!(passed(&[]), None);
    }
}
