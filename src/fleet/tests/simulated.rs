//! A machine that is not there: it speaks the agent's protocol, works out what is due as the agent does, and takes a second for each step.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::deployment::sites::{Reach, Site};
use crate::machine::apply::Outcome;
use crate::machine::diff::diff;
use crate::machine::event::{Event, StepFailure};
use crate::machine::observed::Observed;
use crate::machine::plan::Plan;
use crate::platform::desired::{Desired, Directory};
use crate::remote::pace::BEAT;
use crate::remote::protocol::{self, Difference, Order, Reply, Request, Said};

/// How long a look takes.
pub const LOOK: Duration = Duration::from_millis(300);
const STEP: Duration = Duration::from_secs(1);

/// What becomes of a machine.
#[derive(Clone, Copy, PartialEq)]
pub enum End {
    Well,
    /// Its last step fails.
    Fails,
    /// Its agent ends in the middle.
    Leaves,
    /// Nothing is heard of it any more after its first step.
    FallsSilent,
}

pub fn name(number: usize) -> String {
    format!("machine-{number:02}")
}

pub fn site(number: usize) -> Site {
    Site {
        name: name(number),
        reach: Reach::Ssh {
            ssh: Default::default(),
            key: None,
        },
        placed: BTreeSet::new(),
        root: "/opt/dtaas/paper".into(),
        hostname: name(number),
    }
}

/// As many directories as the machine's number says.
pub fn desired(site: &Site) -> Desired {
    let number: usize = site.name["machine-".len()..].parse().unwrap();
    let mut desired = Desired::nothing("paper".parse().unwrap(), PathBuf::from(&site.root));
    desired.directories = (0..number)
        .map(|nth| Directory::plain(format!("directory-{nth}")))
        .collect();
    desired
}

pub struct Simulated {
    end: End,
    plan: Plan,
}

impl Simulated {
    pub fn new(end: End) -> Self {
        Self {
            end,
            plan: Plan::default(),
        }
    }

    /// Starts it; answers what leads to it.
    pub fn start(self) -> DuplexStream {
        let (here, there) = tokio::io::duplex(64 * 1024);
        tokio::spawn(self.live(there));
        here
    }

    async fn live(mut self, stream: DuplexStream) {
        let (reader, mut voice) = tokio::io::split(stream);
        let (tell, mut orders) = mpsc::unbounded_channel();
        tokio::spawn(hear(reader, tell));
        let hello = Said::Hello {
            protocol: protocol::VERSION,
            version: "0".to_owned(),
        };
        say(&mut voice, hello).await;
        loop {
            let request = match timeout(BEAT, orders.recv()).await {
                Err(_) => {
                    say(&mut voice, Said::Beat).await;
                    continue;
                }
                Ok(Some(Order::Ask(request))) => *request,
                Ok(Some(Order::Beat | Order::Stop)) => continue,
                Ok(None) => return,
            };
            let reply = match request {
                Request::Look(look) => {
                    sleep(LOOK).await;
                    self.plan = diff(&look.desired, &Observed::default(), &look.options);
                    Reply::Difference(Box::new(Difference {
                        plan: self.plan.clone(),
                        containers: Default::default(),
                        is_up: false,
                        answers: Vec::new(),
                    }))
                }
                Request::Apply => match self.apply(&mut voice, &mut orders).await {
                    Some(outcome) => Reply::Outcome(outcome),
                    None => return,
                },
                other => panic!("{other:?}"),
            };
            say(&mut voice, Said::Reply(Box::new(Ok(reply)))).await;
        }
    }

    /// What came of it; nothing where nobody is there any more to say so.
    async fn apply(
        &mut self,
        voice: &mut WriteHalf<DuplexStream>,
        orders: &mut mpsc::UnboundedReceiver<Order>,
    ) -> Option<Outcome> {
        let mut outcome = Outcome::default();
        let last = self.plan.steps.len() - 1;
        for (number, step) in self.plan.steps.iter().enumerate() {
            while let Ok(order) = orders.try_recv() {
                outcome.interrupted |= matches!(order, Order::Stop);
            }
            let text = step.describe();
            if outcome.interrupted {
                outcome.left.push(text);
                continue;
            }
            let started = Event::StepStarted {
                step: number,
                text: text.clone(),
            };
            say(voice, Said::Event(started)).await;
            sleep(STEP).await;
            match self.end {
                End::Leaves if number == 1 => return None,
                End::FallsSilent if number == 1 => std::future::pending().await,
                End::Fails if number == last => {
                    let failure = StepFailure {
                        message: format!("{text}: the disk is on fire"),
                        hint: None,
                    };
                    outcome.failures.push(failure.clone());
                    let failed = Event::StepFailed {
                        step: number,
                        failure,
                    };
                    say(voice, Said::Event(failed)).await;
                }
                _ => {
                    outcome.done += 1;
                    let done = Event::StepDone {
                        step: number,
                        millis: 1000,
                    };
                    say(voice, Said::Event(done)).await;
                }
            }
        }
        Some(outcome)
    }
}

async fn hear(reader: ReadHalf<DuplexStream>, tell: mpsc::UnboundedSender<Order>) {
    use tokio::io::{AsyncBufReadExt, BufReader};
    let mut lines = BufReader::new(reader).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if tell.send(serde_json::from_str(&line).unwrap()).is_err() {
            return;
        }
    }
}

async fn say(voice: &mut WriteHalf<DuplexStream>, said: Said) {
    let mut line = serde_json::to_vec(&said).unwrap();
    line.push(b'\n');
    // Nobody may listen any more.
    let _ = voice.write_all(&line).await;
}
