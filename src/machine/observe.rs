//! Looks at one machine. Reads only.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};

use anyhow::Result;
use futures_util::{StreamExt, TryStreamExt};

use crate::machine::diff::Scope;
use crate::machine::docker::{Engine, Found};
use crate::machine::files::{Stat, Tree, is_root};
use crate::machine::neighbours::{self, Neighbour};
use crate::machine::observed::{
    Boot, ContainerState, ImageState, Kind, NetworkState, Observed, Owner, PathState, Taken,
};
use crate::machine::{accounts, firewall, ports, routes, space, systemd};
use crate::platform::desired::{Component, Container, Content, Desired, File, label, sha256};
use crate::platform::naming;

/// The permission bit that lets everyone on the machine read a file.
const OTHERS_READ: u32 = 0o004;

/// How many questions the engine is asked side by side.
const SIDE_BY_SIDE: usize = 16;

/// What the machine has now of what is desired, and of what carries the deployment's label. With users' scope the engine
/// is asked for those users' objects only, however many others there are.
///
/// # Errors
///
/// When the engine, the packet filter or a directory cannot be read.
pub async fn observe(engine: &Engine, desired: &Desired, scope: &Scope) -> Result<Observed> {
    let ((containers, all), networks, images, firewall, paths, routes, accounts) = tokio::try_join!(
        containers(engine, desired, scope),
        networks(engine, desired, scope),
        images(engine, desired, scope),
        firewall::observe(desired),
        async { paths(desired, scope) },
        async { anyhow::Ok(routes::observe().await) },
        async { anyhow::Ok(accounts::observe(engine, desired).await) },
    )?;
    let neighbours = neighbours::of(&Owner::of(desired), &all, &firewall.pools);
    let taken = taken(desired, scope, &containers, &neighbours);
    Ok(Observed {
        machine: engine.facts().clone(),
        paths,
        images,
        networks,
        containers,
        firewall,
        taken,
        not_here: not_here(desired, scope),
        healing: match scope {
            Scope::All => systemd::healing::observe(desired),
            Scope::Users(_) => Boot::NoSystemd,
        },
        routes,
        name_servers: routes::name_servers(),
        neighbours,
        missing: missing(desired, scope),
        accounts,
        space: space::observe(
            [
                &desired.root,
                &desired.root.join("data"),
                &desired.library,
                &engine.facts().root,
            ]
            .map(PathBuf::as_path),
        ),
    })
}

/// Whether the platform is up on the machine: whether its gateway is there.
///
/// # Errors
///
/// When the engine does not say.
pub async fn is_up(engine: &Engine, desired: &Desired) -> Result<bool> {
    let gateway = naming::container(&desired.deployment, Component::Gateway, None);
    let found = engine.container(&gateway, &desired.hash_key).await?;
    Ok(found.is_some_and(|found| found.owner == Owner::of(desired)))
}

/// A deployment's label, and the user's where it is one, as filters want them: they know no "or".
fn labels(desired: &Desired, scope: &Scope) -> Vec<String> {
    let deployment = format!("{}={}", label::DEPLOYMENT, desired.deployment);
    match scope {
        Scope::All => vec![deployment],
        Scope::Users(users) => match users.first() {
            Some(user) if users.len() == 1 => {
                vec![deployment, format!("{}={user}", label::USER)]
            }
            Some(_) | None => vec![deployment],
        },
    }
}

/// The containers that are looked at closely, and those that were listed: without a user's scope all of the machine's.
async fn containers(
    engine: &Engine,
    desired: &Desired,
    scope: &Scope,
) -> Result<(BTreeMap<String, ContainerState>, Vec<Found>)> {
    let wanted: BTreeSet<&str> = desired
        .containers
        .iter()
        .filter(|container| scope.covers(container.user.as_ref()))
        .map(|container| container.name.as_str())
        .collect();
    let found: Vec<Found> = match scope {
        Scope::All => engine.containers(HashMap::new()).await?,
        Scope::Users(_) => {
            let names: Vec<String> = wanted.iter().map(|name| exactly(name)).collect();
            let by_label = HashMap::from([("label".to_owned(), labels(desired, scope))]);
            let mut found = engine.containers(by_label).await?;
            if !names.is_empty() {
                let by_name = HashMap::from([("name".to_owned(), names)]);
                found.extend(engine.containers(by_name).await?);
            }
            found
        }
    };
    let concerned: BTreeMap<String, Found> = found
        .iter()
        .filter(|found| {
            let ours = found.owner.deployment.as_deref() == Some(desired.deployment.as_str())
                && (*scope == Scope::All || scope.covers_label(found.user.as_deref()));
            ours || wanted.contains(found.name.as_str())
        })
        .map(|found| (found.name.clone(), found.clone()))
        .collect();
    let states = futures_util::stream::iter(concerned.into_values().map(|found| async move {
        // By id: a name may be given to another one in between.
        let state = engine.container(&found.id, &desired.hash_key).await?;
        anyhow::Ok(state.map(|state| (found.name, state)))
    }))
    .buffer_unordered(SIDE_BY_SIDE)
    .try_filter_map(|found| std::future::ready(Ok(found)))
    .try_collect()
    .await?;
    Ok((states, found))
}

/// The engine takes names in filters as regular expressions.
fn exactly(name: &str) -> String {
    format!("^/?{}$", name.replace('.', "\\."))
}

async fn networks(
    engine: &Engine,
    desired: &Desired,
    scope: &Scope,
) -> Result<BTreeMap<String, NetworkState>> {
    // Without users' scope all of them, for others' may overlap ours.
    let filters = match scope {
        Scope::All => Vec::new(),
        Scope::Users(_) => labels(desired, scope),
    };
    let mut found: BTreeMap<String, NetworkState> =
        engine.networks(&filters).await?.into_iter().collect();
    if let Scope::Users(_) = scope {
        found.retain(|_, state| scope.covers_label(state.user.as_deref()));
        for network in desired
            .networks
            .iter()
            .filter(|network| scope.covers(Some(&network.user)))
        {
            if !found.contains_key(&network.name)
                && let Some(state) = engine.network(&network.name).await?
            {
                found.insert(network.name.clone(), state);
            }
        }
    }
    Ok(found)
}

async fn images(
    engine: &Engine,
    desired: &Desired,
    scope: &Scope,
) -> Result<BTreeMap<String, ImageState>> {
    let mut found = match scope {
        Scope::All => engine.images_of(desired.deployment.as_str()).await?,
        Scope::Users(_) => BTreeMap::new(),
    };
    let used: BTreeSet<&str> = desired
        .containers
        .iter()
        .filter(|container| scope.covers(container.user.as_ref()))
        .map(|container| container.image.as_str())
        .collect();
    for image in &desired.images {
        let reference = image.reference();
        if used.contains(reference)
            && let Some(state) = engine.image(reference).await?
        {
            found.insert(reference.to_owned(), state);
        }
    }
    Ok(found)
}

/// What lies at the desired paths and in the owned directories.
pub fn paths(desired: &Desired, scope: &Scope) -> Result<BTreeMap<PathBuf, PathState>> {
    let mut found = BTreeMap::new();
    if !std::fs::exists(&desired.root).unwrap_or(false) {
        return Ok(found);
    }
    let tree = Tree::open(&desired.root)?;
    for directory in &desired.directories {
        if scope.covers_path(directory.user.as_ref())
            && let Some(stat) = stat(desired, &tree, &directory.path)?
        {
            found.insert(directory.path.clone(), plain(stat));
        }
    }
    for path in &desired.absent {
        if let Some(stat) = tree.stat(path)? {
            found.insert(path.clone(), plain(stat));
        }
    }
    for aside in &desired.aside {
        if let Some(stat) = stat(desired, &tree, &aside.from)? {
            found.insert(aside.from.clone(), plain(stat));
        }
    }
    for file in &desired.files {
        if scope.covers_path(file.user.as_ref())
            && let Some(state) = file_state(&tree, file)?
        {
            found.insert(file.path.clone(), state);
        }
    }
    for owned in &desired.owned {
        below(&tree, owned, &mut found)?;
    }
    Ok(found)
}

/// A directory may lie in a library elsewhere, which need not be there yet.
fn stat(desired: &Desired, tree: &Tree, path: &Path) -> Result<Option<Stat>> {
    let (base, below) = desired.locate(path);
    if base == tree.root() {
        return tree.stat(below);
    }
    if !std::fs::exists(base).unwrap_or(false) {
        return Ok(None);
    }
    Tree::open(base)?.stat(below)
}

fn plain(stat: Stat) -> PathState {
    PathState {
        kind: stat.kind,
        mode: stat.mode,
        owner: is_root().then_some(stat.owner),
        digest: None,
        text: None,
    }
}

fn file_state(tree: &Tree, file: &File) -> Result<Option<PathState>> {
    let Some(stat) = tree.stat(&file.path)? else {
        return Ok(None);
    };
    let mut state = plain(stat);
    if stat.kind == Kind::File
        && let Some(bytes) = tree.read(&file.path)?
    {
        state.digest = Some(sha256(&bytes));
        state.text = match &file.content {
            // What others may not read now is not shown because it may be shown afterwards.
            Content::Plain(text) if text.as_bytes() != bytes && stat.mode & OTHERS_READ != 0 => {
                Some(String::from_utf8_lossy(&bytes).into_owned())
            }
            Content::Plain(_) | Content::Secret(_) => None,
        };
    }
    Ok(Some(state))
}

/// Adds what lies below an owned directory and was not looked at yet.
fn below(tree: &Tree, directory: &Path, found: &mut BTreeMap<PathBuf, PathState>) -> Result<()> {
    for (name, kind) in tree.list(directory)? {
        let path = directory.join(name);
        if kind == Kind::Directory {
            below(tree, &path, found)?;
        }
        found.entry(path).or_insert_with(|| {
            plain(Stat {
                kind,
                mode: 0,
                owner: (0, 0),
            })
        });
    }
    Ok(())
}

/// Addresses that containers are to listen on, and cannot. What our own containers hold they give up for one another.
fn taken(
    desired: &Desired,
    scope: &Scope,
    found: &BTreeMap<String, ContainerState>,
    neighbours: &[Neighbour],
) -> Vec<Taken> {
    let own = Owner::of(desired);
    let held: Vec<SocketAddrV4> = found
        .values()
        .filter(|state| state.owner == own)
        .flat_map(ContainerState::holds)
        .copied()
        .collect();
    let mut spoken_for: Vec<SocketAddrV4> = desired
        .containers
        .iter()
        .flat_map(|container| &container.listens)
        .copied()
        .collect();
    running(desired, scope)
        .flat_map(|container| ports::taken_from(container, &held, neighbours, &mut spoken_for))
        .collect()
}

/// Addresses that containers are to listen on, and that this machine does not have.
fn not_here(desired: &Desired, scope: &Scope) -> BTreeSet<Ipv4Addr> {
    let wanted: BTreeSet<Ipv4Addr> = running(desired, scope)
        .flat_map(|container| &container.listens)
        .map(|address| *address.ip())
        .collect();
    wanted
        .into_iter()
        .filter(|address| !ports::is_here(*address))
        .collect()
}

/// What containers are to mount and is not there, other than what we make.
fn missing(desired: &Desired, scope: &Scope) -> BTreeSet<PathBuf> {
    let ours = |path: &Path| path.starts_with(&desired.root) || path.starts_with(&desired.library);
    running(desired, scope)
        .flat_map(|container| &container.mounts)
        .map(|mount| &mount.source)
        .filter(|source| !ours(source) && matches!(source.try_exists(), Ok(false)))
        .cloned()
        .collect()
}

fn running<'a>(desired: &'a Desired, scope: &'a Scope) -> impl Iterator<Item = &'a Container> {
    desired
        .containers
        .iter()
        .filter(|container| container.running && scope.covers(container.user.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::diff::only_paths;
    use crate::machine::step::{FileChange, Step};

    #[test]
    fn what_others_could_not_read_is_not_shown_when_they_may() {
        let root = tempfile::tempdir().unwrap();
        let mut desired =
            Desired::nothing("foo".parse().unwrap(), root.path().canonicalize().unwrap());
        desired.files = vec![File {
            path: "user-alice.yml".into(),
            mode: 0o644,
            owner: None,
            content: Content::Plain("endpoint: true\n".into()),
            user: None,
            leads_to: None,
            reloads: None,
            kept: false,
        }];
        let change_from = |mode| {
            let tree = Tree::open(root.path()).unwrap();
            let name = Path::new("user-alice.yml");
            tree.write(name, mode, b"users: alice:$2y$10$abc\n")
                .unwrap();
            let observed = Observed {
                paths: paths(&desired, &Scope::All).unwrap(),
                ..Observed::default()
            };
            match only_paths(&desired, &observed).steps.remove(0) {
                Step::WriteFile { change, .. } => change,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(change_from(0o600), FileChange::Secret);
        assert_eq!(change_from(0o640), FileChange::Secret);
        assert!(matches!(change_from(0o644), FileChange::Content(_)));
    }
}
