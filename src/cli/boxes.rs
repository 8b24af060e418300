//! `dtaas box`: the base box of Vagrant machines.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use clap::{Args, Subcommand};
use console::style;

use super::interrupt::Interrupt;
use crate::error::Failure;
use crate::machine::event::Event;
use crate::spec::quantity::Bytes;
use crate::ui;
use crate::ui::progress::Progress;
use crate::vagrant::base::{Build as Wanted, Part, SOURCE, Source, Told};
use crate::vagrant::{BASE_BOX, Docker, Provider, Watch};

/// The base box of Vagrant machines.
#[derive(Debug, Args)]
pub struct Boxes {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Build(Build),
}

/// Make the base box: a key pair of its own, software, Vagrant's insecure keys locked out; packed, added to Vagrant's boxes, and tried.
/// Whatever is done already stays: after an interruption, run the same command again.
#[derive(Debug, Args)]
struct Build {
    /// Where key pair, machine and packed box lie; keep it: the key in it opens every machine of the box.
    #[arg(long, value_name = "DIR", default_value = "dtaas-box")]
    directory: PathBuf,
    /// What the box is called.
    #[arg(long, default_value = BASE_BOX)]
    name: String,
    /// What it holds besides docker, which is always there.
    #[arg(long, value_name = "PARTS", value_delimiter = ',')]
    with: Vec<Part>,
    /// Who runs the base machine: virtualbox or docker. Vagrant cannot pack docker's, so there it ends with the machine.
    #[arg(long, default_value = "virtualbox")]
    provider: Provider,
    /// The base machine's memory, with virtualbox.
    #[arg(long, default_value = "16g")]
    memory: Bytes,
    /// Its processors, with virtualbox.
    #[arg(long, default_value = "8")]
    cpus: u32,
    /// An image that runs an SSH server for the user vagrant, with docker.
    #[arg(long)]
    image: Option<String>,
    /// One more argument of `docker run`, with docker; may be given several times.
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    create_arg: Vec<String>,
}

impl Boxes {
    /// Runs the command.
    ///
    /// # Errors
    /// Those of the build.
    pub async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Build(build) => build.run().await,
        }
    }
}

impl Build {
    async fn run(self) -> anyhow::Result<()> {
        let wanted = self.wanted()?;
        let interrupt = Interrupt::listen()?;
        let progress = Progress::new();
        let line = |line: &str| progress.line(format!("  {}", style(line).for_stderr().dim()));
        let watch = Watch {
            line: &line,
            interrupted: interrupt.wanted(),
        };
        let step = Mutex::new(0);
        let tell = |told: Told| {
            let mut step = step.lock().unwrap_or_else(PoisonError::into_inner);
            match told {
                Told::Already(text) => {
                    let already = style("already done").for_stderr().dim();
                    progress.line(format!(
                        "{} {text}: {already}",
                        style("✓").for_stderr().green()
                    ));
                }
                Told::Begins(text) => progress.show(None, Event::StepStarted { step: *step, text }),
                Told::Done(millis) => {
                    progress.show(
                        None,
                        Event::StepDone {
                            step: *step,
                            millis,
                        },
                    );
                    *step += 1;
                }
            }
        };
        let says = async {
            interrupt.comes().await;
            progress.line(
                "Interrupted: what Vagrant is at is ended first; once more stops at once."
                    .to_owned(),
            );
            std::future::pending::<std::convert::Infallible>().await
        };
        let built = tokio::select! {
            built = wanted.run(&watch, &tell) => built,
            never = says => match never {},
        };
        progress.clear();
        built?;
        say_what_is_there(&wanted);
        Ok(())
    }

    fn wanted(&self) -> anyhow::Result<Wanted> {
        let source = match (self.provider, &self.image) {
            (Provider::VirtualBox, None) if self.create_arg.is_empty() => Source::VirtualBox {
                base: SOURCE.to_owned(),
                memory: self.memory,
                cpus: self.cpus,
            },
            (Provider::VirtualBox, _) => {
                return Err(
                    Failure::usage("--image and --create-arg are for --provider docker").into(),
                );
            }
            (Provider::Docker, Some(image)) => Source::Docker(Docker {
                image: image.clone(),
                create_args: self.create_arg.clone(),
            }),
            (Provider::Docker, None) => {
                return Err(Failure::usage("--provider docker needs an image for the machine")
                    .hint("give --image NAME: one that runs an SSH server, and lets the user vagrant in with Vagrant's insecure key")
                    .into());
            }
        };
        Ok(Wanted {
            directory: self.directory.clone(),
            name: self.name.clone(),
            software: self.with.clone(),
            source,
        })
    }
}

fn say_what_is_there(built: &Wanted) {
    let place = std::fs::canonicalize(&built.directory).unwrap_or_else(|_| built.directory.clone());
    let key = place.join("vagrant");
    match built.provider() {
        Provider::VirtualBox => ui::say(format!(
            "Vagrant has the box {0} now, for the user who ran this. Its machines answer to {1}; keep that file.\n\
             To pack it anew, remove {2} and run this again.",
            built.name,
            key.display(),
            place.join(built.package()).display()
        )),
        Provider::Docker => ui::say(format!(
            "The base machine is made, and answers to {}. There is no box: Vagrant packs machines of VirtualBox alone, \
             and its docker provider needs none.\nTo take the machine away: vagrant destroy -f, in {}",
            key.display(),
            place.display()
        )),
    }
}
