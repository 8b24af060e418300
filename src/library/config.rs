//! The library server's settings: v0.2's `.env` file and the environment variables of the same names.

use std::path::{Path, PathBuf};

use crate::spec::document::nearest;
use crate::spec::names::BasePath;

use super::env_file;
use super::http::{HEALTHZ, METRICS, READYZ};
use super::log::Level;

/// The keys of v0.2's `.env` file.
const KEYS: &[&str] = &[
    "PORT",
    "MODE",
    "LOCAL_PATH",
    "GITLAB_GROUP",
    "GITLAB_URL",
    "TOKEN",
    "LOG_LEVEL",
    "TEST_PATH",
    "APOLLO_PATH",
    "GRAPHQL_PLAYGROUND",
];

/// What the settings come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The port to listen on where nothing else is said.
    pub port: u16,
    /// The directory that is served.
    pub local_path: PathBuf,
    /// Where the endpoint is: empty, or with a slash in front and none behind.
    pub path: String,
    /// How much is logged.
    pub level: Level,
    /// Whether a playground is asked for.
    pub playground: bool,
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
        let name = name.display().to_string();
        parse(&name, &text, environment).map_err(|problems| Wrong {
            problems,
            port: Reader::gather(&name, &text, environment).sound_port(),
        })
    }
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
    reader.mode();
    let local_path = reader.local_path(name);
    let path = reader.path();
    let level = reader.level();
    let playground = reader.playground();
    match local_path {
        Some(local_path) if reader.problems.is_empty() => Ok(Settings {
            port,
            local_path,
            path,
            level,
            playground,
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
                let (number, text, reason) = (line.number, &line.text, line.reason);
                format!("{name}:{number}: {text:?}: {reason}; write KEY='value'")
            })
            .collect();
        for line in &lines {
            if !KEYS.contains(&line.key.as_str()) {
                let (number, key) = (line.number, &line.key);
                let nearest = match key.as_str() {
                    // v0.2's code reads this name, its documentation the other.
                    "GITLAB_TOKEN" => "did you mean TOKEN?".to_owned(),
                    key => nearest(&key.to_ascii_uppercase(), KEYS),
                };
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

    fn mode(&mut self) {
        match self.value("MODE") {
            None | Some("local") => {}
            Some("gitlab") => self.wrong(
                "MODE",
                "this version cannot serve a library from GitLab yet",
                "write 'local' and set LOCAL_PATH",
            ),
            Some(_) => self.wrong("MODE", "no such mode", "write 'local'"),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: fn(&str) -> Option<String> = |_| None;

    #[test]
    fn the_documented_file_is_taken() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().display();
        let text = format!(
            "PORT='4001'\nMODE='local'\nLOCAL_PATH ='{path}'\nGITLAB_GROUP ='dtaas'\n\
             GITLAB_URL='https://gitlab.com/api/graphql'\nTOKEN='123-sample-token'\nLOG_LEVEL='debug'\n\
             TEST_PATH='/nowhere'\nAPOLLO_PATH='/lib'\nGRAPHQL_PLAYGROUND='false'\n"
        );
        assert_eq!(
            parse(".env", &text, NOTHING).unwrap(),
            Settings {
                port: 4001,
                local_path: directory.path().to_owned(),
                path: "/lib".into(),
                level: Level::Debug,
                playground: false,
            }
        );
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let environment = |key: &str| match key {
            "PORT" => Some("5001".to_owned()),
            "APOLLO_PATH" => Some("dtaas/lib/".to_owned()),
            _ => None,
        };
        let settings = parse(
            ".env",
            "PORT=4001\nLOCAL_PATH=/\nAPOLLO_PATH=''",
            environment,
        )
        .unwrap();
        assert_eq!(
            (settings.port, settings.path.as_str()),
            (5001, "/dtaas/lib")
        );
    }

    #[test]
    fn an_empty_path_is_the_root() {
        let settings = parse(".env", "LOCAL_PATH=/\nAPOLLO_PATH=''", NOTHING).unwrap();
        assert_eq!(settings.path, "");
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let text = "PORT='40o1'\nMODE='gitlab'\nLOCAL_PAHT='/srv'\nLOCAL_PATH='files'\nGITLAB_TOKEN=x\n\
                    LOG_LEVEL=loud\nAPOLLO_PATH='/a b'\nGRAPHQL_PLAYGROUND='yes'\nTOKEN\n";
        assert_eq!(
            parse("lib.env", text, NOTHING).unwrap_err(),
            [
                "lib.env:9: \"TOKEN\": there is no '=' in it; write KEY='value'",
                "lib.env:3: LOCAL_PAHT: no such setting; did you mean LOCAL_PATH?",
                "lib.env:5: GITLAB_TOKEN: no such setting; did you mean TOKEN?",
                "lib.env:1: PORT='40o1': not a port; write a number from 1 to 65535",
                "lib.env:2: MODE='gitlab': this version cannot serve a library from GitLab yet; write 'local' and set LOCAL_PATH",
                "lib.env:4: LOCAL_PATH='files': not an absolute path; write the absolute path of the directory to serve",
                "lib.env:7: APOLLO_PATH='/a b': the part \"a b\" must be letters, digits, '.', '_' and '-'; write '/lib' or ''",
                "lib.env:6: LOG_LEVEL='loud': no such level; write 'error', 'warn', 'info' or 'debug'",
                "lib.env:8: GRAPHQL_PLAYGROUND='yes': neither true nor false; write 'true' or 'false'",
            ]
        );
    }

    #[test]
    fn the_directory_must_be_named() {
        assert_eq!(
            parse(".env", "", NOTHING).unwrap_err(),
            [".env: LOCAL_PATH is not set; write the absolute path of the directory to serve"]
        );
    }
}
