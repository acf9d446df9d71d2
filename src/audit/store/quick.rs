//! The quick way of calls: their records are appended to the tail.
//!
//! It holds only if nothing has happened since this process last looked: the tail ends as this
//! process knows it to end, and the session is the call's own. Whatever changes the session, the key
//! or the format appends a record, so that the end is another one then. Whatever else is the case is
//! found out by a transaction that looks at everything.

use super::transaction::{clock_jump, new_id};
use super::{Done, SIGN_EVERY, Store, Work};
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
        // Where every commit signs a head there is no quick way.
        let signs = self.frontier.size() + count - self.signed >= SIGN_EVERY;
        if signs || self.short || self.durability == Durability::Strict {
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
        let mut leaves = Vec::with_capacity(quick.len());
        for (record, seq) in quick.iter().zip(self.frontier.size()..) {
            let body = record.draft.complete(new_id(now), seq, &stamp);
            let leaf = tree::leaf_hash(&body);
            batch.add(seq, &leaf, record.process, record.closes, &body);
            leaves.push(leaf);
            done.push(match record.closes {
                None => Done::Intent(seq),
                Some(_) => Done::Recorded,
            });
        }
        let mut turn = self.tail.try_turn().ok()??;
        if !turn.is_current() {
            return None;
        }
        turn.append(&batch).ok()?;
        drop(turn);
        for leaf in leaves {
            self.frontier.push(leaf);
        }
        self.clocks = Some((now, uptime));
        Some(done)
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
