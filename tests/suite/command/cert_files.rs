//! The operator's own pair: checked before anything is written, and each fault named with its file.

use rcgen::{CertificateParams, KeyPair};
use time::{Duration, OffsetDateTime};

use super::run::{Place, Ran, failed};

const NAME_PEM: &str = "name PEM files that are there in dtaas.yaml, absolute or relative to it";

/// A certificate for a name, good from `from` to `to` days from now, and its key; both PEM.
pub fn pair(name: &str, from: i64, to: i64) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let now = OffsetDateTime::now_utc();
    params.not_before = now + Duration::days(from);
    params.not_after = now + Duration::days(to) + Duration::hours(1);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// A deployment of foo.com with `tls.mode: files`, whose files are there and good.
pub fn with_files() -> Place {
    let place = Place::with_deployment();
    let spec = place.read("d/dtaas.yaml").replace(
        "  mode: \"self-signed\"",
        "  mode: files\n  cert: foo.crt\n  key: foo.key",
    );
    place.write("d/dtaas.yaml", &spec);
    put(&place, pair("foo.com", -1, 90));
    place
}

/// Puts a pair where the spec says.
pub fn put(place: &Place, (cert, key): (String, String)) {
    place.write("d/foo.crt", &cert);
    place.write("d/foo.key", &key);
}

#[test]
fn a_pair_is_copied_for_the_gateway_without_what_else_is_in_its_files() {
    let place = with_files();
    let (cert, key) = pair("foo.com", -1, 90);
    put(&place, (format!("{key}{cert}"), key.clone()));
    let plan = place.in_d("render --check");
    assert!(!plan.out.contains("PRIVATE KEY"), "{}", plan.out);
    assert_eq!(place.in_d("render").code, 0);
    let lines = |text: &str| text.replace("\r\n", "\n");
    assert_eq!(place.read("d/config/gateway/tls/cert.pem"), lines(&cert));
    assert_eq!(place.read("d/config/gateway/tls/key.pem"), key);
    let modes = place.modes("d/config/gateway/tls");
    assert_eq!(modes, "644 cert.pem\n600 key.pem");
}

#[test]
fn a_pair_that_cannot_be_used_is_refused_and_nothing_is_written() {
    let place = with_files();
    assert_eq!(place.in_d("render").code, 0);
    let refused = |error: &str, hint: &str| {
        let tree = || {
            let mut tree = place.tree("d");
            tree.remove(".lock");
            tree
        };
        let before = tree();
        for line in [
            "render",
            "render --check",
            "cert renew",
            "cert renew --if-due",
        ] {
            assert_eq!(place.in_d(line), failed(2, error, hint), "{line}");
        }
        assert!(tree() == before, "something was written");
    };
    let (cert, key) = pair("foo.com", -1, 90);

    put(&place, (cert.clone(), pair("foo.com", -1, 90).1));
    refused(
        "tls.key: DIR/d/foo.key: it is not the key of the certificate, which is for CN=rcgen self signed cert",
        "name the key that the certificate was requested with",
    );
    put(
        &place,
        (
            cert.clone(),
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\n".into(),
        ),
    );
    refused(
        "tls.key: DIR/d/foo.key: its key is encrypted",
        "take the passphrase off: openssl pkey -in encrypted.key -out plain.key; keep the result readable by root alone",
    );
    put(&place, ("no certificate".into(), key.clone()));
    refused(
        "tls.cert: DIR/d/foo.crt: it holds no PEM CERTIFICATE",
        "name a PEM file; one that begins with -----BEGIN CERTIFICATE-----",
    );
    put(&place, pair("www.foo.com", -1, 90));
    refused(
        "tls.cert: DIR/d/foo.crt: it is not for foo.com, but for www.foo.com",
        "get a certificate that has the domain among its names (subjectAltName), or correct domain",
    );
    let day = |days: i64| {
        let day = OffsetDateTime::now_utc() + Duration::days(days) + Duration::hours(1);
        day.date().to_string()
    };
    put(&place, pair("foo.com", -20, -10));
    refused(
        &format!(
            "tls.cert: DIR/d/foo.crt: certificate 1 of it (CN=rcgen self signed cert) has expired on {}",
            day(-10)
        ),
        "replace the files by new ones, then run this again",
    );
    let spec = place.read("d/dtaas.yaml");
    place.write("d/dtaas.yaml", &spec.replace("foo.key", "/dev/zero"));
    refused(
        "tls.key: cannot read /dev/zero: it is no file of a certificate's size",
        NAME_PEM,
    );
    std::fs::remove_file(place.path("d/foo.crt")).unwrap();
    refused(
        "tls.cert: cannot read DIR/d/foo.crt: No such file or directory (os error 2)",
        NAME_PEM,
    );
}

#[test]
fn a_user_comes_although_the_pair_has_expired() {
    let place = with_files();
    assert_eq!(place.in_d("render").code, 0);
    put(&place, pair("foo.com", -20, -10));
    let rendered = place.tree("d/config/gateway/tls");

    let ran = place.with_input(
        &["-C", "d", "user", "add", "carl", "--password-stdin"],
        "carl's password\n",
    );

    assert_eq!(ran.code, 0, "{ran:?}");
    let note = "Note: tls.cert: DIR/d/foo.crt: certificate 1 of it (CN=rcgen self signed cert) has expired on ";
    assert!(ran.talk.starts_with(note), "{}", ran.talk);
    assert!(
        ran.talk
            .contains("; replace the files by new ones, then run this again.\n")
    );
    assert!(
        place
            .path("d/config/gateway/dynamic/user-carl.yml")
            .exists()
    );
    assert_eq!(place.tree("d/config/gateway/tls"), rendered);
}

#[test]
fn a_pair_near_its_end_is_said() {
    let place = with_files();
    put(&place, pair("foo.com", -1, 12));
    let note = "Note: the certificate in DIR/d/foo.crt ends in 12 days (";
    for line in ["render", "render --check"] {
        let Ran { code, talk, .. } = place.in_d(line);
        assert_eq!((code, talk.starts_with(note)), (0, true), "{talk}");
        let end = "); replace tls.cert and tls.key, then run `dtaas cert renew`.\n";
        assert!(talk.ends_with(end), "{talk}");
    }
    put(&place, pair("foo.com", -1, 31));
    assert_eq!(place.in_d("render").talk, "");
}

#[test]
fn new_files_are_taken_over_once() {
    let place = with_files();
    assert_eq!(place.in_d("render").code, 0);
    let (cert, key) = pair("foo.com", -1, 60);
    put(&place, (cert.clone(), key));

    let ran = place.in_d("cert renew");
    assert_eq!(ran.code, 0, "{ran:?}");
    let end = "The platform is down; `dtaas up` brings it up with this one.\n";
    assert!(
        ran.talk
            .starts_with("The certificate of foo.com is serial ")
            && ran.talk.ends_with(end),
        "{ran:?}"
    );
    assert_eq!(
        place.read("d/config/gateway/tls/cert.pem"),
        cert.replace("\r\n", "\n")
    );
    assert_eq!(place.in_d("render --check").out, "Nothing to do.\n");

    let again = place.in_d("cert renew --if-due");
    assert_eq!(again.code, 0);
    assert!(
        again
            .talk
            .starts_with("The files hold what the gateway has already, good until "),
        "{}",
        again.talk
    );
}

#[test]
fn init_takes_a_pair_and_refuses_what_is_none() {
    let place = Place::new();
    let (cert, key) = pair("foo.com", -1, 90);
    place.write("foo.crt", &cert);
    place.write("foo.key", &pair("foo.com", -1, 90).1);
    let line =
        "init --domain foo.com --users alice --tls files --tls-cert foo.crt --tls-key foo.key";

    let ran = place.in_d(line);
    assert_eq!(
        ran,
        failed(
            2,
            "tls.key: DIR/foo.key: it is not the key of the certificate, which is for CN=rcgen self signed cert",
            "name the key that the certificate was requested with"
        )
    );
    assert!(!place.path("d").exists());

    place.write("foo.key", &key);
    assert_eq!(place.in_d(line).code, 0);
    let spec = place.read("d/dtaas.yaml");
    let root = place.path("");
    let cert_line = format!("\n  cert: \"{}foo.crt\"\n", root.display());
    assert!(spec.contains(&cert_line), "{spec}");
    assert_eq!(place.in_d("render --check").out, "Nothing to do.\n");
    // The same again is what there is.
    assert_eq!(place.in_d(line).code, 0);
}
