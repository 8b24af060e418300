//! What a path leads to, on random trees with links of every kind: the server's own code beside a model that walks
//! the same tree in memory, one name at a time.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;

use dtaas::library::allowance::{Allowance, Listed};
use dtaas::library::contain::Root;
use dtaas::library::local::Local;
use dtaas::library::path::{Place, Viewer, resolve};
use dtaas::library::room::Room;
use dtaas::library::source::Source;
use dtaas::library::whose::Whose;
use proptest::prelude::*;

use super::fixture::make_fifo;

/// What may lie at a name.
#[derive(Debug, Clone)]
enum Node {
    Directory(BTreeMap<String, Node>),
    File(String),
    Link(String),
    Fifo,
    Socket,
}

/// What a path leads to.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// Names, those of directories first.
    Listing(Vec<String>, Vec<String>),
    Text(String),
    Refused,
}

/// Something to be laid into a tree.
#[derive(Debug, Clone)]
struct Plant {
    path: Vec<String>,
    node: Node,
}

impl Node {
    fn entries(&mut self) -> Option<&mut BTreeMap<String, Node>> {
        match self {
            Node::Directory(entries) => Some(entries),
            Node::File(_) | Node::Link(_) | Node::Fifo | Node::Socket => None,
        }
    }

    /// Lays something in, where its parent is a directory and its name is free.
    fn plant(&mut self, plant: &Plant) {
        let mut parent = self;
        let (name, way) = plant.path.split_last().unwrap();
        for step in way {
            let Some(next) = parent.entries().and_then(|entries| entries.get_mut(step)) else {
                return;
            };
            parent = next;
        }
        let node = match &plant.node {
            // Each file tells where it lies.
            Node::File(_) => Node::File(format!("[{}]", plant.path.join("/"))),
            other => other.clone(),
        };
        if let Some(entries) = parent.entries() {
            entries.entry(name.clone()).or_insert(node);
        }
    }

    /// Makes it on disk.
    fn make(&self, at: &Path, top: &Path) {
        match self {
            Node::Directory(entries) => {
                std::fs::create_dir(at).unwrap();
                for (name, node) in entries {
                    node.make(&at.join(name), top);
                }
            }
            Node::File(text) => std::fs::write(at, text).unwrap(),
            Node::Link(target) => {
                symlink(target.replace("TOP", top.to_str().unwrap()), at).unwrap();
            }
            Node::Fifo => make_fifo(at),
            Node::Socket => drop(UnixListener::bind(at).unwrap()),
        }
    }
}

/// Walks below `scope` as the library is meant to: a link is followed while each step stays there.
fn walk<'a>(scope: &'a Node, rest: &[&str]) -> Option<&'a Node> {
    let mut todo: Vec<String> = rest.iter().rev().map(|&name| name.to_owned()).collect();
    let mut way = vec![scope];
    let mut links = 0;
    while let Some(name) = todo.pop() {
        let here = *way.last().unwrap();
        let Node::Directory(entries) = here else {
            return None;
        };
        match name.as_str() {
            "" | "." => continue,
            ".." => {
                way.pop();
                if way.is_empty() {
                    return None;
                }
                continue;
            }
            _ => {}
        }
        match entries.get(&name)? {
            Node::Link(target) => {
                links += 1;
                if target.starts_with('/') || target.starts_with("TOP") || links > 40 {
                    return None;
                }
                todo.extend(target.split('/').rev().map(str::to_owned));
            }
            other => way.push(other),
        }
    }
    way.pop()
}

/// The model: what the viewer is meant to see at a path.
fn expected(top: &Node, user: Option<&str>, asked: &str) -> Answer {
    let Node::Directory(folders) = top else {
        return Answer::Refused;
    };
    if asked.contains('\0') {
        return Answer::Refused;
    }
    let mut names: Vec<&str> = Vec::new();
    for name in asked.split('/').filter(|name| !matches!(*name, "" | ".")) {
        if name != ".." {
            names.push(name);
        } else if names.pop().is_none() {
            return Answer::Refused;
        }
    }
    if let Some(user) = user {
        if names.is_empty() {
            let seen = folders.iter();
            return listing(seen.filter(|(name, _)| *name == user || *name == "common"));
        }
        if names.len() > 1 && names[..2] == [user, "common"] {
            names.remove(0);
        }
        if names[0] != user && names[0] != "common" {
            return Answer::Refused;
        }
    }
    let Some((first, rest)) = names.split_first() else {
        return listing(folders.iter());
    };
    let found = match folders.get(*first) {
        // A top folder is never reached through a link.
        Some(Node::Link(_)) | None => None,
        Some(scope) => walk(scope, rest),
    };
    match found {
        Some(Node::Directory(entries)) => listing(entries.iter()),
        Some(Node::File(text)) => Answer::Text(text.clone()),
        Some(Node::Link(_) | Node::Fifo | Node::Socket) | None => Answer::Refused,
    }
}

fn listing<'a>(entries: impl Iterator<Item = (&'a String, &'a Node)>) -> Answer {
    let (mut trees, mut blobs) = (Vec::new(), Vec::new());
    for (name, node) in entries {
        match node {
            Node::Directory(_) => trees.push(name.clone()),
            Node::File(_) | Node::Link(_) | Node::Fifo | Node::Socket => blobs.push(name.clone()),
        }
    }
    Answer::Listing(trees, blobs)
}

/// What the server's own code sees there.
async fn seen(library: &Local, viewer: &Viewer, asked: &str) -> Answer {
    let Ok(place) = resolve(viewer, asked) else {
        return Answer::Refused;
    };
    let allowance = Allowance::new(1 << 20, Room::new(1 << 20), Whose::of(viewer));
    let listed = Listed::new(Arc::new(allowance), asked);
    if let Ok(listing) = library.list(listed, place.clone()).await {
        return Answer::Listing(listing.trees, listing.blobs);
    }
    match place {
        Place::Inside(place) => match library.read(Whose::of(viewer), place).await {
            Ok(text) => Answer::Text(text.text),
            Err(_) => Answer::Refused,
        },
        Place::Top(_) => Answer::Refused,
    }
}

/// Few names, so that paths and links often meet something.
fn name() -> impl Strategy<Value = String> {
    let known = vec![
        "a", "b", "c", "common", "alice", "bob", "...", " ", "%2e%2e", "a\\b",
    ];
    prop_oneof![
        12 => prop::sample::select(known).prop_map(str::to_owned),
        // Look-alikes of letters, dots and slashes; trailing dots and spaces.
        1 => prop::sample::select(vec!["\u{430}", "\u{2024}\u{2024}", "\u{2215}", "a.", "a ", "\u{202e}a", "A"])
            .prop_map(str::to_owned),
    ]
}

fn folder() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "alice", "alice", "alice", "bob", "common", "outside", "d",
    ])
    .prop_map(str::to_owned)
}

fn target() -> impl Strategy<Value = String> {
    let step = prop_oneof![3 => name(), 3 => Just("..".to_owned()), 1 => Just(".".to_owned()),
        1 => Just(String::new()), 1 => folder()];
    let start = prop::sample::select(vec![
        "",
        "",
        "",
        "",
        "TOP/",
        "TOP/alice/",
        "/",
        "/proc/self/root/TOP/bob/",
    ]);
    (start, prop::collection::vec(step, 1..6), prop::bool::ANY)
        .prop_map(|(start, steps, slash)| {
            let slash = if slash { "/" } else { "" };
            format!("{start}{}{slash}", steps.join("/"))
        })
        .prop_filter("a link leads somewhere", |target| !target.is_empty())
}

fn plant() -> impl Strategy<Value = Plant> {
    let node = prop_oneof![
        3 => Just(Node::Directory(BTreeMap::new())),
        3 => Just(Node::File(String::new())),
        6 => target().prop_map(Node::Link),
        1 => Just(Node::Fifo),
        1 => Just(Node::Socket),
    ];
    let deep = (folder(), prop::collection::vec(name(), 1..4)).prop_map(|(folder, mut names)| {
        names.insert(0, folder);
        names
    });
    let path = prop_oneof![20 => deep, 1 => name().prop_map(|name| vec![name])];
    (path, node).prop_map(|(path, node)| Plant { path, node })
}

fn asked() -> impl Strategy<Value = String> {
    let step = prop_oneof![10 => name(), 2 => folder(), 2 => Just("..".to_owned()), 1 => Just(".".to_owned()),
        1 => Just(String::new()), 1 => Just("a\0".to_owned()), 1 => Just("x".repeat(300))];
    let start = prop::sample::select(vec![
        "alice/",
        "alice/",
        "alice/",
        "common/",
        "bob/",
        "",
        "/",
        "alice/common/",
    ]);
    (start, prop::collection::vec(step, 0..6))
        .prop_map(|(start, steps)| format!("{start}{}", steps.join("/")))
}

#[test]
fn a_path_leads_where_the_model_says() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(150)
    });
    let world = (
        prop::collection::vec(plant(), 0..40),
        prop::collection::vec(asked(), 40),
    );
    let outcome = runner.run(&world, |(plants, paths)| {
        let directory = tempfile::tempdir().unwrap();
        let mut tree = Node::Directory(BTreeMap::new());
        for folder in ["alice", "bob", "common", "outside"] {
            let folder = Plant {
                path: vec![folder.to_owned()],
                node: Node::Directory(BTreeMap::new()),
            };
            tree.plant(&folder);
        }
        for plant in &plants {
            tree.plant(plant);
        }
        let top = directory.path().join("files");
        tree.make(&top, &top);
        let library = Local::new(Root::new(&top), 1 << 20);
        for user in [Some("alice"), None] {
            let viewer = match user {
                Some(name) => Viewer::User {
                    name: name.parse().unwrap(),
                    publisher: false,
                },
                None => Viewer::Everyone,
            };
            for asked in &paths {
                let seen = runtime.block_on(seen(&library, &viewer, asked));
                let expected = expected(&tree, user, asked);
                prop_assert_eq!(seen, expected, "{:?} asks for {:?}", user, asked);
            }
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
