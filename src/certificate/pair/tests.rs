use std::path::Path;
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use time::Duration;

use super::*;

const KEY: &str = "the key of the tests";

fn now() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap()
}

/// A leaf for some names, good from `from` to `to` days from now, and what signed it: leaf, intermediate, root.
fn chain(names: &[&str], from: i64, to: i64) -> (Vec<String>, Secret) {
    let params = |name: &str, names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = now() - Duration::days(400);
        params.not_after = now() + Duration::days(400);
        params
    };
    let authority = |name: &str| {
        let mut params = params(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    };
    let [root_key, middle_key, key] = [(); 3].map(|()| KeyPair::generate().unwrap());
    let root = authority("root").self_signed(&root_key).unwrap();
    let root_issuer = Issuer::new(authority("root"), root_key);
    let middle = authority("middle")
        .signed_by(&middle_key, &root_issuer)
        .unwrap();
    let mut leaf = params("leaf", names);
    leaf.not_before = now() + Duration::days(from);
    leaf.not_after = now() + Duration::days(to);
    let leaf = leaf
        .signed_by(&key, &Issuer::new(authority("middle"), middle_key))
        .unwrap();
    let chain = vec![leaf.pem(), middle.pem(), root.pem()];
    (chain, Secret::new(key.serialize_pem()))
}

fn checked(chain: &[String], key: &Secret, domain: &str) -> Result<Pair, Fault> {
    check(&chain.concat(), key, &domain.parse().unwrap(), now())
}

#[test]
fn a_good_chain_is_taken_and_nothing_else_of_its_file() {
    let (chain, key) = chain(&["foo.com"], -1, 100);
    let noise = [
        "# a comment\n".to_owned(),
        chain.concat(),
        key.expose().to_owned(),
    ];
    let pair = checked(&noise, &key, "foo.com").unwrap();
    assert_eq!(pair.certificate.chain, chain.concat().replace("\r\n", "\n"));
    assert_eq!(pair.facts.days_left(now()), 100);
    assert_eq!(pair.ends, pair.facts.not_after);
}

#[test]
fn a_chain_ends_with_the_first_of_its_certificates() {
    let (chain, key) = chain(&["foo.com"], -1, 4000);
    let pair = checked(&chain, &key, "foo.com").unwrap();
    assert_eq!(pair.ends, now() + Duration::days(400));
}

#[test]
fn each_fault_is_named() {
    let (good, key) = chain(&["foo.com", "*.bar.com"], -1, 100);
    let (others, others_key) = chain(&["foo.com"], -1, 100);
    let fault = |chain: &[String], key: &Secret, domain: &str| {
        checked(chain, key, domain).unwrap_err().to_string()
    };
    let none = |text: &str| Secret::new(text);
    let swapped = [good[1].clone(), good[0].clone()];
    let gap = [good[0].clone(), good[2].clone()];
    let broken = [
        good[0].clone(),
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".into(),
    ];
    for (found, expected) in [
        (fault(&[], &key, "foo.com"), "it holds no PEM CERTIFICATE"),
        (
            fault(&broken, &key, "foo.com"),
            "certificate 2 of it cannot be read",
        ),
        (
            fault(&good, &none("rubbish"), "foo.com"),
            "it holds no PEM PRIVATE KEY that can be read",
        ),
        (
            fault(
                &good,
                &none("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"),
                "foo.com",
            ),
            "its key is encrypted",
        ),
        (
            fault(
                &good,
                &none("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"),
                "foo.com",
            ),
            "its key is encrypted",
        ),
        (
            fault(&good, &others_key, "foo.com"),
            "it is not the key of the certificate, which is for CN=leaf",
        ),
        (
            fault(&swapped, &key, "foo.com"),
            "it is out of order: the key is that of certificate 2",
        ),
        (
            fault(&gap, &key, "foo.com"),
            "it is out of order: certificate 1 was not signed by the one behind it",
        ),
        (
            fault(&good, &key, "www.foo.com"),
            "it is not for www.foo.com, but for foo.com, *.bar.com",
        ),
        (
            fault(&good, &key, "bar.com"),
            "it is not for bar.com, but for foo.com, *.bar.com",
        ),
        (
            fault(&good, &key, "a.b.bar.com"),
            "it is not for a.b.bar.com, but for foo.com, *.bar.com",
        ),
    ] {
        assert_eq!(found, expected);
    }
    assert!(checked(&good, &key, "a.bar.com").is_ok());
    assert!(checked(&others, &key, "foo.com").is_err());
}

#[test]
fn dates_and_addresses_count() {
    let fault = |names: &[&str], from, to, domain: &str| {
        let (chain, key) = chain(names, from, to);
        checked(&chain, &key, domain)
            .map(|_| ())
            .map_err(|fault| fault.to_string())
    };
    let expired = "certificate 1 of it (CN=leaf) has expired on 2027-01-14";
    assert_eq!(fault(&["foo.com"], -9, -1, "foo.com"), Err(expired.into()));
    let early = "certificate 1 of it (CN=leaf) is good from 2027-01-16 on, and not yet";
    assert_eq!(fault(&["foo.com"], 1, 9, "foo.com"), Err(early.into()));
    assert_eq!(fault(&["10.1.2.3"], -1, 9, "10.1.2.3"), Ok(()));
    let other = "it is not for 10.1.2.4, but for 10.1.2.3";
    assert_eq!(fault(&["10.1.2.3"], -1, 9, "10.1.2.4"), Err(other.into()));
    let nobody = "it is not for foo.com, but for no host at all (it has no subjectAltName)";
    assert_eq!(fault(&[], -1, 9, "foo.com"), Err(nobody.into()));
}

#[test]
fn a_key_is_never_shown() {
    let (good, _) = chain(&["foo.com"], -1, 100);
    let fault = checked(&good, &Secret::new(KEY), "foo.com").unwrap_err();
    assert!(!format!("{fault:?} {fault} {}", fault.hint()).contains(KEY));
}

/// Keys in every form that OpenSSL writes.
#[test]
fn keys_of_every_usual_kind_and_form_are_read() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("SKIPPED: openssl is not installed");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (key, cert, form) = (path("key.pem"), path("cert.pem"), path("form.pem"));
    for (make, convert) in [
        ("genrsa 2048", "rsa -traditional"),
        ("genrsa 3072", "pkey"),
        ("ecparam -name prime256v1 -genkey", "ec"),
        ("ecparam -name secp384r1 -genkey", "pkey"),
        ("genpkey -algorithm ed25519", "pkey"),
    ] {
        openssl(&make.split(' ').collect::<Vec<_>>(), None, &key);
        let convert: Vec<&str> = convert.split(' ').collect();
        openssl(&convert, Some(Path::new(&key)), &form);
        let request = "req -x509 -days 10 -subj /CN=leaf -addext subjectAltName=DNS:foo.com -key";
        let mut request: Vec<&str> = request.split(' ').collect();
        request.push(&key);
        openssl(&request, None, &cert);
        for key in [&key, &form] {
            let read = |path: &String| std::fs::read_to_string(path).unwrap();
            let domain = "foo.com".parse().unwrap();
            let found = check(
                &read(&cert),
                &Secret::new(read(key)),
                &domain,
                OffsetDateTime::now_utc(),
            );
            assert!(found.is_ok(), "{make}: {found:?}");
        }
    }
}

fn openssl(arguments: &[&str], from: Option<&Path>, to: &str) {
    let mut command = Command::new("openssl");
    command.args([arguments[0], "-out", to]);
    if let Some(from) = from {
        command.arg("-in").arg(from);
    }
    let ran = command.args(&arguments[1..]).output().unwrap();
    assert!(ran.status.success(), "{arguments:?}: {ran:?}");
}
