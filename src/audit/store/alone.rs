//! The quick way of one record: a statement that is its own transaction.
//!
//! It holds only if nothing has happened since this process last looked: the log ends where this
//! process ended it, and the session is the call's own. A newer program that brings the log forward
//! appends a record, so that the end is another one then too. Whatever else is the case is found out by a
//! transaction that looks at everything.

use rusqlite::params;

use super::transaction::{clock_jump, new_id, row_id};
use super::{Done, SIGN_EVERY, Store, Work};
use crate::audit::StoreError;
use crate::audit::entry::Draft;
use crate::audit::tree;
use crate::config::Durability;
use crate::principal::Generation;

/// `IS` compares the end of an empty log too; nothing is inserted where a condition fails.
const APPEND: &str = "
INSERT INTO record (seq, leaf, process, closes, body)
SELECT ?1, ?2, ?3, ?4, ?5
 WHERE (SELECT max(seq) FROM record) IS ?1 - 1
   AND (?6 IS NULL OR EXISTS (SELECT 1 FROM session WHERE one = 1 AND active AND generation = ?6))";

/// One record with what it depends on.
struct Alone<'w> {
    draft: &'w Draft,
    process: Option<&'w str>,
    closes: Option<u64>,
    session: Option<Generation>,
}

impl Store {
    /// Commits a single record without looking around; `None` if it has to be done the long way.
    pub(super) fn commit_alone(&mut self, works: &[Work]) -> Result<Option<Done>, StoreError> {
        let [work] = works else {
            return Ok(None);
        };
        // Where every commit signs a head there is no quick way.
        let signs = self.frontier.size() + 1 - self.signed >= SIGN_EVERY;
        if signs || self.short || self.durability == Durability::Strict {
            return Ok(None);
        }
        let process = self.process.clone();
        match work {
            Work::Intent {
                draft,
                session,
                rate: None,
            } => {
                let seq = self.append_alone(&Alone {
                    draft,
                    process: Some(&process),
                    closes: None,
                    session: Some(*session),
                })?;
                Ok(seq.map(Done::Intent))
            }
            Work::Outcome { draft, closes } => {
                let seq = self.append_alone(&Alone {
                    draft,
                    process: None,
                    closes: Some(*closes),
                    session: None,
                })?;
                Ok(seq.map(|_| Done::Recorded))
            }
            Work::Intent { .. }
            | Work::Record(_)
            | Work::BeginSession(_)
            | Work::EndSession(..)
            | Work::Sign
            | Work::Mark
            | Work::Prune(_)
            | Work::Cosigned(_)
            | Work::Reclaim(_) => Ok(None),
        }
    }

    fn append_alone(&mut self, what: &Alone<'_>) -> Result<Option<u64>, StoreError> {
        let (now, uptime) = (self.clock.now(), self.clock.uptime());
        if clock_jump(self.clocks.as_ref(), now, &uptime).is_some() {
            return Ok(None);
        }
        let seq = self.frontier.size();
        let body = what.draft.complete(new_id(now), seq, &now.to_string());
        let leaf = tree::leaf_hash(&body);
        let inserted = self.conn.prepare_cached(APPEND).and_then(|mut append| {
            append.execute(params![
                row_id(seq),
                &leaf[..],
                what.process,
                what.closes.map(row_id),
                body,
                what.session.map(|session| row_id(session.0)),
            ])
        });
        let inserted = inserted.map_err(|error| StoreError::from_sqlite(&self.path, error))?;
        if inserted == 0 {
            return Ok(None);
        }
        self.frontier.push(leaf);
        self.clocks = Some((now, uptime));
        Ok(Some(seq))
    }
}
