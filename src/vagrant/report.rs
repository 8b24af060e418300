//! What Vagrant says for machines: `timestamp,target,type,data,…`, one fact a line, with commas and line ends written as words
//! (Vagrant's documentation, "Machine Readable Output").

use super::machine::Provider;

/// How a machine stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Vagrant's name for it.
    pub name: String,
    /// Who runs it, by Vagrant's name.
    pub provider: String,
    /// How it stands.
    pub state: State,
}

/// How a machine stands, in the words of its provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// There is none.
    NotCreated,
    /// It runs.
    Running,
    /// It is there and does not run.
    Stopped,
    /// Anything else, in Vagrant's word.
    Other(String),
}

/// A box that Vagrant has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ListedBox {
    pub(super) name: String,
    pub(super) provider: String,
    info: Vec<(String, String)>,
}

impl ListedBox {
    /// Whether machines of a provider can be made of it by that name.
    pub(super) fn is(&self, name: &str, provider: Provider) -> bool {
        self.name == name && self.provider == provider.as_str()
    }

    /// What its `info.json` says under a key.
    pub(super) fn info(&self, key: &str) -> Option<&str> {
        self.info
            .iter()
            .find(|(known, _)| known == key)
            .map(|(_, value)| value.as_str())
    }
}

struct Fact {
    target: String,
    kind: String,
    data: Vec<String>,
}

/// The lines that are facts; what else a plugin prints is left out.
fn facts(text: &str) -> impl Iterator<Item = Fact> {
    text.lines().filter_map(|line| {
        let mut parts = line.split(',');
        parts.next()?.parse::<u64>().ok()?;
        Some(Fact {
            target: parts.next()?.to_owned(),
            kind: parts.next()?.to_owned(),
            data: parts.map(plain).collect(),
        })
    })
}

fn plain(data: &str) -> String {
    data.replace("%!(VAGRANT_COMMA)", ",")
        .replace("\\n", "\n")
        .replace("\\r", "\r")
}

/// Out of `vagrant status --machine-readable`.
pub(super) fn statuses(text: &str) -> Vec<Status> {
    let mut found: Vec<Status> = Vec::new();
    for mut fact in facts(text) {
        let Some(value) = fact.data.pop() else {
            continue;
        };
        match fact.kind.as_str() {
            "provider-name" => found.push(Status {
                name: fact.target,
                provider: value,
                state: State::Other("unknown".to_owned()),
            }),
            "state" => {
                if let Some(status) = found.iter_mut().find(|known| known.name == fact.target) {
                    status.state = state(value);
                }
            }
            // The same for people, and what is not about machines.
            _ => {}
        }
    }
    found
}

fn state(word: String) -> State {
    match word.as_str() {
        "not_created" => State::NotCreated,
        "running" => State::Running,
        "poweroff" | "saved" | "aborted" | "stopped" => State::Stopped,
        // Providers have their own.
        _ => State::Other(word),
    }
}

/// Out of `vagrant box list --machine-readable`.
pub(super) fn boxes(text: &str) -> Vec<ListedBox> {
    let mut found: Vec<ListedBox> = Vec::new();
    for mut fact in facts(text) {
        let Some(value) = fact.data.pop() else {
            continue;
        };
        match (fact.kind.as_str(), found.last_mut()) {
            ("box-name", _) => found.push(ListedBox {
                name: value,
                ..ListedBox::default()
            }),
            ("box-provider", Some(last)) => last.provider = value,
            ("box-info", Some(last)) => {
                last.info.extend(fact.data.pop().map(|key| (key, value)));
            }
            // Versions, architectures, and what is not about boxes.
            _ => {}
        }
    }
    found
}

/// Why a command failed, where it says so.
pub(super) fn error(text: &str) -> Option<String> {
    facts(text)
        .find(|fact| fact.kind == "error-exit")
        .and_then(|mut fact| fact.data.pop())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_two_machines_stand() {
        let text = "1795681880,dtaas,metadata,provider,virtualbox\n\
                    1795681880,services,metadata,provider,virtualbox\n\
                    1795681881,dtaas,provider-name,virtualbox\n\
                    1795681881,dtaas,state,running\n\
                    1795681881,dtaas,state-human-short,running\n\
                    1795681881,dtaas,state-human-long,The VM is running. To stop this VM%!(VAGRANT_COMMA) you can run `vagrant halt`\n\
                    1795681881,services,provider-name,virtualbox\n\
                    1795681881,services,state,gurumeditation\n\
                    1795681881,,ui,info,Current machine states:\\n\n";
        let status = |name: &str, state| Status {
            name: name.into(),
            provider: "virtualbox".into(),
            state,
        };
        assert_eq!(
            statuses(text),
            [
                status("dtaas", State::Running),
                status("services", State::Other("gurumeditation".into())),
            ]
        );
    }

    #[test]
    fn which_boxes_there_are_and_what_they_say_of_themselves() {
        let text = "1795681887,,ui,info,dtaas          (virtualbox%!(VAGRANT_COMMA) 0)\n\
                    1795681887,,box-name,dtaas\n\
                    1795681887,,box-provider,virtualbox\n\
                    1795681887,,box-version,0\n\
                    1795681887,,box-info,software,docker%!(VAGRANT_COMMA) node\n\
                    1795681887,,box-name,ubuntu/jammy64\n\
                    1795681887,,box-provider,virtualbox\n\
                    1795681887,,box-version,20241002.0.0\n";
        let found = boxes(text);
        assert_eq!(found.len(), 2);
        assert!(found[0].is("dtaas", Provider::VirtualBox));
        assert!(!found[0].is("dtaas", Provider::Docker));
        assert_eq!(found[0].info("software"), Some("docker, node"));
        assert_eq!(found[1].info("software"), None);
        assert_eq!(
            boxes("1795681887,,ui,warn,There are no installed boxes!\n"),
            []
        );
    }

    #[test]
    fn why_a_command_failed() {
        let text = "1795681880,,ui,error,No usable\\nprovider\n\
                    1795681880,,error-exit,Vagrant::Errors::NoDefaultProvider,No usable\\nprovider%!(VAGRANT_COMMA) sorry\n";
        assert_eq!(error(text).unwrap(), "No usable\nprovider, sorry");
        assert_eq!(error("usage\n"), None);
    }
}
