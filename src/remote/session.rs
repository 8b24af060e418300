//! A connection to a machine, by the hosts on the way: each is connected to, known by its key, and logged in to.

use std::io::ErrorKind;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Context;
use ssh2::{MethodType, Session};

use super::known_hosts::{self, Known, Verdict};
use super::target::Hop;
use super::{bridge, login};
use crate::error::Failure;
use crate::ui::prompt;

/// How long a host may take to answer at all.
const TO_CONNECT: Duration = Duration::from_secs(10);
/// How long anything that SSH does may stand still, in milliseconds.
const TO_ANSWER: u32 = 20_000;

/// Several machines are reached at a time, and one question is asked at a time.
pub(super) static ASKING: Mutex<()> = Mutex::new(());

/// A session that is logged in.
pub struct Connected {
    /// The session.
    pub session: Session,
    /// Its socket, to be waited for.
    pub socket: OwnedFd,
}

/// Connects to the last of these hosts by the others. `name` is the machine's in messages.
///
/// # Errors
/// With the host, the reason, and what to type next: when it does not answer, is not who it should be, or lets nobody in.
pub fn connect(name: &str, hops: &[Hop], can_ask: bool) -> anyhow::Result<Connected> {
    let mut way: Option<Connected> = None;
    for hop in hops {
        let socket = match way.take() {
            None => OwnedFd::from(dial(hop)?),
            Some(before) => through(before, hop)?,
        };
        way = Some(open(name, hop, socket, can_ask)?);
    }
    way.ok_or_else(|| Failure::usage("no host is named").into())
}

fn dial(hop: &Hop) -> anyhow::Result<TcpStream> {
    let at = format!("{}:{}", hop.host, hop.port);
    let addresses: Vec<_> = (hop.host.as_str(), hop.port)
        .to_socket_addrs()
        .with_context(|| {
            Failure::new(format!("the name {} leads nowhere", hop.host)).hint(
                "check the address in dtaas.yaml or ~/.ssh/config, and the name servers of this machine",
            )
        })?
        .collect();
    let mut why = None;
    for address in addresses {
        match TcpStream::connect_timeout(&address, TO_CONNECT) {
            Ok(stream) => {
                // Without it only answers come later.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => why = Some(error),
        }
    }
    let (what, hint) = match why.as_ref().map(std::io::Error::kind) {
        Some(ErrorKind::ConnectionRefused) => (
            "refuses the connection".to_owned(),
            "is sshd running there, and is this its port?",
        ),
        Some(ErrorKind::TimedOut) => (
            format!("does not answer within {} s", TO_CONNECT.as_secs()),
            "is the machine up, and does a firewall stand between?",
        ),
        Some(_) | None => (
            match why {
                Some(error) => format!("cannot be reached: {error}"),
                None => "has no address".to_owned(),
            },
            "is the machine up, and is there a way to it from here?",
        ),
    };
    Err(Failure::new(format!("{at} {what}"))
        .hint(format!(
            "{hint} Try: ssh -p {} {}@{}",
            hop.port, hop.user, hop.host
        ))
        .into())
}

/// The way to a host through the one before: its bytes go through a channel of that one's session.
fn through(before: Connected, hop: &Hop) -> anyhow::Result<OwnedFd> {
    let channel = before
        .session
        .channel_direct_tcpip(&hop.host, hop.port, None)
        .map_err(|error| {
            Failure::new(format!(
                "the host on the way cannot reach {}:{}: {}",
                hop.host,
                hop.port,
                error.message()
            ))
            .hint("check the address as it is seen from that host, and that its sshd allows forwarding")
        })?;
    let (here, there) = std::os::unix::net::UnixStream::pair().context("cannot make a socket")?;
    bridge::start(before, channel, there, None)?;
    Ok(here.into())
}

fn open(name: &str, hop: &Hop, socket: OwnedFd, can_ask: bool) -> anyhow::Result<Connected> {
    let at = format!("{}:{}", hop.host, hop.port);
    let known = known_hosts::read(&hop.known_hosts, &hop.host, hop.port)?;
    let watched = socket.try_clone().context("cannot make a socket")?;
    let mut session = Session::new().context("SSH cannot be had")?;
    session.set_timeout(TO_ANSWER);
    if let Some(algorithms) = known_hosts::algorithms(&known) {
        session
            .method_pref(MethodType::HostKey, &algorithms)
            .map_err(|error| {
                Failure::new(format!(
                    "{at} is known by keys of types that cannot be asked for: {}",
                    error.message()
                ))
            })?;
    }
    session.set_tcp_stream(socket);
    session.handshake().map_err(|error| {
        let failure = Failure::new(format!(
            "{at} does not speak SSH as it should: {}",
            error.message()
        ));
        match known.first() {
            Some(known) if error.message().contains("host key") || is_no_agreement(&error) => failure.hint(format!(
                "{}:{} knows it by a {} key; if the server was made anew, remove that line: ssh-keygen -R '{}'",
                known.file.display(),
                known.line,
                known.kind,
                called(hop)
            )),
            Some(_) | None => failure.hint(format!(
                "is this sshd's port? Try: ssh -v -p {} {}@{}",
                hop.port, hop.user, hop.host
            )),
        }
    })?;
    let key = session
        .host_key()
        .map(|(key, _)| key.to_owned())
        .ok_or_else(|| Failure::new(format!("{at} shows no key")))?;
    check_host(name, hop, &known, &key, can_ask)?;
    login::log_in(name, &session, hop, can_ask)?;
    Ok(Connected {
        session,
        socket: watched,
    })
}

/// LIBSSH2_ERROR_KEX_FAILURE and LIBSSH2_ERROR_METHOD_NONE: both sides have nothing in common.
fn is_no_agreement(error: &ssh2::Error) -> bool {
    matches!(
        error.code(),
        ssh2::ErrorCode::Session(-5) | ssh2::ErrorCode::Session(-17)
    )
}

/// What `ssh-keygen -R` and `ssh-keyscan` are told.
fn called(hop: &Hop) -> String {
    match hop.port {
        22 => hop.host.clone(),
        port => format!("[{}]:{port}", hop.host),
    }
}

/// Fails unless the key is the host's, or somebody says that it is.
fn check_host(
    name: &str,
    hop: &Hop,
    known: &[Known],
    key: &[u8],
    can_ask: bool,
) -> anyhow::Result<()> {
    let at = format!("{}:{}", hop.host, hop.port);
    let kind = known_hosts::kind(key);
    let shown = known_hosts::fingerprint(key);
    let stands = |known: &Known| format!("{}:{}", known.file.display(), known.line);
    match known_hosts::judge(known, key) {
        Verdict::Same => Ok(()),
        Verdict::Changed(other) => Err(Failure::new(format!(
            "{at} shows another key than {} says: {kind} {shown}; someone else may be answering",
            stands(&other)
        ))
        .hint(format!(
            "if the server was made anew, and whoever runs it confirms this fingerprint: ssh-keygen -R '{}'",
            called(hop)
        ))
        .into()),
        Verdict::Revoked(revoked) => Err(Failure::new(format!(
            "{at} shows a key that {} revokes: {kind} {shown}",
            stands(&revoked)
        ))
        .hint("whoever runs the server has to give it another key")
        .into()),
        Verdict::Authority(_) | Verdict::Unknown if can_ask => {
            let _one = ASKING
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            let question = format!(
                "{name}: the key of {at} is not known: {kind} {shown}. Trust it from now on?"
            );
            match prompt::ask_whether(&question)? {
                true => remember(hop, key),
                false => Err(Failure::new(format!("the key of {at} is not trusted"))
                    .hint("compare the fingerprint with what the server says: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")
                    .into()),
            }
        }
        Verdict::Authority(authority) => Err(Failure::new(format!(
            "the key of {at} is known by a certificate's authority alone ({}), which is not understood here",
            stands(&authority)
        ))
        .hint(format!(
            "add the key itself ({kind} {shown}): ssh-keyscan -p {} {} >> ~/.ssh/known_hosts",
            hop.port, hop.host
        ))
        .into()),
        Verdict::Unknown => Err(Failure::new(format!(
            "the key of {at} is not known, and nobody can be asked: {kind} {shown}"
        ))
        .hint(format!(
            "compare it with what the server says, then: ssh-keyscan -p {} {} >> ~/.ssh/known_hosts",
            hop.port, hop.host
        ))
        .into()),
    }
}

fn remember(hop: &Hop, key: &[u8]) -> anyhow::Result<()> {
    let file = hop.known_hosts.first().map(|file| file.as_path());
    known_hosts::add(
        file.unwrap_or(Path::new("/root/.ssh/known_hosts")),
        &hop.host,
        hop.port,
        key,
    )
}
