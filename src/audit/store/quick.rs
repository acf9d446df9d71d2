//! The quick way of calls: their records are appended to the tail, in durability `strict` always with a
//! signed head over them.
//!
//! It holds only if nothing has happened since this process last looked: the tail ends as this
//! process knows it to end, and the session is the call's own. Whatever changes the session, the key
//! or the format appends a record, so that the end is another one then. Whatever else is the case is
//! found out by a transaction that looks at everything.

use super::transaction::{clock_jump, new_id};
use super::{Done, SIGN_EVERY, Store, WAITING, Work};
use crate::audit::checkpoint;
use crate::audit::entry::Draft;
use crate::audit::tail::Batch;
use crate::audit::tree;
use crate::config::Durability;

/// One record with what goes along.
struct Quick<'w> {
    draft: &'w Draft,
    process: Option<&'w str>,
    closes: Option<u64>,
}

impl Store {
    /// Commits records of calls without looking around; `None` if they have to be committed the long
    /// way.
    pub(super) fn commit_quickly(&mut self, works: &[Work]) -> Option<Vec<Done>> {
        let count = u64::try_from(works.len()).ok()?;
        let many = self.frontier.size() + count - self.stored >= WAITING;
        if many || self.short {
            return None;
        }
        let quick: Option<Vec<_>> = works.iter().map(|work| self.quick(work)).collect();
        let quick = quick?;
        let (now, uptime) = (self.clock.now(), self.clock.uptime());
        if clock_jump(self.clocks.as_ref(), now, &uptime).is_some() {
            return None;
        }
        let stamp = now.to_string();
        let (mut batch, mut done) = (Batch::default(), Vec::with_capacity(quick.len()));
        let mut frontier = self.frontier.clone();
        for (record, seq) in quick.iter().zip(self.frontier.size()..) {
            let body = record.draft.complete(new_id(now), seq, &stamp);
            let leaf = tree::leaf_hash(&body);
            batch.add(seq, &leaf, record.process, record.closes, &body);
            frontier.push(leaf);
            done.push(match record.closes {
                None => Done::Intent(seq),
                Some(_) => Done::Recorded,
            });
        }
        let signs = self.wants_head(frontier.size());
        if signs {
            let (size, root) = (frontier.size(), frontier.root());
            let note = checkpoint::sign(&self.origin, size, &root, &self.keys.signing);
            batch.sign(size, &note, self.durability);
        }
        let mut turn = self.tail.try_turn().ok()??;
        if !turn.is_current() || turn.is_filled_by(&batch) {
            return None;
        }
        let appended = turn.append(batch, self.durability);
        drop(turn);
        appended.ok()?;
        if signs {
            self.signed_ahead = frontier.size();
        }
        self.frontier = frontier;
        self.clocks = Some((now, uptime));
        Some(done)
    }

    /// Whether a head goes along with records up to this size.
    fn wants_head(&self, size: u64) -> bool {
        match self.durability {
            Durability::Strict => true,
            Durability::Process => size - self.signed.max(self.signed_ahead) >= SIGN_EVERY,
        }
    }

    fn quick<'w>(&'w self, work: &'w Work) -> Option<Quick<'w>> {
        match work {
            Work::Intent {
                draft,
                session,
                rate: None,
            } if self.session == Some(*session) => Some(Quick {
                draft,
                process: Some(&self.process),
                closes: None,
            }),
            Work::Outcome { draft, closes } => Some(Quick {
                draft,
                process: None,
                closes: Some(*closes),
            }),
            Work::Intent { .. }
            | Work::Record(_)
            | Work::BeginSession(_)
            | Work::EndSession(..)
            | Work::Sign
            | Work::Mark
            | Work::Prune(_)
            | Work::Cosigned(_)
            | Work::Reclaim(_) => None,
        }
    }
}
