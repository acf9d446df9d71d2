//! The end of a wait, with the length that is told when it comes.

use std::time::Duration;

use tokio::time::Instant;

use super::fault::UpstreamError;

/// An instant after which nobody waits any more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    /// As long from now as the limit says.
    pub(super) fn after(limit: Duration) -> Self {
        Self {
            at: Instant::now() + limit,
            limit,
        }
    }

    /// The outcome of some work, or [`UpstreamError::Silent`].
    pub(super) async fn bound<T>(
        self,
        work: impl Future<Output = Result<T, UpstreamError>>,
    ) -> Result<T, UpstreamError> {
        match tokio::time::timeout_at(self.at, work).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(UpstreamError::Silent(self.limit)),
        }
    }
}
