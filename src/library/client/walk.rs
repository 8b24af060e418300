//! Going through the directories of the library.

use std::collections::VecDeque;

use crate::library::path::COMMON;

use super::connection::Connection;
use super::listing::Listing;
use super::path::RemotePath;
use super::problem::Problem;

/// The longest path that Linux resolves (`PATH_MAX`); a directory beyond it exists on no disk.
const LONGEST: usize = 4096;

/// A way through all directories below one.
pub struct Walk<'a> {
    connection: &'a Connection,
    ahead: VecDeque<RemotePath>,
    /// Folders that stand for `common`, and were left out: they hold what it holds.
    pub left_out: Vec<RemotePath>,
}

impl Connection {
    /// A way through `top` and everything below it, a directory before what is in it.
    pub fn walk(&self, top: RemotePath) -> Walk<'_> {
        Walk {
            connection: self,
            ahead: VecDeque::from([top]),
            left_out: Vec::new(),
        }
    }
}

impl Walk<'_> {
    /// The next directory, and what it holds or why it cannot be listed.
    pub async fn next(&mut self) -> Option<(RemotePath, Result<Listing, Problem>)> {
        let path = self.ahead.pop_front()?;
        if path.to_string().len() > LONGEST {
            let endless = self.connection.no_library("its directories have no end");
            return Some((path, Err(endless)));
        }
        let listing = self.connection.list(&path).await;
        if let Ok(listing) = &listing {
            for name in listing.trees.iter().rev() {
                let below = path.join(name);
                match stands_for_common(&below) {
                    true => self.left_out.push(below),
                    false => self.ahead.push_front(below),
                }
            }
        }
        Some((path, listing))
    }
}

/// Behind the gateway `alice/common` is `common` itself, so that everything in it would be met twice.
fn stands_for_common(path: &RemotePath) -> bool {
    match path.segments() {
        [owner, folder] => folder == COMMON && owner != COMMON,
        _ => false,
    }
}
