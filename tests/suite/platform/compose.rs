//! An export for docker compose: run with the real one, it is the platform that `up` makes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::{self, within};
use super::deployment::{Deployment, Ran};
use super::engine::{self, docker, out};
use super::steps::Steps;
use super::{doors, first_light, isolation, terminal};
use crate::rig::rig_with_compose;

const PARTS: [&str; 6] = [
    "gateway",
    "auth",
    "website",
    "library",
    "workspace-alice",
    "workspace-bob",
];

/// A project, taken down when dropped.
pub struct Project {
    /// docker compose.
    pub program: PathBuf,
    /// Where the export is.
    pub directory: PathBuf,
}

impl Project {
    /// `docker compose …` in it.
    pub fn compose(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(&self.program);
        command
            .current_dir(&self.directory)
            .args(["--ansi", "never"])
            .args(arguments);
        Ran::of(command.output().unwrap())
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let images = self.compose(&["config", "--images"]);
        self.compose(&["down", "--timeout", "0"]);
        for image in images
            .stdout
            .lines()
            .filter(|name| name.starts_with("dtaas-export/"))
        {
            engine::run("docker", &["image", "rm", "--force", image]);
        }
    }
}

#[test]
fn an_export_runs_the_same_platform() {
    const TEST: &str = "platform::compose::an_export_runs_the_same_platform";
    let Some((rig, program)) = rig_with_compose(TEST) else {
        return;
    };
    let steps = Steps::of(TEST);
    let place = tempfile::tempdir().unwrap();
    let here = steps.step("init, and a user who is disabled", || {
        let here = Deployment::init(&rig, "cmp", "foo.com", "alice,bob,carol", &[]);
        first_light::library(&here);
        here.dtaas(&["user", "disable", "carol"]).succeeded();
        // A limit that is none on a machine with as few processors is told to the engine by compose alone.
        let spec = std::fs::read_to_string(here.path("dtaas.yaml")).unwrap();
        let spec = spec.replace("cpus: \"2\"", "cpus: \"1\"");
        // What compose would read as something else, if it were let.
        let odd = r#"environment: {A: "it's", B: "$HOME ${X:-y} $$", C: "a\"b\\nc\\\\d # e", D: "two\nlines", E: " blanks "}"#;
        assert!(spec.contains("  environment: {}\n"));
        let spec = spec.replace("environment: {}", odd);
        std::fs::write(here.path("dtaas.yaml"), spec).unwrap();
        here
    });
    let directory = place.path().join("its project");
    let project = steps.step("export compose", || {
        here.dtaas(&["export", "compose", "--output", directory.to_str().unwrap()])
            .succeeded();
        Project {
            program,
            directory: directory.clone(),
        }
    });
    steps.step("docker compose up", || {
        project.compose(&["up", "-d"]).succeeded()
    });
    steps.step("all answer", || {
        within(Duration::from_secs(60), "the gateway listens", || {
            std::net::TcpStream::connect((here.address, here.ports.https)).is_ok()
        });
        for user in ["alice", "bob"] {
            within(Duration::from_secs(300), "a workspace answers", || {
                here.get(&format!("/{user}/lab")).by(user).status() == 200
            });
        }
    });
    steps.step("the doors open for whom they should", || {
        doors::open(&here, &["alice", "bob"]);
        doors::library(&here);
        doors::closed_without_credentials(&here);
        doors::closed_to_others(&here);
        doors::forged_names_count_for_nothing(&here);
        let password = here.password("alice");
        assert_eq!(client::signs_in(&here, "alice", &password), 303);
        assert_eq!(client::signs_in(&here, "alice", "another"), 401);
        let running = project.compose(&["ps", "--services"]).succeeded().stdout;
        assert!(!running.contains("workspace-carol"), "{running}");
    });
    steps.step(
        "with the rules beside it workspaces reach what they should",
        || {
            as_the_readme_says(&directory, "tables-restore -w ");
            isolation::check_connections(&here, &rig);
            as_the_readme_says(&directory, "tables -t mangle ");
        },
    );
    steps.step("a terminal runs a command", || terminal::check(&here));
    let of_compose = seen(&here);
    let rules = rules(&directory);
    steps.step("docker compose down leaves nothing", || {
        project.compose(&["down"]).succeeded();
        assert_eq!(engine::objects(&here.name), [""; 0]);
        drop(project);
        let reference = format!("reference=dtaas-export/{}", here.name);
        assert_eq!(docker(&["image", "ls", "-q", "--filter", &reference]), "");
    });
    steps.step("up makes the same", || {
        here.dtaas(&["up"]).succeeded();
        let of_up = seen(&here);
        for (part, one) in of_compose.as_object().unwrap() {
            assert_eq!(one, &of_up[part], "{part}");
        }
        let set: Vec<String> = engine::rules(&here.name)
            .iter()
            .filter_map(|rule| {
                rule.strip_prefix("iptables: ")
                    .or(rule.strip_prefix("iptables-save: "))
            })
            .filter(|rule| rule.starts_with("-A DTAAS-") && !rule.contains("--comment"))
            .map(str::to_owned)
            .collect();
        // Where the kernel cannot tell a way back, the first rule is another.
        assert_eq!(set[1..], rules[1..]);
    });
}

/// Types the README's lines that have these words.
fn as_the_readme_says(directory: &Path, words: &str) {
    let text = std::fs::read_to_string(directory.join("README.md")).unwrap();
    let typed = text.lines().filter_map(|line| line.strip_prefix("    "));
    for line in typed.filter(|line| line.contains(words)) {
        let script = format!("cd '{}' && {line}", directory.display());
        out("sh", &["-c", &script]);
    }
}

/// The rules beside the project, without the last, of which `up` makes the mark of the chain. The machine's own program reads them.
fn rules(directory: &Path) -> Vec<String> {
    let file = directory.join("firewall.rules");
    let script = format!(
        "iptables-restore --test -w --noflush < '{}'",
        file.display()
    );
    out("sh", &["-c", &script]);
    let text = std::fs::read_to_string(file).unwrap();
    let rules = text.lines().filter(|line| line.starts_with("-A "));
    let mut rules: Vec<String> = rules.map(str::to_owned).collect();
    rules.pop();
    // As the program writes it that is asked.
    for rule in &mut rules {
        *rule = rule.replace("echo-request", "8");
    }
    rules
}

/// What docker has of each part: all that makes it what it is, but for whose it is and where its files lie.
fn seen(here: &Deployment) -> Value {
    let mut all = json!({});
    for part in PARTS {
        let found = engine::container(&here.container(part));
        let (config, host) = (&found["Config"], &found["HostConfig"]);
        // A builder says where programs are, also in an image that has one alone.
        let mut environment = config["Env"].as_array().cloned().unwrap_or_default();
        environment.retain(|pair| !pair.as_str().unwrap().starts_with("PATH="));
        environment.sort_by_key(Value::to_string);
        let mut mounts: Vec<Value> = found["Mounts"]
            .as_array()
            .unwrap()
            .iter()
            .map(mount)
            .collect();
        mounts.sort_by_key(Value::to_string);
        let networks = found["NetworkSettings"]["Networks"].as_object().unwrap();
        let mut one = json!({
            "command": config["Cmd"], "user": config["User"], "environment": environment, "mounts": mounts,
            "entrypoint": config["Entrypoint"], "grace": config["StopTimeout"],
            "addresses": networks.values().map(|one| one["IPAddress"].clone()).collect::<Vec<_>>(),
            "networks": networks.keys().collect::<Vec<_>>(),
        });
        for key in [
            "RestartPolicy",
            "LogConfig",
            "ReadonlyRootfs",
            "SecurityOpt",
            "ShmSize",
            "NanoCpus",
            "Memory",
            "MemorySwap",
            "PidsLimit",
            "NetworkMode",
            "Privileged",
            "PublishAllPorts",
        ] {
            one[key] = host[key].clone();
        }
        // The engine writes what compose asks for with the kernel's own names.
        for key in ["CapAdd", "CapDrop"] {
            let names = host[key].as_array().into_iter().flatten();
            let names: BTreeSet<&str> = names
                .filter_map(|name| name.as_str()?.split("CAP_").last())
                .collect();
            one[key] = json!(names);
        }
        // Compose says an empty list where there is nothing.
        for key in ["ExtraHosts", "PortBindings"] {
            let nothing = [json!([]), json!({})].contains(&host[key]);
            one[key] = if nothing {
                Value::Null
            } else {
                host[key].clone()
            };
        }
        if part.starts_with("workspace") || part == "gateway" {
            one["image"] = found["Image"].clone();
        }
        all[part] = one;
    }
    for user in ["alice", "bob"] {
        let name = here.container(&format!("net-{user}"));
        let found: Value = serde_json::from_str(&docker(&["network", "inspect", &name])).unwrap();
        let network = &found[0];
        all[format!("net-{user}")] = json!({
            "ipam": network["IPAM"]["Config"], "driver": network["Driver"], "options": network["Options"],
            "ipv6": network["EnableIPv6"], "internal": network["Internal"],
        });
    }
    all
}

fn mount(mount: &Value) -> Value {
    json!({"at": mount["Destination"], "written": mount["RW"], "type": mount["Type"]})
}
