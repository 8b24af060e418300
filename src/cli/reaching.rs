//! How other machines are reached.

use std::path::PathBuf;

use clap::Args;

use crate::fleet::How;

/// How other machines are reached.
#[derive(Debug, Clone, Args)]
pub struct Reaching {
    /// The dtaas for machines of another processor architecture than this one's.
    #[arg(long, value_name = "FILE")]
    agent_binary: Option<PathBuf>,
}

impl Reaching {
    /// The same for whoever reaches them.
    pub fn how(&self) -> How {
        How {
            binary: self.agent_binary.clone(),
            ..How::default()
        }
    }
}
