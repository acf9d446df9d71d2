//! Why a refresh brought nothing, shared by everybody who waited for it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::login::grant::NoGrant;
use crate::login::keychain::KeychainError;
use crate::login::provider::ProviderError;

/// Why there is no token; the same as [`NoGrant`], for many.
#[derive(Debug)]
pub(in crate::login) enum Failure {
    NotSignedIn,
    Ended,
    Unreachable(Arc<dyn Error + Send + Sync>),
    Keychain(Arc<KeychainError>),
    Refused(Box<str>),
}

/// This process ends before the answer came.
#[derive(Debug, thiserror::Error)]
#[error("chaperone is stopping")]
struct Stopping;

impl Failure {
    pub(super) fn unreachable(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Unreachable(Arc::new(error))
    }

    pub(super) fn stopping() -> Self {
        Self::unreachable(Stopping)
    }

    /// Asked for, it would be refused, and with it the session: it was not part of the sign-in.
    pub(super) fn not_covered(audience: &str) -> Self {
        let sentence = format!(
            "the sign-in was not for {audience}, which was configured later; run `chaperone login` \
             once more"
        );
        Self::Refused(sentence.into())
    }

    pub(super) fn keychain(error: KeychainError) -> Arc<Self> {
        Arc::new(Self::Keychain(Arc::new(error)))
    }

    /// Sorts what the provider says of one audience.
    pub(super) fn of_provider(error: ProviderError) -> Self {
        if let ProviderError::Unreachable(source) = error {
            return Self::Unreachable(Arc::from(source));
        }
        Self::Refused(error.reason().to_string().into())
    }

    /// How long it is repeated without asking again: a provider that refuses or fails is not asked
    /// with every call of a busy host. A missing session is looked for each time.
    pub(super) fn counts_for(&self) -> Duration {
        match self {
            Self::NotSignedIn | Self::Ended => Duration::ZERO,
            Self::Unreachable(_) => Duration::from_secs(2),
            Self::Keychain(_) => Duration::from_secs(5),
            Self::Refused(_) => Duration::from_secs(30),
        }
    }

    /// Whether asking for another audience would have ended the same way.
    pub(super) fn is_of_every_audience(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Keychain(_) => true,
            Self::NotSignedIn | Self::Ended | Self::Refused(_) => false,
        }
    }

    pub(super) fn no_grant(&self) -> NoGrant {
        match self {
            Self::NotSignedIn => NoGrant::NotSignedIn,
            Self::Ended => NoGrant::Ended,
            Self::Unreachable(source) => NoGrant::Unreachable(Box::new(Cause(source.clone()))),
            Self::Keychain(error) => NoGrant::Keychain(Arc::clone(error)),
            Self::Refused(sentence) => NoGrant::Refused(sentence.clone()),
        }
    }
}

/// A cause with several owners.
#[derive(Debug)]
struct Cause(Arc<dyn Error + Send + Sync>);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
