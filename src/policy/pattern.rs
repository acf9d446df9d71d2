//! The two patterns, `*` and `prefix*`, and lists of them.
//!
//! Comparison is byte for byte: no folding of case, no Unicode equivalence, no escapes. A list is
//! kept twice, as written for those who explain it and sorted for those who ask it often.

use std::fmt;

use super::problem::{Spanned, shown};
use crate::principal::Roles;

/// One entry of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pattern {
    /// `*`
    Any,
    /// `prefix*`: what begins so, and the prefix itself.
    Prefix(Box<str>),
    /// Exactly this.
    Exact(Box<str>),
}

impl Pattern {
    /// Reads an entry; the error is for a person.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('*') {
            None => Ok(Self::Exact(text.into())),
            Some(("", "")) => Ok(Self::Any),
            Some((prefix, "")) => Ok(Self::Prefix(prefix.into())),
            Some(_) => {
                let text = shown(text);
                Err(format!(
                    "the pattern {text} is not understood: '*' stands alone or at the end"
                ))
            }
        }
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Prefix(prefix) => text.starts_with(&**prefix),
            Self::Exact(exact) => **exact == *text,
        }
    }

    /// Whether whatever the other matches is matched by this one.
    pub(super) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Prefix(prefix), Self::Prefix(text) | Self::Exact(text)) => {
                text.starts_with(&**prefix)
            }
            (Self::Exact(one), Self::Exact(two)) => one == two,
            (Self::Prefix(_), Self::Any) | (Self::Exact(_), Self::Any | Self::Prefix(_)) => false,
        }
    }

    /// Whether something could match both.
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.covers(other) || other.covers(self)
    }

    /// The text without the star.
    pub(super) fn stem(&self) -> &str {
        match self {
            Self::Any => "",
            Self::Prefix(text) | Self::Exact(text) => text,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
            Self::Exact(exact) => f.write_str(exact),
        }
    }
}

/// A list that is asked often.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    any: bool,
    /// In order, for a binary search.
    exact: Box<[Box<str>]>,
    prefixes: Box<[Box<str>]>,
}

impl Patterns {
    pub(super) fn new(entries: &[Spanned<Pattern>]) -> Self {
        let (mut any, mut exact, mut prefixes) = (false, Vec::new(), Vec::new());
        for entry in entries {
            match &entry.value {
                Pattern::Any => any = true,
                Pattern::Exact(text) => exact.push(text.clone()),
                Pattern::Prefix(text) => prefixes.push(text.clone()),
            }
        }
        exact.sort_unstable();
        Self {
            any,
            exact: exact.into(),
            prefixes: prefixes.into(),
        }
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        self.any
            || self
                .exact
                .binary_search_by(|known| (**known).cmp(text))
                .is_ok()
            || self.has_prefix_of(text)
    }

    /// Whether one of the words matches; `*` asks for none.
    pub(super) fn matches_one(&self, words: &Roles) -> bool {
        self.any
            || self.exact.iter().any(|exact| words.has(exact))
            || (!self.prefixes.is_empty() && words.iter().any(|word| self.has_prefix_of(word)))
    }

    fn has_prefix_of(&self, word: &str) -> bool {
        self.prefixes
            .iter()
            .any(|prefix| word.starts_with(&**prefix))
    }
}
