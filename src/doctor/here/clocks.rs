//! The clocks of several machines: that they agree.

use crate::doctor::{Finding, Severity};

/// Tokens that one machine makes and another checks allow for less than this, in seconds.
const APART: i64 = 30;

/// Compares a machine's clock with this one's; both in seconds since 1970, and the answer took `took` seconds.
pub fn compare(there: i64, here: i64, took: i64) -> Option<Finding> {
    let apart = there - here;
    (apart.abs() > APART.saturating_add(took)).then(|| {
        let how = match apart > 0 {
            true => "ahead of",
            false => "behind",
        };
        Finding::new(
            "clock",
            Severity::Error,
            format!("its clock is {} s {how} this machine's: sessions and certificates of one do not count on the other", apart.abs()),
            "timedatectl set-ntp true on both",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_may_differ_by_as_much_as_the_answer_took() {
        assert_eq!(compare(1000, 1000, 0), None);
        assert_eq!(compare(1030, 1000, 0), None);
        assert_eq!(compare(1040, 1000, 20), None);
        let found = compare(960, 1000, 0).unwrap();
        assert!(
            found.message.starts_with("its clock is 40 s behind"),
            "{found:?}"
        );
    }
}
