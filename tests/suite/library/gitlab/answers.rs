//! What GitLab holds is answered as if it were on disk.

use serde_json::json;

use super::super::fixture::{LIST, Library, READ, names, text};
use super::Setup;

/// What a text of JSON may stumble over.
const STRANGE: [&str; 5] = [
    "\"}) { id } } #.txt",
    "back\\slash and 'quotes' $path",
    "Größe – 模型.txt",
    "line\nbreak",
    " blanks ",
];

/// The same files on disk and in GitLab. Git knows no directory that is empty.
fn twins() -> (Library, Setup) {
    let library = Library::new();
    for owner in ["alice", "bob", "common"] {
        for folder in ["data", "digital twins", "functions", "models", "tools"] {
            library.write(&format!("{owner}/{folder}/.gitkeep"), "");
        }
    }
    library.write("alice/common/.gitkeep", "");
    library.write("alice/.hidden", "h");
    library.write("alice/empty", "");
    library.write("alice/bom.txt", "\u{feff}# T\u{fc}r\n\n");
    library.write("alice/large.txt", "x".repeat(200_001));
    library.write("alice/binary.fmu", b"PK\x03\x04\x00\xff\xfe\x00");
    for name in STRANGE {
        library.write(&format!("alice/models/{name}"), name);
        library.make_directory(&format!("alice/tools/{name}"));
        library.write(&format!("alice/tools/{name}/in it"), name);
    }
    // Git sorts directories as if a slash followed the name: a-b before a.
    for name in ["a", "a-b", "a.b", "a0"] {
        library.make_directory(&format!("alice/data/{name}"));
        library.write(&format!("alice/data/{name}/x"), "");
        library.write(&format!("alice/data/{name}.txt"), "");
    }
    let setup = Setup::new();
    for (folder, project) in [("alice", "alice"), ("bob", "bob"), ("common", "commons")] {
        let directory = library.path(folder);
        setup.gitlab.project(project, |project| {
            *project = Default::default();
            project.import(&directory);
        });
    }
    (library, setup)
}

/// Paths, each with how many questions a listing and a read of it cost GitLab: one, and one more to find out why where
/// there was nothing.
const PATHS: [(&str, [usize; 2]); 26] = [
    ("", [1, 0]),
    ("/", [1, 0]),
    ("alice/..", [1, 0]),
    ("alice", [1, 1]),
    ("/alice//./models/..", [1, 1]),
    ("alice/models", [1, 2]),
    ("alice/data", [1, 2]),
    ("alice/data/a-b", [1, 2]),
    ("alice/common", [1, 2]),
    ("common", [1, 1]),
    ("common/README.md", [2, 1]),
    ("bob/secret.txt", [2, 1]),
    ("alice/README.md", [2, 1]),
    ("alice/empty", [2, 1]),
    ("alice/bom.txt", [2, 1]),
    ("alice/large.txt", [2, 1]),
    ("alice/binary.fmu", [2, 1]),
    ("alice/README.md/x/y", [2, 2]),
    ("alice/models/none", [2, 2]),
    ("alice/none/none", [2, 2]),
    ("none", [1, 1]),
    ("none/none", [1, 1]),
    ("alice/README.md ", [2, 2]),
    ("alice/%52EADME.md", [2, 2]),
    ("../alice", [0, 0]),
    ("alice/\0", [0, 0]),
];

#[tokio::test]
async fn the_same_questions_have_the_same_answers() {
    let (library, setup) = twins();
    let flags = ["--no-auth", "--max-file", "200000"];
    let (disk, gitlab) = (library.serve_with("", &flags), setup.serve_with("", &flags));
    for (path, expected) in PATHS {
        for (query, expected) in [(LIST, expected[0]), (READ, expected[1])] {
            let variables = json!({"path": path});
            let wanted = disk.ask(query, variables.clone()).await;
            let got = gitlab.ask(query, variables).await;
            assert_eq!(
                (got.status, &got.text),
                (wanted.status, &wanted.text),
                "{path:?}"
            );
            assert_eq!(setup.questions(), expected, "{path:?}: {}", got.text);
        }
    }
}

#[tokio::test]
async fn names_go_to_gitlab_as_they_are() {
    let (library, setup) = twins();
    let (disk, gitlab) = (library.serve(), setup.serve());
    let folder = json!({"path": "alice/models"});
    let listed = gitlab.ask(LIST, folder.clone()).await;
    assert_eq!(listed.text, disk.ask(LIST, folder).await.text);
    setup.gitlab.seen();
    let mut texts = Vec::new();
    for name in STRANGE {
        let path = format!("alice/models/{name}");
        let read = gitlab.ask(READ, json!({ "path": path })).await;
        assert_eq!(text(&read), name.trim(), "{name:?}");
        let path = format!("alice/tools/{name}");
        let listed = gitlab.ask(LIST, json!({ "path": path })).await;
        assert_eq!(names(&listed), " | in it", "{name:?}");
        let seen = setup.gitlab.seen();
        assert_eq!(seen[0].variables["path"], format!("models/{name}"));
        assert_eq!(seen[1].variables["path"], format!("tools/{name}"));
        texts.push((seen[0].query.clone(), seen[1].query.clone()));
    }
    // The questions themselves do not know what is asked for.
    texts.dedup();
    assert_eq!(texts.len(), 1);
}

#[tokio::test]
async fn a_user_sees_their_project_and_commons() {
    let (library, setup) = twins();
    let (disk, gitlab) = (library.serve_users(), setup.serve_users());
    for user in ["alice", "bob"] {
        for (path, _) in PATHS {
            // In a workspace common is inside the user's folder, whatever the repository holds there.
            for query in [LIST, READ] {
                let variables = json!({"path": path});
                let wanted = disk.ask_as(user, query, variables.clone()).await;
                let got = gitlab.ask_as(user, query, variables).await;
                // Without a limit of its own, what is large can be read.
                assert_eq!(got.text, wanted.text, "{user}: {path:?}");
            }
        }
    }
    setup.gitlab.seen();
    for (user, path, expected, questions) in [
        ("alice", "", "alice, common | ", 1),
        ("carol", "", "common | ", 1),
        ("carol", "carol", "200 NOT_FOUND", 1),
        ("alice", "bob", "200 NOT_FOUND", 0),
        ("alice", "commons", "200 NOT_FOUND", 0),
        ("alice", "Alice", "200 NOT_FOUND", 0),
    ] {
        let reply = gitlab.ask_as(user, LIST, json!({ "path": path })).await;
        assert_eq!(names(&reply), expected, "{user}: {path:?}");
        assert_eq!(setup.questions(), questions, "{user}: {path:?}");
    }
    let nobody = gitlab.ask(LIST, json!({"path": "alice"})).await;
    assert_eq!(nobody.code(), "401 UNAUTHENTICATED");
    assert_eq!(setup.questions(), 0);
}

#[tokio::test]
async fn the_shared_project_may_have_another_name() {
    let setup = Setup::new();
    setup
        .gitlab
        .project("shared", |project| project.write("here", ""));
    setup
        .gitlab
        .project("common", |project| project.write("not here", ""));
    let server = setup.serve_with("GITLAB_COMMON_PROJECT='shared'", &["--no-auth"]);
    for (path, expected) in [
        ("", "alice, bob, common, commons | "),
        ("common", " | here"),
        ("shared", " | here"),
    ] {
        let reply = server.ask(LIST, json!({ "path": path })).await;
        assert_eq!(names(&reply), expected, "{path:?}");
    }
}

#[tokio::test]
async fn long_listings_come_page_by_page() {
    let setup = Setup::new();
    setup.gitlab.project("alice", |project| {
        for n in 0..250 {
            project.write(&format!("many/{n:03}.txt"), "");
        }
        for n in 0..130 {
            project.write(&format!("many/d{n:03}/x"), "");
        }
        for n in 0..100 {
            project.write(&format!("hundred/{n:03}.txt"), "");
        }
        for n in 0..10_000 {
            project.write(&format!("most/{n:05}"), "");
            project.write(&format!("too many/{n:05}"), "");
        }
        project.write("too many/one more", "");
    });
    for n in 0..230 {
        setup.gitlab.project(&format!("p{n:03}"), |_| {});
    }
    let server = setup.serve();
    let listed = async |path: &str| names(&server.ask(LIST, json!({ "path": path })).await);

    let numbers = |range: std::ops::Range<usize>, name: fn(usize) -> String| {
        range.map(name).collect::<Vec<_>>().join(", ")
    };
    let expected = format!(
        "{} | {}",
        numbers(0..130, |n| format!("d{n:03}")),
        numbers(0..250, |n| format!("{n:03}.txt"))
    );
    assert_eq!(listed("alice/many").await, expected);
    let seen = setup.gitlab.seen();
    let wanted: Vec<_> = seen
        .iter()
        .map(|s| (s.variables["trees"].clone(), s.variables["blobs"].clone()))
        .collect();
    // What is complete is not asked for again.
    assert_eq!(
        wanted,
        [
            (json!(true), json!(true)),
            (json!(true), json!(true)),
            (json!(false), json!(true)),
        ]
    );

    let expected = format!(" | {}", numbers(0..100, |n| format!("{n:03}.txt")));
    assert_eq!(listed("alice/hundred").await, expected);
    assert_eq!(setup.questions(), 1);

    let expected = format!(
        "alice, bob, common, {} | ",
        numbers(0..230, |n| format!("p{n:03}"))
    );
    assert_eq!(listed("").await, expected);
    assert_eq!(setup.questions(), 3);

    let expected = format!(" | {}", numbers(0..10_000, |n| format!("{n:05}")));
    assert_eq!(listed("alice/most").await, expected);
    assert_eq!(setup.questions(), 100);
    let refused = server.ask(LIST, json!({"path": "alice/too many"})).await;
    assert_eq!(refused.code(), "200 TOO_LARGE");
    assert_eq!(
        refused.json()["errors"][0]["message"],
        "\"alice/too many\" holds more than 10000 entries"
    );
    assert_eq!(setup.questions(), 100);
}

#[tokio::test]
async fn an_empty_repository_is_an_empty_folder() {
    let setup = Setup::new();
    setup.gitlab.project("dave", |_| {});
    let server = setup.serve();
    for (query, path, expected) in [
        (LIST, "dave", " | "),
        (LIST, "dave/models", "200 NOT_FOUND"),
        (READ, "dave/README.md", "200 NOT_FOUND"),
        (READ, "dave", "200 NOT_A_FILE"),
    ] {
        let reply = server.ask(query, json!({ "path": path })).await;
        let got = match query {
            LIST => names(&reply),
            _ => text(&reply),
        };
        assert_eq!(got, expected, "{path:?}");
    }
}

#[tokio::test]
async fn what_git_holds_besides_files_and_directories() {
    let setup = Setup::new();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    setup.gitlab.project("alice", |project| {
        project.put("kinds/link", "120000", "../README.md");
        project.put("kinds/run.sh", "100755", "#!/bin/sh\n");
        project.put("kinds/other", "160000", "");
        project.put("only/other", "160000", "");
        project.write("kinds/model.fmu", pointer);
        project.write("kinds/latin.txt", b"caf\xe9".to_vec());
        project.write("kinds/binary", b"\x00\xff".to_vec());
    });
    let server = setup.serve();
    for directories_are_blobs in [false, true] {
        *setup.gitlab.world.directories_are_blobs.lock().unwrap() = directories_are_blobs;
        for (path, listing, reading) in [
            (
                "alice/kinds",
                " | binary, latin.txt, link, model.fmu, run.sh",
                "200 NOT_A_FILE",
            ),
            ("alice/kinds/link", "200 NOT_A_DIRECTORY", "200 NOT_A_FILE"),
            ("alice/kinds/run.sh", "200 NOT_A_DIRECTORY", "#!/bin/sh"),
            ("alice/kinds/other", "200 NOT_FOUND", "200 NOT_A_FILE"),
            ("alice/kinds/other/x", "200 NOT_FOUND", "200 NOT_FOUND"),
            // A directory of submodules alone is a directory.
            ("alice/only", " | ", "200 NOT_A_FILE"),
            (
                "alice/kinds/model.fmu",
                "200 NOT_A_DIRECTORY",
                "200 NOT_SUPPORTED",
            ),
            // GitLab finds the encoding out, and gives UTF-8.
            ("alice/kinds/latin.txt", "200 NOT_A_DIRECTORY", "café"),
            ("alice/kinds/binary", "200 NOT_A_DIRECTORY", "200 NOT_TEXT"),
        ] {
            let listed = server.ask(LIST, json!({ "path": path })).await;
            assert_eq!(names(&listed), listing, "{path:?}");
            let read = server.ask(READ, json!({ "path": path })).await;
            assert_eq!(text(&read), reading, "{path:?}");
        }
    }
    let read = server
        .ask(READ, json!({"path": "alice/kinds/model.fmu"}))
        .await;
    assert_eq!(
        read.json()["errors"][0]["message"],
        "\"alice/kinds/model.fmu\": its contents are in Git LFS, which this library cannot fetch"
    );
}

#[tokio::test]
async fn what_gitlab_cuts_is_not_passed_on_as_if_it_were_whole() {
    let setup = Setup::new();
    let limit = 10 << 20;
    setup.gitlab.project("alice", |project| {
        project.write("whole.txt", "x".repeat(limit));
        project.write("cut.txt", "x".repeat(limit + 1));
    });
    let server = setup.serve();
    let whole = server.ask(READ, json!({"path": "alice/whole.txt"})).await;
    assert_eq!(text(&whole).len(), limit);
    let cut = server.ask(READ, json!({"path": "alice/cut.txt"})).await;
    assert_eq!(cut.code(), "200 TOO_LARGE");
    let message = format!("the limit is {limit} bytes");
    assert!(cut.text.contains(&message), "{}", cut.text);
}
