//! Which cookies go on to a workspace: its own do (Jupyter guards forms with one), the platform's never.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

/// What the names of all the platform's own cookies begin with, `__Host-` aside.
pub const PREFIX: &str = "dtaas";

/// The `Cookie` header for whatever is behind the gateway, which takes it from our answer (Traefik's `authResponseHeaders`):
/// what was sent, without the platform's own; `None` when nothing is left.
pub fn passed_on(headers: &HeaderMap) -> Option<HeaderValue> {
    let kept: Vec<&str> = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .map(str::trim)
        .filter(|cookie| !cookie.is_empty() && !is_ours(cookie))
        .collect();
    match kept.is_empty() {
        true => None,
        false => HeaderValue::from_str(&kept.join("; ")).ok(),
    }
}

fn is_ours(cookie: &str) -> bool {
    let name = cookie.split('=').next().unwrap_or_default().trim();
    let bare = ["__Host-", "__Secure-"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name);
    bare.get(..PREFIX.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(cookies: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(COOKIE, cookie.parse().unwrap());
        }
        passed_on(&headers).map(|value| value.to_str().unwrap().to_owned())
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
        assert_eq!(passed(&["dtaas-session=s"]), None);
        assert_eq!(passed(&[]), None);
    }
}
