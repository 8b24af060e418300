//! The gateway's word for Grafana: who somebody is, signed, and good for minutes. Nobody but who has the key can give it, wherever a
//! request comes from (Grafana, "Configure JWT authentication").

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use axum::http::HeaderValue;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use crate::error::Failure;
use crate::gate::GRAFANA;

/// How many seconds it is good for: clocks of two machines differ.
const LIFETIME: u64 = 300;

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    aud: &'static str,
    exp: u64,
}

/// Who gives it.
pub struct Signer {
    key: EncodingKey,
}

impl Signer {
    /// One with the key (PKCS#8, PEM) in a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let wrong = || {
            Failure::usage(format!(
                "auth: {} holds no key that can be read",
                path.display()
            ))
            .hint("`dtaas up` makes it, where the profile places Grafana")
        };
        let text = std::fs::read(path).with_context(wrong)?;
        Ok(Self {
            key: EncodingKey::from_ec_pem(&text).with_context(wrong)?,
        })
    }

    /// The word that somebody is this user.
    ///
    /// # Errors
    /// When the system's clock is before 1970, or the key is none to sign with.
    pub fn says(&self, user: &str) -> anyhow::Result<HeaderValue> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let claims = Claims {
            sub: user,
            aud: GRAFANA,
            exp: now + LIFETIME,
        };
        let header = Header::new(Algorithm::ES256);
        let word = jsonwebtoken::encode(&header, &claims, &self.key)?;
        Ok(HeaderValue::from_str(&word)?)
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation};
    use serde::Deserialize;

    use super::*;
    use crate::certificate::own;

    #[derive(Deserialize)]
    struct Read {
        sub: String,
    }

    #[test]
    fn whoever_has_the_public_key_knows_the_word() {
        let [key, other] = [(); 2].map(|()| own::signing_key().unwrap());
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), key.expose()).unwrap();
        let word = Signer::open(file.path()).unwrap().says("alice").unwrap();

        let read = |key, audience: &str| {
            let public = own::public_key(key).unwrap();
            let public = DecodingKey::from_ec_pem(public.as_bytes()).unwrap();
            let mut wanted = Validation::new(Algorithm::ES256);
            wanted.set_audience(&[audience]);
            jsonwebtoken::decode::<Read>(word.to_str().unwrap(), &public, &wanted)
        };
        assert_eq!(read(&key, GRAFANA).unwrap().claims.sub, "alice");
        assert!(read(&key, "somebody else").is_err());
        assert!(read(&other, GRAFANA).is_err());
    }

    #[test]
    fn a_file_without_a_key_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Signer::open(file.path()).err().unwrap();
        let path = file.path().display();
        assert!(format!("{error:#}").starts_with(&format!("auth: {path} holds no key")));
    }
}
