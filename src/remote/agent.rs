//! The controller's side: an agent is started on a machine, and asked for one thing after another.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use super::bridge::{self, Said};
use super::protocol::{BEAT, Reply, Request, SILENCE, Say, Tell, VERSION};
use super::quote;
use super::session::{self, Connected};
use super::target::{Operator, Target};
use super::upload::{Executable, Root};
use crate::error::{Exit, Failure};
use crate::machine::event::Event;

/// How an agent is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// The executable for a machine of another architecture.
    pub binary: Option<PathBuf>,
    /// Whether docker is installed where it is missing.
    pub install_docker: bool,
    /// Whether somebody can answer questions.
    pub can_ask: bool,
}

/// An agent that runs on a machine, as long as this lives.
pub struct Agent {
    told: Lines<BufReader<OwnedReadHalf>>,
    say: Arc<Mutex<OwnedWriteHalf>>,
    said: Said,
    beats: JoinHandle<()>,
}

impl Agent {
    /// Connects to the machine, brings this executable there if it is not there yet, and runs it as root.
    ///
    /// # Errors
    /// With the machine's name, what does not work, and what to type next.
    pub async fn start(
        target: Target,
        options: Options,
        note: &(dyn Fn(&str) + Sync),
    ) -> anyhow::Result<Self> {
        let (tell, mut notes) = tokio::sync::mpsc::unbounded_channel();
        let wanted = options.clone();
        let mut begun = tokio::task::spawn_blocking(move || {
            begin(&target, &wanted, &|text| drop(tell.send(text)))
        });
        let (socket, said) = loop {
            tokio::select! {
                Some(text) = notes.recv() => note(&text),
                begun = &mut begun => break begun.context("connecting broke off")??,
            }
        };
        let socket = UnixStream::from_std(socket).context("cannot take over a socket")?;
        let (read, write) = socket.into_split();
        let say = Arc::new(Mutex::new(write));
        let mut agent = Self {
            told: BufReader::new(read).lines(),
            beats: tokio::spawn(beat(Arc::clone(&say))),
            say,
            said,
        };
        let first = loop {
            match agent.next().await? {
                Tell::Beat => {}
                first => break first,
            }
        };
        match first {
            Tell::Hello { version, .. } if version != VERSION => Err(Failure::new(format!(
                "the dtaas there speaks another language ({version}, here {VERSION})"
            ))
            .hint("give --agent-binary a file of this version")
            .into()),
            Tell::Hello { docker: true, .. } => Ok(agent),
            Tell::Hello { docker: false, .. } if options.install_docker => {
                agent.install_docker(note).await?;
                Ok(agent)
            }
            Tell::Hello { docker: false, .. } => Err(Failure::new("there is no docker on that machine")
            .hint("dtaas up --install-docker installs it from the distribution's packages (Debian, Ubuntu)")
            .into()),
            other => Err(agent.unexpected(&other)),
        }
    }

    async fn install_docker(&mut self, note: &(dyn Fn(&str) + Sync)) -> anyhow::Result<()> {
        let (_keep, never) = watch::channel(false);
        self.ask(Request::InstallDocker {}, &|_| {}, note, never)
            .await
            .map(|_| ())
    }

    /// Asks for something, and waits for it. Told to stop, the agent finishes the steps in hand and answers then.
    ///
    /// # Errors
    /// What failed there, with its remedy; and when the connection is lost.
    pub async fn ask(
        &mut self,
        request: Request,
        event: &(dyn Fn(Event) + Sync),
        note: &(dyn Fn(&str) + Sync),
        mut stop: watch::Receiver<bool>,
    ) -> anyhow::Result<Reply> {
        self.say(&Say::Ask {
            request: Box::new(request),
        })
        .await?;
        let mut stopping = false;
        loop {
            let told = tokio::select! {
                told = self.next() => told?,
                wanted = stop.wait_for(|stop| *stop), if !stopping => {
                    let wanted = wanted.is_ok();
                    stopping = true;
                    if wanted {
                        self.say(&Say::Stop).await?;
                    }
                    continue;
                }
            };
            match told {
                Tell::Beat => {}
                Tell::Event { event: happened } => event(happened),
                Tell::Note { text } => note(&text),
                Tell::Done { reply } => return Ok(*reply),
                Tell::Failed { failure, exit } => {
                    let error = Failure::new(failure.message).exit(exit_of(exit));
                    return Err(match failure.hint {
                        Some(hint) => error.hint(hint),
                        None => error,
                    }
                    .into());
                }
                Tell::Hello { .. } => return Err(self.unexpected(&told)),
            }
        }
    }

    /// The error that something is that nobody asked for.
    pub fn unexpected(&self, what: &impl std::fmt::Debug) -> anyhow::Error {
        // Its first word says what it is; the rest may be long.
        let text = format!("{what:?}");
        let word: String = text.chars().take_while(|c| c.is_alphanumeric()).collect();
        Failure::new(format!("the agent said something out of turn ({word})"))
            .hint("run the same command again")
            .into()
    }

    async fn say(&self, what: &Say) -> anyhow::Result<()> {
        let line = serde_json::to_string(what)? + "\n";
        let said = async { self.say.lock().await.write_all(line.as_bytes()).await };
        match tokio::time::timeout(SILENCE, said).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(self.lost().into()),
        }
    }

    /// The next that it says. A line that was begun is kept when this is left.
    async fn next(&mut self) -> anyhow::Result<Tell> {
        let line = match tokio::time::timeout(SILENCE, self.told.next_line()).await {
            Ok(Ok(Some(line))) => line,
            Ok(Ok(None) | Err(_)) | Err(_) => return Err(self.lost().into()),
        };
        serde_json::from_str(&line).with_context(|| {
            Failure::new(format!(
                "the agent cannot be understood: {}",
                line.chars().take(200).collect::<String>()
            ))
            .hint("does the login's shell print something of its own? It must not when no terminal is there")
        })
    }

    fn lost(&self) -> Failure {
        let said = match self.said.last().as_str() {
            "" => String::new(),
            said => format!(" ({said})"),
        };
        Failure::new(format!("the connection is lost{said}"))
            .hint("the run there finishes the step in hand and stops; when the machine can be reached again, run the same command again: it does the rest")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.beats.abort();
    }
}

/// Says that the controller is there, as long as somebody listens.
async fn beat(say: Arc<Mutex<OwnedWriteHalf>>) {
    let Ok(line) = serde_json::to_string(&Say::Beat) else {
        return;
    };
    let line = line + "\n";
    let mut times = tokio::time::interval(BEAT);
    loop {
        times.tick().await;
        if say.lock().await.write_all(line.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn exit_of(code: u8) -> Exit {
    [Exit::Usage, Exit::Locked, Exit::Interrupted]
        .into_iter()
        .find(|exit| *exit as u8 == code)
        .unwrap_or(Exit::Failed)
}

/// Everything up to the running agent; its standard input and output are the socket.
fn begin(
    target: &Target,
    options: &Options,
    say: &dyn Fn(String),
) -> anyhow::Result<(std::os::unix::net::UnixStream, Said)> {
    let hops = target.hops(&Operator::here())?;
    let name = target.name.as_str();
    let connected = session::connect(name, &hops, options.can_ask)?;
    let user = hops.last().map_or("", |hop| hop.user.as_str());
    let words = prepare(user, &connected, options, say)?;
    let mut channel = connected
        .session
        .channel_session()
        .context("no program can be started there")?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    channel
        .exec(&quote::line(&words))
        .context("dtaas cannot be started there")?;
    let (here, there) = std::os::unix::net::UnixStream::pair().context("cannot make a socket")?;
    here.set_nonblocking(true)
        .context("cannot prepare a socket")?;
    let said = Said::default();
    bridge::start(connected, channel, there, Some(said.clone()))?;
    Ok((here, said))
}

/// Looks whether our program can run there, and puts it there; answers how it is run.
fn prepare(
    user: &str,
    connected: &Connected,
    options: &Options,
    say: &dyn Fn(String),
) -> anyhow::Result<Vec<String>> {
    let root = Root::on(user, &connected.session)?;
    let system = root.run(&["uname", "-sm"])?.out;
    let ours = format!("Linux {}", std::env::consts::ARCH);
    if system != ours && options.binary.is_none() {
        return Err(Failure::new(format!(
            "that machine is {system}, and this dtaas is for {ours}"
        ))
        .hint(format!(
            "name a dtaas that was built for {system}: --agent-binary FILE"
        ))
        .into());
    }
    let path = Executable::open(options.binary.as_deref())?.put(&root, say)?;
    Ok(root
        .words(&[&path, "agent"])
        .into_iter()
        .map(str::to_owned)
        .collect())
}
