//! Why a request has no result: one kind for each thing that a caller would say differently.

use std::time::Duration;

use crate::audit::StoreError;
use crate::codes::Code;
use crate::format::Newer;
use crate::login::NoGrant;
use crate::policy::Refusal;
use crate::wire::Raw;
use crate::wording::chain;

/// Why there is no result. `front` makes messages of it, `cli` exit codes.
#[derive(Debug)]
pub enum Fault {
    /// Nothing has this name, or nothing that the person may know of.
    Unknown(Kind, Box<str>),
    /// The parameters are not the method's.
    BadParams(Box<str>),
    /// The method is not served.
    UnknownMethod,
    /// The server needs something of the host that it has not said it can do: which capability.
    Incapable(&'static str),
    /// Policy refuses it.
    Refused(Refused),
    /// The policy's rate is used up.
    RateLimited {
        /// The policy.
        policy: Box<str>,
        /// What it allows.
        per_minute: u32,
        /// When the next call fits.
        retry_after: Duration,
    },
    /// Nobody is signed in, or the session cannot be used; the text says what to do.
    NotSignedIn(Box<str>),
    /// The server gave no usable answer; the text says which, why, and what to do.
    Unavailable(Box<str>),
    /// Too much waits to be sent for anything to be changed; the text says what, and what to do.
    SpoolFull(Box<str>),
    /// The record cannot be written, so nothing was sent.
    Unrecorded(Box<str>),
    /// A newer version keeps the record, so nothing was sent; the text says what to do.
    Superseded(Box<str>),
    /// The call ran, but its outcome could not be recorded.
    Withheld(Box<str>),
    /// The server's own error object.
    Upstream(Raw),
}

/// What a name names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A tool.
    Tool,
    /// A prompt.
    Prompt,
    /// A resource.
    Resource,
}

/// A refusal by policy.
#[derive(Debug)]
pub struct Refused {
    /// The name that was asked for.
    pub asked: Box<str>,
    /// What it names.
    pub kind: Kind,
    /// The rule and its message.
    pub refusal: Refusal,
    /// Whether the host has seen the name in a list; if not, it gets to know nothing of it.
    pub shown: bool,
}

impl Fault {
    /// What happened, why, and the next step, for a person or a model.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Unknown(kind, name) => kind.unknown(name),
            Self::BadParams(why) => format!("The parameters cannot be used: {why}."),
            Self::UnknownMethod => "chaperone does not serve this method.".to_owned(),
            Self::Incapable(ability) => {
                format!("The server asks for {ability:?}, which this host has not said it can do.")
            }
            Self::Refused(refused) if refused.shown => refused.refusal.message.clone().into(),
            Self::Refused(refused) => refused.kind.unknown(&refused.asked),
            Self::RateLimited {
                policy,
                per_minute,
                retry_after,
            } => format!(
                "Not sent: the policy {policy:?} allows {per_minute} calls a minute and they are used up. \
                 Try again in {} seconds.",
                retry_after.as_secs().max(1)
            ),
            Self::NotSignedIn(text)
            | Self::Unavailable(text)
            | Self::SpoolFull(text)
            | Self::Unrecorded(text)
            | Self::Superseded(text)
            | Self::Withheld(text) => text.clone().into(),
            Self::Upstream(error) => format!("The server answered with an error: {}", error.get()),
        }
    }
}

impl Fault {
    /// The code that names it. What the host was not shown has that of what does not exist.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Unknown(..) => Code::UnknownName,
            Self::Refused(refused) if !refused.shown => Code::UnknownName,
            Self::BadParams(_) => Code::BadParams,
            Self::UnknownMethod => Code::UnknownMethod,
            Self::Incapable(_) => Code::HostIncapable,
            Self::Refused(_) => Code::PolicyDenied,
            Self::RateLimited { .. } => Code::PolicyRate,
            Self::NotSignedIn(_) => Code::NotSignedIn,
            Self::Unavailable(_) => Code::Unreachable,
            Self::SpoolFull(_) => Code::SpoolFull,
            Self::Unrecorded(_) => Code::LogUnusable,
            Self::Superseded(_) => Code::VersionNewer,
            Self::Withheld(_) => Code::LogWithheld,
            Self::Upstream(_) => Code::ServerError,
        }
    }

    /// The same of a call that was not made.
    pub(super) fn not_sent(self) -> Self {
        match self {
            Self::NotSignedIn(why) => Self::NotSignedIn(format!("Not sent: {why}").into()),
            Self::Unavailable(why) => Self::Unavailable(format!("Not sent: {why}").into()),
            Self::Superseded(why) => Self::Superseded(format!("Not sent: {why}").into()),
            other @ (Self::Unknown(..)
            | Self::BadParams(_)
            | Self::UnknownMethod
            | Self::Incapable(_)
            | Self::Refused(_)
            | Self::RateLimited { .. }
            | Self::SpoolFull(_)
            | Self::Unrecorded(_)
            | Self::Withheld(_)
            | Self::Upstream(_)) => other,
        }
    }

    /// Of a call that cannot be recorded.
    pub(super) fn of_log(cause: &StoreError) -> Self {
        let why = chain(cause);
        if let Some(next) = cause.next_step() {
            let text = format!("Not sent: {why}. Nothing left this machine. {next}");
            return Self::Superseded(text.into());
        }
        let text = format!(
            "Not sent: the call cannot be recorded ({why}). Nothing left this machine. Mend the cause and \
             try again; `chaperone status` shows the state of the log."
        );
        Self::Unrecorded(text.into())
    }
}

/// Why there is no token.
impl From<&NoGrant> for Fault {
    fn from(error: &NoGrant) -> Self {
        let why = chain(error);
        let why = why.trim_end_matches('.');
        match error {
            NoGrant::Unreachable(_) => {
                let text = format!("{why}. Try again when the identity provider answers.");
                Self::Unavailable(text.into())
            }
            NoGrant::Keychain(cause) if Newer::is_behind(error) => {
                Self::Superseded(format!("{why}. {}", cause.next_step()).into())
            }
            NoGrant::Keychain(cause) => {
                Self::NotSignedIn(format!("{why}. {}", cause.next_step()).into())
            }
            NoGrant::NotSignedIn | NoGrant::Ended => {
                Self::NotSignedIn(format!("{why}. Run `chaperone login`.").into())
            }
            NoGrant::Refused(_) => Self::NotSignedIn(format!("{why}.").into()),
        }
    }
}

impl Kind {
    fn unknown(self, name: &str) -> String {
        let name = name.escape_debug();
        match self {
            Self::Tool => format!("Unknown tool: {name}"),
            Self::Prompt => format!("Unknown prompt: {name}"),
            Self::Resource => format!("Resource not found: {name}"),
        }
    }
}
