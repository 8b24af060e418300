//! Any request to a library that is written: nothing hidden is in the answer, and nothing of others changes.

#![no_main]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;

use dtaas_fuzz::planted::{Planted, judge};
use dtaas_fuzz::served::{Server, request};
use libfuzzer_sys::fuzz_target;

static SERVED: LazyLock<(Planted, Server, BTreeMap<PathBuf, Vec<u8>>)> = LazyLock::new(|| {
    let planted = Planted::new();
    let server = Server::writing(&planted.root());
    let others = planted.others();
    (planted, server, others)
});

fuzz_target!(|data: &[u8]| {
    let Some(request) = request(data) else {
        return;
    };
    let (planted, server, others) = &*SERVED;
    let what = format!("{request:?}");
    let writes = !matches!(request.method().as_str(), "GET" | "HEAD" | "OPTIONS");
    let (status, answer) = server.answer(request);
    judge(&answer, &what);
    // A destination on another server is answered with 502 (RFC 4918, 9.9.4).
    assert!(
        !status.is_server_error() || matches!(status.as_u16(), 501 | 502 | 507),
        "{status} for {what}"
    );
    if writes && !status.is_client_error() {
        assert_eq!(planted.others(), *others, "{what}");
        planted.again();
    }
});
