//! What the server counts, in the text format that Prometheus reads (exposition format 0.0.4). Labels hold no name of a user
//! and no path: there would be no end of them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

use super::process;

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A question, or an array of them.
    Graphql,
    /// A file or a folder.
    Files,
    /// The playground or a file of it.
    Playground,
    /// Nothing that is served.
    Other,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Graphql, Self::Files, Self::Playground, Self::Other];

    fn word(self) -> &'static str {
        match self {
            Kind::Graphql => "graphql",
            Kind::Files => "files",
            Kind::Playground => "playground",
            Kind::Other => "other",
        }
    }
}

/// The upper ends of the histogram's buckets: in microseconds, and in seconds as they are written.
const BUCKETS: [(u64, &str); 14] = [
    (100, "0.0001"),
    (250, "0.00025"),
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (1_000_000, "1"),
    (10_000_000, "10"),
    (60_000_000, "60"),
    (600_000_000, "600"),
];

/// The statuses of HTTP begin with this one,
const FIRST_STATUS: u16 = 100;
/// and there are so many of them.
const STATUSES: usize = 500;

/// Codes are our own words. This only keeps a mistake from filling the memory.
const MOST_CODES: usize = 64;

struct PerKind {
    in_flight: AtomicI64,
    statuses: [AtomicU64; STATUSES],
    buckets: [AtomicU64; BUCKETS.len() + 1],
    micros: AtomicU64,
}

impl PerKind {
    fn new() -> Self {
        Self {
            in_flight: AtomicI64::new(0),
            statuses: std::array::from_fn(|_| AtomicU64::new(0)),
            buckets: std::array::from_fn(|_| AtomicU64::new(0)),
            micros: AtomicU64::new(0),
        }
    }
}

/// The counters of one server.
pub struct Metrics {
    kinds: [PerKind; Kind::ALL.len()],
    refusals: Mutex<BTreeMap<String, u64>>,
    received: AtomicU64,
    sent: AtomicU64,
    started: Duration,
}

impl Metrics {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self {
            kinds: std::array::from_fn(|_| PerKind::new()),
            refusals: Mutex::default(),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            started: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        }
    }

    /// A request has begun.
    pub fn begun(&self, kind: Kind) {
        self.of(kind).in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// A request has ended, its answer sent; `code` says why it got none.
    pub fn ended(&self, kind: Kind, status: StatusCode, code: Option<&str>, took: Duration) {
        let counters = self.of(kind);
        counters.in_flight.fetch_sub(1, Ordering::Relaxed);
        let status = usize::from(status.as_u16().saturating_sub(FIRST_STATUS));
        counters.statuses[status.min(STATUSES - 1)].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS.partition_point(|(end, _)| *end < micros);
        counters.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        counters.micros.fetch_add(micros, Ordering::Relaxed);
        if let Some(code) = code {
            self.refused(code);
        }
    }

    fn refused(&self, code: &str) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = refusals.get_mut(code) {
            *count += 1;
        } else if refusals.len() < MOST_CODES {
            refusals.insert(code.to_owned(), 1);
        }
    }

    /// So many bytes of a file have come in.
    pub fn received(&self, bytes: u64) {
        self.received.fetch_add(bytes, Ordering::Relaxed);
    }

    /// So many bytes of a file, or of an archive, have gone out.
    pub fn sent(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    /// How many requests of a kind are in hand.
    pub fn in_flight(&self, kind: Kind) -> i64 {
        self.of(kind).in_flight.load(Ordering::Relaxed)
    }

    fn of(&self, kind: Kind) -> &PerKind {
        &self.kinds[kind as usize]
    }

    /// The answer to whoever asks for the metrics.
    pub fn respond(&self) -> Response {
        let mut response = Response::new(Body::from(self.text()));
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        headers.insert(CONTENT_TYPE, kind);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    fn text(&self) -> String {
        let mut text = Text::default();
        text.family(
            "dtaas_library_requests_total",
            "counter",
            "Requests that have ended, by what they are about and the status of the answer; 499: the client went away before there was one.",
        );
        for kind in Kind::ALL {
            for (status, count) in (FIRST_STATUS..).zip(&self.of(kind).statuses) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    let labels = format!("kind=\"{}\",status=\"{status}\"", kind.word());
                    text.sample("dtaas_library_requests_total", &labels, count);
                }
            }
        }
        text.family(
            "dtaas_library_request_duration_seconds",
            "histogram",
            "From a request to the end of its answer.",
        );
        for kind in Kind::ALL {
            self.histogram(&mut text, kind);
        }
        text.family(
            "dtaas_library_requests_in_flight",
            "gauge",
            "Requests whose answers have not ended.",
        );
        for kind in Kind::ALL {
            let labels = format!("kind=\"{}\"", kind.word());
            text.sample(
                "dtaas_library_requests_in_flight",
                &labels,
                self.in_flight(kind),
            );
        }
        text.family(
            "dtaas_library_refusals_total",
            "counter",
            "Requests without an answer, by the code of the first reason.",
        );
        for (code, count) in self
            .refusals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
        {
            let labels = format!("code=\"{code}\"");
            text.sample("dtaas_library_refusals_total", &labels, count);
        }
        for (name, help, count) in [
            (
                "dtaas_library_files_received_bytes_total",
                "Bytes of files that came in.",
                &self.received,
            ),
            (
                "dtaas_library_files_sent_bytes_total",
                "Bytes of files and archives that went out.",
                &self.sent,
            ),
        ] {
            text.family(name, "counter", help);
            text.sample(name, "", count.load(Ordering::Relaxed));
        }
        self.process(&mut text);
        text.0
    }

    fn histogram(&self, text: &mut Text, kind: Kind) {
        const NAME: &str = "dtaas_library_request_duration_seconds";
        let (counters, kind) = (self.of(kind), kind.word());
        let mut below = 0;
        let ends = BUCKETS.iter().map(|(_, end)| *end).chain(["+Inf"]);
        for (end, count) in ends.zip(&counters.buckets) {
            below += count.load(Ordering::Relaxed);
            let labels = format!("kind=\"{kind}\",le=\"{end}\"");
            text.sample(&format!("{NAME}_bucket"), &labels, below);
        }
        let labels = format!("kind=\"{kind}\"");
        let seconds = Duration::from_micros(counters.micros.load(Ordering::Relaxed));
        text.sample(&format!("{NAME}_sum"), &labels, seconds.as_secs_f64());
        text.sample(&format!("{NAME}_count"), &labels, below);
    }

    fn process(&self, text: &mut Text) {
        text.family(
            "dtaas_build_info",
            "gauge",
            "Which version this is; the value is always 1.",
        );
        let version = format!("version=\"{}\"", env!("CARGO_PKG_VERSION"));
        text.sample("dtaas_build_info", &version, 1);
        let started = self.started.as_secs_f64();
        let (resident, open) = (process::resident_bytes(), process::open_descriptors());
        for (name, help, value) in [
            (
                "process_start_time_seconds",
                "When the server began, in seconds since 1970.",
                Some(started),
            ),
            (
                "process_resident_memory_bytes",
                "Memory that is in use.",
                resident.map(|bytes| bytes as f64),
            ),
            (
                "process_open_fds",
                "Open files and connections.",
                open.map(|count| count as f64),
            ),
        ] {
            if let Some(value) = value {
                text.family(name, "gauge", help);
                text.sample(name, "", value);
            }
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// Lines of the format. Help and labels are our own words: nothing in them has to be escaped.
#[derive(Default)]
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string does not fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let _ = match labels {
            "" => writeln!(self.0, "{name} {value}"),
            labels => writeln!(self.0, "{name}{{{labels}}} {value}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_what_is_below_their_ends() {
        let metrics = Metrics::new();
        for micros in [1, 100, 101, 250_000, 700_000_000] {
            metrics.begun(Kind::Graphql);
            let took = Duration::from_micros(micros);
            metrics.ended(Kind::Graphql, StatusCode::OK, None, took);
        }
        let text = metrics.text();
        for line in [
            "dtaas_library_requests_total{kind=\"graphql\",status=\"200\"} 5",
            "dtaas_library_request_duration_seconds_bucket{kind=\"graphql\",le=\"0.0001\"} 2",
            "dtaas_library_request_duration_seconds_bucket{kind=\"graphql\",le=\"0.00025\"} 3",
            "dtaas_library_request_duration_seconds_bucket{kind=\"graphql\",le=\"0.25\"} 4",
            "dtaas_library_request_duration_seconds_bucket{kind=\"graphql\",le=\"600\"} 4",
            "dtaas_library_request_duration_seconds_bucket{kind=\"graphql\",le=\"+Inf\"} 5",
            "dtaas_library_request_duration_seconds_count{kind=\"graphql\"} 5",
            "dtaas_library_request_duration_seconds_sum{kind=\"graphql\"} 700.250202",
            "dtaas_library_requests_in_flight{kind=\"graphql\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn buckets_are_named_by_their_ends() {
        for (micros, seconds) in BUCKETS {
            let seconds: f64 = seconds.parse().unwrap();
            assert_eq!(Duration::from_micros(micros).as_secs_f64(), seconds);
        }
    }
}
