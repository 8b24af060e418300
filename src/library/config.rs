//! The library server's settings: v0.2's `.env` file and the environment variables of the same names.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::spec::document::nearest;
use crate::spec::names::BasePath;

use super::env_file;
use super::gitlab::settings as gitlab;
use super::http::{HEALTHZ, METRICS, READYZ};
use super::log::Level;

/// The keys of v0.2's `.env` file, the name of `TOKEN` that its code read, and ours.
const KEYS: &[&str] = &[
    "PORT",
    "MODE",
    "LOCAL_PATH",
    "GITLAB_GROUP",
    "GITLAB_URL",
    "TOKEN",
    "GITLAB_TOKEN",
    "GITLAB_COMMON_PROJECT",
    "GITLAB_CA_FILE",
    "GITLAB_TIMEOUT",
    "LOG_LEVEL",
    "TEST_PATH",
    "APOLLO_PATH",
    "GRAPHQL_PLAYGROUND",
];

/// The keys whose values are never shown.
const SECRET_KEYS: [&str; 2] = ["TOKEN", "GITLAB_TOKEN"];

/// What the settings come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The port to listen on where nothing else is said.
    pub port: u16,
    /// Where the library is.
    pub mode: Mode,
    /// Where the endpoint is: empty, or with a slash in front and none behind.
    pub path: String,
    /// How much is logged.
    pub level: Level,
    /// Whether a playground is asked for.
    pub playground: bool,
    /// What works and should be mended all the same.
    pub warnings: Vec<String>,
}

/// Where the library is. The settings of the other mode do not matter, as in v0.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// In this directory of the machine.
    Local(PathBuf),
    /// In the projects of a GitLab group.
    Gitlab(gitlab::Settings),
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(directory) => write!(f, "{}", directory.display()),
            Self::Gitlab(gitlab) => write!(f, "the group {} of {}", gitlab.group, gitlab.url),
        }
    }
}

impl Settings {
    /// Reads `file`, or `.env` in the working directory where there is one, and the process's environment, which
    /// wins, as in v0.2.
    ///
    /// # Errors
    ///
    /// Every wrong setting, or why the file cannot be read.
    pub fn read(file: Option<&Path>) -> Result<Self, Wrong> {
        let name = file.unwrap_or(Path::new(".env"));
        let text = match std::fs::read_to_string(name) {
            Ok(text) => text,
            Err(error) if file.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                String::new()
            }
            Err(error) => {
                let name = name.display();
                return Err(Wrong {
                    problems: vec![format!(
                        "cannot read {name}: {error}; name the file with --env-file"
                    )],
                    port: None,
                });
            }
        };
        let environment = |key: &str| std::env::var_os(key).map(|v| v.to_string_lossy().into());
        let shown = name.display().to_string();
        let parsed = parse(&shown, &text, environment).map(|mut settings| {
            settings.warnings.extend(exposed(name, &text, &settings));
            settings
        });
        parsed.map_err(|problems| Wrong {
            problems,
            port: Reader::gather(&shown, &text, environment).sound_port(),
        })
    }
}

/// What to say where the file holds a token, and others of the machine can read it.
fn exposed(file: &Path, text: &str, settings: &Settings) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let (lines, _) = env_file::parse(text);
    let holds_token = lines
        .iter()
        .any(|line| SECRET_KEYS.contains(&line.key.as_str()) && !line.value.is_empty());
    match settings.mode {
        Mode::Gitlab(_) if holds_token => {}
        Mode::Gitlab(_) | Mode::Local(_) => return None,
    }
    let mode = std::fs::metadata(file).ok()?.permissions().mode();
    (mode & 0o004 != 0).then(|| {
        let file = file.display();
        format!("every account of this machine can read the token in {file}; chmod 600 {file}")
    })
}

/// Settings with which the server cannot start.
#[derive(Debug)]
pub struct Wrong {
    /// What is wrong with them, one a line.
    pub problems: Vec<String>,
    /// The port, where that much could be read.
    pub port: Option<u16>,
}

/// A value, and where it was found.
struct Found {
    origin: String,
    value: String,
}

/// The settings, and all that is wrong with them: `where: KEY=value: why; what to write`.
struct Reader {
    found: Vec<(&'static str, Found)>,
    problems: Vec<String>,
}

/// Reads settings from the text of a file called `name` and from the environment. Pure but for looking whether
/// `LOCAL_PATH` is a directory.
fn parse(
    name: &str,
    text: &str,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Settings, Vec<String>> {
    let mut reader = Reader::gather(name, text, environment);
    let port = reader.port();
    let mode = reader.mode(name);
    let path = reader.path();
    let level = reader.level();
    let playground = reader.playground();
    match mode {
        Some(mode) if reader.problems.is_empty() => Ok(Settings {
            port,
            mode,
            path,
            level,
            playground,
            warnings: Vec::new(),
        }),
        _ => Err(reader.problems),
    }
}

impl Reader {
    fn gather(name: &str, text: &str, environment: impl Fn(&str) -> Option<String>) -> Self {
        let (lines, broken) = env_file::parse(text);
        let mut problems: Vec<String> = broken
            .iter()
            .map(|line| {
                let (number, reason) = (line.number, line.reason);
                let text = without_secret(&line.text);
                format!("{name}:{number}: {text:?}: {reason}; write KEY='value'")
            })
            .collect();
        for line in &lines {
            if !KEYS.contains(&line.key.as_str()) {
                let (number, key) = (line.number, &line.key);
                let nearest = nearest(&key.to_ascii_uppercase(), KEYS);
                problems.push(format!(
                    "{name}:{number}: {key}: no such setting; {nearest}"
                ));
            }
        }
        let found = KEYS.iter().filter_map(|&key| {
            let found = match environment(key) {
                Some(value) => Found {
                    origin: "environment".into(),
                    value,
                },
                // As in dotenv, the last line wins.
                None => lines.iter().rev().find(|l| l.key == key).map(|l| Found {
                    origin: format!("{name}:{}", l.number),
                    value: l.value.clone(),
                })?,
            };
            Some((key, found))
        });
        Self {
            found: found.collect(),
            problems,
        }
    }

    fn value(&self, key: &str) -> Option<&str> {
        let (_, found) = self.found.iter().find(|(name, _)| *name == key)?;
        Some(&found.value)
    }

    /// Notes that the value of `key` is wrong: why, and what to write.
    fn wrong(&mut self, key: &str, why: &str, fix: &str) {
        let Some((_, found)) = self.found.iter().find(|(name, _)| *name == key) else {
            return;
        };
        let Found { origin, value } = found;
        // An address may hold a password.
        let secret = SECRET_KEYS.contains(&key) || key == "GITLAB_URL" && value.contains('@');
        let value = if secret { "…" } else { value };
        self.problems
            .push(format!("{origin}: {key}='{value}': {why}; {fix}"));
    }

    /// The port, unless what stands there is none.
    fn sound_port(mut self) -> Option<u16> {
        let before = self.problems.len();
        let port = self.port();
        (self.problems.len() == before).then_some(port)
    }

    fn port(&mut self) -> u16 {
        match self.value("PORT").map(str::parse::<u16>) {
            None => 4001,
            Some(Ok(port)) if port > 0 => port,
            Some(_) => {
                self.wrong("PORT", "not a port", "write a number from 1 to 65535");
                0
            }
        }
    }

    fn mode(&mut self, name: &str) -> Option<Mode> {
        match self.value("MODE") {
            None | Some("local") => self.local_path(name).map(Mode::Local),
            Some("gitlab") => self.gitlab(name).map(Mode::Gitlab),
            Some(_) => {
                self.wrong("MODE", "no such mode", "write 'local' or 'gitlab'");
                None
            }
        }
    }

    fn gitlab(&mut self, name: &str) -> Option<gitlab::Settings> {
        let url = self.needed(
            name,
            "GITLAB_URL",
            gitlab::url,
            "write the address of GitLab's API, as in 'https://gitlab.com/api/graphql'",
        );
        // v0.2's code read GITLAB_TOKEN, its documentation says TOKEN, which counts where there are both.
        let key = match (self.value("TOKEN"), self.value("GITLAB_TOKEN")) {
            (None, Some(_)) => "GITLAB_TOKEN",
            (Some(_), _) | (None, None) => "TOKEN",
        };
        let token = self.needed(
            name,
            key,
            gitlab::token,
            "write an access token of the group, with the scope read_api",
        );
        let group = self.needed(
            name,
            "GITLAB_GROUP",
            gitlab::group,
            "write the path of the group, as in 'dtaas'",
        );
        let common_project = self.read("GITLAB_COMMON_PROJECT", gitlab::project);
        let authorities = self.read("GITLAB_CA_FILE", gitlab::authorities);
        let timeout = self.read("GITLAB_TIMEOUT", gitlab::timeout);
        Some(gitlab::Settings {
            url: url?,
            token: token?,
            group: group?,
            common_project: common_project.unwrap_or_else(|| gitlab::COMMON_PROJECT.to_owned()),
            authorities,
            timeout: timeout.unwrap_or(gitlab::TIMEOUT),
        })
    }

    /// The value of `key`, read by `read`; `None` where it is not set or, which is noted, no good.
    fn read<T>(&mut self, key: &str, read: fn(&str) -> Result<T, gitlab::Wrong>) -> Option<T> {
        match read(self.value(key)?) {
            Ok(value) => Some(value),
            Err(gitlab::Wrong { why, fix }) => {
                self.wrong(key, &why, fix);
                None
            }
        }
    }

    /// As [`Self::read`], of a key that must be set.
    fn needed<T>(
        &mut self,
        name: &str,
        key: &str,
        read: fn(&str) -> Result<T, gitlab::Wrong>,
        fix: &str,
    ) -> Option<T> {
        if self.value(key).is_none() {
            self.problems
                .push(format!("{name}: {key} is not set; {fix}"));
        }
        self.read(key, read)
    }

    fn local_path(&mut self, name: &str) -> Option<PathBuf> {
        let Some(value) = self.value("LOCAL_PATH") else {
            self.problems.push(format!(
                "{name}: LOCAL_PATH is not set; write the absolute path of the directory to serve"
            ));
            return None;
        };
        let path = PathBuf::from(value);
        let why = if !path.is_absolute() {
            "not an absolute path".to_owned()
        } else {
            match std::fs::read_dir(&path) {
                Ok(_) => return Some(path),
                Err(error) => format!("cannot be listed ({error})"),
            }
        };
        let fix = "write the absolute path of the directory to serve";
        self.wrong("LOCAL_PATH", &why, fix);
        None
    }

    fn path(&mut self) -> String {
        let value = self.value("APOLLO_PATH").unwrap_or("/lib");
        match value.parse::<BasePath>().map(|path| path.path("")) {
            Ok(path) if [HEALTHZ, READYZ, METRICS].contains(&path.as_str()) => {
                let why = "the server's own health is reported there";
                self.wrong("APOLLO_PATH", why, "write '/lib' or ''");
                path
            }
            Ok(path) => path,
            Err(error) => {
                self.wrong("APOLLO_PATH", &error.rule, "write '/lib' or ''");
                String::new()
            }
        }
    }

    fn level(&mut self) -> Level {
        match self.value("LOG_LEVEL").map(str::parse::<Level>) {
            None => Level::Info,
            Some(Ok(level)) => level,
            Some(Err(())) => {
                let fix = "write 'error', 'warn', 'info' or 'debug'";
                self.wrong("LOG_LEVEL", "no such level", fix);
                Level::Info
            }
        }
    }

    fn playground(&mut self) -> bool {
        match self.value("GRAPHQL_PLAYGROUND") {
            None | Some("false" | "") => false,
            Some("true") => true,
            Some(_) => {
                let fix = "write 'true' or 'false'";
                self.wrong("GRAPHQL_PLAYGROUND", "neither true nor false", fix);
                false
            }
        }
    }
}

/// A line that could not be read, without what may be a token in it.
fn without_secret(line: &str) -> &str {
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    let secret = |key: &&&str| line.starts_with(**key);
    SECRET_KEYS.iter().find(secret).unwrap_or(&line)
}

#[cfg(test)]
mod tests;
