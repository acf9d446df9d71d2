//! Where in a document something was taken out: JSON pointers (RFC 6901).

use super::Redactor;
use super::cursor::{Literal, beginning};

/// The longest pointer that is recorded.
const LIMIT: usize = 256;

/// One step of the way to a value.
pub(super) enum Step<'a> {
    Key(Literal<'a>),
    Item(usize),
}

/// The pointer of a place, without secrets that are keys. It is asked for often and costs little
/// however deep and long the keys are.
pub(super) fn pointer(redactor: &Redactor, steps: &[Step<'_>]) -> String {
    let mut pointer = String::new();
    for step in steps {
        if pointer.len() > LIMIT {
            break;
        }
        pointer.push('/');
        match step {
            Step::Key(key) => {
                // Enough that a secret which begins in what is kept has its shape.
                let head = key.head(LIMIT * 4);
                let open = head.raw.len() < key.raw.len();
                let name = redactor.without_shapes(&head.decode(), open);
                pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
            }
            Step::Item(nth) => pointer.push_str(&nth.to_string()),
        }
    }
    if pointer.len() > LIMIT {
        pointer.truncate(beginning(&pointer, LIMIT).len());
        pointer.push('…');
    }
    pointer
}
