//! The page where people sign in.

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::asked::{ADDRESS_MAX, Asked};
use super::basic::Credentials;
use super::endpoint::{Endpoint, SIGN_IN, Unknown, plain, seconds};
use crate::page::{self, Asset, HTML, STYLE};
use crate::secrets::Secret;

/// The most that a form holds, in bytes.
const FORM_MAX: usize = 8 * 1024;

const PAGE: &str = include_str!("../../website/signin/index.html");
const PICTURE: &str = include_str!("../../website/favicon.svg");
const ICON: &str = "image/svg+xml";
const LOOKS: &str = include_str!("../../website/signin/style.css");

/// What was written into the form.
#[derive(Default)]
struct Form {
    user: String,
    password: String,
    to: String,
}

impl Form {
    fn read(bytes: &[u8]) -> Self {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(bytes) {
            match &*name {
                "user" => form.user = value.into_owned(),
                "password" => form.password = value.into_owned(),
                "to" => form.to = value.into_owned(),
                _ => {}
            }
        }
        form
    }
}

/// Text where HTML is expected.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

impl Endpoint {
    /// What is at the page's address and below.
    pub(super) async fn sign_in(&self, rest: &str, request: Request) -> Response {
        let mut response = match (rest, request.method().as_str()) {
            ("", "GET" | "HEAD") => {
                let query = request.uri().query().unwrap_or_default();
                let form = Form::read(query.as_bytes());
                let asked = self.front.before(&request);
                let notice = match self.is_safe(&asked) {
                    true => "",
                    false => UNSAFE,
                };
                self.page(StatusCode::OK, &form, notice)
            }
            ("", "POST") => self.try_to_sign_in(request).await,
            ("/style.css", "GET" | "HEAD") => {
                Asset::new("style.css", STYLE, LOOKS).send(request.headers())
            }
            ("/icon.svg", "GET" | "HEAD") => {
                Asset::new("icon.svg", ICON, PICTURE).send(request.headers())
            }
            ("" | "/style.css" | "/icon.svg", _) => {
                plain(StatusCode::METHOD_NOT_ALLOWED, "Only GET and POST.\n")
            }
            _ => plain(StatusCode::NOT_FOUND, "No such page.\n"),
        };
        page::guard(&mut response);
        response
    }

    /// Whether a password and a cookie may go the way that this request came.
    fn is_safe(&self, asked: &Asked<'_>) -> bool {
        asked.secure || asked.is_from_here()
    }

    async fn try_to_sign_in(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let is_form = parts
            .headers
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        let bytes = match is_form {
            true => to_bytes(body, FORM_MAX).await.ok(),
            false => None,
        };
        let Some(bytes) = bytes else {
            return plain(StatusCode::BAD_REQUEST, "This is not the page's form.\n");
        };
        let form = Form::read(&bytes);
        let request = Request::from_parts(parts, axum::body::Body::empty());
        let asked = self.front.before(&request);
        if !self.is_safe(&asked) {
            return self.page(StatusCode::FORBIDDEN, &form, UNSAFE);
        }
        // Another page must not sign anybody in as somebody else.
        if !asked.is_willing() {
            let notice = "This came from another page. Sign in here.";
            return self.page(StatusCode::FORBIDDEN, &form, notice);
        }
        let wrong =
            "That is not a user’s name and password. Passwords are told apart by capital letters.";
        let Ok(user) = form.user.trim().parse() else {
            return self.page(StatusCode::UNAUTHORIZED, &form, wrong);
        };
        let password = Secret::new(form.password.as_str());
        match self.verified(Credentials { user, password }, &asked).await {
            Ok(known) => match self.begin(&known.user, &asked).await {
                Ok(Some(cookie)) => self.go_on(&form, cookie),
                Ok(None) => self.page(StatusCode::UNAUTHORIZED, &form, wrong),
                Err(error) => {
                    self.complaints.say(format!("{error:#}"));
                    let notice = "You cannot be signed in just now. Tell your operator.";
                    self.page(StatusCode::INTERNAL_SERVER_ERROR, &form, notice)
                }
            },
            Err(Unknown::Nobody | Unknown::Wrong) => {
                self.page(StatusCode::UNAUTHORIZED, &form, wrong)
            }
            Err(Unknown::Slow(wait)) => {
                let wait = seconds(wait);
                let notice = format!("There were too many wrong passwords. Try again in {wait} s.");
                let page = self.page(StatusCode::TOO_MANY_REQUESTS, &form, &notice);
                ([(RETRY_AFTER, HeaderValue::from(wait))], page).into_response()
            }
            Err(Unknown::Busy) => {
                let notice = "Many people sign in just now. Try again in a moment.";
                self.page(StatusCode::SERVICE_UNAVAILABLE, &form, notice)
            }
            Err(Unknown::Broken) => {
                let notice = "Your account cannot be read. Tell your operator.";
                self.page(StatusCode::INTERNAL_SERVER_ERROR, &form, notice)
            }
        }
    }

    fn go_on(&self, form: &Form, cookie: HeaderValue) -> Response {
        let to = self.way_back(&form.to);
        let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
        (
            StatusCode::SEE_OTHER,
            [(LOCATION, to), (SET_COOKIE, cookie)],
        )
            .into_response()
    }

    /// Where somebody goes on: to a page of this platform, and nowhere else.
    fn way_back<'a>(&'a self, to: &'a str) -> &'a str {
        let rest = to.strip_prefix(&self.base).filter(|rest| {
            let fine = |c: char| c.is_ascii_graphic() && c != '\\';
            rest.starts_with('/')
                && !to.starts_with("//")
                && to.len() <= ADDRESS_MAX
                && to.chars().all(fine)
                && !rest.starts_with(SIGN_IN)
        });
        match rest {
            Some(_) => to,
            None if self.base.is_empty() => "/",
            // The website leads from here to its first page.
            None => &self.base,
        }
    }

    fn page(&self, status: StatusCode, form: &Form, notice: &str) -> Response {
        let notice = match notice {
            "" => String::new(),
            notice => format!("<p class=\"notice\" role=\"alert\">{}</p>", escaped(notice)),
        };
        // Each is put in once, so that what stands in one cannot be taken for the place of another.
        let mut html = String::with_capacity(PAGE.len() + 256);
        let mut rest = PAGE;
        while let Some((before, after)) = rest.split_once('{') {
            html.push_str(before);
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            match name {
                "base" => html.push_str(&self.base),
                "to" => html.push_str(&escaped(&form.to)),
                "user" => html.push_str(&escaped(&form.user)),
                "notice" => html.push_str(&notice),
                other => {
                    html.push('{');
                    html.push_str(other);
                    html.push('}');
                }
            }
            rest = after;
        }
        html.push_str(rest);
        (status, [(CONTENT_TYPE, HTML)], html).into_response()
    }
}

const UNSAFE: &str = "Passwords are not taken here, because this connection is not encrypted: use the address that begins with https.";
