//! Why a command has no result: the code that names it, and what the exit code says of it.

use std::error::Error;

use crate::app::Unusable;
use crate::codes::Code;
use crate::config::ConfigError;
use crate::format::Newer;
use crate::gateway::Fault;
use crate::wording::chain;

pub use crate::codes::exit;

/// What standard error and the exit code say. There is none without a code.
#[derive(Debug)]
pub struct Failure {
    code: Code,
    text: String,
}

impl Failure {
    /// With what happened, why, and the next step.
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }

    /// With an error and its causes. What a newer version has written fails for that reason, whatever
    /// was to be done with it.
    pub fn of(code: Code, error: &(dyn Error + 'static)) -> Self {
        let code = if Newer::is_behind(error) {
            Code::VersionNewer
        } else {
            code
        };
        Self::new(code, chain(error))
    }

    /// One that nobody is told of: whoever read the result went away.
    pub fn silent() -> Self {
        Self::new(Code::Output, "")
    }

    /// The same with more to say.
    pub fn adding(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }

    /// The same, said of one thing among several.
    pub fn about(self, what: &str) -> Self {
        Self::new(self.code, format!("{what}: {}", self.text))
    }

    /// The code that names it.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The exit code.
    pub fn exit(&self) -> u8 {
        self.code.exit()
    }

    /// What happened, why, and the next step.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl From<&Unusable> for Failure {
    fn from(why: &Unusable) -> Self {
        match why {
            Unusable::Config(error) => error.into(),
            Unusable::Network(_) => Self::of(Code::NetworkSettings, why),
        }
    }
}

impl From<&ConfigError> for Failure {
    fn from(error: &ConfigError) -> Self {
        Self::of(error.code(), error)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let code = fault.code();
        match &fault {
            // The person at the terminal hears the reason whether it was listed or not.
            Fault::Refused(refused) => {
                Self::new(Code::PolicyDenied, refused.refusal.message.clone())
            }
            Fault::Unknown(..)
            | Fault::BadParams(_)
            | Fault::UnknownMethod
            | Fault::Incapable(_)
            | Fault::RateLimited { .. }
            | Fault::NotSignedIn(_)
            | Fault::Unavailable(_)
            | Fault::SpoolFull(_)
            | Fault::Unrecorded(_)
            | Fault::Superseded(_)
            | Fault::Withheld(_)
            | Fault::Upstream(_) => Self::new(code, fault.sentence()),
        }
    }
}
