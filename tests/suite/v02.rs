//! An installation of v0.2, laid out by hand as its documentation says: "Host Install", and the folders of "Setup the File System".

use std::fs;
use std::path::{Path, PathBuf};

/// An installation in a directory.
pub struct V02 {
    root: PathBuf,
}

/// Made by `htpasswd -nbm` (apr1), `-nbB` (bcrypt) and `-nbs` (SHA).
pub const ALICE: &str = "alice:$apr1$i2lATwbN$dKvDiEbk.m5JGsjQHpq.e0";
pub const BOB: &str = "bob:$2y$04$ZQ0vJDZVJOxz1dR8DSmsXuB/wN6VlxIt96wLGWYiNOHGVbLY7JIbO";
pub const CAROL: &str = "carol:{SHA}87u9ZqY9S/F0eUBXjsPQEDUw4h0=";

/// The password of all three.
pub const PASSWORD: &str = "hunter2";

impl V02 {
    /// With routes for these users, the entries of a password file, and a folder for each user and for `common`.
    pub fn new(root: &Path, users: &[&str], entries: &[&str]) -> Self {
        let old = Self {
            root: root.to_owned(),
        };
        old.write("deploy/config/gateway/fileConfig.yml", &routes(users));
        let entries: Vec<String> = entries.iter().map(|entry| format!("{entry}\n")).collect();
        old.write("deploy/config/gateway/auth", &entries.concat());
        let library = root.join("files");
        old.write(
            "deploy/config/lib",
            &format!(
                "PORT='4001'\nMODE='local'\nLOCAL_PATH ='{}'\nLOG_LEVEL='debug'\nAPOLLO_PATH='/lib'\nGRAPHQL_PLAYGROUND='true'\n",
                library.display()
            ),
        );
        old.write(
            "deploy/config/client/env.js",
            &env_js("https://foo.com/", ""),
        );
        old.write(
            "deploy/install.sh",
            "docker run -d -p 8090:8080 mltooling/ml-workspace:0.13.2\n",
        );
        for user in users.iter().chain(&["common"]) {
            for kind in ["data", "digital twins", "functions", "models", "tools"] {
                fs::create_dir_all(library.join(user).join(kind)).unwrap();
            }
        }
        old
    }

    /// Writes a file of it, with the directories above it.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Puts another word in the place of one in a file.
    pub fn replace(&self, path: &str, old: &str, new: &str) {
        let text = fs::read_to_string(self.root.join(path)).unwrap();
        assert!(text.contains(old), "{text}");
        self.write(path, &text.replace(old, new));
    }
}

/// `fileConfig.yml`: the website at line 3, and 8 lines a user from line 10 on.
fn routes(users: &[&str]) -> String {
    let mut text = "http:\n  routers:\n    dtaas:\n      entryPoints:\n        - http\n      rule: 'Host(`foo.com`)'\n      middlewares:\n        - basic-auth\n      service: dtaas\n".to_owned();
    for user in users {
        text += &format!(
            "\n    {user}:\n      entryPoints:\n        - http\n      rule: 'Host(`foo.com`) && PathPrefix(`/{user}`)'\n      middlewares:\n        - basic-auth\n      service: {user}\n"
        );
    }
    text += "\n  # Middleware: Basic authentication\n  middlewares:\n    basic-auth:\n      basicAuth:\n        usersFile: \"/etc/traefik/auth\"\n        removeHeader: true\n\n  services:\n";
    let ports = std::iter::once(4000).chain(8090..);
    for (name, port) in std::iter::once(&"dtaas").chain(users).zip(ports) {
        text += &format!(
            "    {name}:\n      loadBalancer:\n        servers:\n          - url: \"http://localhost:{port}\"\n"
        );
    }
    text
}

/// The website's settings, but for the address those of the documentation.
pub fn env_js(url: &str, basename: &str) -> String {
    format!(
        "window.env = {{\n\
         \x20   REACT_APP_ENVIRONMENT: 'prod',\n\
         \x20   REACT_APP_URL: '{url}',\n\
         \x20   REACT_APP_URL_BASENAME: '{basename}',\n\
         \x20   REACT_APP_URL_DTLINK: '/lab',\n\
         \x20   REACT_APP_URL_LIBLINK: '',\n\
         \x20   REACT_APP_WORKBENCHLINK_TERMINAL: '/terminals/main',\n\
         \x20   REACT_APP_WORKBENCHLINK_VNCDESKTOP: '/tools/vnc/?password=vncpassword',\n\
         \x20   REACT_APP_WORKBENCHLINK_VSCODE: '/tools/vscode/',\n\
         \x20   REACT_APP_WORKBENCHLINK_JUPYTERLAB: '/lab',\n\
         \x20   REACT_APP_WORKBENCHLINK_JUPYTERNOTEBOOK: '',\n\
         }};\n"
    )
}
