//! The memory that answers may take at a time, and who takes how much of it.

use super::shares::{Shares, Slot, Taken};
use super::whose::Whose;

/// What each request may take without asking whether there is room, in bytes: most answers are no larger.
pub const FREE: u64 = 16 * 1024;
/// What the room is measured in, in bytes.
const UNIT: u64 = 1024;

/// What all requests may bring together at a time; half of it may be one user's. Without it, clients that ask for much and take
/// nothing of it would have the server hold all of their answers.
#[derive(Debug, Clone)]
pub struct Room(Shares);

impl Room {
    /// Room for `bytes`.
    pub fn new(bytes: u64) -> Self {
        let units = usize::try_from(bytes / UNIT).unwrap_or(usize::MAX);
        Self(Shares::halves(units))
    }
}

/// Room that one request takes, more and more of it, until dropped.
#[derive(Debug)]
pub struct Held {
    room: Room,
    whose: Whose,
    slot: Option<Slot>,
}

impl Held {
    /// Nothing yet.
    pub fn new(room: Room, whose: Whose) -> Self {
        Self {
            room,
            whose,
            slot: None,
        }
    }

    /// Whose it is.
    pub fn whose(&self) -> Whose {
        self.whose
    }

    /// Takes room for `bytes` in all.
    ///
    /// # Errors
    ///
    /// Who has taken it.
    pub fn grow_to(&mut self, bytes: u64) -> Result<(), Taken> {
        if bytes <= FREE {
            return Ok(());
        }
        // More than anybody may have.
        let units = u32::try_from(bytes.div_ceil(UNIT)).map_err(|_| Taken::Own)?;
        let has = self.slot.as_ref().map_or(0, Slot::count);
        let has = u32::try_from(has).unwrap_or(u32::MAX);
        let more = units.saturating_sub(has);
        if more == 0 {
            return Ok(());
        }
        let more = self.room.0.try_slots(self.whose, more)?;
        match self.slot.as_mut() {
            Some(slot) => slot.merge(more),
            None => self.slot = Some(more),
        }
        Ok(())
    }

    /// How much room it takes, in bytes.
    pub fn holds(&self) -> u64 {
        let units = self.slot.as_ref().map_or(0, Slot::count) as u64;
        units.saturating_mul(UNIT)
    }
}
