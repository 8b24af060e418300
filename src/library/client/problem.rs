//! Why a library gave no answer, in words and with what to do next.

use std::error::Error;
use std::io;

use reqwest::StatusCode;
use rustls::CertificateError;

use crate::error::Failure;
use crate::ui::printable::printable;

/// Why a library gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// It answered, and says no.
    #[error("{0}")]
    Refused(Refused),
    /// It wants to know who asks.
    #[error("{endpoint} wants a user's name and password")]
    Anonymous {
        /// Where.
        endpoint: String,
    },
    /// Name and password are not a user's.
    #[error("{endpoint} does not take this password of {user}")]
    WrongCredentials {
        /// Where.
        endpoint: String,
        /// The name that was given.
        user: String,
    },
    /// It says that the answer is at another address.
    #[error("{endpoint} leads on to {to}, and credentials go nowhere but where they were meant to")]
    Elsewhere {
        /// Where it was asked.
        endpoint: String,
        /// Where it leads.
        to: String,
    },
    /// Whatever answers there is no library.
    #[error("{endpoint} is no library: {why}")]
    NoLibrary {
        /// Where.
        endpoint: String,
        /// What it does instead.
        why: String,
    },
    /// Nobody was reached.
    #[error("{endpoint} cannot be reached: {reason}")]
    Unreached {
        /// Where.
        endpoint: String,
        /// The last word of those who tried.
        reason: String,
        /// What may help.
        hint: Option<&'static str>,
    },
    /// The certificate is not to be trusted.
    #[error("the certificate of {endpoint} is not to be trusted: {reason}")]
    Certificate {
        /// Where.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
        /// What may help.
        hint: &'static str,
    },
    /// The connection ended, or nothing came for too long, before all had come or gone.
    #[error("the connection to {endpoint} broke off: {reason}")]
    BrokeOff {
        /// Where.
        endpoint: String,
        /// How.
        reason: String,
    },
    /// What came is not what was asked for any more.
    #[error("{path} changed while it was read")]
    Changed {
        /// The path in the library.
        path: String,
    },
    /// Something lies where a file is to be put, and writing over it was not asked for, or is not done at all.
    #[error("{place} is there already{more}")]
    InTheWay {
        /// On this machine.
        place: String,
        /// What it is, where that matters.
        more: &'static str,
    },
    /// A file of this machine.
    #[error("{what}")]
    Here {
        /// What was done with which file.
        what: String,
        /// Why it did not work.
        #[source]
        source: io::Error,
    },
}

/// A no of the library, about one path.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// As HTTP has it; GraphQL's errors come with 200.
    pub status: StatusCode,
    /// As the library's errors have it (`NOT_FOUND`); `None` where something on the way has answered.
    pub code: Option<String>,
    /// For people; nothing in it steers a terminal.
    pub message: String,
}

impl Refused {
    /// Whether the library says so with this code.
    pub fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    fn hint(&self) -> Option<&'static str> {
        match self.code.as_deref() {
            Some("NOT_FOUND") => Some("see what is there with `dtaas lib ls`"),
            Some("READ_ONLY") => Some(
                "own folders are written where the library is served for writing, common by members of the group publishers",
            ),
            Some("EXISTS") => Some("--force writes over it"),
            Some("NO_ROOM") => Some(
                "take away what is not needed, or have the operator raise the quota (library.quota in dtaas.yaml)",
            ),
            Some("NOT_WHAT_WAS_SENT") => {
                Some("run this again: the file may have been changed while it was sent")
            }
            Some("NOT_SUPPORTED") => {
                Some("this version or source of the library serves names and texts alone")
            }
            Some(_) | None => match self.status {
                StatusCode::PAYLOAD_TOO_LARGE => Some("the operator can raise the limit"),
                StatusCode::INSUFFICIENT_STORAGE => {
                    Some("take away what is not needed, or ask the operator for room")
                }
                StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
                | StatusCode::TOO_MANY_REQUESTS => {
                    Some("the platform is starting, stopping or busy: try again in a while")
                }
                _ => None,
            },
        }
    }
}

impl Problem {
    /// What may be done next.
    pub fn hint(&self) -> Option<String> {
        let words = match self {
            Problem::Refused(refused) => refused.hint()?,
            Problem::Anonymous { .. } => {
                "give --user NAME; the password is asked for, or read from DTAAS_LIB_PASSWORD or with --password-stdin"
            }
            Problem::WrongCredentials { .. } => {
                "the operator sets a new one with `dtaas user passwd`, and opens a closed door with `dtaas user enable`"
            }
            Problem::Elsewhere { .. } => "give that address with --url if it is the library's",
            Problem::NoLibrary { .. } => {
                "the address ends in the library's path, as in https://foo.com/lib"
            }
            Problem::Unreached { hint, .. } => (*hint)?,
            Problem::Certificate { hint, .. } => hint,
            Problem::BrokeOff { .. } | Problem::Changed { .. } => "run this again",
            Problem::InTheWay { more: "", .. } => "--force writes over it",
            Problem::InTheWay { .. } => "name another place",
            Problem::Here { .. } => return None,
        };
        Some(words.to_owned())
    }

    /// The same request may go through when it is made again.
    pub fn may_pass(&self) -> bool {
        match self {
            Problem::BrokeOff { .. } => true,
            Problem::Refused(refused) => refused.code.is_none() && refused.status.is_server_error(),
            Problem::Anonymous { .. }
            | Problem::WrongCredentials { .. }
            | Problem::Elsewhere { .. }
            | Problem::NoLibrary { .. }
            | Problem::Unreached { .. }
            | Problem::Certificate { .. }
            | Problem::Changed { .. }
            | Problem::InTheWay { .. }
            | Problem::Here { .. } => false,
        }
    }

    /// Whether the library has no place for it just now: another request has this very part, or there are too many.
    pub fn is_taken(&self) -> bool {
        match self {
            Problem::Refused(refused) => refused.is("BUSY") || refused.is("OVERLOADED"),
            Problem::BrokeOff { .. }
            | Problem::Anonymous { .. }
            | Problem::WrongCredentials { .. }
            | Problem::Elsewhere { .. }
            | Problem::NoLibrary { .. }
            | Problem::Unreached { .. }
            | Problem::Certificate { .. }
            | Problem::Changed { .. }
            | Problem::InTheWay { .. }
            | Problem::Here { .. } => false,
        }
    }

    /// What went wrong between here and `endpoint`, from the client's error.
    pub fn of_connection(endpoint: String, error: &reqwest::Error) -> Self {
        if let Some(tls) = tls_error(error) {
            return Self::of_tls(endpoint, tls);
        }
        let reason = printable(&last_word(error)).into_owned();
        if error.is_connect() {
            return Problem::Unreached {
                hint: unreached_hint(error),
                endpoint,
                reason,
            };
        }
        Problem::BrokeOff { endpoint, reason }
    }

    fn of_tls(endpoint: String, error: &rustls::Error) -> Self {
        const TRUST: &str = "if it is the platform's own authority, get it on the platform's machine with `dtaas cert show --authority` \
             and name the file with --cacert";
        let (reason, hint) = match error {
            // A bad signature is that of another authority of the same name.
            rustls::Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            ) => (
                "nobody whom this machine trusts has signed it".to_owned(),
                TRUST,
            ),
            rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => (
                "it is for another name".to_owned(),
                "use the name that the platform is set up for (domain in dtaas.yaml)",
            ),
            rustls::Error::InvalidCertificate(
                CertificateError::Expired | CertificateError::ExpiredContext { .. },
            ) => (
                "it has expired".to_owned(),
                "the operator renews it with `dtaas cert renew`; see also that this machine's clock is right",
            ),
            rustls::Error::InvalidCertificate(other) => (other.to_string(), TRUST),
            other => {
                return Problem::Unreached {
                    endpoint,
                    reason: format!("no TLS connection came about: {other}"),
                    hint: Some(
                        "see that the address has the right port, and https where it should",
                    ),
                };
            }
        };
        Problem::Certificate {
            endpoint,
            reason,
            hint,
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let hint = problem.hint();
        let said = match &problem {
            Problem::Here { what, source } => format!("{what}: {source}"),
            other => other.to_string(),
        };
        // Names of the library's files are in it, and anyone may have given them.
        let failure = Failure::new(printable(&said));
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

/// What lies below an error. An [`io::Error`] leaves out what it was made of.
fn below<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(found) = cause {
        if let Some(tls) = found.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        cause = below(found);
    }
    None
}

/// The first error names the URL, the last the reason.
fn last_word(error: &dyn Error) -> String {
    let mut reason = error;
    while let Some(deeper) = reason.source() {
        reason = deeper;
    }
    reason.to_string()
}

fn unreached_hint(error: &reqwest::Error) -> Option<&'static str> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(found) = cause {
        if let Some(io) = found.downcast_ref::<io::Error>()
            && io.kind() == io::ErrorKind::ConnectionRefused
        {
            return Some(
                "nobody listens there: see the address and its port, and that the platform is up (`dtaas status`)",
            );
        }
        if found.to_string().contains("dns error") {
            return Some("no such name is known here: see how it is spelled");
        }
        cause = found.source();
    }
    None
}
