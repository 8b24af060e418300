//! A GitLab that refuses, fails, or is not there.

use serde_json::json;

use super::super::fixture::{LIST, READ, Reply, Server, client, names, text};
use super::super::gitlab_server::{Behaviour, TOKEN};
use super::{GROUP, Setup};

/// The code and the message of a listing of alice's project.
async fn listed(server: &Server) -> String {
    let reply = server.ask(LIST, json!({"path": "alice"})).await;
    match reply.json()["errors"][0]["message"].as_str() {
        Some(message) => format!("{}: {message}", reply.code()),
        None => names(&reply),
    }
}

#[tokio::test]
async fn what_goes_wrong_is_told_in_words() {
    let setup = Setup::new();
    for (behaviour, expected) in [
        (
            Behaviour::refuse(403, "API not accessible for user"),
            "200 UPSTREAM: \"alice\": GitLab does not let the library's token ask: API not accessible for user",
        ),
        (
            Behaviour::refuse(500, "Internal server error"),
            "200 UPSTREAM: \"alice\": GitLab answered 500: Internal server error",
        ),
        (
            Behaviour::refuse(422, "Query too large"),
            "200 UPSTREAM: \"alice\": GitLab answered 422: Query too large",
        ),
        (
            Behaviour::refuse(200, "Timeout on\n\u{1b}validation of query"),
            "200 UPSTREAM: \"alice\": GitLab says: Timeout on validation of query",
        ),
        (
            Behaviour::With(502, None, "<html>GitLab is not responding</html>".into()),
            "200 UPSTREAM: \"alice\": GitLab answered 502",
        ),
        (
            Behaviour::With(200, None, "<html>Welcome</html>".into()),
            "200 UPSTREAM: \"alice\": what answers at GITLAB_URL is not GitLab's GraphQL API: its answer is not JSON",
        ),
        (
            Behaviour::With(200, None, "[]".into()),
            "200 UPSTREAM: \"alice\": what answers at GITLAB_URL is not GitLab's GraphQL API: its answer has another form",
        ),
        (
            Behaviour::With(200, None, "{\"data\":null}".into()),
            "200 UPSTREAM: \"alice\": what answers at GITLAB_URL is not GitLab's GraphQL API: its answer holds neither data nor errors",
        ),
        (
            Behaviour::With(404, None, "404".into()),
            "200 UPSTREAM: \"alice\": what answers at GITLAB_URL is not GitLab's GraphQL API: nothing is there (404)",
        ),
        (
            Behaviour::Endless,
            "200 TOO_LARGE: \"alice\": GitLab's answer is larger than 4194304 bytes",
        ),
    ] {
        // Each time a server anew: one that fails often is left alone.
        let server = setup.serve();
        setup.gitlab.behave(behaviour);
        assert_eq!(listed(&server).await, expected);
        setup.gitlab.behave(Behaviour::Right);
        assert_eq!(listed(&server).await, " | README.md");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_none() {
    let setup = Setup::new();
    let server = setup.serve();
    setup.gitlab.behave(Behaviour::CutOff);
    let said = listed(&server).await;
    let expected = "200 UPSTREAM: \"alice\": GitLab's answer broke off: ";
    assert!(said.starts_with(expected), "{said}");
    // It was asked once: the question had arrived.
    assert_eq!(setup.questions(), 1);
}

#[tokio::test]
async fn what_the_token_may_not_see_is_told() {
    let setup = Setup::new();
    setup
        .gitlab
        .project("alice", |project| project.code_is_hidden = true);
    let server = setup.serve();
    assert_eq!(
        listed(&server).await,
        "200 UPSTREAM: \"alice\": GitLab shows the library's token no repository of this project; it needs the role \
         Reporter and the scope read_api"
    );
    let server = setup.serve_with("GITLAB_GROUP='company/other'", &["--no-auth"]);
    let reply = server.ask(LIST, json!({"path": ""})).await;
    assert_eq!(
        reply.json()["errors"][0]["message"],
        "\"/\": GitLab shows the library's token no group \"company/other\""
    );
    // The operator is told without a question.
    server.logged("GitLab shows the library's token no group");
}

#[tokio::test]
async fn a_wrong_token_is_told_and_not_shown_again_and_again() {
    let setup = Setup::new();
    let server = setup.serve_with("TOKEN='glpat-wrong'", &["--no-auth"]);
    let line = server.logged("left alone");
    let expected = " GitLab does not take the library's token: Invalid token; left alone for 10 s";
    assert!(line.ends_with(expected), "{line}");
    for _ in 0..5 {
        let said = listed(&server).await;
        let expected = "200 UPSTREAM_BUSY: \"alice\": GitLab does not take the library's token: Invalid token; it is asked again in ";
        assert!(said.starts_with(expected), "{said}");
    }
    assert_eq!(setup.gitlab.seen_with_readiness().len(), 1);
}

#[tokio::test]
async fn a_gitlab_that_throttles_is_left_alone_as_long_as_it_says() {
    let setup = Setup::new();
    let server = setup.serve();
    setup.gitlab.seen();
    setup.gitlab.behave(Behaviour::throttle(Some(2)));
    let said = listed(&server).await;
    assert_eq!(
        said,
        "200 UPSTREAM_BUSY: \"alice\": GitLab has no time for the library now (429); it wants to be asked again in 2 s"
    );
    setup.gitlab.behave(Behaviour::Right);
    for _ in 0..5 {
        let said = listed(&server).await;
        assert!(said.starts_with("200 UPSTREAM_BUSY: "), "{said}");
    }
    assert_eq!(setup.questions(), 1);
    // When the time is over, it is asked.
    let again = async {
        while listed(&server).await != " | README.md" {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(super::super::fixture::PATIENCE, again)
        .await
        .unwrap();
    assert_eq!(setup.questions(), 1);
    server.logged("GitLab answers again");
}

#[tokio::test]
async fn a_gitlab_that_is_gone_is_not_hammered_and_taken_up_again_when_it_is_back() {
    let mut setup = Setup::new();
    let server = setup.serve();
    assert_eq!(listed(&server).await, " | README.md");
    setup.gitlab.stop();
    let mut said = Vec::new();
    for _ in 0..20 {
        said.push(listed(&server).await);
    }
    assert_eq!(
        said[0],
        "200 UPSTREAM: \"alice\": GitLab cannot be reached: Connection refused (os error 111)"
    );
    let alone = "200 UPSTREAM_BUSY: \"alice\": GitLab cannot be reached: Connection refused (os error 111); it is asked again in ";
    assert!(said.iter().any(|said| said.starts_with(alone)), "{said:#?}");
    let asked = said.iter().filter(|said| !said.starts_with(alone)).count();
    assert!(asked < 20, "{said:#?}");
    // The server itself is well, and not ready.
    let reply = Reply::of(client().get(server.at("/healthz"))).await;
    assert_eq!(reply.status, 200);
    server.logged("left alone for 1 s");

    setup.gitlab.start_again();
    let again = async {
        while listed(&server).await != " | README.md" {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(super::super::fixture::PATIENCE, again)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_connection_that_cannot_be_made_is_tried_twice_and_no_more() {
    // Given something that takes connections and closes them before TLS has begun,
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let setup = Setup::new();
    let settings = format!("GITLAB_URL='https://127.0.0.1:{port}/api/graphql'");
    let (counted, mut count) = tokio::sync::watch::channel(0);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counted.send_modify(|n| *n += 1);
        }
    });
    let server = setup.serve_with(&settings, &["--no-auth"]);
    // (the first look at start is two of them)
    count.wait_for(|n| *n == 2).await.unwrap();
    server.logged("cannot be reached");
    // when it is asked twenty times,
    let mut tried = 0;
    for _ in 0..20 {
        let said = listed(&server).await;
        assert!(said.starts_with("200 UPSTREAM"), "{said}");
        tried += usize::from(!said.contains("; it is asked again in "));
    }
    // then each question is two connections at most, and after three failures in a row most are none.
    assert!((2..20).contains(&tried), "{tried}");
    assert_eq!(*count.borrow(), 2 + 2 * tried);
}

#[tokio::test]
async fn a_gitlab_that_does_not_answer_is_given_up() {
    let setup = Setup::new();
    let server = setup.serve_with("GITLAB_TIMEOUT='1'", &["--no-auth"]);
    assert_eq!(listed(&server).await, " | README.md");
    setup.gitlab.seen();
    setup.gitlab.behave(Behaviour::Silent);
    let said = listed(&server).await;
    assert_eq!(
        said,
        "200 UPSTREAM_BUSY: \"alice\": GitLab gave no whole answer within 1 s"
    );
    // A question that may have arrived is not sent again.
    assert_eq!(setup.questions(), 1);
}

#[tokio::test]
async fn only_eight_questions_are_under_way_at_once() {
    let setup = Setup::new();
    let server = setup.serve_users();
    let of = async |user: &str| names(&server.ask_as(user, LIST, json!({"path": user})).await);
    assert_eq!(of("alice").await, " | README.md");
    // Given a GitLab that keeps its answers back until there are eight questions,
    let (hold, held) = tokio::sync::watch::channel(());
    setup.gitlab.behave(Behaviour::Held(held));
    let mut under_way = setup.gitlab.under_way();
    let eight = async {
        under_way.wait_for(|count| count.now == 8).await.unwrap();
        drop(hold);
    };
    // when two users ask twenty each,
    let many = futures_util::future::join_all((0..20).map(|_| async {
        let (alice, bob) = tokio::join!(of("alice"), of("bob"));
        [alice, bob]
    }));
    let (said, ()) = tokio::join!(many, eight);
    // then all are answered, and never more than eight were under way.
    let expected = [" | README.md", " | secret.txt"];
    assert!(said.iter().all(|said| *said == expected), "{said:#?}");
    assert_eq!(under_way.borrow().at_most, 8);
}

#[tokio::test]
async fn one_user_keeps_half_of_the_places_busy_and_all_of_them_the_server_ready() {
    let setup = Setup::new();
    // Given a server that was not ready when it started,
    let refused = Behaviour::refuse(500, "Internal server error");
    setup.gitlab.behave(refused);
    let server = setup.serve_users();
    server.logged("GitLab answered 500");
    let of = async |user: &str| names(&server.ask_as(user, LIST, json!({"path": user})).await);
    let twenty = async |user: &str| {
        futures_util::future::join_all((0..20).map(|_| of(user))).await;
    };
    // and a GitLab that keeps its answers back,
    let (hold, held) = tokio::sync::watch::channel(());
    setup.gitlab.behave(Behaviour::Held(held));
    let mut under_way = setup.gitlab.under_way();
    let watched = async {
        // when one user asks twenty questions, half of the places are left,
        under_way.wait_for(|count| count.now == 4).await.unwrap();
        let bob = twenty("bob");
        let others = async {
            // and when another one takes those,
            under_way.wait_for(|count| count.now == 8).await.unwrap();
            setup.gitlab.behave(Behaviour::Right);
            // the server becomes ready all the same.
            let ready = async {
                while Reply::of(client().get(server.at("/readyz"))).await.status != 200 {
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            };
            tokio::time::timeout(super::super::fixture::PATIENCE, ready)
                .await
                .unwrap();
            drop(hold);
        };
        tokio::join!(bob, others);
    };
    tokio::join!(twenty("alice"), watched);
}

#[tokio::test]
async fn readiness_is_asked_for_cheaply_and_seldom() {
    let mut setup = Setup::new();
    let server = setup.serve();
    let begun = std::time::Instant::now();
    for _ in 0..50 {
        let reply = Reply::of(client().get(server.at("/readyz"))).await;
        assert_eq!((reply.status, reply.text.as_str()), (200, "ok\n"));
    }
    let seen = setup.gitlab.seen_with_readiness();
    // Once, and once more for each five seconds that this took.
    let at_most = 1 + usize::try_from(begun.elapsed().as_secs() / 5).unwrap();
    assert!(
        seen.len() <= at_most,
        "{} in {:?}",
        seen.len(),
        begun.elapsed()
    );
    assert_eq!(seen[0].variables, json!({ "group": GROUP }));

    setup.gitlab.stop();
    let gone = setup.serve();
    let reply = Reply::of(client().get(gone.at("/readyz"))).await;
    assert_eq!(reply.status, 503);
    let line = gone.logged("cannot be reached");
    let expected = format!("{}: GitLab cannot be reached", setup.gitlab.url());
    assert!(line.contains(&expected), "{line}");
}

#[tokio::test]
async fn one_project_that_fails_does_not_shut_out_the_others() {
    let setup = Setup::new();
    let server = setup.serve();
    setup
        .gitlab
        .behave(Behaviour::refuse(500, "Internal server error"));
    for _ in 0..10 {
        let said = listed(&server).await;
        assert!(said.contains("GitLab answered 500"), "{said}");
    }
    setup.gitlab.behave(Behaviour::Right);
    let read = server.ask(READ, json!({"path": "alice/README.md"})).await;
    assert_eq!(text(&read), "# alice");
}

#[test]
fn wrong_settings_are_told_at_once_and_no_secret() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("lib.env");
    let settings = format!(
        "MODE='gitlab'\nGITLAB_URL='http://gitlab.foo.com/api/graphql'\nTOKEN='{TOKEN} '\nGITLAB_TIMEOUT='0'\n"
    );
    std::fs::write(&file, settings).unwrap();
    let mut command = super::super::fixture::lib_serve();
    command.args(["--no-auth", "--env-file"]).arg(&file);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    let name = file.display();
    for line in [
        "4 settings of the library server are wrong".to_owned(),
        format!(
            "{name}:2: GITLAB_URL='http://gitlab.foo.com/api/graphql': over http anyone on the way could read the token;"
        ),
        format!("{name}:3: TOKEN='…': it holds what no token holds;"),
        format!("{name}: GITLAB_GROUP is not set;"),
        format!("{name}:4: GITLAB_TIMEOUT='0': not such a time;"),
    ] {
        assert!(said.contains(&line), "{line}\nis not in\n{said}");
    }
    assert!(!said.contains(TOKEN), "{said}");
}
