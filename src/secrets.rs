//! Secrets: made once, kept with mode 0600, redacted wherever they are printed.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// A value that must not be seen. `Debug` and `Display` hide it; [`Secret::expose`] is the only way to it,
/// so that every use can be searched for. Serialising exposes it: only what goes to a file of mode 0600 or to
/// another machine's standard input may be serialised.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// A secret that comes from elsewhere.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// A new secret of `length` letters and digits without look-alikes (57 of them: 5.8 bits each).
    pub fn generate(length: usize) -> Self {
        const LETTERS: &[u8] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
        let mut rng = rand::rng();
        Self(
            (0..length)
                .map(|_| char::from(LETTERS[rng.random_range(0..LETTERS.len())]))
                .collect(),
        )
    }

    /// Another secret that whoever has this one makes out of it, for one purpose: HMAC-SHA256 in lower-case hex. Nobody finds the way back.
    pub fn derived(&self, purpose: &str) -> Self {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()) else {
            unreachable!("HMAC takes keys of any length")
        };
        mac.update(purpose.as_bytes());
        let digest = mac.finalize().into_bytes();
        Self(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The value itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// The secrets of a deployment that are not one user's.
#[derive(Debug, Clone)]
pub struct DeploymentSecrets {
    /// Keys the hashes in labels.
    pub hash_key: Secret,
    /// Tells the library and the website that a request came through the gateway.
    pub gateway: Secret,
    /// Of the remote desktops. All users of a deployment know it (`env.js` holds it), so it guards nothing; the gateway does.
    pub vnc_password: Secret,
    /// Of RabbitMQ's administrator.
    pub rabbitmq: Secret,
    /// The operator's token at InfluxDB.
    pub influxdb: Secret,
    /// Of Grafana's administrator.
    pub grafana: Secret,
}

impl DeploymentSecrets {
    /// File names below `secrets/`, and how many letters a new one has. VNC knows eight.
    const FILES: [(&'static str, usize); 6] = [
        ("hash-key", 40),
        ("gateway", 40),
        ("vnc-password", 8),
        ("rabbitmq", 40),
        ("influxdb", 40),
        ("grafana", 40),
    ];

    /// Takes each secret from `read`, by its file name and how many letters a new one has.
    pub fn read<E>(mut read: impl FnMut(&str, usize) -> Result<Secret, E>) -> Result<Self, E> {
        let [hash_key, gateway, vnc_password, rabbitmq, influxdb, grafana] = Self::FILES;
        let mut read = |(name, length)| read(name, length);
        Ok(Self {
            hash_key: read(hash_key)?,
            gateway: read(gateway)?,
            vnc_password: read(vnc_password)?,
            rabbitmq: read(rabbitmq)?,
            influxdb: read(influxdb)?,
            grafana: read(grafana)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show_itself() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "… Secret(…)");
    }

    #[test]
    fn a_derived_secret_is_the_same_each_time_and_another_for_each_purpose() {
        let secret = Secret::new("key");
        // `printf purpose | openssl dgst -sha256 -hmac key`
        assert_eq!(
            secret.derived("purpose").expose(),
            "0eb2eabaf56c3e051f266e9b23ba4d29d01639d553b9cc67039294b00594b34b"
        );
        assert_ne!(secret.derived("purpose"), secret.derived("another"));
        assert_ne!(
            secret.derived("purpose"),
            Secret::new("yek").derived("purpose")
        );
    }

    #[test]
    fn generated_secrets_are_long_and_differ() {
        let (one, other) = (Secret::generate(20), Secret::generate(20));
        assert_eq!(one.expose().len(), 20);
        assert_ne!(one, other);
    }
}
