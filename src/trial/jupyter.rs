//! The JupyterLab of this machine: where it is, and how it is started for a user.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context;
use tokio::process::{Child, Command};

use crate::error::Failure;
use crate::platform::COMMON;
use crate::secrets::Secret;
use crate::spec::names::UserName;

/// What of our environment a notebook sees. Passwords and settings of whoever started the trial are not among it.
const SEEN: [&str; 18] = [
    "PATH",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "SHELL",
    "USER",
    "LOGNAME",
    "TERM",
    "LD_LIBRARY_PATH",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    // curl and pip know these alone.
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// A program that starts JupyterLab.
#[derive(Debug, Clone)]
pub struct Jupyter {
    program: PathBuf,
}

/// One user's: what it may touch, and how it is asked.
#[derive(Debug)]
pub struct Home<'a> {
    /// Whose it is.
    pub user: &'a UserName,
    /// The library.
    pub library: &'a Path,
    /// A directory of its own, which goes with the trial.
    pub directory: &'a Path,
    /// The port of 127.0.0.1.
    pub port: u16,
    /// What it knows us by.
    pub token: &'a Secret,
}

impl Jupyter {
    /// The one on the `PATH`.
    pub fn on_path() -> Option<Self> {
        let program = ["jupyter-lab", "jupyter"]
            .iter()
            .find_map(|name| which::which(name).ok())?;
        Some(Self { program })
    }

    /// The one that is named.
    ///
    /// # Errors
    /// When that is no program.
    pub fn named(path: &Path) -> anyhow::Result<Self> {
        let program = which::which(path).with_context(|| {
            Failure::usage(format!("--jupyter {} cannot be run", path.display()))
                .hint("name the program jupyter-lab, such as venv/bin/jupyter-lab")
        })?;
        Ok(Self { program })
    }

    /// Whether the notebook's pages are there beside JupyterLab's, terminals by themselves among them.
    pub fn has_notebook(&self) -> bool {
        let program = fs::canonicalize(&self.program).unwrap_or_default();
        let prefix = program.parent().and_then(Path::parent);
        prefix.is_some_and(|prefix| {
            prefix
                .join("etc/jupyter/jupyter_server_config.d/notebook.json")
                .exists()
        })
    }

    /// Starts it, kept by a process of ours that ends it when its standard input ends. What it says goes to `log` in its directory.
    ///
    /// # Errors
    /// When its directory cannot be made, or no process started.
    pub fn start(&self, home: &Home<'_>) -> io::Result<Child> {
        let view = prepare(home)?;
        let log = fs::File::create(home.directory.join("log"))?;
        // This executable, also when another has taken its place.
        let mut command = Command::new("/proc/self/exe");
        command.args(["keep", "--"]).arg(&self.program);
        if self.program.file_name() == Some(OsStr::new("jupyter")) {
            command.arg("lab");
        }
        let own = |name: &str| home.directory.join(name);
        command
            .args([
                "--no-browser",
                "--ServerApp.ip=127.0.0.1",
                "--ServerApp.port_retries=0",
                "--ServerApp.allow_root=True",
                "--ServerApp.quit_button=False",
                "--FileContentsManager.delete_to_trash=False",
                "--LabApp.news_url=None",
                "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
                "--LabApp.extension_manager=readonly",
            ])
            .arg(format!("--ServerApp.port={}", home.port))
            .arg(format!("--ServerApp.base_url=/{}/", home.user))
            .arg(option("--ServerApp.root_dir=", &view))
            .arg(option(
                "--ServerApp.preferred_dir=",
                &view.join(home.user.as_str()),
            ))
            .current_dir(&view)
            .env_clear()
            .envs(
                SEEN.iter()
                    .filter_map(|name| Some((name, env::var_os(name)?))),
            )
            .env("HOME", home.directory)
            .env("TMPDIR", own("tmp"))
            .env("JUPYTER_CONFIG_DIR", own("config"))
            .env("JUPYTER_DATA_DIR", own("data"))
            .env("JUPYTER_RUNTIME_DIR", own("runtime"))
            .env("IPYTHONDIR", own("ipython"))
            // Not on the command line, which everybody on the machine can read.
            .env("JUPYTER_TOKEN", home.token.expose())
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);
        // What somebody has installed for themselves is found where it was.
        if let Some(there) = env::var_os("HOME") {
            let there = Path::new(&there).join(".local");
            command
                .env("PYTHONUSERBASE", &there)
                .env("JUPYTER_PATH", there.join("share/jupyter"));
        }
        command.spawn()
    }
}

fn option(name: &str, path: &Path) -> OsString {
    let mut option = OsString::from(name);
    option.push(path);
    option
}

/// It asks nobody whether it may look for news elsewhere.
const QUIET: &str =
    r#"{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}"#;

/// Makes the directory with what it holds at the start: a place for all that Jupyter writes, and the user's view of the library, which is
/// that of the library's pages.
fn prepare(home: &Home<'_>) -> io::Result<PathBuf> {
    let view = home.directory.join("library");
    if home.directory.exists() {
        return Ok(view);
    }
    let make = |path: &Path| {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
    };
    make(&home.directory.join("tmp"))?;
    let settings = home.directory.join("config/labconfig");
    make(&settings)?;
    fs::write(settings.join("page_config.json"), QUIET)?;
    make(&view)?;
    for folder in [home.user.as_str(), COMMON] {
        let folder_there = home.library.join(folder);
        if folder_there.is_dir() {
            symlink(folder_there, view.join(folder))?;
        }
    }
    // What would be written beside the two folders would be lost.
    fs::set_permissions(&view, fs::Permissions::from_mode(0o500))?;
    Ok(view)
}
