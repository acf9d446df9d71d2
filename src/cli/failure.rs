//! Why a command has no result, and the exit code that says so.

use std::error::Error;

use crate::app::Unusable;
use crate::gateway::Fault;
use crate::wording::chain;

/// The exit codes, as the help lists them.
pub mod exit {
    /// Done.
    pub const DONE: u8 = 0;
    /// Failed.
    pub const FAILED: u8 = 1;
    /// Wrong use, or an unusable configuration.
    pub const USAGE: u8 = 2;
    /// Refused by policy.
    pub const REFUSED: u8 = 3;
    /// Nobody is signed in.
    pub const NOT_SIGNED_IN: u8 = 4;
    /// A server or the provider cannot be reached.
    pub const UNREACHABLE: u8 = 5;
}

/// What standard error and the exit code say.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// What happened, why, and the next step.
    pub text: String,
}

impl Failure {
    /// With this code and text.
    pub fn new(code: u8, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }

    /// The command could not do its work.
    pub fn failed(error: &dyn Error) -> Self {
        Self::new(exit::FAILED, chain(error))
    }

    /// The command was called wrongly.
    pub fn usage(error: &dyn Error) -> Self {
        Self::new(exit::USAGE, chain(error))
    }
}

impl From<&Unusable> for Failure {
    fn from(why: &Unusable) -> Self {
        Self::usage(why)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let code = match &fault {
            Fault::Refused(refused) => {
                // The person at the terminal hears the reason whether it was listed or not.
                return Self::new(exit::REFUSED, refused.refusal.message.clone());
            }
            Fault::RateLimited { .. } | Fault::SpoolFull(_) => exit::REFUSED,
            Fault::NotSignedIn(_) => exit::NOT_SIGNED_IN,
            Fault::Unavailable(_) => exit::UNREACHABLE,
            Fault::BadParams(_) => exit::USAGE,
            Fault::Unknown(..)
            | Fault::UnknownMethod
            | Fault::Incapable(_)
            | Fault::Unrecorded(_)
            | Fault::Withheld(_)
            | Fault::Upstream(_) => exit::FAILED,
        };
        Self::new(code, fault.sentence())
    }
}
