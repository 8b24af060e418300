//! Writing to disk for users: one write of a user at a time, and none of them on the threads that answer everybody.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::spec::names::UserName;

/// A user's turn to write.
type Turn = Arc<tokio::sync::Mutex<()>>;

/// The users for whom something is being written.
#[derive(Default)]
pub struct Writing {
    turns: Mutex<HashMap<UserName, Turn>>,
}

impl Writing {
    /// Does this once nothing else is written for the user. It is done to its end also when nobody waits for it any more.
    ///
    /// # Errors
    /// Those of the work.
    pub async fn of<T: Send + 'static>(
        &self,
        user: &UserName,
        work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let turn = self.turn(user).lock_owned().await;
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        })
        .await?
    }

    fn turn(&self, user: &UserName) -> Turn {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody writes with those that are held here alone.
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(turns.entry(user.clone()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_users_writes_come_one_after_the_other() {
        let writing = Writing::default();
        let alice: UserName = "alice".parse().unwrap();
        let at_once = Arc::new(AtomicUsize::new(0));
        let writes = (0..20).map(|_| {
            let at_once = Arc::clone(&at_once);
            writing.of(&alice, move || {
                let others = at_once.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(1));
                at_once.fetch_sub(1, Ordering::SeqCst);
                Ok(others)
            })
        });
        for others in futures_util::future::join_all(writes).await {
            assert_eq!(others.unwrap(), 0);
        }
        let bob: UserName = "bob".parse().unwrap();
        writing.of(&bob, || Ok(())).await.unwrap();
        assert_eq!(writing.turns.lock().unwrap().len(), 1);
    }
}
