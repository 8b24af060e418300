//! The text of a question: answered or refused, within the stack that a thread of the server has, and soon.

#![no_main]

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{LazyLock, Mutex};

use dtaas_fuzz::planted::{Planted, judge};
use dtaas_fuzz::served::{Server, request};
use libfuzzer_sys::fuzz_target;

/// What tokio gives a thread.
const STACK: usize = 2 << 20;

/// A thread that has one question answered after the other.
static THREAD: LazyLock<Mutex<(Sender<String>, Receiver<Vec<u8>>)>> = LazyLock::new(|| {
    let (ask, asked) = channel::<String>();
    let (tell, told) = channel();
    let work = move || {
        let planted = Planted::new();
        let server = Server::reading(&planted.root());
        for text in asked {
            let body = json::string(&text);
            let whole =
                format!("POST /lib\nContent-Type: application/json\n\n{{\"query\":{body}}}");
            let (status, answer) = server.answer(request(whole.as_bytes()).unwrap());
            assert!(!status.is_server_error(), "{status} for {text:?}");
            if tell.send(answer).is_err() {
                return;
            }
        }
    };
    let builder = std::thread::Builder::new().stack_size(STACK);
    builder.spawn(work).unwrap();
    Mutex::new((ask, told))
});

/// Just enough JSON.
mod json {
    pub fn string(text: &str) -> String {
        let mut quoted = String::from('"');
        for c in text.chars() {
            match c {
                '"' | '\\' => quoted.extend(['\\', c]),
                c if c < ' ' => quoted.push_str(&format!("\\u{:04x}", c as u32)),
                c => quoted.push(c),
            }
        }
        quoted.push('"');
        quoted
    }
}

fuzz_target!(|text: &str| {
    let thread = THREAD.lock().unwrap();
    thread.0.send(text.to_owned()).unwrap();
    let answer = thread.1.recv().unwrap();
    judge(&answer, &text);
});
