//! How many descriptors this process may have open.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the process's soft limit of open descriptors to the hard one, and says what it then is; `None` is without
/// limit. The soft limit is low for the sake of programs that use `select`, and ours do not.
pub fn raise() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    let before = limit.current;
    limit.current = limit.maximum;
    match setrlimit(Resource::Nofile, limit) {
        Ok(()) => limit.current,
        // Nothing is lost: it stays as it was.
        Err(_) => before,
    }
}
