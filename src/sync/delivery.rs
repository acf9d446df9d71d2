//! What a receiver makes of a batch.

use std::time::Duration;

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Delivery {
    /// It is the receiver's now.
    Taken,
    /// It is to be sent again.
    NotNow {
        /// Why.
        why: String,
        /// No sooner than this.
        after: Option<Duration>,
    },
    /// The receiver will not take it, or not all of it, however often it is sent.
    Refused(String),
}

impl Delivery {
    /// To be sent again, at whatever time.
    pub(super) fn later(why: impl Into<String>) -> Self {
        Self::NotNow {
            why: why.into(),
            after: None,
        }
    }
}
