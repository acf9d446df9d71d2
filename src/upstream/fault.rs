//! Why there is no usable answer, in words for a person.
//!
//! Messages name the cause and the next step; `gateway` puts the server's name before them. They
//! never hold a token: whatever a server said in them has been through [`super::scrub`].

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::login::NoGrant;

use super::http::ClientError;
use super::scrub;

/// Why there is no usable answer: a variant for each thing that a caller would do differently.
#[derive(Debug, Clone, thiserror::Error)]
pub enum UpstreamError {
    /// No connection; nothing was sent.
    #[error("the server cannot be reached")]
    Unreachable(#[source] ConnectFault),
    /// The server was reached, but no session could be opened with it.
    #[error("no session can be opened with the server")]
    Handshake(#[source] Arc<UpstreamError>),
    /// The server speaks a revision of the protocol that is not understood.
    #[error(
        "the server speaks the unknown protocol revision {0:?}; it or chaperone needs an update"
    )]
    Revision(Box<str>),
    /// There is no token for the server.
    #[error("there is no access token for the server")]
    NoGrant(#[source] Arc<NoGrant>),
    /// The server does not accept the token (401), a new one included.
    #[error("the server does not accept the access token (HTTP 401){0}; check `audience`")]
    Unauthorized(Said),
    /// The server refuses the person (403).
    #[error("the server forbids it (HTTP 403){}{said}", needs(scope.as_deref()))]
    Forbidden {
        /// What the token would have to allow, where the server says so (`insufficient_scope`).
        scope: Option<Box<str>>,
        /// What else it says.
        said: Said,
    },
    /// The server has too much to do (429).
    #[error("the server asks to wait (HTTP 429){}", waits(*retry_after))]
    Busy {
        /// For how long, where it says so.
        retry_after: Option<Duration>,
    },
    /// Nothing at this address speaks MCP over streamable HTTP (404, 405 or 410 without a session).
    #[error("there is no MCP endpoint at the server's address (HTTP {status}){said}; check `url`")]
    NoEndpoint {
        /// The status.
        status: u16,
        /// What it says.
        said: Said,
    },
    /// The server redirects to another origin, or in a way that would change the request.
    #[error("the server redirects elsewhere (HTTP {status}), which is not followed; check `url`")]
    Redirected {
        /// The status.
        status: u16,
    },
    /// The server refuses the request as such (another 4xx).
    #[error("the server refuses the request (HTTP {status}){said}")]
    Rejected {
        /// The status.
        status: u16,
        /// What it says.
        said: Said,
    },
    /// The server, or what stands before it, failed (5xx).
    #[error("the server failed (HTTP {status}){said}")]
    Failed {
        /// The status.
        status: u16,
        /// What it says.
        said: Said,
    },
    /// The server answered one of chaperone's own requests with a JSON-RPC error.
    #[error("the server answered with error {code}{said}")]
    Refused {
        /// The JSON-RPC code.
        code: i64,
        /// What it says.
        said: Said,
    },
    /// No answer within the deadline.
    #[error("the server did not answer within {}", seconds(*.0))]
    Silent(Duration),
    /// The connection broke before the answer was complete.
    #[error("the connection broke before the answer was complete")]
    Interrupted(#[source] Option<Broken>),
    /// The answer is larger than is accepted.
    #[error("the answer is larger than {} MiB", crate::bounds::ANSWER >> 20)]
    TooLarge,
    /// What came is no answer.
    #[error("the server's answer is unusable: {0}")]
    BadAnswer(#[source] BadAnswer),
    /// A list does not come to an end.
    #[error("the server's list is unusable: {0}")]
    BadList(#[source] BadList),
    /// The HTTP client cannot be set up.
    #[error("connections cannot be made from this machine")]
    Client(#[source] Arc<ClientError>),
    /// The request was admitted for another server.
    #[error("the request was admitted for another server")]
    Misdirected,
    /// Chaperone is about to end.
    #[error("chaperone is stopping")]
    Stopping,
}

impl UpstreamError {
    /// Whether the server may have carried the request out.
    #[must_use]
    pub fn may_have_run(&self) -> bool {
        match self {
            Self::Failed { .. }
            | Self::Silent(_)
            | Self::Interrupted(_)
            | Self::TooLarge
            | Self::BadAnswer(_) => true,
            Self::Unreachable(_)
            | Self::Handshake(_)
            | Self::Revision(_)
            | Self::NoGrant(_)
            | Self::Unauthorized(_)
            | Self::Forbidden { .. }
            | Self::Busy { .. }
            | Self::NoEndpoint { .. }
            | Self::Redirected { .. }
            | Self::Rejected { .. }
            | Self::Refused { .. }
            | Self::BadList(_)
            | Self::Client(_)
            | Self::Misdirected
            | Self::Stopping => false,
        }
    }

    /// Whether an attempt that ends like this takes no time, so that another is worth it.
    pub(super) fn is_told_at_once(&self) -> bool {
        if let Self::Handshake(cause) = self {
            return cause.is_told_at_once();
        }
        matches!(
            self,
            Self::Unreachable(ConnectFault::Refused) | Self::Interrupted(_)
        )
    }

    /// Whether the trouble may end without anybody's doing, so that trying again by itself is of
    /// use.
    pub(super) fn passes(&self) -> bool {
        match self {
            Self::Unreachable(_)
            | Self::Busy { .. }
            | Self::NoEndpoint { .. }
            | Self::Redirected { .. }
            | Self::Rejected { .. }
            | Self::Failed { .. }
            | Self::Refused { .. }
            | Self::Silent(_)
            | Self::Interrupted(_)
            | Self::TooLarge
            | Self::BadAnswer(_)
            | Self::BadList(_) => true,
            Self::Handshake(cause) => cause.passes(),
            Self::NoGrant(why) => matches!(**why, NoGrant::Unreachable(_)),
            Self::Revision(_)
            | Self::Unauthorized(_)
            | Self::Forbidden { .. }
            | Self::Client(_)
            | Self::Misdirected
            | Self::Stopping => false,
        }
    }

    /// The same as the reason why a request was not even sent.
    pub(super) fn in_handshake(self) -> Self {
        let is_of_calls =
            self.may_have_run() || matches!(self, Self::Rejected { .. } | Self::Refused { .. });
        if is_of_calls {
            Self::Handshake(Arc::new(self))
        } else {
            self
        }
    }
}

impl From<NoGrant> for UpstreamError {
    fn from(why: NoGrant) -> Self {
        Self::NoGrant(Arc::new(why))
    }
}

impl From<BadAnswer> for UpstreamError {
    fn from(why: BadAnswer) -> Self {
        Self::BadAnswer(why)
    }
}

/// Why no connection came about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectFault {
    /// DNS.
    #[error("its name cannot be resolved ({0}); check `url` and the network")]
    Name(Box<str>),
    /// Nothing listens.
    #[error("nothing listens at its address (connection refused)")]
    Refused,
    /// Nothing answers.
    #[error("no connection within {}", seconds(*.0))]
    Slow(Duration),
    /// TLS, mostly the certificate.
    #[error(
        "no secure connection ({0}); check its certificate, or name your authority in `ca_file`"
    )]
    Tls(Box<str>),
    /// Routes, proxies, resets.
    #[error("{0}")]
    Network(Box<str>),
}

impl ConnectFault {
    /// Reads what the HTTP client says of a connection that did not come about.
    pub(super) fn of(error: &reqwest::Error, limit: Duration) -> Self {
        if error.is_dns() {
            return Self::Name(root(error));
        }
        if error.is_timeout() {
            return Self::Slow(limit);
        }
        match innermost_io(error).map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => Self::Refused,
            Some(
                io::ErrorKind::InvalidData | io::ErrorKind::Other | io::ErrorKind::UnexpectedEof,
            ) => Self::Tls(root(error)),
            Some(_) | None => Self::Network(root(error)),
        }
    }
}

/// How a connection broke.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Broken(Box<str>);

impl Broken {
    pub(super) fn of(error: &reqwest::Error) -> Self {
        Self(root(error))
    }
}

/// What is wrong with an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    /// 2xx without anything in it.
    #[error("HTTP {0} without an answer")]
    Empty(u16),
    /// HTML and the like, as of a sign-in page or a captive portal.
    #[error("{kind:?} instead of JSON{said}; a sign-in page or a proxy may stand before it")]
    Kind {
        /// The content type.
        kind: Box<str>,
        /// How it begins.
        said: Said,
    },
    /// No message.
    #[error("{0}")]
    Malformed(Box<str>),
    /// A message that answers nothing, or another request.
    #[error("it belongs to another request")]
    Foreign,
    /// A result that lacks what the protocol demands.
    #[error("{0:?} is missing or of the wrong type")]
    Lacks(&'static str),
    /// A status that is neither.
    #[error("unexpected HTTP status {0}")]
    Status(u16),
}

/// What is wrong with a list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadList {
    /// More pages than are read.
    #[error("more than {0} pages")]
    Pages(usize),
    /// More items than are kept.
    #[error("more than {0} items")]
    Items(usize),
    /// A cursor that has been there before.
    #[error("its pages go round in a circle")]
    Loop,
}

/// How a server explains itself, cut and cleaned; shown in brackets after the fault.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said(Option<Box<str>>);

impl Said {
    pub(super) fn new(text: &str) -> Self {
        Self((!text.is_empty()).then(|| text.into()))
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(text) => write!(f, " ({text})"),
            None => Ok(()),
        }
    }
}

fn needs(scope: Option<&str>) -> String {
    scope.map_or_else(String::new, |scope| {
        format!(": it needs the scope {scope:?}")
    })
}

fn waits(span: Option<Duration>) -> String {
    span.map_or_else(String::new, |span| format!(" for {}", seconds(span)))
}

/// `5 s`, `0.25 s`
fn seconds(span: Duration) -> String {
    format!("{} s", span.as_secs_f64())
}

/// The innermost cause, which is the one that says what happened.
fn root(error: &reqwest::Error) -> Box<str> {
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    if let Some(wrapped) = innermost_io(error).and_then(io::Error::get_ref) {
        deepest = wrapped;
    }
    scrub::clean(&deepest.to_string())
}

fn innermost_io(error: &reqwest::Error) -> Option<&io::Error> {
    let mut found = None;
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        found = error.downcast_ref::<io::Error>().or(found);
        cause = error.source();
    }
    found
}
