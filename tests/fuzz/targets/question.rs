//! The text of a question: refused or prepared, within the stack that a thread of the server has, and soon.

#![no_main]

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{LazyLock, Mutex};

use async_graphql::Variables;
use dtaas::library::question::prepare;
use libfuzzer_sys::fuzz_target;

/// What tokio gives a thread.
const STACK: usize = 2 << 20;

/// A thread that prepares one question after the other.
static THREAD: LazyLock<Mutex<(Sender<String>, Receiver<bool>)>> = LazyLock::new(|| {
    let (ask, asked) = channel::<String>();
    let (tell, told) = channel();
    std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(move || {
            for text in asked {
                let good = prepare(text, None, Variables::default()).is_ok();
                if tell.send(good).is_err() {
                    return;
                }
            }
        })
        .unwrap();
    Mutex::new((ask, told))
});

fuzz_target!(|text: &str| {
    let thread = THREAD.lock().unwrap();
    thread.0.send(text.to_owned()).unwrap();
    thread.1.recv().unwrap();
});
