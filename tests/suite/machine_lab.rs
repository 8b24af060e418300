//! A small deployment on the real engine. Its containers run this very test program, from the image that the machine
//! engine makes of it; `inside` is what they run.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use dtaas::machine::apply::{Options, Outcome, apply};
use dtaas::machine::diff::{DiffOptions, Recreate, diff};
use dtaas::machine::docker::Engine;
use dtaas::machine::event::Event;
use dtaas::machine::image::own_reference;
use dtaas::machine::observe::observe;
use dtaas::machine::plan::Plan;
use dtaas::platform::desired::*;
use dtaas::secrets::Secret;
use dtaas::spec::names::UserName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Whether there is an engine to try this on; says so when there is none.
pub fn rig() -> bool {
    let thread = std::thread::current();
    crate::rig::rig(thread.name().unwrap_or_default()).is_some()
}

/// What containers run: the test program with this one test, told by its environment what to do.
#[test]
fn inside() {
    if let Ok(address) = std::env::var("LAB_SERVE") {
        tokio::runtime::Runtime::new()
            .unwrap()
            .block_on(serve(&address));
    }
    if let Ok(address) = std::env::var("LAB_CONNECT") {
        let address = address.parse().unwrap();
        let open = TcpStream::connect_timeout(&address, Duration::from_millis(700)).is_ok();
        std::process::exit(if open { 0 } else { 7 });
    }
    if let Ok(words) = std::env::var("LAB_DIE") {
        eprintln!("{words}");
        std::process::exit(3);
    }
}

async fn serve(address: &str) {
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let mut stop =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
    let answer = async {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 1024]).await;
                let _ = stream
                    .write_all(
                        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
                    )
                    .await;
            });
        }
    };
    tokio::select! { () = answer => {}, _ = stop.recv() => {} }
    std::process::exit(0);
}

/// Tells labs of suites that run side by side on one machine from one another.
fn process() -> u32 {
    std::process::id()
}

fn chain(number: u8) -> String {
    format!("MACHINE-{}-{number}", process())
}

fn bridge_prefix(number: u8) -> String {
    format!("m{:x}n{number:x}b", process())
}

/// The first three numbers of a lab's addresses.
fn pool(number: u8) -> String {
    format!("10.{}.{number}", 128 + process() % 80)
}

/// A deployment of its own name, chain, bridges and addresses; cleared away when dropped.
pub struct Lab {
    pub desired: Desired,
    pub engine: Engine,
    number: u8,
    _root: tempfile::TempDir,
}

impl Lab {
    /// `number` (1 to 200) tells the labs of tests that run side by side from one another.
    pub async fn new(number: u8) -> Self {
        let root = tempfile::tempdir().unwrap();
        let deployment = format!("machine-{}-{number}", process()).parse().unwrap();
        let mut desired = Desired::nothing(deployment, root.path().to_owned());
        desired.hash_key = Secret::new("key");
        desired.images = vec![Image::Own {
            reference: own_reference(&desired.deployment).unwrap(),
        }];
        desired.firewall = Some(Firewall {
            chain: chain(number),
            bridge_prefix: bridge_prefix(number),
            pool: format!("{}.0/24", pool(number)).parse().unwrap(),
            ports: Vec::new(),
            address: None,
        });
        let lab = Self {
            desired,
            engine: Engine::connect(None).await.unwrap(),
            number,
            _root: root,
        };
        lab.clear();
        lab
    }

    pub fn name(&self, what: &str) -> String {
        format!("{}-{what}", self.desired.deployment)
    }

    pub fn address(&self, seat: u8) -> Ipv4Addr {
        self.host(seat * 8 + 2)
    }

    /// An address in the lab's pool.
    pub fn host(&self, last: u8) -> Ipv4Addr {
        format!("{}.{last}", pool(self.number)).parse().unwrap()
    }

    /// A seat's network.
    pub fn subnet(&self, seat: u8) -> String {
        format!("{}/29", self.host(seat * 8))
    }

    /// The chain of the packet filter.
    pub fn chain(&self) -> String {
        chain(self.number)
    }

    fn container(&self, name: &str, address: SocketAddrV4) -> Container {
        Container {
            name: self.name(name),
            component: Component::Website,
            user: None,
            image: self.desired.images[0].reference().to_owned(),
            command: ["--exact", "machine_lab::inside", "--nocapture"]
                .map(str::to_owned)
                .to_vec(),
            environment: [("LAB_SERVE".to_owned(), Secret::new(address.to_string()))].into(),
            mounts: Vec::new(),
            network: Attachment::Host,
            hosts: Default::default(),
            listens: Vec::new(),
            run_as: None,
            read_only: true,
            capabilities: Capabilities::Only(Vec::new()),
            shm: None,
            limits: Limits::default(),
            config_digest: None,
            precious: false,
            running: true,
            ready: Some(Probe::of(address, "/", 30)),
        }
    }

    /// A part of the platform in the host's network.
    pub fn add_part(&mut self, name: &str, port: u16) {
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let mut container = self.container(name, address);
        container.listens = vec![address];
        self.desired.containers.push(container);
    }

    /// Lets a part listen on another port.
    pub fn move_part(&mut self, name: &str, port: u16) {
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let part = self.container_mut(name);
        part.environment
            .insert("LAB_SERVE".to_owned(), Secret::new(address.to_string()));
        part.listens = vec![address];
        part.ready = Some(Probe::of(address, "/", 30));
    }

    /// A user with a route file, a folder, a network and a workspace.
    pub fn add_user(&mut self, user: &str, seat: u8) {
        let name: UserName = user.parse().unwrap();
        let address = self.address(seat);
        let folder = PathBuf::from(format!("files/{user}"));
        for path in [PathBuf::from("files"), folder.clone()] {
            if self.desired.directories.iter().all(|dir| dir.path != path) {
                let user = (path == folder).then(|| name.clone());
                self.desired.directories.push(Directory {
                    path,
                    mode: 0o755,
                    owner: None,
                    enforce: false,
                    yielding: false,
                    user,
                });
            }
        }
        self.desired.owned = vec!["routes".into()];
        self.desired.files.push(File {
            path: format!("routes/user-{user}.yml").into(),
            mode: 0o644,
            owner: None,
            content: Content::Plain(format!("user: {user}\n")),
            leads_to: None,
            reloads: None,
            kept: false,
            user: Some(name.clone()),
        });
        self.desired.networks.push(Network {
            name: self.name(user),
            bridge: format!("{}{seat}", bridge_prefix(self.number)),
            subnet: self.subnet(seat).parse().unwrap(),
            gateway: self.host(seat * 8 + 1),
            user: name.clone(),
        });
        let mut container = self.container(user, SocketAddrV4::new(address, 8080));
        container.component = Component::Workspace;
        container.network = Attachment::Bridge {
            network: self.name(user),
            address,
        };
        container.mounts = vec![Mount {
            source: self.desired.root.join(&folder),
            target: "/workspace".into(),
            read_only: false,
        }];
        container.user = Some(name);
        container.read_only = false;
        container.capabilities = Capabilities::DefaultsWithout(vec!["NET_ADMIN".into()]);
        container.precious = true;
        self.desired.containers.push(container);
    }

    pub fn container_mut(&mut self, name: &str) -> &mut Container {
        let name = self.name(name);
        self.desired
            .containers
            .iter_mut()
            .find(|container| container.name == name)
            .unwrap()
    }

    pub async fn plan(&self) -> Plan {
        self.plan_with(&DiffOptions::default()).await
    }

    pub async fn plan_recreating(&self) -> Plan {
        self.plan_with(&DiffOptions {
            recreate: Recreate::All,
            ..DiffOptions::default()
        })
        .await
    }

    pub async fn plan_with(&self, options: &DiffOptions) -> Plan {
        let observed = observe(&self.engine, &self.desired, &options.scope)
            .await
            .unwrap();
        diff(&self.desired, &observed, options)
    }

    pub async fn apply(&self, plan: &Plan) -> Outcome {
        self.try_apply(plan).await.unwrap()
    }

    /// The same, where the plan may say that something is in the way.
    pub async fn try_apply(&self, plan: &Plan) -> anyhow::Result<Outcome> {
        apply(
            &self.engine,
            &self.desired,
            plan,
            &Options::default(),
            &|_| {},
        )
        .await
    }

    /// Applies a plan until so many steps have begun; the flag that the operator's interrupt sets is set then.
    pub async fn apply_until(&self, plan: &Plan, steps: usize) -> Outcome {
        let (stop, cancel) = tokio::sync::watch::channel(steps == 0);
        let begun = Mutex::new(0);
        let options = Options {
            side_by_side: 1,
            ..Options::new(cancel)
        };
        apply(&self.engine, &self.desired, plan, &options, &|event| {
            if matches!(event, Event::StepStarted { .. }) {
                let mut begun = begun.lock().unwrap();
                *begun += 1;
                stop.send_replace(*begun >= steps);
            }
        })
        .await
        .unwrap()
    }

    /// Makes it so, and fails the test with the reasons if that did not work.
    pub async fn up(&self) {
        let outcome = self.apply(&self.plan().await).await;
        outcome.result().unwrap();
    }

    /// What `down` does.
    pub async fn down(&mut self) {
        let nothing = Desired::nothing(self.desired.deployment.clone(), self.desired.root.clone());
        let desired = std::mem::replace(&mut self.desired, nothing);
        let options = DiffOptions {
            remove_workspaces: true,
            ..DiffOptions::default()
        };
        let outcome = self.apply(&self.plan_with(&options).await).await;
        outcome.result().unwrap();
        assert!(self.plan_with(&options).await.is_empty());
        self.desired = desired;
    }

    /// Whether a program in a container reaches an address.
    pub fn reaches(&self, from: &str, address: &str) -> bool {
        let status = Command::new("docker")
            .args([
                "exec",
                "-e",
                &format!("LAB_CONNECT={address}"),
                "-e",
                "LAB_SERVE",
            ])
            .args([&self.name(from), "/dtaas"])
            .args(["--exact", "machine_lab::inside", "--nocapture"])
            .output()
            .unwrap()
            .status;
        match status.code() {
            Some(0) => true,
            Some(7) => false,
            other => panic!("the probe in {from} ended with {other:?}"),
        }
    }

    /// The ids of this deployment's containers, networks or images, as one of docker's lists has them.
    pub fn ours(&self, list: &[&str]) -> String {
        let label = match list {
            ["images", ..] => "dtaas.image-of",
            _ => "dtaas.deployment",
        };
        let filter = format!("label={label}={}", self.desired.deployment);
        docker(&[list, &["--filter", &filter]].concat())
    }

    fn clear(&self) {
        for (list, remove) in [
            (vec!["ps", "-aq"], vec!["rm", "-f"]),
            (vec!["network", "ls", "-q"], vec!["network", "rm"]),
            (vec!["images", "-q"], vec!["rmi", "-f"]),
        ] {
            let ids = self.ours(&list);
            for id in ids.lines() {
                docker(&[remove.clone(), vec![id]].concat());
            }
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.clear();
        let (chain, hook) = (self.chain(), format!("{}+", bridge_prefix(self.number)));
        for program in ["iptables", "ip6tables"] {
            for arguments in [
                vec!["-D", "PREROUTING", "-i", &hook, "-j", &chain],
                vec!["-F", &chain],
                vec!["-X", &chain],
            ] {
                let _ = Command::new(program)
                    .args(["-w", "-t", "mangle"])
                    .args(arguments)
                    .output();
            }
        }
    }
}

/// Runs docker's own program; answers with what it wrote.
pub fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// What the packet filter has of a chain: its declaration, its rules, and the jumps to it.
pub fn packet_filter(chain: &str) -> Vec<String> {
    let concerns = |line: &&str| line.split([' ', ':']).any(|word| word == chain);
    ["iptables-save", "ip6tables-save"]
        .iter()
        .flat_map(|program| {
            let output = Command::new(program).output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            text.lines()
                .filter(concerns)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect()
}

/// What a plan does, line by line.
pub fn lines(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| step.describe()).collect()
}

/// A port of the host that nothing listens on.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Which container it is, and when it was started last.
pub fn started(lab: &Lab, name: &str) -> String {
    docker(&[
        "inspect",
        "-f",
        "{{.Id}} {{.State.StartedAt}}",
        &lab.name(name),
    ])
}
