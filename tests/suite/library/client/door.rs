//! What stands before the library on a platform, as small as it can be: it checks passwords, says who asks, and lets through. Told to,
//! it cuts a request or an answer off in the middle.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;

use super::super::fixture::{SECRET, Server, client};

/// Users of the door: name, password, groups.
const USERS: [(&str, &str, &str); 2] = [
    ("alice", "alice's password", "publishers"),
    ("bob", "bob's password", ""),
];

/// Where something is cut off, once.
#[derive(Debug, Clone, Copy)]
pub enum Cut {
    /// After so many bytes of an answer with more.
    Answer(u64),
    /// After so many bytes of a request with more.
    Request(u64),
}

/// A door that is open as long as it is held.
pub struct Door {
    /// The library's address behind it.
    pub url: String,
    /// The certificate of the authority that signed the door's.
    pub authority: PathBuf,
    inside: Arc<Inside>,
    _directory: tempfile::TempDir,
}

struct Inside {
    library: String,
    cuts: Mutex<VecDeque<Cut>>,
    passed: Mutex<Vec<String>>,
}

impl Door {
    /// A door with TLS for `localhost`.
    pub async fn open(library: &Server) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (authority, config) = certificate(directory.path());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let inside = Arc::new(Inside {
            library: library.at(""),
            cuts: Mutex::default(),
            passed: Mutex::default(),
        });
        let app = Router::new().fallback(pass).with_state(inside.clone());
        let tls = Tls {
            listener,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        };
        tokio::spawn(async move { axum::serve(tls, app).await });
        Self {
            url: format!("https://localhost:{port}{}", library.path()),
            authority,
            inside,
            _directory: directory,
        }
    }

    /// Cuts off what comes next and is long enough.
    pub fn cut(&self, cut: Cut) {
        self.inside.cuts.lock().unwrap().push_back(cut);
    }

    /// Cuts nothing more.
    pub fn forget_cuts(&self) {
        self.inside.cuts.lock().unwrap().clear();
    }

    /// Whether everything was cut that should be.
    pub fn has_cut_all(&self) -> bool {
        self.inside.cuts.lock().unwrap().is_empty()
    }

    /// Method, path and query, `Range` and `Content-Range` of what came through, and takes it away.
    pub fn passed(&self) -> Vec<String> {
        std::mem::take(&mut *self.inside.passed.lock().unwrap())
    }

    /// Flags with which a user comes through.
    pub fn flags<'a>(&'a self, user: &'a str) -> [&'a str; 6] {
        let authority = self.authority.to_str().unwrap();
        ["--url", &self.url, "--cacert", authority, "--user", user]
    }
}

/// A user's password, as the command's environment has it.
pub fn password(user: &str) -> [(&'static str, &'static str); 1] {
    let (_, password, _) = USERS.iter().find(|(name, _, _)| *name == user).unwrap();
    [("DTAAS_LIB_PASSWORD", password)]
}

fn certificate(directory: &Path) -> (PathBuf, ServerConfig) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let file = directory.join("authority.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let leaf = params.signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    (file, config)
}

struct Tls {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.listener.accept().await.unwrap();
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

async fn pass(State(inside): State<Arc<Inside>>, request: Request) -> Response {
    let Some((user, groups)) = who(&request) else {
        let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"door\"")];
        return (StatusCode::UNAUTHORIZED, challenge, "401\n").into_response();
    };
    let (mut parts, body) = request.into_parts();
    let range = |name| {
        let value = parts.headers.get(name).map(|value| value.to_str().unwrap());
        value.map_or(String::new(), |value| format!(" {value}"))
    };
    let line = format!(
        "{} {}{}{}",
        parts.method,
        parts.uri,
        range(header::RANGE),
        range(header::CONTENT_RANGE)
    );
    inside.passed.lock().unwrap().push(line);
    for name in [header::AUTHORIZATION, header::HOST] {
        parts.headers.remove(name);
    }
    let length = |headers: &axum::http::HeaderMap| {
        let length = headers
            .get(header::CONTENT_LENGTH)?
            .to_str()
            .unwrap()
            .parse::<u64>();
        length.ok()
    };
    let cut_off = inside.take(|cut| match cut {
        Cut::Request(after) if length(&parts.headers).is_some_and(|length| length > after) => {
            Some(after)
        }
        Cut::Request(_) | Cut::Answer(_) => None,
    });
    let sent = body.into_data_stream().map_err(io::Error::other).boxed();
    let url = format!("{}{}", inside.library, parts.uri);
    let has_body = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING]
        .iter()
        .any(|name| parts.headers.contains_key(name));
    let mut forwarded = client()
        .request(parts.method, url)
        .headers(parts.headers)
        .header("X-Dtaas-Gateway", SECRET)
        .header("X-Forwarded-User", user)
        .header("X-Forwarded-Groups", groups);
    if has_body {
        forwarded = forwarded.body(reqwest::Body::wrap_stream(cut(sent, cut_off)));
    }
    let Ok(answer) = forwarded.send().await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    let is_long = |after| length(response.headers()).is_some_and(|length| length > after);
    let cut_off = inside.take(|cut| match cut {
        Cut::Answer(after) if is_long(after) => Some(after),
        Cut::Answer(_) | Cut::Request(_) => None,
    });
    let got = answer.bytes_stream().map_err(io::Error::other).boxed();
    *response.body_mut() = Body::from_stream(cut(got, cut_off));
    response
        .headers_mut()
        .insert("x-door", HeaderValue::from_static("open"));
    response
}

impl Inside {
    fn take(&self, fits: impl Fn(Cut) -> Option<u64>) -> Option<u64> {
        let mut cuts = self.cuts.lock().unwrap();
        let after = cuts.front().copied().and_then(fits)?;
        cuts.pop_front();
        Some(after)
    }
}

/// The same bytes, or an error once so many have passed.
fn cut(
    pieces: BoxStream<'static, io::Result<Bytes>>,
    after: Option<u64>,
) -> BoxStream<'static, io::Result<Bytes>> {
    let Some(after) = after else {
        return pieces;
    };
    let step = |(mut pieces, left): (BoxStream<'static, io::Result<Bytes>>, u64)| async move {
        if left == 0 {
            return Some((Err(io::Error::other("cut off")), (pieces, left)));
        }
        let mut piece = match pieces.next().await? {
            Ok(piece) => piece,
            Err(error) => return Some((Err(error), (pieces, left))),
        };
        piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        let left = left - piece.len() as u64;
        Some((Ok(piece), (pieces, left)))
    };
    stream::unfold((pieces, after), step).boxed()
}

fn who(request: &Request) -> Option<(&'static str, &'static str)> {
    let shown = request.headers().get(header::AUTHORIZATION)?;
    let encoded = shown.to_str().ok()?.strip_prefix("Basic ")?;
    let shown = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    USERS
        .iter()
        .find(|(name, password, _)| shown == format!("{name}:{password}"))
        .map(|(name, _, groups)| (*name, *groups))
}
