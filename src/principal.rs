//! Who is asking: the person and what the identity provider said of him.
//!
//! Values of these types come from verified claims only (`login` makes them) or, for lists alone,
//! from the snapshot of an earlier verified sign-in.

use std::collections::BTreeSet;

/// The person, by the keys that never change, with an address for display.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The provider's issuer URL.
    pub issuer: Box<str>,
    /// The `sub` claim; with the issuer the only key of a person.
    pub subject: Box<str>,
    /// The `email` claim, for display and for `user_id` in the record.
    pub email: Option<Box<str>>,
}

impl Identity {
    /// What people read: the e-mail address, else the subject.
    #[must_use]
    pub fn display(&self) -> &str {
        self.email.as_deref().unwrap_or(&self.subject)
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
        pub struct $name(BTreeSet<Box<str>>);

        impl $name {
            /// Whether the word is there, byte for byte.
            #[must_use]
            pub fn has(&self, word: &str) -> bool {
                self.0.contains(word)
            }

            /// The words in order.
            pub fn iter(&self) -> impl Iterator<Item = &str> {
                self.0.iter().map(AsRef::as_ref)
            }
        }

        impl<T: Into<Box<str>>> FromIterator<T> for $name {
            fn from_iter<I: IntoIterator<Item = T>>(words: I) -> Self {
                Self(words.into_iter().map(Into::into).collect())
            }
        }
    };
}

words! {
    /// The roles of a person, from the claim that the configuration names.
    Roles
}
words! {
    /// The scopes of one access token.
    Scopes
}

/// Counts the sessions of this account on this device; a call of an older one is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u64);

/// A signed-in person as one server's access token shows him.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Who he is.
    pub identity: Identity,
    /// His roles, from the newest verified token.
    pub roles: Roles,
    /// What this audience's token allows.
    pub scopes: Scopes,
    /// The session that this belongs to.
    pub generation: Generation,
}
