//! Which progress belongs to which request.

use crate::wire::{Id, Object, Raw};

const TOKEN: &str = "progressToken";

/// The token under which the host wants to hear of progress. Parameters that cannot be read have
/// none; that they cannot is said by whoever answers.
pub(super) fn wanted(params: &Raw) -> Option<Id> {
    // Most requests have none, and some are large.
    memchr::memmem::find(params.get().as_bytes(), TOKEN.as_bytes())?;
    let params = Object::of(params, &[]).ok()?;
    token(params.get("_meta")?)
}

/// Whether these parameters of a progress notice carry the token.
pub(super) fn belongs(params: &Raw, wanted: &Id) -> bool {
    token(params).is_some_and(|token| same(&token, wanted))
}

fn token(holder: &Raw) -> Option<Id> {
    let holder = Object::of(holder, &[TOKEN]).ok()?;
    Id::from_raw(holder.get(TOKEN)?)
}

/// A server may escape a string in another way; numbers it must repeat as they are.
fn same(one: &Id, other: &Id) -> bool {
    let text = |id: &Id| serde_json::from_str::<String>(id.as_json()).ok();
    one == other || text(one).is_some_and(|one| Some(one) == text(other))
}
