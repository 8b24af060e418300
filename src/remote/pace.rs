//! How both ends notice that the other one is gone.

use std::time::Duration;

/// How often each end says that it is there.
pub const BEAT: Duration = Duration::from_secs(2);
/// Without a word for so long, the other end counts as gone. A long line that is under way is a word.
pub const SILENCE: Duration = Duration::from_secs(10);
