//! More visitors than the endpoint can verify.

use std::time::Instant;

use super::fixture::{Platform, basic, sign_in, until_from_memory};

#[test]
fn a_flood_of_wrong_passwords_is_bounded_and_does_not_hold_up_the_known() {
    let platform = Platform::new().with("alice", "hunter2", r#"{"groups":[]}"#);
    let server = platform.serve();
    until_from_memory(&server, "alice", "hunter2");

    std::thread::scope(|scope| {
        let attempts: Vec<_> = (0..200)
            .map(|n| {
                let server = &server;
                scope.spawn(move || {
                    let answer = sign_in(server, "/authz", &format!("nobody{n}"), "guess");
                    (
                        answer.status,
                        answer.header("retry-after").map(str::to_owned),
                    )
                })
            })
            .collect();
        let start = Instant::now();
        let mut known = 0;
        while attempts.iter().any(|attempt| !attempt.is_finished()) {
            assert_eq!(sign_in(&server, "/authz", "alice", "hunter2").status, 200);
            known += 1;
        }
        let took = start.elapsed();
        let answers: Vec<_> = attempts.into_iter().map(|a| a.join().unwrap()).collect();
        let busy = (503, Some("2".to_owned()));
        assert!(answers.iter().all(|a| *a == (401, None) || *a == busy));
        assert!(answers.contains(&busy), "none was turned away");
        assert!(known > 20, "only {known} known requests in {took:?}");
    });
}

#[test]
fn a_flood_from_one_address_does_not_turn_others_away() {
    let platform = Platform::new()
        .with("alice", "hunter2", r#"{"groups":[]}"#)
        .with("bob", "hunter3", r#"{"groups":[]}"#);
    let server = platform.serve();
    std::thread::scope(|scope| {
        let attempts: Vec<_> = (0..160)
            .map(|n| {
                let server = &server;
                let guess = basic(&format!("nobody{n}"), "guess");
                // What the sender claims to be stands first, what the gateway saw last.
                let from = format!("198.51.100.{n}, 192.0.2.1");
                scope.spawn(move || {
                    let headers = [
                        ("Authorization", guess.as_str()),
                        ("X-Forwarded-For", &from),
                    ];
                    server.get("/authz", &headers).status
                })
            })
            .collect();
        // Given that the flood is so high that some of it is turned away,
        while !attempts.iter().any(|attempt| attempt.is_finished()) {
            std::thread::yield_now();
        }
        // the first sign-in of others waits for its turn and is answered.
        for (user, password) in [("alice", "hunter2"), ("bob", "hunter3")] {
            let credentials = basic(user, password);
            let headers = [
                ("Authorization", credentials.as_str()),
                ("X-Forwarded-For", "192.0.2.2"),
            ];
            assert_eq!(server.get("/authz", &headers).status, 200);
        }
        let answers: Vec<u16> = attempts.into_iter().map(|a| a.join().unwrap()).collect();
        assert!(answers.contains(&503), "{answers:?}");
    });
}
