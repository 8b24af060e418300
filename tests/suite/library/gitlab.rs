//! `MODE='gitlab'`: the real binary, over a stand-in for GitLab.

mod answers;
mod beyond;
mod composed;
mod secrecy;
mod stand_in;
mod troubles;

use std::process::Command;

use tempfile::TempDir;

use super::fixture::{SECRET, Server, lib_serve};
use super::gitlab_server::{Gitlab, TOKEN};

/// The group of these tests, which lies in another one.
const GROUP: &str = "company/dtaas";

/// A GitLab, and the server's settings for it.
struct Setup {
    gitlab: Gitlab,
    directory: TempDir,
}

impl Setup {
    /// The projects alice, bob and commons, with a file each.
    fn new() -> Self {
        Self::over(Gitlab::start(GROUP))
    }

    fn over(gitlab: Gitlab) -> Self {
        gitlab.project("alice", |project| project.write("README.md", "# alice\n"));
        gitlab.project("bob", |project| project.write("secret.txt", "bob's\n"));
        gitlab.project("commons", |project| {
            project.write("README.md", "# common\n")
        });
        Self {
            gitlab,
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// The server over this GitLab, for everyone.
    fn serve(&self) -> Server {
        self.serve_with("", &["--no-auth"])
    }

    /// The server as it stands behind the gateway.
    fn serve_users(&self) -> Server {
        let secret = self.directory.path().join("gateway-secret");
        std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
        self.serve_with("", &["--gateway-secret-file", secret.to_str().unwrap()])
    }

    /// The server with more settings, the last of each counts, and flags.
    fn serve_with(&self, settings: &str, flags: &[&str]) -> Server {
        Server::start(self.command(settings, flags))
    }

    fn command(&self, settings: &str, flags: &[&str]) -> Command {
        let file = self.directory.path().join("lib.env");
        let url = self.gitlab.url();
        let settings = format!(
            "MODE='gitlab'\nGITLAB_URL='{url}'\nGITLAB_GROUP='{GROUP}'\nTOKEN='{TOKEN}'\n{settings}"
        );
        std::fs::write(&file, settings).unwrap();
        let mut command = lib_serve();
        command.arg("--env-file").arg(&file).args(flags);
        command.args(["--listen", "127.0.0.1:0"]);
        command
    }

    /// How many questions GitLab was asked since this was asked last, those about readiness aside.
    fn questions(&self) -> usize {
        self.gitlab.seen().len()
    }
}
