//! Random numbers for names: of requests, traces and records. Asking the system costs more than all
//! else about a name, so it is asked for many at once. Keys, nonces and whatever else has to stay
//! secret come from the system directly.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

/// How many bytes are asked for at once.
const BLOCK: usize = 1024;

struct Pool {
    block: [u8; BLOCK],
    used: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { block: [0; BLOCK], used: BLOCK }) };
}

/// So many random bytes; at most 1024.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    const { assert!(N <= BLOCK, "a name is short") };
    POOL.with_borrow_mut(|pool| {
        if pool.used + N > BLOCK {
            fill(&mut pool.block);
            pool.used = 0;
        }
        let mut bytes = [0; N];
        bytes.copy_from_slice(&pool.block[pool.used..pool.used + N]);
        pool.used += N;
        bytes
    })
}

/// A random UUID (RFC 9562, version 4).
#[must_use]
pub fn uuid() -> Uuid {
    uuid::Builder::from_random_bytes(bytes()).into_uuid()
}

/// A W3C trace id: 32 hexadecimal digits. A UUID is random enough and never all zero.
#[must_use]
pub fn trace_id() -> Box<str> {
    uuid().simple().to_string().into()
}

fn fill(block: &mut [u8]) {
    static FILLED: AtomicU64 = AtomicU64::new(0);
    if getrandom::fill(block).is_err() {
        // Names have to differ, whatever the system says.
        let mut hasher = blake3::Hasher::new();
        hasher.update(&std::process::id().to_le_bytes());
        hasher.update(&FILLED.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        hasher.finalize_xof().fill(block);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_differ_across_blocks() {
        let names: HashSet<Uuid> = (0..BLOCK).map(|_| uuid()).collect();
        assert_eq!(names.len(), BLOCK);
        assert_eq!(trace_id().len(), 32);
        let more: HashSet<[u8; 10]> = (0..BLOCK).map(|_| bytes()).collect();
        assert_eq!(more.len(), BLOCK);
    }
}
