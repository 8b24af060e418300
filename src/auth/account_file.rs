//! What the auth process knows of a user besides the password: `<user>.json`, which is there for enabled users only.

use std::net::SocketAddr;
use std::path::Path;

use axum::http::HeaderValue;
use serde::Deserialize;

use super::stamped::{self, Stamp};

/// The most that the file holds, in bytes.
const FILE_MAX: u64 = 16 * 1024;

#[derive(Deserialize)]
struct Written {
    groups: Vec<String>,
    workspace: Option<SocketAddr>,
}

/// A user's account.
#[derive(Debug)]
pub struct Account {
    /// The groups, with commas between.
    pub groups: HeaderValue,
    /// Where the user's workspace answers, where there is one.
    pub workspace: Option<SocketAddr>,
}

/// Reads it; `None` when it is not there.
///
/// # Errors
/// When it is no regular file, cannot be read, or is not what it should be.
pub fn read(path: &Path) -> Result<Option<(Account, Stamp)>, String> {
    let Some((text, stamp)) = stamped::read(path, FILE_MAX).map_err(|e| e.to_string())? else {
        return Ok(None);
    };
    let Written { groups, workspace } = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    for group in &groups {
        let fine = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        if group.is_empty() || !group.bytes().all(fine) {
            return Err(format!("{group:?} is not a group's name"));
        }
    }
    let groups = HeaderValue::from_str(&groups.join(",")).map_err(|e| e.to_string())?;
    Ok(Some((Account { groups, workspace }, stamp)))
}
