//! Answers that keep something from others while they are on their way.

/// The mark of an answer (an extension of it) that holds something scarce until its client has taken it: such a client must take
/// [`Scarce::least`] at least.
#[derive(Debug, Clone, Copy)]
pub struct Scarce {
    /// How much memory it holds, in bytes; none where it is something else.
    pub bytes: u64,
}

impl Scarce {
    /// What a client must take of the answer, in bytes a second: the more it holds, the more.
    pub fn least(self) -> u64 {
        LEAST.max(self.bytes / HELD_FOR)
    }
}

/// What a client sends at least of what it is waited for, or takes of such an answer, in bytes a second.
pub const LEAST: u64 = 1024;
/// How long it may do less, in seconds.
pub const GRACE: u64 = 30;
/// How long an answer of as many bytes as it holds may be on its way, in seconds.
const HELD_FOR: u64 = 20 * 60;
/// How far ahead of that rate it may be, in bytes. Over loopback, from where the gateway asks, the kernel passes on up to so much
/// at once, and a client that takes it evenly seems to stand still in between.
pub const AHEAD: u64 = 64 * 1024;

/// How far behind the least rate a client is, in bytes; less than nothing when it is ahead.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Behind(i64);

impl Behind {
    /// Counts what it has taken, and for how long it was waited for, in milliseconds. Whether it is further behind `least`, in bytes
    /// a second, than `grace` seconds of it.
    pub fn count(&mut self, taken: u64, waited: u64, least: u64, grace: u64) -> bool {
        let bytes = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let owed = bytes(least.saturating_mul(waited) / 1000);
        let now = self.0.saturating_add(owed).saturating_sub(bytes(taken));
        self.0 = now.max(-bytes(AHEAD));
        self.0 > bytes(least.saturating_mul(grace))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many quarters of a second a client lasts that is passed on the begin at once, and from then on takes `bytes` every
    /// `every` of them; `None` beyond an hour.
    fn lasts(bytes: u64, every: u64) -> Option<u64> {
        let mut behind = Behind::default();
        assert!(!behind.count(1 << 30, 0, LEAST, GRACE));
        (1..4 * 3600).find(|quarter| {
            let taken = if quarter % every == 0 { bytes } else { 0 };
            behind.count(taken, 250, LEAST, GRACE)
        })
    }

    #[test]
    fn who_takes_less_than_a_kibibyte_a_second_does_not_last() {
        let ahead = AHEAD / LEAST;
        assert_eq!(lasts(0, 1), Some((ahead + GRACE) * 4 + 1));
        assert_eq!(lasts(1024, 120 * 4), lasts(0, 1));
        assert!(lasts(900, 4).is_some());
        // A rate is a rate, whether it comes evenly or in what the kernel passes on at once.
        assert_eq!(lasts(1024, 4), None);
        assert_eq!(lasts(64 * 1024, 64 * 4), None);
    }

    #[test]
    fn an_answer_that_holds_much_is_taken_faster() {
        assert_eq!(Scarce { bytes: 0 }.least(), LEAST);
        assert_eq!(Scarce { bytes: 1 << 20 }.least(), LEAST);
        assert_eq!(Scarce { bytes: 60 << 20 }.least(), (60 << 20) / 1200);
    }
}
