//! The end of a wait, with the length that is told when it comes.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;

use super::fault::UpstreamError;
use super::question::Questions;
use crate::login::NoGrant;

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

    /// A token, for which the server is not blamed if the provider does not give one in time.
    pub(super) async fn bound_token<T>(
        self,
        work: impl Future<Output = Result<T, UpstreamError>>,
    ) -> Result<T, UpstreamError> {
        match tokio::time::timeout_at(self.at, work).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => {
                let why = format!("no answer within {:?}", self.limit);
                Err(NoGrant::Unreachable(why.into()).into())
            }
        }
    }

    /// The same as [`Self::bound`], but for the time in which somebody is being asked on the server's behalf: it begins
    /// anew when they have answered. Takes work where it lies: a future that is moved into another takes
    /// its room twice.
    pub(super) async fn bound_but_for<T>(
        self,
        questions: &Questions,
        mut work: Pin<&mut impl Future<Output = Result<T, UpstreamError>>>,
    ) -> Result<T, UpstreamError> {
        let mut at = self.at;
        loop {
            if let Ok(outcome) = tokio::time::timeout_at(at, work.as_mut()).await {
                return outcome;
            }
            if !questions.any() {
                return Err(UpstreamError::Silent(self.limit));
            }
            tokio::select! {
                outcome = work.as_mut() => return outcome,
                () = questions.none() => at = Instant::now() + self.limit,
            }
        }
    }
}
