//! The directories on the way to a file: made where they are missing.

use rustix::fs::AtFlags;

use super::super::changes::{make_directory_at, reason};
use super::super::contain::{Root, Spot};
use super::super::path::Inside;
use super::super::refusal::{Reason, Refusal};

/// Directories that were made for nothing, unless they are taken out: they go when this is dropped.
#[derive(Debug, Default)]
pub struct Made(pub Vec<Spot>);

impl Drop for Made {
    fn drop(&mut self) {
        for Spot { directory, name } in self.0.drain(..).rev() {
            // One that holds something by now stays.
            let _ = rustix::fs::unlinkat(&directory, &name, AtFlags::REMOVEDIR);
        }
    }
}

/// The directory that shall hold a file, and the directories that were made for that.
pub fn spot_for(root: &Root, place: &Inside) -> Result<(Spot, Vec<Spot>), Refusal> {
    match root.spot(place) {
        Err(refusal) if refusal.reason() == Reason::NotFound => {}
        other => return other.map(|spot| (spot, Vec::new())),
    }
    let mut made = Made(Vec::new());
    for depth in 1..place.rest.len() {
        let above = Inside {
            rest: place.rest[..depth].to_vec(),
            ..place.clone()
        };
        let spot = root.spot(&above)?;
        match make_directory_at(root, &place.scope, &spot) {
            Ok(()) => made.0.push(spot),
            Err(error) if reason(&error) == Reason::Exists => {}
            Err(error) => return Err(place.refuse(reason(&error))),
        }
    }
    Ok((root.spot(place)?, std::mem::take(&mut made.0)))
}
