//! Apache's MD5 scheme (`$apr1$`), for entries that come from elsewhere. No new entry is made with it.
//!
//! The steps are those of `apr_md5_encode` in Apache's APR library. A thousand rounds of MD5 are little against
//! someone who has the file; they are here so that an operator can bring entries along.

use base64::alphabet::CRYPT;
use md5::{Digest, Md5};

/// Salts have 1 to 8 characters.
pub const SALT_MAX: usize = 8;
/// A checksum has 22 characters of crypt's alphabet.
pub const CHECKSUM_LENGTH: usize = 22;

/// The checksum that stands behind `$apr1$<salt>$` for this password.
pub fn checksum(password: &[u8], salt: &[u8]) -> String {
    let inner = Md5::new()
        .chain_update(password)
        .chain_update(salt)
        .chain_update(password)
        .finalize();

    let mut first = Md5::new()
        .chain_update(password)
        .chain_update(b"$apr1$")
        .chain_update(salt);
    for block in password.chunks(inner.len()) {
        first.update(&inner[..block.len()]);
    }
    // One byte for each bit of the length: the original takes a byte of a cleared buffer where one would expect the digest's.
    let mut bits = password.len();
    while bits > 0 {
        let byte = if bits & 1 == 1 { 0 } else { password[0] };
        first.update([byte]);
        bits >>= 1;
    }

    let mut state = first.finalize();
    for round in 0..1000 {
        let mut next = Md5::new();
        let odd = round % 2 == 1;
        if odd {
            next.update(password);
        } else {
            next.update(state);
        }
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        if odd {
            next.update(state);
        } else {
            next.update(password);
        }
        state = next.finalize();
    }
    in_crypt_letters(&state)
}

/// Three bytes to four letters, least significant first, in the order that the original interleaves them.
fn in_crypt_letters(state: &[u8]) -> String {
    const ORDER: [[usize; 3]; 5] = [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]];
    let letters = CRYPT.as_str().as_bytes();
    let mut text = String::with_capacity(CHECKSUM_LENGTH);
    let mut put = |mut value: u32, count: usize| {
        for _ in 0..count {
            text.push(char::from(letters[(value & 0x3f) as usize]));
            value >>= 6;
        }
    };
    for [high, middle, low] in ORDER {
        let value = u32::from(state[high]) << 16 | u32::from(state[middle]) << 8;
        put(value | u32::from(state[low]), 4);
    }
    put(u32::from(state[11]), 2);
    text
}

#[cfg(test)]
mod tests {
    use super::checksum;

    #[test]
    fn checksums_are_those_of_htpasswd_and_openssl() {
        for (password, salt, expected) in [
            ("", "BG3PooOL", "GHFut97mWEatKr2ei0r9l/"),
            ("", "abcdefgh", "L.PT565ESX4Tp2bqNs7Ie."),
            ("a", "ehxcvPWP", "H/nEoyunme2AuTvVpN5CT/"),
            ("hunter2", "i2lATwbN", "dKvDiEbk.m5JGsjQHpq.e0"),
            ("hunter2", "abcdefgh", "ckT15POyCRlen.h6XtGAZ1"),
            ("exactly-sixteen!", "c6IkO.I6", ".sjZyDOvkp9dgLkn1xgSM0"),
            (
                "correct horse battery staple",
                "AmE9qA.X",
                "rS0NXeClAFT7Q1PwnNhJs.",
            ),
            (
                "a much longer password than any of the md5 blocks, 70 characters long..",
                "abcdefgh",
                "x8TniFouegCM4aSsgq1v71",
            ),
            ("pässwörd", "abcdefgh", "030j6I3f1zNCF9tihqdd11"),
            ("short salt", "ab", "0iE1Uw5jyIcuhGRkN3tEJ."),
        ] {
            assert_eq!(
                checksum(password.as_bytes(), salt.as_bytes()),
                expected,
                "{password:?}"
            );
        }
    }
}
