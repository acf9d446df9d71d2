//! What a signed-in person may show to one server.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroize;

use super::keychain::KeychainError;
use crate::clock::Timestamp;
use crate::principal::Principal;

/// A token is not used in the last part of its life: it could expire on the way.
const LONGEST_MARGIN: Duration = Duration::from_secs(10);

/// Whom a token is for, and what it must allow.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Audience {
    /// The `audience` of the server's configuration.
    pub id: Box<str>,
    /// The scopes to ask for.
    pub scopes: Vec<Box<str>>,
}

/// An access token, wiped when it is dropped. Debug hides it; there is no Display and no Serialize.
pub struct AccessToken(pub(in crate::login) Box<str>);

impl AccessToken {
    /// The secret itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(..)")
    }
}

impl Drop for AccessToken {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A verified person with a token for one audience.
#[derive(Debug)]
pub struct Grant {
    /// The person, with the scopes of this token.
    pub principal: Arc<Principal>,
    token: Arc<AccessToken>,
    life: Life,
}

impl Grant {
    pub(super) fn new(principal: Arc<Principal>, token: Arc<AccessToken>, life: Life) -> Self {
        Self {
            principal,
            token,
            life,
        }
    }

    /// The token, to be put into the `Authorization` header of its own audience and nowhere else.
    #[must_use]
    pub fn token(&self) -> &AccessToken {
        &self.token
    }

    pub(super) fn life(&self) -> Life {
        self.life
    }

    pub(super) fn secret(&self) -> Arc<AccessToken> {
        Arc::clone(&self.token)
    }

    pub(super) fn shows(&self, token: &AccessToken) -> bool {
        self.token.expose() == token.expose()
    }
}

/// From when to when something is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) begin: Timestamp,
    pub(super) end: Timestamp,
}

impl Life {
    /// Whether it can be used, and for long enough that nobody needs to think of the next one: the
    /// first four fifths.
    pub(super) fn is_fresh(self, now: Timestamp) -> bool {
        now < self.begin.after(self.span() / 5 * 4)
    }

    /// Whether it can be used.
    pub(super) fn is_usable(self, now: Timestamp) -> bool {
        now.after(LONGEST_MARGIN.min(self.span() / 20)) < self.end
    }

    fn span(self) -> Duration {
        self.end.since(self.begin)
    }
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum NoGrant {
    /// There is no session; a sign-in makes one.
    #[error("nobody is signed in")]
    NotSignedIn,
    /// There was one, until the provider refused it just now.
    #[error("the session has ended")]
    Ended,
    /// Worth trying again later; the session is kept.
    #[error("the identity provider cannot be reached")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    /// The keychain holds the session and does not give it out now. [`KeychainError::next_step`]
    /// says what helps.
    #[error("the session is in the keychain, which cannot be used now")]
    Keychain(#[source] Arc<KeychainError>),
    /// The provider refuses a token for this audience, or the token cannot be accepted (roles
    /// missing ...). A sentence for the person.
    #[error("{0}")]
    Refused(Box<str>),
}

impl NoGrant {
    /// Whether a sign-in would help.
    #[must_use]
    pub fn needs_sign_in(&self) -> bool {
        match self {
            Self::NotSignedIn | Self::Ended => true,
            Self::Unreachable(_) | Self::Keychain(_) | Self::Refused(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_fresh_then_usable_then_over() {
        let begin = Timestamp::from_millis(1_000_000);
        let life = |seconds| Life {
            begin,
            end: begin.after(Duration::from_secs(seconds)),
        };
        for (span, at, fresh, usable) in [
            (300, 0, true, true),
            (300, 239, true, true),
            (300, 240, false, true),
            (300, 289, false, true),
            (300, 290, false, false),
            (30, 23, true, true),
            (30, 24, false, true),
            (30, 28, false, true),
            (30, 29, false, false),
            (0, 0, false, false),
        ] {
            let now = begin.after(Duration::from_secs(at));
            assert_eq!(life(span).is_fresh(now), fresh, "{span} {at}");
            assert_eq!(life(span).is_usable(now), usable, "{span} {at}");
        }
    }

    #[test]
    fn a_calendar_before_the_beginning_does_not_end_a_life() {
        let begin = Timestamp::from_millis(1_000_000);
        let end = begin.after(Duration::from_secs(300));
        assert!(Life { begin, end }.is_fresh(Timestamp::from_millis(0)));
    }

    #[test]
    fn tokens_hide_themselves() {
        assert_eq!(
            format!("{:?}", AccessToken("secret".into())),
            "AccessToken(..)"
        );
    }
}
