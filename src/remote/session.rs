//! From a name to a session that is logged in: all of it on the thread that the session belongs to.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::io::Errno;
use socket2::{SockRef, TcpKeepalive};
use ssh2::{ErrorCode, MethodType, Session};

use crate::error::Failure;
use crate::remote::asks::{Answer, Asks, Unknown};
use crate::remote::known_hosts::{self, KnownHosts, Verdict};
use crate::remote::login::login;
use crate::remote::pace;
use crate::remote::target::Hop;

/// How long a name may take to be found, a connection to be made, and the two to agree on keys: each of them.
const TO_CONNECT: Duration = Duration::from_secs(10);
/// How long one question may take from there on, in milliseconds.
pub(super) const TO_ANSWER: u32 = 20_000;

/// A session and the socket below it, of which the session has a copy of its own.
pub(super) struct Opened {
    pub(super) session: Session,
    pub(super) socket: OwnedFd,
}

/// Opens a session with a host: over `wire`, which leads there through another one, or else directly.
pub(super) fn open(
    wire: Option<OwnedFd>,
    hop: &Hop,
    machine: &str,
    asks: &dyn Asks,
) -> Result<Opened> {
    let socket = match wire {
        Some(wire) => wire,
        None => dial(hop, machine)?.into(),
    };
    let known = KnownHosts::read(&hop.known_hosts)?;
    let mut session = Session::new().context("cannot begin an SSH session")?;
    session.set_tcp_stream(socket.try_clone().context("cannot begin an SSH session")?);
    session.set_timeout(u32::try_from(TO_CONNECT.as_millis()).unwrap_or(TO_ANSWER));
    let algorithms = session
        .supported_algs(MethodType::HostKey)
        .context("cannot tell which host keys can be read")?;
    let plain: Vec<&str> = algorithms
        .into_iter()
        .filter(|algorithm| !algorithm.contains("-cert-"))
        .collect();
    let preferred = known.preferred(&hop.known_as, hop.port, &plain).join(",");
    session
        .method_pref(MethodType::HostKey, &preferred)
        .context("cannot ask for a host key")?;
    shake_hands(&mut session, &socket).map_err(|error| no_ssh(hop, machine, &error))?;
    let key = session.host_key().map(|(key, _)| key.to_vec());
    let key = key.with_context(|| format!("{machine}: {hop} showed no host key"))?;
    check(&known, hop, machine, &key, asks)?;
    session.set_timeout(TO_ANSWER);
    login(&session, hop, machine, asks)?;
    Ok(Opened { session, socket })
}

/// Agrees on keys within the time there is, however much the other end talks: it may not be an SSH server at all.
fn shake_hands(session: &mut Session, socket: &OwnedFd) -> Result<(), ssh2::Error> {
    let (done, wait) = mpsc::channel::<()>();
    let Ok(watched) = socket.try_clone() else {
        return session.handshake();
    };
    std::thread::spawn(move || {
        if let Err(mpsc::RecvTimeoutError::Timeout) = wait.recv_timeout(TO_CONNECT) {
            // It may have been closed meanwhile.
            let _ = SockRef::from(&watched).shutdown(std::net::Shutdown::Both);
        }
    });
    let shaken = session.handshake();
    drop(done);
    shaken
}

fn no_ssh(hop: &Hop, machine: &str, error: &ssh2::Error) -> anyhow::Error {
    let (message, hint) = match error.code() {
        // LIBSSH2_ERROR_KEX_FAILURE, KEY_EXCHANGE_FAILURE, METHOD_NONE.
        ErrorCode::Session(-5 | -8 | -17) => (
            format!("{machine}: {hop} and this program found no way to encrypt that both know"),
            "bring OpenSSH there up to date".to_owned(),
        ),
        ErrorCode::Session(_) | ErrorCode::SFTP(_) => (
            format!(
                "{machine}: what answers at {hop} does not speak SSH: {}",
                error.message()
            ),
            format!(
                "see what it says: nc {} {}; another port is named with `port:`",
                hop.host, hop.port
            ),
        ),
    };
    Failure::new(message).hint(hint).into()
}

/// Connects, trying each of the name's addresses.
fn dial(hop: &Hop, machine: &str) -> Result<TcpStream> {
    let addresses = find(hop, machine)?;
    let end = Instant::now() + TO_CONNECT;
    let mut why = None;
    let count = addresses.len();
    for (index, address) in addresses.into_iter().enumerate() {
        let left = end.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(count - index).unwrap_or(1);
        if share.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(&address, share) {
            Ok(stream) => {
                hold(&stream).context("cannot set up the connection")?;
                return Ok(stream);
            }
            Err(error) => why = Some(error),
        }
    }
    let why = why.unwrap_or_else(|| io::Error::from(io::ErrorKind::TimedOut));
    Err(not_reached(hop, machine, &why))
}

/// What is sent and not confirmed for so long, nobody gets any more.
fn hold(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_user_timeout(Some(pace::SILENCE))?;
    socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(pace::SILENCE)
            .with_interval(pace::BEAT)
            .with_retries(3),
    )
}

/// The addresses of a name. The system's own way to find them has no end of its own.
fn find(hop: &Hop, machine: &str) -> Result<Vec<SocketAddr>> {
    let (tell, told) = mpsc::channel();
    let at = (hop.host.clone(), hop.port);
    std::thread::spawn(move || {
        // Nobody may be waiting any more.
        let _ = tell.send(at.to_socket_addrs().map(Iterator::collect::<Vec<_>>));
    });
    let why = match told.recv_timeout(TO_CONNECT) {
        Ok(Ok(addresses)) if !addresses.is_empty() => return Ok(addresses),
        Ok(Ok(_)) => "it has no address".to_owned(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no name server answered within {} s", TO_CONNECT.as_secs()),
    };
    Err(Failure::new(format!(
        "{machine}: the name {} is not known here: {why}",
        hop.host
    ))
    .hint("look at how it is spelt, give its address instead, or add it to /etc/hosts or ~/.ssh/config")
    .into())
}

fn not_reached(hop: &Hop, machine: &str, error: &io::Error) -> anyhow::Error {
    let (what, hint) = match Errno::from_io_error(error) {
        Some(Errno::CONNREFUSED) => (
            "the machine is there and refuses the connection".to_owned(),
            "start the SSH server there (systemctl start ssh), or name its port with `port:`",
        ),
        Some(Errno::HOSTUNREACH | Errno::NETUNREACH) => (
            "there is no way to it".to_owned(),
            "is it switched on and in this network, or is a VPN missing? ip route says what this machine reaches",
        ),
        _ if matches!(
            error.kind(),
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock
        ) =>
        {
            (
                format!("nothing answered within {} s", TO_CONNECT.as_secs()),
                "is it switched on, is the address right, and does a firewall on the way let SSH through?",
            )
        }
        _ => (
            error.to_string(),
            "try it by hand with ssh, then run this again",
        ),
    };
    Failure::new(format!("{machine}: cannot connect to {hop}: {what}"))
        .hint(hint)
        .into()
}

/// Checks the key that a host shows.
fn check(known: &KnownHosts, hop: &Hop, machine: &str, key: &[u8], asks: &dyn Asks) -> Result<()> {
    let name = known_hosts::name(&hop.known_as, hop.port);
    let kind = known_hosts::kind(key);
    let fingerprint = known_hosts::fingerprint(key);
    match known.judge(&hop.known_as, hop.port, key) {
        Verdict::Known => Ok(()),
        Verdict::Unknown => {
            let unknown = Unknown {
                machine: machine.to_owned(),
                host: name,
                kind,
                fingerprint,
                file: known.file().to_owned(),
            };
            match asks.unknown_key(&unknown) {
                Answer::Accept => known.accept(&hop.known_as, hop.port, key),
                Answer::Refuse => Err(Failure::new(format!(
                    "{machine}: the host key of {} was not accepted",
                    unknown.host
                ))
                .into()),
                Answer::Nobody => Err(not_known(&unknown, hop)),
            }
        }
        Verdict::Changed(place) => Err(Failure::new(format!(
            "{machine}: {name} shows another host key ({kind} {fingerprint}) than {}:{} holds ({}); either it was set up anew, \
             or somebody stands between you and it",
            place.file.display(),
            place.line,
            place.kind
        ))
        .hint(format!(
            "find out which; where it was set up anew, remove the old key with: ssh-keygen -R '{name}' -f {}",
            place.file.display()
        ))
        .into()),
        Verdict::Revoked(place) => Err(Failure::new(format!(
            "{machine}: the host key that {name} shows ({kind} {fingerprint}) is revoked, says {}:{}",
            place.file.display(),
            place.line
        ))
        .hint("do not use that machine until whoever runs it has given it another key")
        .into()),
        Verdict::Certificate(place) => Err(Failure::new(format!(
            "{machine}: {}:{} trusts {name} by a certificate, and host certificates are not read here",
            place.file.display(),
            place.line
        ))
        .hint(format!("add its plain key as well; {}", by_hand(hop, &kind, known)))
        .into()),
    }
}

fn not_known(unknown: &Unknown, hop: &Hop) -> anyhow::Error {
    let known = &unknown.file;
    Failure::new(format!(
        "{}: the host key of {} is not known ({} {}), and nobody is there to be asked",
        unknown.machine, unknown.host, unknown.kind, unknown.fingerprint
    ))
    .hint(format!(
        "compare that with what the machine itself says (ssh-keygen -lf /etc/ssh/ssh_host_{}_key.pub), then: {}",
        file_kind(&unknown.kind),
        scan(hop, &unknown.kind, known)
    ))
    .into()
}

fn by_hand(hop: &Hop, kind: &str, known: &KnownHosts) -> String {
    scan(hop, kind, known.file())
}

fn scan(hop: &Hop, kind: &str, file: &std::path::Path) -> String {
    let port = match hop.port {
        22 => String::new(),
        port => format!("-p {port} "),
    };
    format!(
        "ssh-keyscan -t {} {port}{} >> {}",
        file_kind(kind),
        hop.host,
        file.display()
    )
}

/// What `ssh-keygen -t` and the names of host keys' files call a type.
fn file_kind(kind: &str) -> &str {
    match kind {
        "ssh-ed25519" => "ed25519",
        "ssh-rsa" => "rsa",
        other if other.starts_with("ecdsa") => "ecdsa",
        other => other,
    }
}
