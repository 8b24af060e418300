//! How deep directories of the library lie, links on the way to them left aside: nothing is made or moved where a walk would not
//! come, for it would count nothing against a quota and be in no zip.

use rustix::fs::{FileType, Stat};

use super::changes::reason;
use super::contain::{Root, Spot};
use super::path::Inside;
use super::refusal::{Reason, Refusal};
use super::stale;
use super::walk::MAX_DEPTH;

/// Nothing is made where a walk would not come.
///
/// # Errors
///
/// [`Reason::TooDeep`], also where it is links that lead so deep.
pub(super) fn not_too_deep(root: &Root, place: &Inside, spot: &Spot) -> Result<(), Refusal> {
    depth_for(root, place, spot, 1).map(drop)
}

/// How many directories a spot's own is deep, where something of so many `levels` fits below it.
fn depth_for(root: &Root, place: &Inside, spot: &Spot, levels: usize) -> Result<usize, Refusal> {
    let too_deep = || place.refuse(Reason::TooDeep(MAX_DEPTH));
    let most = MAX_DEPTH.checked_sub(levels + 1).ok_or_else(too_deep)?;
    let depth = root.depth(&place.scope, &spot.directory, most);
    let depth = depth.map_err(|error| place.refuse(reason(&error)))?;
    depth.ok_or_else(too_deep)
}

/// Looks whether what is moved comes to lie where a walk would not come. What lies there already may be moved, if no deeper.
///
/// # Errors
///
/// [`Reason::TooDeep`].
pub(super) fn not_deepened(
    root: &Root,
    (from, source): (&Inside, &Spot),
    (to, target): (&Inside, &Spot),
    moved: &Stat,
) -> Result<(), Refusal> {
    let after = depth_for(root, to, target, 1)?;
    if FileType::from_raw_mode(moved.st_mode) != FileType::Directory {
        return Ok(());
    }
    let before = root.depth(&from.scope, &source.directory, after);
    if before.is_ok_and(|before| before.is_none_or(|before| before >= after)) {
        return Ok(());
    }
    let most = MAX_DEPTH - after;
    let levels = stale::levels_of_tree(&source.directory, &source.name, most);
    depth_for(root, to, target, levels).map(drop)
}
