//! Changing the key that signs heads, in one transaction with the record that says so.

use std::sync::Arc;

use rusqlite::params;

use super::Store;
use super::failure::Failure;
use super::transaction::{Transaction, row_id};
use crate::audit::StoreError;
use crate::audit::entry;
use crate::audit::error::Damage;
use crate::audit::key::Keys;
use crate::audit::rotation;

impl Store {
    /// Changes the key; the head is signed with the new one at once.
    ///
    /// # Errors
    /// When the transaction failed; then the old key is in force.
    pub fn rotate(&mut self, next: &Arc<Keys>) -> Result<(), StoreError> {
        self.in_transaction(|transaction| transaction.rotate(next))
    }
}

impl Transaction<'_> {
    fn rotate(&mut self, next: &Arc<Keys>) -> Result<(), Failure> {
        self.check_key()?;
        let seq = self.size();
        let stated = rotation::state(self.origin, seq, &self.keys.signing, &next.signing);
        let statement = stated.ok_or(Damage::Table("log"))?;
        let draft = entry::rotated(self.device, &statement);
        self.append(&draft, None, None)?;
        self.conn
            .prepare_cached("INSERT INTO rotated (seq, statement) VALUES (?1, ?2)")?
            .execute(params![row_id(seq), statement])?;
        self.conn
            .prepare_cached("UPDATE log SET public_key = ?1 WHERE one = 1")?
            .execute([next.signing.verifying_key().as_bytes()])?;
        self.keys = Arc::clone(next);
        self.sign()?;
        Ok(())
    }
}
