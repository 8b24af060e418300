//! How many may be at what is shared, so that it wears nobody out and one visitor keeps no other out.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::auth::neighbourhood::neighbourhood;
use crate::spec::names::{ShareName, UserName};

/// The most requests and WebSockets at a time of one share: enough for people, too few to wear the gateway out.
const MOST: usize = 128;

/// The most of these that one sender has.
const OF_ONE: usize = 16;

/// How long a sender's next request waits until one of its others is done: a page asks for many things at once.
const PATIENCE: Duration = Duration::from_secs(10);

type Shared = (UserName, ShareName);

/// Somebody at what is shared.
type Sender = (Shared, Option<IpAddr>);

/// Who is where.
#[derive(Default)]
pub struct Places {
    shares: Mutex<HashMap<Shared, Arc<Semaphore>>>,
    senders: Mutex<HashMap<Sender, Arc<Semaphore>>>,
}

/// A place at what is shared, until it is dropped.
pub struct Place {
    _of_share: OwnedSemaphorePermit,
    _of_sender: OwnedSemaphorePermit,
}

impl Places {
    /// A place for a sender; `None` where there is none.
    pub async fn take(&self, share: &Shared, from: Option<IpAddr>) -> Option<Place> {
        let sender = (share.clone(), from.map(neighbourhood));
        let sender = of(&self.senders, sender, OF_ONE);
        let waited = tokio::time::timeout(PATIENCE, sender.acquire_owned()).await;
        // Closed is what nobody does to them.
        let of_sender = waited.ok()?.ok()?;
        let share = of(&self.shares, share.clone(), MOST);
        Some(Place {
            _of_share: share.try_acquire_owned().ok()?,
            _of_sender: of_sender,
        })
    }
}

fn of<K: Eq + Hash>(
    places: &Mutex<HashMap<K, Arc<Semaphore>>>,
    key: K,
    most: usize,
) -> Arc<Semaphore> {
    let mut places = places.lock().unwrap_or_else(PoisonError::into_inner);
    // Nobody is at those that are held here alone.
    places.retain(|_, place| Arc::strong_count(place) > 1);
    let place = places
        .entry(key)
        .or_insert_with(|| Arc::new(Semaphore::new(most)));
    Arc::clone(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_sender_leaves_places_to_others() {
        let places = Places::default();
        let twin: Shared = ("alice".parse().unwrap(), "twin".parse().unwrap());
        let sender = |number: usize| format!("2001:db8:0:{number}::1").parse().ok();
        let mut taken = Vec::new();
        for _ in 0..OF_ONE {
            taken.push(places.take(&twin, sender(0)).await.unwrap());
        }
        // A neighbour's next waits for one of these to be done, and in vain where none is.
        assert!(
            places
                .take(&twin, "2001:db8::2".parse().ok())
                .await
                .is_none()
        );
        let (next, ()) = tokio::join!(places.take(&twin, sender(0)), async {
            tokio::time::sleep(PATIENCE / 2).await;
            taken.pop();
        });
        taken.push(next.unwrap());

        // Others have theirs, until there is none left.
        for number in 1..MOST / OF_ONE {
            for _ in 0..OF_ONE {
                taken.push(places.take(&twin, sender(number)).await.unwrap());
            }
        }
        assert!(places.take(&twin, sender(99)).await.is_none());
        let other: Shared = ("alice".parse().unwrap(), "other".parse().unwrap());
        let there = places.take(&other, sender(0)).await;
        drop((taken, there));
        assert!(places.take(&twin, sender(99)).await.is_some());
        assert_eq!(places.senders.lock().unwrap().len(), 1);
    }
}
