//! `dtaas lib check`: what users of the library would stumble on.

use std::path::Path;

use clap::Args;

use super::reach::{Reach, remote};
use crate::error::{Exit, Failure};
use crate::library::client::check::Report;
use crate::ui;
use crate::ui::printable::printable;
use crate::ui::transfer::Transfer;

/// Look through the library for what users would stumble on: names that are not UTF-8, entries that cannot be read, digital twins
/// without a README.md or without a program for any phase, programs that are not executable. Ends with 1 when there is something.
#[derive(Debug, Args)]
pub struct Check {
    /// The directory to begin at
    #[arg(value_name = "PATH", default_value = "")]
    path: String,
    /// Give it as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

impl Check {
    /// Runs the command; answers what to exit with.
    pub async fn run(self, directory: &Path) -> anyhow::Result<Exit> {
        let path = remote(&self.path)?;
        let connection = self.reach.connect(directory)?;
        let transfer = Transfer::new();
        let looked = |directories: u64, files: u64| {
            transfer.about(format!("{directories} directories, {files} files"));
        };
        let report = connection.check(&path, &looked).await;
        transfer.clear();
        let report = report.map_err(Failure::from)?;
        match self.json {
            true => ui::json(&report)?,
            false => text(&report),
        }
        match report.findings.is_empty() {
            true => Ok(Exit::Done),
            false => Ok(Exit::Failed),
        }
    }
}

fn text(report: &Report) {
    for finding in &report.findings {
        ui::data(format!("{}: {}", printable(&finding.path), finding.message));
    }
    let count = |number: u64, one: &str, many: &str| match number {
        1 => format!("1 {one}"),
        number => format!("{number} {many}"),
    };
    let found = match report.findings.len() {
        0 => "nothing to stumble on".to_owned(),
        number => count(number as u64, "thing to stumble on", "things to stumble on"),
    };
    ui::say(format!(
        "{}, {}, {}: {found}",
        count(report.directories, "directory", "directories"),
        count(report.files, "file", "files"),
        count(report.digital_twins, "digital twin", "digital twins"),
    ));
}
