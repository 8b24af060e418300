//! Where the pieces of an installation lie: where v0.2's documentation and its archive have them, or where the operator says.

use std::path::{Path, PathBuf};

use super::{of_file, refuse};

/// What the operator says of single pieces.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// `fileConfig.yml`.
    pub gateway: Option<PathBuf>,
    /// The htpasswd file.
    pub auth: Option<PathBuf>,
    /// The library server's settings.
    pub lib_env: Option<PathBuf>,
    /// The website's settings.
    pub env_js: Option<PathBuf>,
    /// The library's folder.
    pub library: Option<PathBuf>,
}

/// Where the pieces lie; `None` is one that is not there.
#[derive(Debug, Clone)]
pub struct Places {
    /// The installation.
    pub root: PathBuf,
    /// `fileConfig.yml`.
    pub gateway: PathBuf,
    /// The htpasswd file, where the operator names one.
    pub auth: Option<PathBuf>,
    /// The library server's settings.
    pub lib_env: Option<PathBuf>,
    /// The website's settings.
    pub env_js: Option<PathBuf>,
    /// The library's folder, where the operator names one.
    pub library: Option<PathBuf>,
}

/// Directories of the configuration, in the installation.
const CONFIGURATIONS: [&str; 4] = ["deploy/config", "servers/config", "config", "."];
/// The routes, in one of those.
const GATEWAY: [&str; 2] = ["gateway/fileConfig.yml", "gateway/dynamic/fileConfig.yml"];
/// The website's settings, likewise.
const ENV_JS: [&str; 2] = ["client/env.js", "env.js"];
/// The website's settings with its build, in the installation.
const ENV_JS_OF_BUILDS: [&str; 5] = [
    "client/build/env.js",
    "client/site/env.js",
    "client/env.js",
    "build/env.js",
    "site/env.js",
];
/// The library server's settings, in the configuration.
const LIB_ENV: [&str; 3] = ["lib", "lib.env", "lib/.env"];
/// The same with its program, in the installation.
const LIB_ENV_OF_BUILDS: [&str; 4] = ["servers/lib/.env", "lib/.env", "lib-ms/.env", ".env"];

/// Finds the pieces of the installation in `root`.
///
/// # Errors
/// A usage failure when there are no routes, more than one file of them, or a piece is not where the operator says.
pub fn find(root: &Path, given: &Given) -> anyhow::Result<Places> {
    if !root.is_dir() {
        refuse(vec![of_file(
            &root.display().to_string(),
            "there is no such directory",
            "name the one that DTaaS.zip was unpacked into",
        )])?;
    }
    let mut problems = Vec::new();
    for (flag, path) in [
        ("--gateway", &given.gateway),
        ("--htpasswd", &given.auth),
        ("--lib-env", &given.lib_env),
        ("--env-js", &given.env_js),
    ] {
        if let Some(path) = path.as_ref().filter(|path| !path.is_file()) {
            problems.push(of_file(
                &path.display().to_string(),
                "there is no such file",
                format!("name the one that is meant with {flag}"),
            ));
        }
    }
    if let Some(path) = given.library.as_ref().filter(|path| !path.is_dir()) {
        problems.push(of_file(
            &path.display().to_string(),
            "there is no such directory",
            "name the one with the users' folders with --library",
        ));
    }
    let found: Vec<PathBuf> = CONFIGURATIONS
        .iter()
        .flat_map(|above| GATEWAY.iter().map(move |name| tidy(root, above).join(name)))
        .filter(|path| path.is_file())
        .collect();
    let gateway = match (&given.gateway, found.as_slice()) {
        (Some(given), _) => given.clone(),
        (None, [one]) => one.clone(),
        (None, [first, rest @ ..]) if rest.iter().all(|other| is_alike(first, other)) => {
            first.clone()
        }
        (None, []) => {
            problems.push(of_file(
                &root.display().to_string(),
                "there is no gateway/fileConfig.yml in deploy/config, servers/config or config",
                "name another directory, or the file itself with --gateway",
            ));
            PathBuf::new()
        }
        (None, [first, other, ..]) => {
            problems.push(of_file(
                &root.display().to_string(),
                format!("{} and {} differ", first.display(), other.display()),
                "name the one that was in use with --gateway",
            ));
            PathBuf::new()
        }
    };
    refuse(problems)?;
    let configuration = CONFIGURATIONS
        .iter()
        .map(|above| tidy(root, above))
        .find(|above| gateway.starts_with(above));
    let piece = |given: &Option<PathBuf>, there: &[&str], elsewhere: &[&str]| {
        let there = configuration
            .iter()
            .flat_map(|above| there.iter().map(|name| above.join(name)));
        let elsewhere = elsewhere.iter().map(|name| root.join(name));
        given
            .clone()
            .or_else(|| there.chain(elsewhere).find(|path| path.is_file()))
    };
    Ok(Places {
        root: root.to_owned(),
        auth: given.auth.clone(),
        lib_env: piece(&given.lib_env, &LIB_ENV, &LIB_ENV_OF_BUILDS),
        env_js: piece(&given.env_js, &ENV_JS, &ENV_JS_OF_BUILDS),
        library: given.library.clone(),
        gateway,
    })
}

fn tidy(root: &Path, below: &str) -> PathBuf {
    match below {
        "." => root.to_owned(),
        below => root.join(below),
    }
}

fn is_alike(one: &Path, other: &Path) -> bool {
    match (std::fs::read(one), std::fs::read(other)) {
        (Ok(one), Ok(other)) => one == other,
        (Err(_), _) | (_, Err(_)) => false,
    }
}
