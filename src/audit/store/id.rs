//! Identities of records: UUIDs of version 7, by the transaction's calendar.

use uuid::Uuid;

/// Random bytes are asked of the system for this many identities at once: asking costs more than
/// all else about an identity.
const BLOCK: usize = 64;
const EACH: usize = 10;

/// Hands out identities.
#[derive(Debug, Default)]
pub(super) struct Ids {
    random: Vec<[u8; EACH]>,
}

impl Ids {
    /// A new identity.
    pub(super) fn next(&mut self, millis: i64) -> Uuid {
        if self.random.is_empty() {
            self.refill();
        }
        let random = self.random.pop();
        let Some(random) = random else {
            return Uuid::now_v7();
        };
        let millis = u64::try_from(millis).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    fn refill(&mut self) {
        let mut bytes = [0; BLOCK * EACH];
        if getrandom::fill(&mut bytes).is_ok() {
            let (chunks, _) = bytes.as_chunks::<EACH>();
            self.random.extend_from_slice(chunks);
        }
    }
}
