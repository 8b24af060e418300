//! The ports that users and other machines are to reach, tried from where they are.

use std::collections::BTreeMap;

use serde::Serialize;
use tokio::sync::watch;

use super::{Member, Tell};
use crate::machine::doors::{self, Door};
use crate::platform::desired::Desired;

/// A port that is closed to somebody who should reach it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Closed {
    /// Which.
    #[serde(flatten)]
    pub door: Door,
    /// From where it was tried: a machine's name; `None` is from here.
    pub from: Option<String>,
    /// Why.
    pub because: String,
}

/// Tries the doors of all other machines: from here, where users may be, and those of machines without workspaces from the workspaces'
/// machine as well. `desired` is what each machine should have, by name. From where users really are only they can tell.
pub async fn closed(
    members: &mut [Member<'_>],
    desired: &BTreeMap<String, Desired>,
    tell: &dyn Tell,
    stop: watch::Receiver<bool>,
) -> Vec<Closed> {
    let mut here = Vec::new();
    let mut there = Vec::new();
    for member in members.iter().filter(|member| !member.site.is_local()) {
        let Some(desired) = desired.get(&member.site.name) else {
            continue;
        };
        let doors = doors::of(desired, &member.site.hostname);
        if !member.site.is_users() {
            there.extend(doors.clone());
        }
        here.extend(doors);
    }
    let mut all = found(&here, doors::closed(&here).await, None);
    let users = members
        .iter_mut()
        .find(|member| member.site.is_users() && !there.is_empty());
    if let Some(member) = users
        && let Ok(hand) = &mut member.hand
    {
        let note = |text: &str| tell.note(member.called, text);
        match hand.closed(&there, &note, stop).await {
            Ok(closed) => all.extend(found(&there, closed, Some(&member.site.name))),
            Err(error) => member.hand = Err(error),
        }
    }
    all
}

fn found(doors: &[Door], closed: Vec<Option<String>>, from: Option<&str>) -> Vec<Closed> {
    doors
        .iter()
        .zip(closed)
        .filter_map(|(door, because)| {
            Some(Closed {
                door: door.clone(),
                from: from.map(str::to_owned),
                because: because?,
            })
        })
        .collect()
}
