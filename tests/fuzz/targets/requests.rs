//! Any request to a library that is read: nothing that alice must not see is in the answer.

#![no_main]

use std::sync::LazyLock;

use dtaas_fuzz::planted::{Planted, judge};
use dtaas_fuzz::served::{Server, request};
use libfuzzer_sys::fuzz_target;

static SERVED: LazyLock<(Planted, Server)> = LazyLock::new(|| {
    let planted = Planted::new();
    let server = Server::reading(&planted.root());
    (planted, server)
});

fuzz_target!(|data: &[u8]| {
    let Some(request) = request(data) else {
        return;
    };
    let (_planted, server) = &*SERVED;
    let what = format!("{request:?}");
    let (status, answer) = server.answer(request);
    judge(&answer, &what);
    assert!(
        !status.is_server_error() || status == 501,
        "{status} for {what}"
    );
});
