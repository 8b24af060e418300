//! Certificates: those of our own making, what is wrong with a pair that somebody else made, and what a gateway shows.

pub mod facts;
pub mod own;
pub mod pair;
pub mod shown;

/// With fewer days left than this, a certificate is near its end: ours are made anew, of others' it is said.
pub const RENEW_DAYS: i64 = 30;
