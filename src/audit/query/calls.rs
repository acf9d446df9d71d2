//! Finished calls: an outcome beside its intent, or a refusal.
//!
//! The two are paired by the number that the outcome's row keeps of its intent. That number is
//! working state and proves nothing, so a pair has to name the same call.

use std::ops::ControlFlow;

use super::{Filter, QueryError, Reader, Row, text};

/// What was asked for and came to an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The number of the record that ends it.
    pub seq: u64,
    /// That record as it was stored: an outcome or a refusal.
    pub json: Box<str>,
    /// The outcome's intent, which holds the arguments and the decision.
    pub intent: Option<Box<str>>,
}

/// Calls `each` with every finished call that matches, in the order in which they ended, until it
/// breaks. Words may stand in either record, all else is asked of the one that ends the call.
///
/// # Errors
/// When the log cannot be read.
pub fn calls(
    reader: &Reader,
    filter: &Filter,
    mut each: impl FnMut(Finished) -> ControlFlow<()>,
) -> Result<(), QueryError> {
    let mut statement = reader.connection().prepare(
        "SELECT record.seq, record.body, intent.body FROM record
         LEFT JOIN record AS intent ON intent.seq = record.closes
         WHERE record.body IS NOT NULL ORDER BY record.seq",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let Ok(seq) = u64::try_from(row.get::<_, i64>(0)?) else {
            continue;
        };
        let (json, intent) = (text(row.get_ref(1)?), text(row.get_ref(2)?));
        let intent = (!intent.is_empty()).then_some(&*intent);
        if let Some(finished) = finished(filter, seq, &json, intent)
            && each(finished).is_break()
        {
            break;
        }
    }
    Ok(())
}

/// A record that ends a call, if it does and is asked for. One that cannot be read passes where
/// nothing particular is asked for, so that it is not missed in silence.
fn finished(filter: &Filter, seq: u64, json: &str, intent: Option<&str>) -> Option<Finished> {
    let with = |intent: Option<&str>| Finished {
        seq,
        json: json.into(),
        intent: intent.map(Into::into),
    };
    let Ok(row) = serde_json::from_str::<Row<'_>>(json) else {
        return filter.is_empty().then(|| with(None));
    };
    if !matches!(&*row.kind, "outcome" | "refusal") || !filter.matches(&row) {
        return None;
    }
    let intent = intent.filter(|intent| {
        let begun: Row<'_> = serde_json::from_str(intent).unwrap_or_default();
        row.request_id.is_some() && begun.request_id == row.request_id
    });
    let says = filter.says([json].into_iter().chain(intent));
    says.then(|| with(intent))
}
