//! How uses ended, as the record has it.

use crate::audit::{Outcome, OutcomeStatus};
use crate::upstream::Answer;
use crate::wire::{Object, Raw};
use crate::wording::chain;

/// An outcome of which nothing more is known.
pub(super) fn blank<'a>(status: OutcomeStatus) -> Outcome<'a> {
    Outcome {
        status,
        http_status: None,
        rpc_error: None,
        is_error: None,
        response: None,
        reason: None,
        bytes_out: 0,
    }
}

/// How a use ended, by the server's answer.
pub(super) fn of(answer: &Answer) -> Outcome<'_> {
    let (status, rpc_error, is_error, response, reason) = match &answer.outcome {
        Ok(Ok(result)) => {
            let failed = is_tool_error(result);
            let status = if failed {
                OutcomeStatus::Error
            } else {
                OutcomeStatus::Success
            };
            (status, None, Some(failed), Some(result.get()), None)
        }
        Ok(Err(error)) => (
            OutcomeStatus::Error,
            rpc_code(error),
            None,
            Some(error.get()),
            None,
        ),
        Err(error) => {
            let unknown = error.may_have_run();
            let status = if unknown {
                OutcomeStatus::Unknown
            } else {
                OutcomeStatus::Error
            };
            (status, None, None, None, Some(chain(error).into()))
        }
    };
    Outcome {
        status,
        http_status: answer.http_status,
        rpc_error,
        is_error,
        response,
        reason,
        bytes_out: answer.bytes_out,
    }
}

fn is_tool_error(result: &Raw) -> bool {
    let object = Object::of(result, &[]);
    object.is_ok_and(|object| object.get("isError").is_some_and(|it| it.get() == "true"))
}

fn rpc_code(error: &Raw) -> Option<i32> {
    Object::of(error, &[]).ok()?.get("code")?.get().parse().ok()
}
