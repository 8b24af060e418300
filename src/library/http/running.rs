//! A request from its beginning to the end of its answer, and what is kept of it: a line of the access log, and counts.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::CONTENT_LENGTH;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use http_body::{Frame, SizeHint};

use super::metrics::{Kind, Metrics};
use super::{Entry, Service};
use crate::library::log::Level;
use crate::library::path::Viewer;

/// The code of a request whose client went away before the end of the answer.
const CLIENT_GONE: &str = "CLIENT_GONE";

/// What is going on in a server.
#[derive(Default)]
pub struct Traffic {
    /// What was counted.
    pub metrics: Metrics,
    next: AtomicU64,
    transfers: Mutex<BTreeMap<u64, Arc<Transfer>>>,
}

impl Traffic {
    /// The requests in hand, for the log: how many questions, and each transfer of a file with how far it is. The oldest
    /// comes first; more than a screenful are only counted.
    pub fn in_hand(&self) -> Vec<String> {
        const SHOWN: usize = 20;
        let mut all = Vec::new();
        for (kind, what) in [
            (Kind::Graphql, "question"),
            (Kind::Playground, "page"),
            (Kind::Other, "other request"),
        ] {
            match self.metrics.in_flight(kind) {
                ..=0 => {}
                1 => all.push(format!("1 {what}")),
                count => all.push(format!("{count} {what}s")),
            }
        }
        let transfers = self.lock();
        all.extend(transfers.values().take(SHOWN).map(|one| one.told()));
        if transfers.len() > SHOWN {
            all.push(format!("{} more transfers", transfers.len() - SHOWN));
        }
        all
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Arc<Transfer>>> {
        self.transfers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file, or a folder, on its way.
struct Transfer {
    user: String,
    line: String,
    begun: Instant,
    received: AtomicU64,
    sent: AtomicU64,
}

impl Transfer {
    fn told(&self) -> String {
        let received = self.received.load(Ordering::Relaxed);
        let sent = self.sent.load(Ordering::Relaxed);
        let way = match (received, sent) {
            (0, sent) => format!("{sent} bytes sent"),
            (received, 0) => format!("{received} bytes received"),
            (received, sent) => format!("{received} bytes received, {sent} sent"),
        };
        let seconds = self.begun.elapsed().as_secs_f64();
        format!("{} {} ({way} in {seconds:.1} s)", self.user, self.line)
    }
}

/// A request in hand. When it is dropped it has ended, one way or another.
pub struct Running {
    service: Arc<Service>,
    kind: Kind,
    begun: Instant,
    user: Option<String>,
    entry: Option<Entry>,
    transfer: Option<(u64, Arc<Transfer>)>,
    broken_off: bool,
}

impl Running {
    /// A request begins.
    pub fn begin(service: &Arc<Service>, kind: Kind) -> Self {
        service.traffic.metrics.begun(kind);
        Self {
            service: Arc::clone(service),
            kind,
            begun: Instant::now(),
            user: None,
            entry: None,
            transfer: None,
            broken_off: false,
        }
    }

    /// It is known whose it is.
    pub fn is_from(&mut self, viewer: &Viewer) {
        self.user = match viewer {
            Viewer::User { name, .. } => Some(name.to_string()),
            Viewer::Everyone => None,
        };
    }

    /// It is answered at once.
    pub fn answered(mut self, entry: Entry) {
        self.entry = Some(entry);
    }

    /// It is about a file: what comes in is counted.
    pub fn receives(&mut self, request: Request) -> Request {
        let transfer = Arc::new(Transfer {
            user: self.user.clone().unwrap_or_else(|| "-".to_owned()),
            line: format!("{} {}", request.method(), request.uri().path()),
            begun: self.begun,
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
        });
        let traffic = &self.service.traffic;
        let number = traffic.next.fetch_add(1, Ordering::Relaxed);
        traffic.lock().insert(number, Arc::clone(&transfer));
        self.transfer = Some((number, Arc::clone(&transfer)));
        if request.body().is_end_stream() {
            return request;
        }
        let service = Arc::clone(&self.service);
        request.map(|body| {
            Body::new(Counted {
                body,
                count: move |bytes| {
                    service.traffic.metrics.received(bytes);
                    transfer.received.fetch_add(bytes, Ordering::Relaxed);
                },
            })
        })
    }

    /// It is answered with what may take long to send; it ends when that has been sent, or can no longer be.
    pub fn sends(mut self, method: &Method, response: Response, entry: Entry) -> Response {
        self.entry = Some(entry);
        let length = match response.headers().get(CONTENT_LENGTH) {
            Some(length) => length.to_str().ok().and_then(|length| length.parse().ok()),
            None => response.body().size_hint().exact(),
        };
        if method == Method::HEAD || response.body().is_end_stream() {
            return response;
        }
        let ending = Ending {
            running: self,
            length,
            sent: 0,
            ended: false,
        };
        response.map(|body| Body::new(Sending { body, ending }))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let took = self.begun.elapsed();
        let transfer = self.transfer.take().map(|(number, transfer)| {
            self.service.traffic.lock().remove(&number);
            transfer
        });
        let entry = self.entry.take().unwrap_or_else(|| Entry {
            summary: match &transfer {
                Some(transfer) => transfer.line.clone(),
                None => "-".to_owned(),
            },
            // Not a status that is sent: nginx's word for a client that did not wait.
            status: StatusCode::from_u16(499).unwrap_or(StatusCode::REQUEST_TIMEOUT),
            error: Some((CLIENT_GONE.to_owned(), "the client went away".to_owned())),
        });
        let code = match &entry.error {
            Some((code, _)) => Some(code.as_str()),
            None if self.broken_off => Some(CLIENT_GONE),
            None => None,
        };
        let metrics = &self.service.traffic.metrics;
        metrics.ended(self.kind, entry.status, code, took);
        let sent = transfer.map(|transfer| transfer.sent.load(Ordering::Relaxed));
        self.log(&entry, code, sent, took);
    }
}

impl Running {
    /// One line: who, what, status, code, how much, how long.
    fn log(&self, entry: &Entry, code: Option<&str>, sent: Option<u64>, took: Duration) {
        let level = match entry.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Level::Warn,
            status if status.is_server_error() => Level::Error,
            _ => Level::Info,
        };
        let log = self.service.log;
        if !log.wants(level) {
            return;
        }
        let user = self.user.as_deref().unwrap_or("-");
        let (summary, status) = (&entry.summary, entry.status.as_u16());
        let code = code.map_or_else(String::new, |code| format!(" {code}"));
        let sent = sent.map_or_else(String::new, |bytes| format!(" {bytes} bytes"));
        let millis = took.as_secs_f64() * 1e3;
        log.event(
            level,
            format_args!("{user} {summary} {status}{code}{sent} {millis:.1} ms"),
        );
        if let Some((_, message)) = &entry.error {
            log.event(Level::Debug, message);
        }
    }
}

/// Notices whether all of an answer was sent.
struct Ending {
    running: Running,
    length: Option<u64>,
    sent: u64,
    ended: bool,
}

impl Ending {
    fn sent(&mut self, bytes: u64) {
        self.sent = self.sent.saturating_add(bytes);
        self.running.service.traffic.metrics.sent(bytes);
        if let Some((_, transfer)) = &self.running.transfer {
            transfer.sent.store(self.sent, Ordering::Relaxed);
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        // Once all of a known length is sent, nobody looks for the end.
        let whole = self.ended || self.length.is_some_and(|length| length == self.sent);
        self.running.broken_off = !whole;
    }
}

/// The body of a request, counted as it comes.
struct Counted<F> {
    body: Body,
    count: F,
}

impl<F: FnMut(u64) + Unpin> HttpBody for Counted<F> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(data) = frame.data_ref()
        {
            (self.count)(data.len() as u64);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer, until it has been sent.
struct Sending {
    body: Body,
    ending: Ending,
}

impl HttpBody for Sending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        match &frame {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    self.ending.sent(data.len() as u64);
                }
                // A body that says so is not asked again.
                self.ending.ended = self.body.is_end_stream();
            }
            Poll::Ready(None) => self.ending.ended = true,
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
