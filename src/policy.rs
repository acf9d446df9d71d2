//! May they: the policy document, and the one decision that lists and calls share. Pure.
//!
//! A document is an ordered list of policies. The first one whose `servers` and `roles` match is
//! final, whatever it says; where none matches, and where there is no readable document, everything
//! is refused. The rules within a policy are those of [`decide`].
//!
//! The module does no I/O, keeps no clock and counts nothing: how often is for `limits` and the
//! record, who agreed is for approvals. Arguments of calls play no part.

mod clause;
mod decision;
mod document;
mod explain;
mod lint;
mod pattern;
mod problem;
mod reader;
mod words;
mod yaml;

use std::fmt::Write as _;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::config::ScopeNames;

use self::clause::Clause;
use self::document::Document;

pub use self::decision::{Decision, Permit, RateLimit, Refusal, Rule, Standing, Target, decide};
pub use self::explain::{Consulted, Explanation, Found, Outcome};
pub use self::problem::Problem;

/// A policy document, ready to decide.
#[derive(Debug)]
pub struct Policy {
    body: Body,
    scopes: ScopeNames,
    digest: Arc<str>,
}

#[derive(Debug)]
enum Body {
    /// The policies in order, and the text they were made from for those who explain it.
    Read {
        clauses: Vec<Clause>,
        document: Document,
    },
    /// Why there is none.
    Unreadable(Box<str>),
}

/// Everything that is wrong with a document.
#[derive(Debug, thiserror::Error)]
#[error("the policy document does not load")]
pub struct PolicyError {
    /// Each problem with its place, in the order of the document; never empty.
    pub problems: Vec<Problem>,
}

impl Policy {
    /// Reads a document.
    ///
    /// # Errors
    /// Every problem at once.
    pub fn parse(text: &str, scopes: ScopeNames) -> Result<Self, PolicyError> {
        let document = Document::parse(text).map_err(|problems| PolicyError { problems })?;
        let clauses = document.policies.iter();
        let clauses = clauses.map(|entry| Clause::new(entry, &scopes)).collect();
        Ok(Self {
            body: Body::Read { clauses, document },
            scopes,
            digest: digest_of(text.as_bytes()).into(),
        })
    }

    /// A policy that refuses everything, because there is none that could be read.
    ///
    /// The reason is a phrase without a full stop; it becomes part of every refusal.
    #[must_use]
    pub fn refusing(reason: &str, scopes: ScopeNames) -> Self {
        Self {
            body: Body::Unreadable(reason.into()),
            scopes,
            digest: "none".into(),
        }
    }

    /// `sha256:` and the hexadecimal digest of the document's bytes; `none` where there is no
    /// readable document.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Why everything is refused, where there is no readable document.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        match &self.body {
            Body::Read { .. } => None,
            Body::Unreadable(reason) => Some(reason),
        }
    }

    /// What loads and is probably not meant, with its places; nothing that changes a decision.
    #[must_use]
    pub fn warnings(&self) -> Vec<Problem> {
        match &self.body {
            Body::Read { document, .. } => lint::warnings(document),
            Body::Unreadable(_) => Vec::new(),
        }
    }
}

/// `sha256:` and the hexadecimal digest of a document's bytes, also of one that does not load.
#[must_use]
pub fn digest_of(document: &[u8]) -> Box<str> {
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(document) {
        // Writing to a string does not fail.
        let _written = write!(text, "{byte:02x}");
    }
    text.into()
}

#[cfg(test)]
mod tests;
