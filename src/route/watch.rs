//! Stays, and puts the NAT's default route behind the others whenever it comes back.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};

use super::decide::{Verdict, decide};
use super::moves;
use super::table::Table;
use super::{Options, require_root};
use crate::error::Failure;
use crate::ui;

/// How long nothing is looked at when nothing is heard. Netlink drops messages when too many come at once (netlink(7)).
const PATIENCE: Duration = Duration::from_secs(60);

/// The same at the beginning: `ip monitor` hears nothing until it has started, which takes it some milliseconds.
const FIRST: Duration = Duration::from_secs(1);

/// The rest after something was moved, so that two programs that disagree about a route do not keep the machine busy: one look,
/// which tries a few times, a second.
const REST: Duration = Duration::from_secs(1);

/// Looks, and goes on looking at every change, until told to end (SIGTERM, SIGINT).
///
/// # Errors
/// When it cannot hear of changes any more: whoever started it is to start it again. A move that fails is said, and tried again.
pub async fn watch(options: &Options) -> Result<()> {
    require_root("dtaas route watch")?;
    let table = Table::open()?;
    let mut monitor = table
        .monitor()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot run ip monitor")?;
    let mut heard = monitor.stdout.take().context("ip monitor has no output")?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut told = None;
    let mut patience = FIRST;
    // What is heard while this is busy is one piece afterwards.
    let mut piece = vec![0; 1 << 16];
    loop {
        let rest = match look(&table, options, &mut told).await {
            true => REST,
            false => Duration::ZERO,
        };
        let change = async {
            tokio::time::sleep(rest).await;
            match tokio::time::timeout(patience, heard.read(&mut piece)).await {
                Ok(Ok(0)) => Err(Failure::new("ip monitor ended").into()),
                Ok(Ok(_)) | Err(_) => Ok(()),
                Ok(Err(error)) => {
                    Err(anyhow::Error::new(error).context("cannot read from ip monitor"))
                }
            }
        };
        tokio::select! {
            changed = change => changed?,
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
        }
        patience = PATIENCE;
    }
}

/// Looks once, for cron.
///
/// # Errors
/// When the routes cannot be read or changed.
pub async fn once(options: &Options) -> Result<()> {
    require_root("dtaas route watch")?;
    let table = Table::open()?;
    for did in settle(&table, options).await? {
        ui::say(format!("{did}."));
    }
    Ok(())
}

async fn settle(table: &Table, options: &Options) -> Result<Vec<String>> {
    let interface = options.interface.as_ref();
    table
        .settle(|seen| moves::back(seen, &decide(seen, interface)))
        .await
}

/// One look. Answers whether anything was to be moved. What cannot be done is said once, until it is something else.
async fn look(table: &Table, options: &Options, told: &mut Option<String>) -> bool {
    let (moved, trouble) = match settle(table, options).await {
        Ok(did) => {
            for line in &did {
                ui::say(format!("{line}."));
            }
            (!did.is_empty(), unclear(table, options).await)
        }
        Err(error) => (true, Some(format!("{error:#}"))),
    };
    if trouble != *told {
        if let Some(trouble) = &trouble {
            ui::say(trouble);
        }
        *told = trouble;
    }
    moved
}

async fn unclear(table: &Table, options: &Options) -> Option<String> {
    let seen = match table.look().await {
        Ok(seen) => seen,
        Err(error) => return Some(format!("{error:#}")),
    };
    let decision = decide(&seen, options.interface.as_ref());
    match decision.verdict {
        Verdict::Unclear => Some(decision.why),
        Verdict::Conflict
        | Verdict::Behind
        | Verdict::Outweighed
        | Verdict::OnlyNat
        | Verdict::NoConflict
        | Verdict::NoDefault
        | Verdict::NoInterface => None,
    }
}
