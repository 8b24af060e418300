//! What the base box holds besides Ubuntu itself.

use std::fmt;

use crate::spec::read::default;

/// A part of what the documentation lists. Telegraf and GitLab, which it lists as well, come from package sources of others, or
/// are long out of support in the version named there: they are left to those who want them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Part {
    /// The docker engine, without which the platform does not run.
    Docker,
    /// Node.js, npm and yarn.
    Node,
    /// Jupyter Notebook.
    Jupyter,
    /// MicroK8s.
    Microk8s,
    /// The images of the gateway and of the workspaces, so that they need not be pulled later.
    Images,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Docker => "docker",
            Part::Node => "node",
            Part::Jupyter => "jupyter",
            Part::Microk8s => "microk8s",
            Part::Images => "images",
        })
    }
}

/// The words that `provision.sh` takes: the engine always and first, everything once.
pub(super) fn words(parts: &[Part]) -> Vec<String> {
    let mut parts = [&[Part::Docker], parts].concat();
    parts.sort();
    parts.dedup();
    parts
        .iter()
        .flat_map(|part| match part {
            Part::Images => [default::GATEWAY_IMAGE, default::WORKSPACE_IMAGE]
                .map(|image| format!("image={image}"))
                .to_vec(),
            Part::Docker | Part::Node | Part::Jupyter | Part::Microk8s => vec![part.to_string()],
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_is_always_there_and_everything_once() {
        assert_eq!(words(&[]), ["docker"]);
        assert_eq!(
            words(&[Part::Images, Part::Node, Part::Docker, Part::Node]),
            [
                "docker",
                "node",
                "image=traefik:v3.7.15",
                "image=mltooling/ml-workspace:0.13.2"
            ]
        );
    }
}
