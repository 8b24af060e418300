//! `cert show` and `cert renew` where no platform runs, and what `init` makes of each mode.

use dtaas::certificate::own;
use dtaas::spec::names::Domain;
use time::{Duration, OffsetDateTime};

use super::run::{Place, failed};

#[test]
fn what_is_shown_is_what_openssl_says_and_nothing_is_written() {
    let place = Place::with_deployment();
    let before = place.tree("d");

    let ran = place.in_d("cert show --json");
    assert_eq!(ran.code, 0, "{ran:?}");
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["mode"], "self-signed");
    assert_eq!(report["certificate"]["path"], "DIR/d/secrets/tls/cert.pem");
    assert_eq!(
        report["certificate"]["names"],
        serde_json::json!(["foo.com"])
    );
    assert_eq!(
        report["certificate"]["issuer"],
        "CN=DTaaS authority of foo.com"
    );
    assert_eq!(report["certificate"]["days_left"], 396);
    assert_eq!(
        report["authority"]["path"],
        "DIR/d/secrets/tls/authority.pem"
    );

    for (part, file) in [("certificate", "cert"), ("authority", "authority")] {
        let said = openssl(
            &place,
            &["-noout", "-serial", "-fingerprint", "-sha256"],
            file,
        );
        let expected = format!(
            "serial={}\nsha256 Fingerprint={}\n",
            report[part]["serial"].as_str().unwrap(),
            report[part]["sha256"].as_str().unwrap()
        );
        assert_eq!(said, expected);
    }
    let text = place.in_d("cert show");
    assert!(
        text.out
            .starts_with("mode         self-signed\ncertificate  DIR/d/secrets/tls/cert.pem\n"),
        "{}",
        text.out
    );
    assert!(
        text.talk.contains("update-ca-certificates"),
        "{}",
        text.talk
    );
    let authority = place.in_d("cert show --authority");
    assert_eq!(authority.out, place.read("d/secrets/tls/authority.pem"));
    for ran in [&ran, &text, &authority] {
        assert!(!ran.out.contains("PRIVATE") && !ran.talk.contains("PRIVATE"));
    }
    assert_eq!(place.tree("d"), before);
}

fn openssl(place: &Place, arguments: &[&str], file: &str) -> String {
    let path = place.path(&format!("d/secrets/tls/{file}.pem"));
    let ran = std::process::Command::new("openssl")
        .args(["x509", "-in"])
        .arg(path)
        .args(arguments)
        .output()
        .unwrap();
    String::from_utf8(ran.stdout).unwrap()
}

#[test]
fn a_new_certificate_is_of_the_same_authority_unless_that_is_to_be_new() {
    let place = Place::with_deployment();
    let read = |name: &str| place.read(&format!("d/secrets/tls/{name}"));
    let (cert, authority) = (read("cert.pem"), read("authority.pem"));

    let due = place.in_d("cert renew --if-due");
    assert_eq!(due.code, 0);
    assert!(
        due.talk
            .starts_with("Not due: the certificate is good until ")
            && due.talk.ends_with(" (396 days); nothing was changed.\n"),
        "{}",
        due.talk
    );
    assert_eq!(read("cert.pem"), cert);

    let renewed = place.in_d("cert renew");
    assert_eq!(renewed.code, 0, "{renewed:?}");
    assert_ne!(read("cert.pem"), cert);
    assert_eq!(read("authority.pem"), authority);
    assert_eq!(
        place.read("d/config/gateway/tls/cert.pem"),
        read("cert.pem")
    );
    assert_eq!(place.read("d/config/gateway/tls/key.pem"), read("key.pem"));
    assert_eq!(place.in_d("render --check").out, "Nothing to do.\n");

    let asked = place.in_d("cert renew --authority");
    assert_eq!(
        (asked.code, read("authority.pem") == authority),
        (2, true),
        "{asked:?}"
    );
    let new = place.in_d("cert renew --authority --yes");
    assert_eq!(new.code, 0, "{new:?}");
    let note = "Note: a new authority was made, as was asked for: browsers must trust DIR/d/secrets/tls/authority.pem anew.\n";
    assert!(new.talk.starts_with(note), "{}", new.talk);
    assert_ne!(read("authority.pem"), authority);
    let modes = place.modes("d/secrets/tls");
    assert_eq!(
        modes,
        "600 authority.key\n600 authority.pem\n600 cert.pem\n600 key.pem"
    );
}

#[test]
fn what_is_half_written_is_made_anew() {
    let place = Place::with_deployment();
    let other = Place::with_deployment();
    // As a run leaves it that is killed between the two files of the authority.
    place.write(
        "d/secrets/tls/authority.key",
        &other.read("d/secrets/tls/authority.key"),
    );
    let ran = place.in_d("cert renew");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.talk.starts_with(
            "Note: a new authority was made, for the old one's files do not belong together: "
        ),
        "{}",
        ran.talk
    );
    let verified = std::process::Command::new("openssl")
        .args(["verify", "-CAfile"])
        .arg(place.path("d/secrets/tls/authority.pem"))
        .arg(place.path("d/config/gateway/tls/cert.pem"))
        .output()
        .unwrap();
    assert!(verified.status.success(), "{verified:?}");
}

#[test]
fn another_name_or_domain_gives_another_certificate() {
    let place = Place::with_deployment();
    let cert = place.read("d/secrets/tls/cert.pem");
    let spec = place.read("d/dtaas.yaml");
    place.write(
        "d/dtaas.yaml",
        &spec.replace("name: \"foo.com\"", "name: lab"),
    );
    assert_eq!(place.in_d("render").code, 0);
    let named = place.read("d/secrets/tls/cert.pem");
    assert_ne!(named, cert);

    place.write(
        "d/dtaas.yaml",
        &spec.replace("domain: \"foo.com\"", "domain: bar.com"),
    );
    let ran = place.in_d("render");
    let note = "Note: a new authority was made, for the domain is another one: browsers must trust DIR/d/secrets/tls/authority.pem anew.\n";
    assert_eq!(ran.talk, note);
    let shown = place.in_d("cert show").out;
    assert!(shown.contains("\n  names      bar.com\n"), "{shown}");
}

#[test]
fn modes_without_a_certificate_of_ours_say_so() {
    let place = Place::new();
    let made = place.in_d("init --domain localhost --users alice --tls off --http-port 8080");
    assert_eq!(made.code, 0, "{made:?}");
    let show = place.in_d("cert show");
    assert_eq!(
        show.out,
        "mode         off\ngateway      speaks plain http: passwords and files can be read on their way\n"
    );
    assert_eq!(
        place.in_d("cert renew"),
        failed(
            2,
            "tls.mode is off: there is no certificate",
            "set tls.mode in dtaas.yaml, then run `dtaas up`"
        )
    );
    assert_eq!(
        place.in_d("cert show --authority"),
        failed(
            2,
            "with tls.mode off there is no authority of ours",
            "it is made with tls.mode self-signed"
        )
    );
}

#[test]
fn init_makes_a_deployment_whose_certificate_an_acme_server_signs() {
    let place = Place::new();
    let line = "init --domain foo.com --users alice --tls acme";
    assert_eq!(
        place.in_d(line),
        failed(
            2,
            "tls.email: this key is missing, and mode acme needs it; write an address that somebody reads, such as admin@foo.com",
            "nothing was written; give other values"
        )
    );
    assert!(!place.path("d").exists());

    let line = format!(
        "{line} --tls-email admin@foo.com --tls-challenge tls --tls-ca-server https://ca.foo.com/directory"
    );
    assert_eq!(place.in_d(&line).code, 0);
    let modes = place.modes("d");
    assert!(modes.contains("700 data/acme/\n"), "{modes}");
    assert!(!modes.contains("cert.pem"), "{modes}");
    let show = place.in_d("cert show");
    assert!(
        show.out
            .starts_with("mode         acme\ncertificate  none yet\n"),
        "{}",
        show.out
    );
    let renew = place.in_d("cert renew");
    assert_eq!(
        (renew.code, renew.talk.as_str()),
        (
            0,
            "Traefik renews the certificate itself, 30 days before it ends; nothing was changed.\n"
        )
    );
}

#[test]
fn what_traefik_has_from_an_acme_server_is_read() {
    let place = Place::new();
    let line = "init --domain foo.com --users alice --tls acme --tls-email admin@foo.com";
    assert_eq!(place.in_d(line).code, 0);
    let (cert, key) = super::cert_files::pair("foo.com", -1, 60);
    let base64 = |text: &str| {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(text)
    };
    let file = serde_json::json!({"acme": {
        "Account": {"Email": "admin@foo.com", "PrivateKey": "c2VjcmV0"},
        "Certificates": [{"domain": {"main": "foo.com"}, "certificate": base64(&cert), "key": base64(&key), "Store": "default"}]
    }});
    place.write("d/data/acme/acme.json", &file.to_string());

    let shown = place.in_d("cert show --json");
    let report: serde_json::Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(report["certificate"]["path"], "DIR/d/data/acme/acme.json");
    assert_eq!(report["certificate"]["days_left"], 60);
    assert!(!shown.out.contains("c2VjcmV0"));
}

/// Puts a certificate in the place of ours as if it had been made so many days ago, live as well.
fn made_ago(place: &Place, authority_days: i64, days: i64) {
    let now = OffsetDateTime::now_utc();
    let domain: Domain = "foo.com".parse().unwrap();
    let authority = own::authority(
        "foo.com",
        std::slice::from_ref(&domain),
        now - Duration::days(authority_days),
    )
    .unwrap();
    let made = now - Duration::days(days);
    let certificate = own::issue(&authority, "foo.com", &[domain], made).unwrap();
    for (file, text) in [
        ("secrets/tls/authority.pem", authority.chain.as_str()),
        ("secrets/tls/authority.key", authority.key.expose()),
        ("secrets/tls/cert.pem", certificate.chain.as_str()),
        ("secrets/tls/key.pem", certificate.key.expose()),
        ("config/gateway/tls/cert.pem", certificate.chain.as_str()),
        ("config/gateway/tls/key.pem", certificate.key.expose()),
    ] {
        place.write(&format!("d/{file}"), text);
    }
}

#[test]
fn in_its_last_days_it_is_renewed_by_whoever_comes_by() {
    for line in [
        "render",
        "cert renew --if-due",
        "user passwd alice --password-stdin",
    ] {
        let place = Place::with_deployment();
        let live = || place.read("d/config/gateway/tls/cert.pem");
        let run = || {
            let words: Vec<&str> = ["-C", "d"].into_iter().chain(line.split(' ')).collect();
            let ran = place.with_input(&words, "another password\n");
            assert_eq!(ran.code, 0, "{line}: {ran:?}");
        };
        let digest = place.read("d/config/gateway/dynamic/tls.yml");
        made_ago(&place, 0, 360);
        let before = live();
        run();
        assert_eq!(live(), before, "{line}: 37 days are enough");
        made_ago(&place, 0, 370);
        let before = live();
        run();
        assert_ne!(live(), before, "{line}");
        assert_eq!(live(), place.read("d/secrets/tls/cert.pem"), "{line}");
        assert_ne!(
            place.read("d/config/gateway/dynamic/tls.yml"),
            digest,
            "{line}"
        );
        assert_eq!(
            place.in_d("render --check").out,
            "Nothing to do.\n",
            "{line}"
        );
    }
}

#[test]
fn an_authority_near_its_end_is_said_and_then_renewed() {
    let place = Place::with_deployment();
    made_ago(&place, 3650 - 89, 1);
    let before = place.read("d/secrets/tls/authority.pem");
    let ran = place.in_d("render");
    let note = "Note: the authority in DIR/d/secrets/tls/authority.pem ends in 88 days (";
    assert!(ran.talk.starts_with(note), "{}", ran.talk);
    let end = "`dtaas cert renew --authority` makes it when that suits.\n";
    assert!(ran.talk.ends_with(end), "{}", ran.talk);
    assert_eq!(place.read("d/secrets/tls/authority.pem"), before);

    made_ago(&place, 3650 - 29, 1);
    let whole = place.tree("d");
    let check = place.in_d("render --check");
    assert!(
        check
            .talk
            .starts_with("Note: a new authority would be made, before the old one ends"),
        "{}",
        check.talk
    );
    assert!(place.tree("d") == whole, "it wrote");
    let ran = place.in_d("render");
    assert_eq!(
        ran.talk,
        "Note: a new authority was made, before the old one ends: browsers must trust DIR/d/secrets/tls/authority.pem anew.\n"
    );
    let shown = place.in_d("cert show --json").out;
    let report: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(report["authority"]["days_left"], 3649);
    assert_eq!(report["certificate"]["days_left"], 396);
}
