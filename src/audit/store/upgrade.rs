//! Bringing a log of an older version forward, in one transaction, with a record that says so.

use rusqlite::Connection;

use super::Store;
use super::failure::Failure;
use super::transaction::Transaction;
use crate::audit::{StoreError, entry, schema};

impl Store {
    /// Adds what the log's version lacks, unless another process did so meanwhile.
    ///
    /// # Errors
    /// When the transaction failed; then the log is as it was.
    pub(super) fn upgrade(&mut self) -> Result<(), StoreError> {
        if version(&self.conn).is_ok_and(|found| found == schema::VERSION) {
            return Ok(());
        }
        self.in_transaction(upgrade)
    }
}

fn upgrade(log: &mut Transaction<'_>) -> Result<(), Failure> {
    let found = version(log.conn)?;
    let has = usize::try_from(found).unwrap_or(0);
    let lacks = schema::VERSIONS.get(has..).unwrap_or_default();
    if lacks.is_empty() {
        return Ok(());
    }
    log.conn.execute_batch(&lacks.concat())?;
    let now = schema::VERSION;
    log.conn.pragma_update(None, "user_version", now)?;
    let said = format!("the log went from format {found} to format {now}");
    let draft = entry::note("log_upgraded", log.device, &said);
    log.append(&draft, None, None)?;
    Ok(())
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}
