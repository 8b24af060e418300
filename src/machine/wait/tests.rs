use std::net::SocketAddrV4;
use std::sync::Arc;

use rcgen::{CertifiedKey, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::platform::desired::Scheme;

/// What a gateway says: alive; and strangers are refused, unless `open`. It knows one name.
async fn talk(mut stream: impl AsyncRead + AsyncWrite + Unpin, open: bool) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await.unwrap_or(0) == 0 {
            return;
        }
        request.push(byte[0]);
    }
    let request = String::from_utf8(request).unwrap().to_lowercase();
    let path = request.split(' ').nth(1).unwrap();
    let answer = match path {
        _ if !request.contains("\r\nhost: foo.com:") => "404 Not Found",
        "/dt/healthz" => "200 OK",
        "/dt/" if open => "404 Not Found",
        "/dt/" => "401 Unauthorized",
        _ => "500 Internal Server Error",
    };
    let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).await.unwrap();
    let _ = stream.shutdown().await;
}

/// A server's side of TLS.
fn tls(pair: &CertifiedKey<KeyPair>) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::Pkcs8(pair.signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![pair.cert.der().clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// A gateway of this test's own; answers with its probe.
async fn gateway(scheme: Scheme, open: bool) -> Probe {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddrV4 = listener.local_addr().unwrap().to_string().parse().unwrap();
    let pair = rcgen::generate_simple_self_signed(["bar.com".to_owned()]).unwrap();
    let tls = tls(&pair);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            match scheme {
                Scheme::Http => talk(stream, open).await,
                Scheme::Https => {
                    if let Ok(stream) = tls.accept(stream).await {
                        assert_eq!(stream.get_ref().1.server_name(), Some("foo.com"));
                        talk(stream, open).await;
                    }
                }
                Scheme::Tcp | Scheme::Amqps | Scheme::Mqtts => panic!("a gateway speaks HTTP"),
            }
        }
    });
    let question = |path: &str, status| Question {
        scheme,
        address,
        host: Some("foo.com".into()),
        path: path.into(),
        wanted: vec![status..=status],
        certificate: (scheme == Scheme::Https).then(|| sha256(pair.cert.der())),
        authority: None,
    };
    Probe {
        questions: vec![question("/dt/healthz", 200), question("/dt/", 401)],
        deadline_seconds: 1,
    }
}

async fn asked(probe: &Probe) -> Result<(), String> {
    let end = Instant::now() + Duration::from_millis(100);
    let answer = until_answer(probe, end).await;
    answer.map_err(|wrong| late("gateway", probe, &wrong))
}

#[tokio::test]
async fn a_gateway_is_asked_by_its_name_with_and_without_tls() {
    for scheme in [Scheme::Http, Scheme::Https] {
        let mut probe = gateway(scheme, false).await;
        assert_eq!(asked(&probe).await, Ok(()));

        probe.questions[0].host = None;
        if scheme == Scheme::Http {
            let url = probe.questions[0].url();
            assert_eq!(
                asked(&probe).await,
                Err(format!(
                    "container gateway did not answer as it should within 1 s: {url} gave 404 Not Found, not 200"
                ))
            );
        }
    }
}

#[tokio::test]
async fn a_gateway_that_still_shows_another_certificate_is_not_ready() {
    let mut probe = gateway(Scheme::Https, false).await;
    let question = probe.questions[0].to_string();
    probe.questions[0].certificate = Some(sha256("another"));
    assert_eq!(
        asked(&probe).await,
        Err(format!(
            "container gateway did not answer as it should within 1 s: {question} shows another certificate than the one that was written"
        ))
    );
}

#[tokio::test]
async fn a_gateway_called_by_an_address_is_asked_where_it_listens() {
    let mut probe = gateway(Scheme::Http, false).await;
    probe.questions.truncate(1);
    // Nothing listens there; the gateway does not know the name, and says so.
    probe.questions[0].host = Some("127.9.9.9".into());
    let answer = asked(&probe).await.unwrap_err();
    assert!(answer.ends_with("gave 404 Not Found, not 200"), "{answer}");
}

#[tokio::test]
async fn a_gateway_without_its_routes_is_not_ready() {
    let probe = gateway(Scheme::Https, true).await;
    let address = probe.questions[0].address;
    assert_eq!(
        asked(&probe).await,
        Err(format!(
            "container gateway did not answer as it should within 1 s: https://foo.com:{}/dt/ (at {address}) gave 404 Not Found, not 401",
            address.port()
        ))
    );
}

#[tokio::test]
async fn where_nobody_listens_there_is_a_reason() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddrV4 = listener.local_addr().unwrap().to_string().parse().unwrap();
    drop(listener);
    assert_eq!(
        asked(&Probe::of(address, "/", 1)).await,
        Err(format!(
            "container gateway did not answer as it should within 1 s: http://{address}/ gave nothing: Connection refused (os error 111)"
        ))
    );
}

/// A broker of this test's own, which answers a client's greeting with these bytes. Its certificate is for `foo.com`.
async fn broker(scheme: Scheme, greeting: &'static [u8], answer: &'static [u8]) -> Probe {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddrV4 = listener.local_addr().unwrap().to_string().parse().unwrap();
    let pair = rcgen::generate_simple_self_signed(["foo.com".to_owned()]).unwrap();
    let tls = tls(&pair);
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        // A client that does not trust us goes away.
        let Ok(mut stream) = tls.accept(stream).await else {
            return;
        };
        let mut said = vec![0; greeting.len()];
        stream.read_exact(&mut said).await.unwrap();
        assert_eq!(said, greeting);
        stream.write_all(answer).await.unwrap();
        stream.shutdown().await.unwrap();
    });
    Probe {
        questions: vec![Question::broker(
            scheme,
            address,
            "foo.com",
            &pair.cert.pem(),
        )],
        deadline_seconds: 1,
    }
}

async fn broker_says(probe: &Probe) -> Result<(), String> {
    answers(probe).await.map_err(|wrong| wrong.answer)
}

#[tokio::test]
async fn a_broker_is_ready_when_it_offers_its_versions() {
    const GREETING: &[u8] = b"AMQP\0\0\x09\x01";
    // connection.start: a method frame on channel 0, class 10, method 10, and its arguments.
    let start = b"\x01\0\0\0\0\0\x06\0\x0a\0\x0a\0\x09";
    let probe = broker(Scheme::Amqps, GREETING, start).await;
    assert_eq!(broker_says(&probe).await, Ok(()));

    // RabbitMQ says so to who speaks another version; other programs say other things.
    let probe = broker(Scheme::Amqps, GREETING, b"AMQP\x03\x01\0\0 and more").await;
    let said = broker_says(&probe).await;
    assert_eq!(said, Err("is no AMQP broker".to_owned()));
    let probe = broker(Scheme::Amqps, GREETING, b"").await;
    let silent = broker_says(&probe).await;
    assert!(silent.unwrap_err().starts_with("gave nothing: "));
}

#[tokio::test]
async fn an_mqtt_broker_is_ready_when_it_answers_whatever_it_says() {
    const CONNECT: &[u8] = b"\x10\x0c\0\x04MQTT\x04\x02\0\x0a\0\0";
    for answer in [b"\x20\x02\0\0", b"\x20\x02\0\x05"] {
        let probe = broker(Scheme::Mqtts, CONNECT, answer).await;
        assert_eq!(broker_says(&probe).await, Ok(()));
    }
    let probe = broker(Scheme::Mqtts, CONNECT, b"HTTP").await;
    let said = broker_says(&probe).await;
    assert_eq!(said, Err("is no MQTT broker".to_owned()));
}

#[tokio::test]
async fn a_broker_with_anothers_certificate_does_not_count() {
    let mut probe = broker(Scheme::Mqtts, b"", b"").await;
    let other = broker(Scheme::Mqtts, b"", b"").await;
    probe.questions[0].authority = other.questions[0].authority.clone();
    let said = broker_says(&probe).await.unwrap_err();
    assert!(said.contains("invalid peer certificate"), "{said}");
    let mut probe = broker(Scheme::Mqtts, b"", b"").await;
    probe.questions[0].host = Some("bar.com".to_owned());
    let said = broker_says(&probe).await.unwrap_err();
    assert!(said.contains("not valid for name"), "{said}");
}

#[test]
fn what_answers_for_a_container_that_does_not_stay_up_is_something_else() {
    let running = ContainerState {
        id: "1".into(),
        run: Run::Running,
        ..ContainerState::default()
    };
    let restarted = ContainerState {
        restarts: 1,
        ..running.clone()
    };
    let ended = ContainerState {
        run: Run::Exited,
        ..running.clone()
    };
    assert!(stayed(Some(&running), Some(&running)));
    assert!(!stayed(Some(&running), Some(&restarted)));
    assert!(!stayed(Some(&running), Some(&ended)));
    assert!(!stayed(Some(&running), None));
}
