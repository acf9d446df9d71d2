//! `audit show`: one call, whole, and whether it is proven.

use super::{AuditError, World, explain, table};
use crate::audit::query::{self, Entry, QueryError};
use crate::audit::reader::Reader;

/// Prints what goes by this name; programs get that alone, people the whole call.
pub(super) fn show(
    reader: &Reader,
    which: &str,
    json: bool,
    world: &mut World<'_>,
) -> Result<(), AuditError> {
    let mut found = query::find(reader, which)?;
    if found.is_empty() {
        return Err(match query::pruned(reader, which)? {
            Some(seq) => AuditError::Pruned(seq),
            None => AuditError::NoRecord(which.into()),
        });
    }
    if !json {
        found = whole_call(reader, found)?;
        explain::call(&found, world.out)?;
        explain::proof(reader, &found, world.out)?;
    }
    for (nth, entry) in found.iter().enumerate() {
        if json {
            writeln!(world.out, "{}", entry.json)?;
            continue;
        }
        if nth > 0 {
            writeln!(world.out)?;
        }
        table::record(entry, world.out)?;
    }
    Ok(())
}

/// Half a call misleads: for people, the other record of it is shown too.
fn whole_call(reader: &Reader, found: Vec<Entry>) -> Result<Vec<Entry>, QueryError> {
    let request = found
        .first()
        .and_then(|one| one.row().request_id.map(String::from));
    match (request, found.len()) {
        (Some(request), 1) => query::find(reader, &request),
        (Some(_) | None, _) => Ok(found),
    }
}
