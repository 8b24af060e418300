//! What Vagrant reads of our machines: taken by the real `vagrant`, and, where that looks away, evaluated by Ruby.

use std::path::Path;
use std::process::Command;

use dtaas::spec::quantity::Bytes;
use dtaas::vagrant::{self, Docker, MadeBy, Ports, VirtualBox, VirtualMachine};

use crate::platform::deployment::Ran;
use crate::rig::there_is;

fn of_virtual_box(name: &str, hostname: &str, memory: u64, cpus: u32) -> VirtualMachine {
    VirtualMachine {
        name: name.into(),
        hostname: hostname.parse().unwrap(),
        private_key: Some("vagrant".into()),
        ports: Ports::default(),
        made_by: MadeBy::VirtualBox(VirtualBox {
            base: "dtaas".into(),
            memory: Bytes(memory << 20),
            cpus,
            mac: Some("08:00:27:12:34:56".parse().unwrap()),
            bridge: Some("eno1".into()),
        }),
        software: Vec::new(),
    }
}

/// Both machines of the profile `two-machine`, by VirtualBox; their MAC addresses differ.
fn two() -> Vec<VirtualMachine> {
    let mut services = of_virtual_box("services", "services.foo.com", 6096, 3);
    if let MadeBy::VirtualBox(made) = &mut services.made_by {
        made.mac = Some("080027123457".parse().unwrap());
    }
    vec![of_virtual_box("dtaas", "foo.com", 16384, 8), services]
}

fn of_docker() -> Vec<VirtualMachine> {
    vec![VirtualMachine {
        made_by: MadeBy::Docker(Docker {
            image: "machine:1".into(),
            create_args: vec!["--cap-add=ALL".into(), "--label=a b".into()],
        }),
        private_key: None,
        ports: Ports {
            ssh: Some(2222),
            http: None,
            https: Some(8443),
        },
        ..of_virtual_box("dtaas", "foo.com", 16384, 8)
    }]
}

/// What a Vagrantfile sets, as Ruby sees it.
fn evaluated(machines: &[VirtualMachine]) -> String {
    let directory = tempfile::tempdir().unwrap();
    vagrant::write(directory.path(), machines).unwrap();
    let recorder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/suite/vagrant/recording.rb"
    );
    let mut ruby = Command::new("ruby");
    ruby.arg(recorder).arg(directory.path().join("Vagrantfile"));
    Ran::of(ruby.output().unwrap()).succeeded().stdout
}

fn ruby(test: &str) -> bool {
    there_is("ruby", which::which("ruby").is_ok(), test)
}

#[test]
fn ruby_sees_what_virtual_box_is_told() {
    if !ruby("vagrant::ruby_sees_what_virtual_box_is_told") {
        return;
    }
    let said = evaluated(&two());
    let dtaas: Vec<&str> = said
        .lines()
        .take_while(|line| !line.contains("define(\"services\")"))
        .collect();
    assert_eq!(
        dtaas.join("\n"),
        r#"version 2
config.vm.define("dtaas"):
dtaas.vm.hostname = "foo.com"
dtaas.vm.boot_timeout = 600
dtaas.ssh.insert_key = false
dtaas.ssh.private_key_path = "vagrant"
dtaas.vm.synced_folder(".", "/vagrant", disabled: true)
dtaas.vm.box = "dtaas"
dtaas.vm.box_check_update = false
dtaas.vm.network("public_network", use_dhcp_assigned_default_route: true, mac: "080027123456", bridge: "eno1")
dtaas.vm.provider("virtualbox"):
virtualbox.name = "foo.com"
virtualbox.memory = 16384
virtualbox.cpus = 8
virtualbox.check_guest_additions = false"#
    );
    assert!(
        said.contains("virtualbox.memory = 6096\nvirtualbox.cpus = 3\n"),
        "{said}"
    );
}

#[test]
fn ruby_sees_what_docker_is_told() {
    if !ruby("vagrant::ruby_sees_what_docker_is_told") {
        return;
    }
    assert_eq!(
        evaluated(&of_docker()),
        r#"version 2
config.vm.define("dtaas"):
dtaas.vm.hostname = "foo.com"
dtaas.vm.boot_timeout = 600
dtaas.ssh.insert_key = false
dtaas.vm.synced_folder(".", "/vagrant", disabled: true)
dtaas.vm.network("forwarded_port", id: "ssh", guest: 22, host: 2222, host_ip: "127.0.0.1")
dtaas.vm.network("forwarded_port", id: "https", guest: 443, host: 8443, host_ip: "127.0.0.1")
dtaas.vm.provider("docker"):
docker.image = "machine:1"
docker.has_ssh = true
docker.remains_running = true
docker.create_args = ["--cap-add=ALL", "--label=a b"]
"#
    );
}

#[tokio::test]
async fn the_real_vagrant_takes_what_is_written() {
    const TEST: &str = "vagrant::the_real_vagrant_takes_what_is_written";
    if !there_is("vagrant", which::which("vagrant").is_ok(), TEST) {
        return;
    }
    for machines in [two(), of_docker()] {
        let directory = tempfile::tempdir().unwrap();
        assert!(vagrant::write(directory.path(), &machines).unwrap());
        assert!(!vagrant::write(directory.path(), &machines).unwrap());
        // It looks for the key, as `up` does.
        key(&directory.path().join("vagrant"));
        vagrant::validate(directory.path()).await.unwrap();
    }
}

fn key(path: &Path) {
    let mut keygen = Command::new("ssh-keygen");
    keygen
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(path);
    Ran::of(keygen.output().unwrap()).succeeded();
}

#[test]
fn machines_that_would_meet_are_refused() {
    let same = |machines: &[VirtualMachine]| {
        let directory = tempfile::tempdir().unwrap();
        let error = vagrant::write(directory.path(), machines).unwrap_err();
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        error.to_string()
    };
    let one = of_virtual_box("dtaas", "foo.com", 1024, 1);
    let named = VirtualMachine {
        hostname: "bar.com".parse().unwrap(),
        ..one.clone()
    };
    assert_eq!(
        same(&[one.clone(), named]),
        "two machines have the name dtaas"
    );
    let other = VirtualMachine {
        name: "services".into(),
        hostname: "bar.com".parse().unwrap(),
        ..one.clone()
    };
    assert!(same(&[one, other]).starts_with("two machines have the "));
}

#[test]
fn a_machine_that_is_described_no_more_stays_known_to_vagrant() {
    let directory = tempfile::tempdir().unwrap();
    let boxes = || {
        let text = std::fs::read_to_string(directory.path().join("boxes.json")).unwrap();
        let boxes: serde_json::Value = serde_json::from_str(&text).unwrap();
        let names = boxes.as_array().unwrap().iter();
        names
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let known = directory
        .path()
        .join(".vagrant/machines/services/virtualbox");
    vagrant::write(directory.path(), &two()).unwrap();
    std::fs::create_dir_all(&known).unwrap();
    std::fs::write(known.join("id"), "1").unwrap();

    let one = &two()[..1];
    assert_eq!(vagrant::left(directory.path(), one).unwrap(), ["services"]);
    vagrant::write(directory.path(), one).unwrap();
    assert_eq!(boxes(), ["dtaas", "services"]);

    std::fs::remove_file(known.join("id")).unwrap();
    vagrant::write(directory.path(), one).unwrap();
    assert_eq!(boxes(), ["dtaas"]);
}
