//! The database of the log: one connection, one transaction for whatever waits.
//!
//! A transaction begins immediately, so that all processes of the account take turns; it catches up
//! with what the others appended, applies the rules that only hold inside it (the session is the
//! current one, the rate is not used up), appends, and commits. A refused intent writes nothing and
//! costs the others in the same transaction nothing. Records of calls are appended to the
//! [`tail`](super::tail) instead where that comes to the same, and carried over by the next
//! transaction.
//!
//! Nothing here waits for a person, a network or a keychain. It is called by the writer, and in
//! durability `process` also from the caller's own thread, because a commit that does not wait for
//! the disk takes less time than waking another thread.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

use super::entry::{Device, Draft};
use super::error::StoreError;
use super::file::FileId;
use super::key::Keys;
use super::tail::Tail;
use super::tree::{Frontier, Head};
use crate::clock::{Clock, Timestamp, Uptime};
use crate::config::Durability;
use crate::policy::RateLimit;
use crate::principal::{Generation, Identity};

mod admission;
mod carry;
mod cosigned;
mod custodian;
mod failure;
mod head;
mod opening;
mod prune;
mod quick;
mod rotate;
mod sweep;
mod transaction;
mod upgrade;

pub use carry::settle;
pub use cosigned::Cosigned;
pub use custodian::Custodian;
pub use opening::{OPEN_FLAGS, Opening};
pub use prune::{Prune, Pruned};

/// How long a transaction waits for the others' before it is refused.
pub const BUSY: Duration = Duration::from_secs(5);
/// Records after which a head is signed.
const SIGN_EVERY: u64 = 256;
/// Fewer records than these wait in the tail. The call that would be the last of them carries them over
/// and takes milliseconds; it should be a rare one.
const WAITING: u64 = 1024;

/// The open log.
pub struct Store {
    conn: Connection,
    /// What is not yet in the file.
    tail: Tail,
    /// The file as it was opened.
    path: PathBuf,
    file: FileId,
    log_id: Box<str>,
    origin: Box<str>,
    keys: Arc<Keys>,
    durability: Durability,
    clock: Arc<dyn Clock>,
    device: Device,
    process: Box<str>,
    /// The tree as of the last transaction of this process.
    frontier: Frontier,
    /// How many records the newest signed head in the database covers, as far as this process knows.
    signed: u64,
    /// The same of the newest head in the tail, if this process signed it.
    signed_ahead: u64,
    /// How many records the database had after the last transaction of this process.
    stored: u64,
    /// The open session as of the last transaction of this process.
    session: Option<Generation>,
    /// Both clocks in the last transaction, to notice when the calendar is set.
    clocks: Option<(Timestamp, Uptime)>,
    patience: Duration,
    /// Transactions that nobody has counted yet, by what they wrote.
    transactions: usize,
    /// Whether no call may begin, because what room there is has another use.
    short: bool,
}

/// Something to be done in a transaction.
#[derive(Debug)]
pub enum Work {
    /// A call that is about to be made, if session and rate allow it.
    Intent {
        /// The record.
        draft: Draft,
        /// The session that the call belongs to.
        session: Generation,
        /// How often the policy allows it.
        rate: Option<Rate>,
    },
    /// How the call whose intent has the number `closes` ended.
    Outcome {
        /// The record.
        draft: Draft,
        /// The intent's number.
        closes: u64,
    },
    /// A record that stands alone.
    Record(Draft),
    /// A person signed in.
    BeginSession(Identity),
    /// The session ends, if it is the current one.
    EndSession(Identity, Generation),
    /// The head is signed if it is not.
    Sign,
    /// As [`Work::Sign`], and the head is noted as one that goes into the keychain.
    Mark,
    /// Old records lose their content.
    Prune(Prune),
    /// A witness cosigned a head.
    Cosigned(Cosigned),
    /// So many pages that hold nothing leave the file.
    Reclaim(u32),
}

/// Whose intents are counted, and up to how many.
#[derive(Debug, Clone)]
pub struct Rate {
    /// Issuer and subject.
    pub person: Box<str>,
    /// The policy's name.
    pub policy: Box<str>,
    /// How many.
    pub limit: RateLimit,
}

/// What came of it.
#[derive(Debug)]
pub enum Done {
    /// The intent is on record under this number.
    Intent(u64),
    /// The policy's rate is used up for so long.
    RateLimited(Duration),
    /// The call's session is not the current one.
    SessionEnded,
    /// There is no room for calls.
    NoRoom,
    /// The record is written.
    Recorded,
    /// The new session.
    Session(Generation),
    /// Whether there was such a session to end.
    Ended(bool),
    /// The newest signed head.
    Signed(Head),
    /// What was pruned.
    Pruned(Pruned),
    /// How many pages still hold nothing.
    Reclaimed(u64),
}

impl Done {
    /// The head that was signed.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        match self {
            Self::Signed(head) => Some(*head),
            Self::Intent(_)
            | Self::RateLimited(_)
            | Self::SessionEnded
            | Self::NoRoom
            | Self::Recorded
            | Self::Session(_)
            | Self::Ended(_)
            | Self::Pruned(_)
            | Self::Reclaimed(_) => None,
        }
    }
}

/// How a transaction waits for its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Not even for a transaction of its own.
    Quick,
    /// Not at all.
    None,
    /// As long as [`BUSY`].
    Full,
}

impl Store {
    /// Does everything in one transaction, in order.
    ///
    /// # Errors
    /// When the transaction failed; then nothing of it was done.
    pub fn commit(&mut self, works: &[Work], patience: Patience) -> Result<Vec<Done>, StoreError> {
        self.wait_for_turn(patience)?;
        if let Some(done) = self.commit_quickly(works) {
            return Ok(done);
        }
        if patience == Patience::Quick {
            return Err(StoreError::Locked { seconds: 0 });
        }
        self.in_transaction(|transaction| {
            works.iter().map(|work| transaction.perform(work)).collect()
        })
    }

    /// How many transactions there were since this was last asked, by what they wrote.
    pub fn take_transactions(&mut self) -> usize {
        std::mem::take(&mut self.transactions)
    }

    /// Admits no calls, or admits them again.
    pub fn set_short(&mut self, short: bool) {
        self.short = short;
    }

    /// Which log this is.
    #[must_use]
    pub fn log_id(&self) -> &str {
        &self.log_id
    }

    /// The keys in use.
    #[must_use]
    pub fn keys(&self) -> &Arc<Keys> {
        &self.keys
    }

    /// Records that this process knows of.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.frontier.size()
    }

    /// Whether records were appended since a head was stored in the database.
    #[must_use]
    pub fn is_unsigned(&self) -> bool {
        self.frontier.size() > self.signed
    }

    /// Whether the file is still the one that was opened.
    ///
    /// # Errors
    /// When it was removed or replaced: what is written now would be lost.
    pub fn check_place(&self) -> Result<(), StoreError> {
        let now = std::fs::symlink_metadata(&self.path).map(|meta| FileId::of(&meta));
        match now {
            Ok(now) if now == self.file => Ok(()),
            Ok(_) | Err(_) => Err(StoreError::Gone {
                path: self.path.clone(),
            }),
        }
    }

    /// Whether the tail is still the one that was opened. What was in it has been carried over if the
    /// head is signed.
    ///
    /// # Errors
    /// When it was removed or replaced.
    pub fn check_tail(&self) -> Result<(), StoreError> {
        if self.tail.is_in_place() {
            return Ok(());
        }
        Err(StoreError::Gone {
            path: self.tail.path().into(),
        })
    }

    /// The session in the log: whose it is, and whether it is still open.
    ///
    /// # Errors
    /// What the database says.
    pub fn session(&mut self) -> Result<Option<(Identity, Generation)>, StoreError> {
        self.wait_for_turn(Patience::Full)?;
        self.in_transaction(|transaction| transaction.session())
    }

    fn wait_for_turn(&mut self, patience: Patience) -> Result<(), StoreError> {
        let wanted = match patience {
            Patience::Quick | Patience::None => Duration::ZERO,
            Patience::Full => BUSY,
        };
        if wanted != self.patience {
            let set = self.conn.busy_timeout(wanted);
            set.map_err(|error| StoreError::from_sqlite(&self.path, error))?;
            self.patience = wanted;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("log_id", &self.log_id)
            .field("records", &self.frontier.size())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
