//! One server's fetches: at most one at a time, and one more for whoever asks meanwhile.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

use crate::bounds::FRESH;
use crate::upstream::Listing;

/// One server's fetches.
#[derive(Debug)]
pub(super) struct Lane {
    stage: watch::Sender<Stage>,
    /// Somebody fetches, or pauses before the next time.
    busy: AtomicBool,
    /// What somebody has asked for since the last fetch began.
    again: AtomicU8,
    /// When the last fetch ended.
    ended: Mutex<Option<Instant>>,
}

/// Which lists are to be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted(u8);

impl Wanted {
    pub(super) const ALL: Self = Self(0b1111);

    pub(super) fn one(listing: Listing) -> Self {
        Self(match listing {
            Listing::Tools => 1,
            Listing::Prompts => 2,
            Listing::Resources => 4,
            Listing::Templates => 8,
        })
    }

    pub(super) fn has(self, listing: Listing) -> bool {
        self.0 & Self::one(listing).0 != 0
    }
}

/// How far a lane is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nobody has asked yet.
    Idle,
    /// A fetch is under way.
    Running,
    /// The lists are the server's own of this run.
    Known,
    /// The last fetch failed, for this reason; whether for want of a sign-in.
    Failed(Arc<str>, bool),
}

impl Lane {
    pub(super) fn new() -> Self {
        Self {
            stage: watch::Sender::new(Stage::Idle),
            busy: AtomicBool::new(false),
            again: AtomicU8::new(0),
            ended: Mutex::default(),
        }
    }

    pub(super) fn stage(&self) -> Stage {
        self.stage.borrow().clone()
    }

    /// A fetch has ended so.
    pub(super) fn reach(&self, stage: Stage) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.stage.send_replace(stage);
    }

    /// Whether no fetch is under way and the last one ended a while ago.
    pub(super) fn is_stale(&self) -> bool {
        let ended = *self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        *self.stage.borrow() != Stage::Running
            && ended.is_some_and(|ended| ended.elapsed() >= FRESH)
    }

    /// Resolves when no fetch is under way.
    pub(super) async fn settled(&self) {
        let mut stage = self.stage.subscribe();
        // The sender lives as long as the gateway.
        let _settled = stage.wait_for(|stage| *stage != Stage::Running).await;
    }

    /// Whether the caller is to fetch; otherwise whoever is at it does so once more.
    pub(super) fn enter(&self, wanted: Wanted) -> bool {
        self.stage.send_replace(Stage::Running);
        self.again.fetch_or(wanted.0, Ordering::SeqCst);
        !self.busy.swap(true, Ordering::SeqCst)
    }

    /// What the fetch that begins now is for.
    pub(super) fn wanted(&self) -> Wanted {
        Wanted(self.again.swap(0, Ordering::SeqCst))
    }

    /// Whether there is nothing more to do; somebody may have asked while that was found out.
    pub(super) fn leave(&self) -> bool {
        let asked = || self.again.load(Ordering::SeqCst) != 0;
        if asked() {
            return false;
        }
        self.busy.store(false, Ordering::SeqCst);
        !asked() || self.busy.swap(true, Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn lists_are_stale_when_their_fetch_ended_a_while_ago() {
        let lane = Lane::new();
        tokio::time::advance(FRESH).await;
        assert!(!lane.is_stale(), "nobody has fetched");
        for end in [Stage::Known, Stage::Failed("no".into(), false)] {
            assert!(lane.enter(Wanted::ALL));
            tokio::time::advance(FRESH).await;
            assert!(!lane.is_stale(), "a fetch is under way");
            lane.wanted();
            lane.reach(end);
            assert!(lane.leave());
            assert!(!lane.is_stale());
            tokio::time::advance(FRESH).await;
            assert!(lane.is_stale());
        }
    }
}
