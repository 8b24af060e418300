//! The program on a machine elsewhere, seen from here.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::error::Failure;
use crate::machine::event::Event;
use crate::remote::asks::Asks;
use crate::remote::connection::{Connection, GONE};
use crate::remote::pace::{BEAT, SILENCE};
use crate::remote::protocol::{self, Lines, Order, Reply, Request, Said};
use crate::remote::pump::Ended;
use crate::remote::ssh_config::SshConfig;
use crate::remote::tail::Tail;
use crate::remote::target::{self, Me, Target};
use crate::remote::upload::Place;

/// How many lines a login's start-up files may say before the agent does.
const CHATTER: usize = 100;
/// How long the agent may take to end when it is told to.
const TO_END: Duration = Duration::from_secs(5);

/// How a machine is connected to.
#[derive(Clone)]
pub struct Options {
    /// Who answers questions.
    pub asks: Arc<dyn Asks>,
    /// The program to run there, where the running one will not do: `--agent-binary`.
    pub binary: Option<PathBuf>,
}

/// The program on a machine elsewhere. Dropped, its connection ends, and it finishes the step in hand and ends as well.
pub struct Agent {
    machine: String,
    orders: mpsc::UnboundedSender<Order>,
    heard: mpsc::UnboundedReceiver<Heard>,
    /// Why there is nobody to talk to any more.
    gone: Option<Gone>,
    /// Whether a request was given up before its reply came.
    owed: bool,
    /// Whether the executable had to be uploaded.
    uploaded: bool,
    _tasks: JoinSet<()>,
    _connection: Option<Connection>,
}

enum Heard {
    Said(Said),
    Gone(Gone),
}

/// Why there is nobody to talk to any more.
#[derive(Debug, Clone)]
enum Gone {
    /// The connection broke.
    Lost(String),
    /// The agent ended, or says what cannot be understood.
    Failed(String),
}

impl Agent {
    /// Connects to a machine, brings the executable there if it is not there yet, and runs it as root.
    ///
    /// # Errors
    ///
    /// [`Failure`]s with a remedy, each with the machine's name: not reached, host key unknown or changed, not let in, no rights,
    /// another architecture, a full disk, a lost connection.
    pub async fn start(target: &Target, options: &Options) -> Result<Self> {
        let me = Me::now()?;
        let config = SshConfig::read(target.config.as_deref(), &me.home)?;
        let hops = target::resolve(target, &config, &me)?;
        let machine = target.name.as_str();
        let connection = Connection::open(hops, machine, Arc::clone(&options.asks)).await?;
        let place = Place::look(&connection, machine).await?;
        let (path, uploaded) = place.install(options.binary.as_deref()).await?;
        let running = connection.start(&place.as_root(&[&path, "agent"])).await?;
        let mut agent =
            Self::greeted(machine, running.stream, running.stderr, Some(running.ended)).await?;
        agent.uploaded = uploaded;
        agent._connection = Some(connection);
        Ok(agent)
    }

    /// The same over a stream that leads to an agent's standard input and output already.
    ///
    /// # Errors
    ///
    /// When it does not greet, or speaks another version.
    pub async fn over(
        machine: &str,
        stream: impl AsyncRead + AsyncWrite + Send + 'static,
    ) -> Result<Self> {
        Self::greeted(machine, stream, Arc::new(Tail::default()), None).await
    }

    async fn greeted(
        machine: &str,
        stream: impl AsyncRead + AsyncWrite + Send + 'static,
        stderr: Arc<Tail>,
        ended: Option<oneshot::Receiver<Result<Ended, String>>>,
    ) -> Result<Self> {
        let (reader, writer) = tokio::io::split(stream);
        let (orders, to_write) = mpsc::unbounded_channel();
        let (tell, heard) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(write(writer, to_write));
        tasks.spawn(async move {
            let gone = read(reader, &tell, ended, &stderr).await;
            // Nobody may listen any more.
            let _ = tell.send(Heard::Gone(gone));
        });
        let mut agent = Self {
            machine: machine.to_owned(),
            orders,
            heard,
            gone: None,
            owed: false,
            uploaded: false,
            _tasks: tasks,
            _connection: None,
        };
        loop {
            match agent.hear().await? {
                Said::Hello { protocol, .. } if protocol == protocol::VERSION => return Ok(agent),
                Said::Hello { protocol, version } => {
                    return Err(Failure::new(format!(
                        "{machine}: the program there is version {version} and speaks protocol {protocol}; this one is {} and \
                         speaks {}",
                        env!("CARGO_PKG_VERSION"),
                        protocol::VERSION
                    ))
                    .hint("give one of the same version: --agent-binary FILE")
                    .into());
                }
                Said::Event(_) | Said::Note(_) | Said::Reply(_) | Said::Beat => {}
            }
        }
    }

    /// The machine's name in the profile.
    pub fn machine(&self) -> &str {
        &self.machine
    }

    /// Whether the executable had to be uploaded, for it was not there yet.
    pub fn uploaded(&self) -> bool {
        self.uploaded
    }

    /// Asks for something, and tells what happens meanwhile. When `stop` becomes true, the agent is told to come to an end; its reply
    /// still comes. A request whose future is dropped before that leaves nothing to be asked any more: then start anew.
    ///
    /// # Errors
    ///
    /// The failure there, with its hint and exit code and the machine's name; or that the connection was lost.
    pub async fn ask(
        &mut self,
        request: Request,
        on_event: &(dyn Fn(Event) + Sync),
        on_note: &(dyn Fn(String) + Sync),
        mut stop: watch::Receiver<bool>,
    ) -> Result<Reply> {
        if std::mem::replace(&mut self.owed, true) {
            return Err(self.failure(&Gone::Lost("an earlier request was given up".to_owned())));
        }
        // Where nobody takes it, the reason is heard below.
        let _ = self.orders.send(Order::Ask(Box::new(request)));
        let mut told = false;
        loop {
            let said = tokio::select! {
                said = self.hear() => said?,
                wanted = stop.wait_for(|stop| *stop), if !told => {
                    told = true;
                    if wanted.is_ok() {
                        let _ = self.orders.send(Order::Stop);
                    }
                    continue;
                }
            };
            match said {
                Said::Event(event) => on_event(event),
                Said::Note(note) => on_note(note),
                Said::Reply(reply) => {
                    self.owed = false;
                    return reply.map_err(|failed| failed.on(&self.machine).into());
                }
                Said::Beat | Said::Hello { .. } => {}
            }
        }
    }

    /// Ends it, and waits until it has let go of all it held.
    pub async fn end(self) {
        let Self {
            orders, mut heard, ..
        } = self;
        drop(orders);
        // It is over as well when the connection is.
        let _ = timeout(TO_END, async {
            while let Some(Heard::Said(_)) = heard.recv().await {}
        })
        .await;
    }

    async fn hear(&mut self) -> Result<Said> {
        if let Some(gone) = &self.gone {
            return Err(self.failure(gone));
        }
        let gone = match self.heard.recv().await {
            Some(Heard::Said(said)) => return Ok(said),
            Some(Heard::Gone(gone)) => gone,
            None => Gone::Lost(GONE.to_owned()),
        };
        let error = self.failure(&gone);
        self.gone = Some(gone);
        Err(error)
    }

    fn failure(&self, gone: &Gone) -> anyhow::Error {
        let machine = &self.machine;
        match gone {
            Gone::Lost(why) => Failure::new(format!(
                "lost the connection to {machine} ({why}): its run finishes the step in hand and stops"
            ))
            .hint("run the same again when the network is back"),
            Gone::Failed(why) => Failure::new(format!("{machine}: {why}")).hint(
                "run the same again; if that happens again, see whether the machine is short of memory or its /var may run programs",
            ),
        }
        .into()
    }
}

/// Says what is to be said, and that somebody is there, until nobody wants to say any more.
async fn write(mut writer: impl AsyncWrite + Unpin, mut orders: mpsc::UnboundedReceiver<Order>) {
    let mut beat = tokio::time::interval(BEAT);
    loop {
        let order = tokio::select! {
            order = orders.recv() => match order {
                Some(order) => order,
                None => break,
            },
            _ = beat.tick() => Order::Beat,
        };
        let Ok(mut line) = serde_json::to_vec(&order) else {
            break;
        };
        line.push(b'\n');
        // What is wrong with the connection, the reader finds out.
        if writer.write_all(&line).await.is_err() || writer.flush().await.is_err() {
            return;
        }
    }
    let _ = writer.shutdown().await;
}

/// Hears what the agent says; answers why it does not any more.
async fn read(
    reader: impl AsyncRead + Unpin,
    tell: &mpsc::UnboundedSender<Heard>,
    ended: Option<oneshot::Receiver<Result<Ended, String>>>,
    stderr: &Tail,
) -> Gone {
    let mut reader = BufReader::with_capacity(64 * 1024, reader);
    let mut lines = Lines::default();
    let mut greeted = false;
    let mut chatter = 0;
    loop {
        let piece = match timeout(SILENCE, reader.fill_buf()).await {
            Ok(Ok([])) => return over(ended, stderr).await,
            Ok(Ok(piece)) => piece,
            // The socket between us and the connection's thread, closed while something said by us lay in it.
            Ok(Err(error)) if error.kind() == ErrorKind::ConnectionReset => {
                return over(ended, stderr).await;
            }
            Ok(Err(error)) => return Gone::Lost(error.to_string()),
            Err(_) => {
                return Gone::Lost(format!("nothing was heard for {} s", SILENCE.as_secs()));
            }
        };
        let length = piece.len();
        let complete = lines.add(piece);
        reader.consume(length);
        let Ok(complete) = complete else {
            return Gone::Failed("the agent says more than can be".to_owned());
        };
        for line in complete {
            match serde_json::from_slice::<Said>(&line) {
                Ok(said) => {
                    greeted |= matches!(said, Said::Hello { .. });
                    if tell.send(Heard::Said(said)).is_err() {
                        return Gone::Lost(GONE.to_owned());
                    }
                }
                Err(_) if !greeted && chatter < CHATTER => chatter += 1,
                Err(error) => {
                    return Gone::Failed(format!(
                        "the agent says what is not understood: {}",
                        protocol::wrong(&error)
                    ));
                }
            }
        }
    }
}

/// Nothing more comes: because the agent ended, or the connection did.
async fn over(ended: Option<oneshot::Receiver<Result<Ended, String>>>, stderr: &Tail) -> Gone {
    let Some(ended) = ended else {
        return Gone::Failed("the agent ended".to_owned());
    };
    let how = match timeout(TO_END, ended).await {
        Ok(Ok(Ok(ended))) => ended,
        Ok(Ok(Err(why))) => return Gone::Lost(why),
        Ok(Err(_)) => return Gone::Lost(GONE.to_owned()),
        Err(_) => return Gone::Lost("it was closed there".to_owned()),
    };
    let how = match how.signal {
        Some(signal) => format!("by signal {signal}"),
        None => format!("with status {}", how.status),
    };
    let said = match stderr.lines() {
        said if said.is_empty() => String::new(),
        said => format!(": {said}"),
    };
    Gone::Failed(format!("the agent ended {how}{said}"))
}
