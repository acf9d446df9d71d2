//! Tasks and their end: every task is started here, is told to stop, and is waited for.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};
use tokio_util::task::TaskTracker;

/// The tasks of a part of the program; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// An empty group.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A group that stops with this one and is waited for with it.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            tracker: self.tracker.clone(),
            stop: self.stop.child_token(),
        }
    }

    /// Starts a task that ends by itself or by heeding [`Tasks::stopping`].
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(task);
    }

    /// Starts a task that is dropped, wherever it waits, when the group stops.
    pub fn spawn_until_stop(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            tokio::select! {
                () = task => {}
                () = stop.cancelled() => {}
            }
        });
    }

    /// Runs blocking work on the pool for it, and waits for the answer.
    ///
    /// # Panics
    /// When the work panicked.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        match self.tracker.spawn_blocking(work).await {
            Ok(answer) => answer,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Resolves when the group is told to stop.
    pub fn stopping(&self) -> WaitForCancellationFuture<'_> {
        self.stop.cancelled()
    }

    /// Whether the group has been told to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Tells the tasks to stop, without waiting.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Tells the tasks to stop and waits for them, `grace` at most; whether all had ended.
    pub async fn finish(&self, grace: Duration) -> bool {
        self.stop();
        self.tracker.close();
        tokio::time::timeout(grace, self.tracker.wait())
            .await
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn finishing_tells_every_task_and_waits_for_it() {
        let tasks = Tasks::new();
        let child = tasks.child();
        let told = child.clone();
        child.spawn(async move { told.stopping().await });
        tasks.spawn_until_stop(std::future::pending());
        assert!(tasks.finish(Duration::from_secs(1)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_does_not_stop_costs_the_grace_only() {
        let tasks = Tasks::new();
        tasks.spawn(std::future::pending());
        assert!(!tasks.finish(Duration::from_secs(1)).await);
    }
}
