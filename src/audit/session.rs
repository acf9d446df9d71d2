//! Sessions of persons, which begin and end in the log: who is signed in is one row, changed in the
//! transaction that records it.

use std::sync::Arc;

use super::queue::Ask;
use super::store::{Done, Work};
use super::{Audit, StoreError};
use crate::principal::{Generation, Identity};

impl Audit {
    /// Opens a session in one transaction with its `login` record; every older generation is
    /// refused from then on.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn begin_session(&self, who: &Identity) -> Result<Generation, Arc<StoreError>> {
        let work = Work::BeginSession(who.clone());
        let answer = self.writer().submit(work, None).await?;
        if let Done::Session(generation) = answer.done {
            Ok(generation)
        } else {
            Err(Arc::new(StoreError::Closed))
        }
    }

    /// Ends the session if `of` is still the current one, with a `logout` record; whether it was.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn end_session(
        &self,
        who: &Identity,
        of: Generation,
    ) -> Result<bool, Arc<StoreError>> {
        let work = Work::EndSession(who.clone(), of);
        let answer = self.writer().submit(work, None).await?;
        Ok(matches!(answer.done, Done::Ended(true)))
    }

    /// Whose session is open, if one is.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn current_session(&self) -> Result<Option<(Identity, Generation)>, Arc<StoreError>> {
        self.asked(Ask::Session).await
    }
}
