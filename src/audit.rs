//! Write it down: one log for the account on this device, shared by all processes.
//!
//! Every call is two records. The intent is committed before anything leaves; the proof of that is
//! an [`Admitted`], without which `upstream` sends nothing. The outcome is committed before the
//! host gets its answer. Refusals, sign-ins, policy loads and the log's own affairs are records too.
//!
//! The way of a record: the caller words it ([`scribe`], redacted by [`redact`]), the [`writer`]
//! gathers what waits, [`slot`] holds the log open or remembers why it is not, [`store`] commits,
//! [`chore`] does afterwards what waits for the disk or the keychain. Nothing is touched before the
//! first use: opening the log costs no host its start.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::clock::{Clock, Uptime};
use crate::config::Durability;
use crate::login::keychain::SecretStore;
use crate::paths::Paths;
use crate::policy::Permit;
use crate::principal::Identity;

pub mod bundle;
pub mod checkpoint;
mod chore;
mod entry;
mod error;
mod event;
pub mod export;
mod file;
pub mod glance;
pub mod key;
pub mod mark;
mod process;
pub mod query;
mod queue;
pub mod reader;
pub mod redact;
mod rekey;
mod reserve;
mod rotation;
pub mod schema;
mod scribe;
mod session;
mod slot;
pub mod spool;
pub mod stats;
mod store;
mod tail;
pub mod tree;
pub mod verify;
pub mod witness;
mod writer;

pub use error::{Damage, StoreError, way_back};
pub use event::{Agent, Call, Definitions, Event, Outcome, OutcomeStatus, RefusalReason};

pub use entry::Device;
pub use store::{Cosigned, Prune, Pruned};

use queue::{Answer, Ask, Job};
use scribe::{Scribe, Subject};
use store::{Done, Rate, Work};
use writer::Writer;

/// What an outcome says when nobody is left who could know.
const GIVEN_UP: &str = "the call was given up before its answer was recorded";

/// Has the newest records of this account's log in its database, for somebody who is about to read that.
/// Where that is not possible, it is read as far as it goes.
pub fn settle(paths: &Paths) {
    if let Err(error) = store::settle(&paths.audit_db()) {
        let error: &dyn std::error::Error = &error;
        tracing::debug!(error, "the newest records wait beside the audit log");
    }
}

/// What the log needs to know once.
pub struct AuditSettings {
    /// Where log, key file and locks lie.
    pub paths: Paths,
    /// What a commit survives.
    pub durability: Durability,
    /// Keys whose values are redacted, beside the built-in ones.
    pub redact_keys: Vec<Box<str>>,
    /// Where the log's keys and its mark are kept.
    pub secrets: Arc<dyn SecretStore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// What records say of this device and of who started this process.
    pub device: Device,
}

/// The log of this account; clones share one writer.
#[derive(Debug, Clone)]
pub struct Audit(Arc<Handle>);

/// The last handle that goes has the thread finish.
#[derive(Debug)]
struct Handle(Arc<Writer>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// The proof that a permitted call is on record. Only [`Audit::admit`] makes one, and `upstream`
/// sends nothing else.
#[derive(Debug)]
pub struct Admitted {
    permit: Permit,
    call: Call,
}

impl Admitted {
    /// What was permitted.
    #[must_use]
    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    /// What is on record, and is to be sent as it is.
    #[must_use]
    pub fn call(&self) -> &Call {
        &self.call
    }
}

/// Names the open intent; dropping it unsettled records the outcome `unknown`.
#[derive(Debug)]
pub struct Receipt {
    audit: Audit,
    who: Subject,
    since: Uptime,
    /// The intent's number, from its commit until its outcome is on the way.
    seq: Option<u64>,
}

/// Why a call is not admitted. Nothing has left.
#[derive(Debug, thiserror::Error)]
pub enum AdmitError {
    /// The policy's rate is used up.
    #[error("the policy '{policy}' allows {per_minute} calls a minute")]
    RateLimited {
        /// The policy's name.
        policy: Box<str>,
        /// How many calls it allows.
        per_minute: u32,
        /// How long until the next one fits.
        retry_after: Duration,
    },
    /// The session ended (logout, or another person) since the token was read.
    #[error("the session has ended")]
    SessionEnded,
    /// The disk is full, and what is kept of it is for the record of this refusal.
    #[error("the disk that holds the audit log is full")]
    NoRoom {
        /// The policy that would let the call through.
        policy: Box<str>,
    },
    /// The record cannot be written.
    #[error("the call cannot be recorded")]
    Store(#[source] Arc<StoreError>),
}

/// How the log is, for people.
#[derive(Debug, Clone)]
pub struct State {
    /// The file.
    pub path: PathBuf,
    /// What a commit survives.
    pub durability: Durability,
    /// Which log.
    pub log_id: Option<Box<str>>,
    /// How many records there are.
    pub records: u64,
    /// The newest signed head.
    pub head: Option<tree::Head>,
    /// Where the signing key is.
    pub key_place: Option<key::KeyPlace>,
    /// Why the log cannot be used.
    pub problem: Option<Arc<StoreError>>,
}

impl Audit {
    /// The log of this account. Touches nothing until it is used.
    #[must_use]
    pub fn open(settings: AuditSettings) -> Self {
        Self(Arc::new(Handle(Writer::new(settings))))
    }

    /// Commits the intent; the future resolves when it is as durable as configured.
    ///
    /// # Errors
    /// When the rate is used up, the session is not the current one, or nothing can be written.
    pub async fn admit(
        &self,
        permit: Permit,
        call: Call,
    ) -> Result<(Admitted, Receipt), AdmitError> {
        let scribe = self.scribe().await.map_err(AdmitError::Store)?;
        let who = Subject::of(&permit, &call);
        let draft = scribe.intent(&permit, &call, &who);
        let rate = permit.rate_limit().map(|limit| {
            let Identity {
                issuer, subject, ..
            } = &call.principal.identity;
            Rate {
                person: format!("{issuer}\n{subject}").into(),
                policy: permit.policy().into(),
                limit,
            }
        });
        let per_minute = permit.rate_limit().map_or(0, |limit| limit.per_minute);
        let work = Work::Intent {
            draft,
            session: call.principal.generation,
            rate,
        };
        let receipt = Receipt::new(self, who);
        let answer = self.writer().submit(work, Some(receipt)).await;
        let Answer { done, receipt } = answer.map_err(AdmitError::Store)?;
        match (done, receipt) {
            (Done::Intent(_), Some(receipt)) => Ok((Admitted { permit, call }, receipt)),
            (Done::RateLimited(retry_after), _) => Err(AdmitError::RateLimited {
                policy: permit.policy().into(),
                per_minute,
                retry_after,
            }),
            (Done::SessionEnded, _) => Err(AdmitError::SessionEnded),
            (Done::NoRoom, _) => Err(AdmitError::NoRoom {
                policy: permit.policy().into(),
            }),
            _ => Err(AdmitError::Store(Arc::new(StoreError::Closed))),
        }
    }

    /// Commits the outcome.
    ///
    /// # Errors
    /// When it cannot be written; the next process, or this one later, records it as unknown.
    pub async fn settle(
        &self,
        mut receipt: Receipt,
        outcome: Outcome<'_>,
    ) -> Result<(), Arc<StoreError>> {
        let scribe = self.scribe().await?;
        let now = self.writer().settings().clock.uptime();
        let took = now.millis.saturating_sub(receipt.since.millis);
        let draft = scribe.outcome(&receipt.who, &outcome, u64::try_from(took).unwrap_or(0));
        let Some(closes) = receipt.seq.take() else {
            return Ok(());
        };
        let work = Work::Outcome { draft, closes };
        self.writer().submit(work, None).await.map(drop)
    }

    /// Commits a record that stands alone.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn record(&self, event: Event) -> Result<(), Arc<StoreError>> {
        let draft = self.scribe().await?.event(&event);
        self.writer().submit(Work::Record(draft), None).await?;
        Ok(())
    }

    /// Takes out the content of old records that have been sent, a few at a time.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn prune(&self, what: Prune) -> Result<Pruned, Arc<StoreError>> {
        let answer = self.writer().submit(Work::Prune(what), None).await?;
        if let Done::Pruned(pruned) = answer.done {
            Ok(pruned)
        } else {
            Err(Arc::new(StoreError::Closed))
        }
    }

    /// Keeps what a witness said.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn cosigned(&self, what: Cosigned) -> Result<(), Arc<StoreError>> {
        self.writer().submit(Work::Cosigned(what), None).await?;
        Ok(())
    }

    /// Gives so many pages that hold nothing back to the disk; how many are left. The file itself shrinks
    /// when the write-ahead log is carried over.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn reclaim(&self, most: u32) -> Result<u64, Arc<StoreError>> {
        let answer = self.writer().submit(Work::Reclaim(most), None).await?;
        if let Done::Reclaimed(left) = answer.done {
            Ok(left)
        } else {
            Err(Arc::new(StoreError::Closed))
        }
    }

    async fn asked<T>(
        &self,
        ask: impl FnOnce(queue::Reply<T>) -> Ask,
    ) -> Result<T, Arc<StoreError>> {
        let (reply, answer) = oneshot::channel();
        self.writer().ask(ask(reply))?;
        answer
            .await
            .unwrap_or_else(|_| Err(Arc::new(StoreError::Closed)))
    }

    /// How the log is, with its head signed on the way; opens it if need be.
    pub async fn state(&self) -> State {
        let (reply, answer) = oneshot::channel();
        let problem = match self.writer().ask(Ask::State(reply)) {
            Ok(()) => match answer.await {
                Ok(state) => return state,
                Err(_) => Arc::new(StoreError::Closed),
            },
            Err(problem) => problem,
        };
        let settings = self.writer().settings();
        State {
            path: settings.paths.audit_db(),
            durability: settings.durability,
            log_id: None,
            records: 0,
            head: None,
            key_place: None,
            problem: Some(problem),
        }
    }

    /// Closes open records, signs the head, stops the thread.
    pub async fn close(&self) {
        self.writer().close().await;
    }

    fn writer(&self) -> &Arc<Writer> {
        &self.0.0
    }

    async fn scribe(&self) -> Result<Arc<Scribe>, Arc<StoreError>> {
        self.writer().scribe().await
    }
}

impl Receipt {
    fn new(audit: &Audit, who: Subject) -> Self {
        audit.writer().calls().fetch_add(1, Ordering::Relaxed);
        Self {
            since: audit.writer().settings().clock.uptime(),
            audit: audit.clone(),
            who,
            seq: None,
        }
    }

    /// The intent is on record.
    fn arm(&mut self, seq: u64) {
        self.seq = Some(seq);
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        let writer = self.audit.writer();
        writer.calls().fetch_sub(1, Ordering::Relaxed);
        if let Some(closes) = self.seq.take() {
            let device = &writer.settings().device;
            writer.leave(Job {
                work: Work::Outcome {
                    draft: self.who.unknown(device, GIVEN_UP),
                    closes,
                },
                receipt: None,
                reply: None,
            });
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
