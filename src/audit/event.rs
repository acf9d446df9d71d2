//! What can be written down: calls, their outcomes, and what stands alone.

use std::sync::Arc;

use crate::name::ServerName;
use crate::policy::Refusal;
use crate::principal::Principal;
use crate::wire::{Raw, TraceContext};

/// Who asked through what: the same for every record of one host session.
#[derive(Debug, Clone, Default)]
pub struct Agent {
    /// The host's name and version from `clientInfo`: `claude-ai/1.0`.
    pub name: Box<str>,
}

/// A request that is about to be made.
#[derive(Debug)]
pub struct Call {
    /// A UUID; travels as `X-Request-Id`.
    pub request_id: Box<str>,
    /// The trace that the call belongs to, with our own span; travels as `traceparent`.
    pub trace: TraceContext,
    /// The JSON-RPC method.
    pub method: Box<str>,
    /// Exactly what will be sent as `params`.
    pub params: Raw,
    /// Who asks.
    pub principal: Arc<Principal>,
    /// Through what.
    pub agent: Arc<Agent>,
}

/// How a call ended.
#[derive(Debug)]
pub struct Outcome<'a> {
    /// In one word.
    pub status: OutcomeStatus,
    /// The status of the HTTP response, if one came.
    pub http_status: Option<u16>,
    /// The code of a JSON-RPC error.
    pub rpc_error: Option<i32>,
    /// A tool result's `isError`.
    pub is_error: Option<bool>,
    /// The result or error object as it came.
    pub response: Option<&'a str>,
    /// Why there is none.
    pub reason: Option<Box<str>>,
    /// Bytes sent to the server.
    pub bytes_out: u64,
}

/// The record's `outcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeStatus {
    /// The server did it.
    Success,
    /// The server, or the way to it, failed.
    Error,
    /// The call may or may not have been carried out.
    Unknown,
}

impl OutcomeStatus {
    /// The word in the record.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Unknown => "unknown",
        }
    }
}

/// A record that stands alone.
#[derive(Debug)]
pub enum Event {
    /// A call that was not let through: by policy, rate, missing sign-in ...
    Refusal {
        /// The server, if the call named one that exists.
        server: Option<ServerName>,
        /// What was to be used: a tool, by the server's own name.
        target: Box<str>,
        /// The JSON-RPC method.
        method: Box<str>,
        /// The request's `params`.
        params: Option<Raw>,
        /// Why.
        refusal: RefusalReason,
        /// The digest of the policy document that was asked.
        policy_digest: Option<Box<str>>,
        /// Who asked, if anybody is signed in.
        principal: Option<Arc<Principal>>,
        /// Through what.
        agent: Arc<Agent>,
        /// The identity of the request in our records.
        request_id: Box<str>,
    },
    /// A policy document was read, or could not be.
    PolicyLoaded {
        /// The digest of the file's bytes.
        digest: Box<str>,
        /// The file.
        file: Box<str>,
        /// What is wrong with it.
        error: Option<Box<str>>,
    },
    /// What the user's settings or the environment asked for in vain when the process started: it is the
    /// administrator's to say, or cannot be used.
    SettingsRefused {
        /// Sentences, one on each line.
        why: Box<str>,
    },
    /// The definitions of some of a server's tools.
    Definitions {
        /// The server.
        server: ServerName,
        /// What became of them.
        what: Definitions,
        /// Which, with their digests.
        which: Box<str>,
    },
    /// Nothing has happened; the log goes on.
    Heartbeat,
    /// Records keep their content from now on, or not longer than usual any more.
    Hold {
        /// Whether the hold begins.
        on: bool,
    },
    /// A receiver takes the records around this one, and not this one.
    Quarantined {
        /// The sink.
        sink: Box<str>,
        /// The record's number.
        seq: u64,
        /// What the receiver says.
        why: Box<str>,
    },
    /// A witness will not cosign, because the log contradicts what it has seen.
    Contradicted {
        /// The witness.
        witness: Box<str>,
        /// What it says.
        why: Box<str>,
    },
    /// A host began a session.
    Started {
        /// Which host.
        agent: Arc<Agent>,
    },
    /// The host's session ended.
    Stopped {
        /// Which host.
        agent: Arc<Agent>,
    },
}

/// What became of definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Definitions {
    /// The server gives others than before.
    Changed,
    /// A person accepted them.
    Accepted,
}

impl Definitions {
    /// The kind of the record.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "definitions_changed",
            Self::Accepted => "definitions_accepted",
        }
    }
}

/// Why a call was not let through.
#[derive(Debug)]
pub enum RefusalReason {
    /// The policy's decision.
    Policy(Refusal),
    /// Too often.
    RateLimited {
        /// The policy that says how often.
        policy: Option<Box<str>>,
    },
    /// Nobody is signed in.
    NotSignedIn,
    /// The disk is full, and what is kept of it is for refusals.
    NoRoom {
        /// The policy that would let it through.
        policy: Box<str>,
    },
    /// More records wait to be sent than may, and the call may change something.
    SpoolFull {
        /// The policy that would let it through.
        policy: Box<str>,
        /// How much waits.
        why: Box<str>,
    },
    /// Something else, said in a sentence.
    Other(Box<str>),
}
