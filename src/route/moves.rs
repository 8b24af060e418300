//! What is to be told to `ip` so that routes go behind the others, or back. Pure.

use super::decide::Decision;
use super::seen::{Route, Seen};

/// One change of the routing table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Adds a route, also beside another one of its metric.
    Append(Route),
    /// Takes a route away.
    Delete(Route),
}

/// A route that is moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// In this order: a route is there before its other place is given up, so that there is one at every moment.
    pub changes: Vec<Change>,
    /// What happened, as a sentence without its full stop.
    pub says: String,
}

/// Puts behind the others what a decision says.
pub fn back(seen: &Seen, decision: &Decision) -> Vec<Move> {
    let wanted: Vec<(&Route, Route)> = decision
        .move_back
        .iter()
        .filter_map(|route| Some((route, route.behind()?)))
        .collect();
    let mut stale: Vec<&Route> = seen
        .routes
        .iter()
        .filter(|found| {
            found.is_behind()
                && wanted.iter().any(|(route, _)| route.device == found.device)
                && !wanted.iter().any(|(_, behind)| same(behind, found))
        })
        .collect();
    wanted
        .iter()
        .map(|(route, behind)| {
            let mut changes = Vec::new();
            if !seen.routes.iter().any(|found| same(found, behind)) {
                changes.push(Change::Append(behind.clone()));
            }
            // An earlier lease's: with another gateway, or another address.
            changes.extend(stale.drain(..).cloned().map(Change::Delete));
            changes.push(Change::Delete((*route).clone()));
            Move {
                changes,
                says: format!(
                    "{route} goes behind the others: its metric is {} now, and it is used only while there is no other",
                    behind.metric
                ),
            }
        })
        .collect()
}

/// Puts back where they were all that are behind the others.
pub fn forth(seen: &Seen) -> Vec<Move> {
    let moved = seen.routes.iter().filter_map(|route| {
        let before = route.before()?;
        let mut changes = Vec::new();
        if !seen.routes.iter().any(|found| same(found, &before)) {
            changes.push(Change::Append(before.clone()));
        }
        changes.push(Change::Delete(route.clone()));
        Some(Move {
            changes,
            says: format!("{before} is back where it was"),
        })
    });
    moved.collect()
}

/// Whether two are one route to the kernel: it may have got or lost its carrier meanwhile.
fn same(one: &Route, other: &Route) -> bool {
    one.words() == other.words()
}
