//! The state that a host carries from one request to the next: a ticket and its seal.

use std::fmt;

use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::random;
use crate::wire::{Object, Raw};

/// Names the call; nobody guesses it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Ticket([u8; 16]);

/// What a call belongs to: person, server, method and arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binding([u8; 32]);

/// Seals tickets with a key that lives as long as the program, like the calls that they name.
pub(super) struct Seals(hmac::Key);

impl Default for Seals {
    fn default() -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &random::bytes::<32>()))
    }
}

impl fmt::Debug for Seals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seals")
    }
}

impl Ticket {
    pub(super) fn new() -> Self {
        Self(random::bytes())
    }
}

impl Binding {
    /// Of these parts, none of which can run into the next.
    pub(super) fn of<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in parts {
            context.update(&part.len().to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.finish().as_ref());
        Self(bytes)
    }
}

impl Seals {
    /// The state for a ticket.
    pub(super) fn seal(&self, ticket: &Ticket, binding: &Binding) -> String {
        let tag = hmac::sign(&self.0, &sealed(ticket, binding));
        URL_SAFE_NO_PAD.encode([&ticket.0[..], tag.as_ref()].concat())
    }

    /// The ticket in a state, if it was sealed for this.
    pub(super) fn open(&self, state: &str, binding: &Binding) -> Option<Ticket> {
        let bytes = URL_SAFE_NO_PAD.decode(state).ok()?;
        let (ticket, tag) = bytes.split_at_checked(16)?;
        let ticket = Ticket(ticket.try_into().ok()?);
        hmac::verify(&self.0, &sealed(&ticket, binding), tag).ok()?;
        Some(ticket)
    }
}

fn sealed(ticket: &Ticket, binding: &Binding) -> Vec<u8> {
    [&ticket.0[..], &binding.0].concat()
}

/// What of the parameters belongs to a call, whichever of its requests they are of.
pub(super) fn arguments(params: &Raw) -> String {
    let params = Object::of(params, &[]).ok();
    let params = params.map(|params| params.without(&["_meta"]));
    params.map_or_else(String::new, |params| params.get().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_opens_for_what_it_was_sealed_for() {
        let seals = Seals::default();
        let (ticket, mine) = (Ticket::new(), Binding::of(["alice", "files"]));
        let state = seals.seal(&ticket, &mine);
        assert_eq!(seals.open(&state, &mine), Some(ticket.clone()));
        for other in [
            Binding::of(["bob", "files"]),
            Binding::of(["alicef", "iles"]),
            Binding::of(["alice", "files", ""]),
        ] {
            assert_eq!(seals.open(&state, &other), None);
        }
        assert_eq!(Seals::default().open(&state, &mine), None);
    }

    #[test]
    fn a_state_with_any_bit_changed_opens_for_nobody() {
        let seals = Seals::default();
        let binding = Binding::of(["alice"]);
        let state = seals.seal(&Ticket::new(), &binding);
        let bytes = URL_SAFE_NO_PAD.decode(&state).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let changed = URL_SAFE_NO_PAD.encode(changed);
            assert_eq!(seals.open(&changed, &binding), None, "bit {bit}");
        }
        for bad in ["", "x", "é", &state[..20]] {
            assert_eq!(seals.open(bad, &binding), None, "{bad:?}");
        }
    }

    #[test]
    fn what_requests_of_one_call_differ_in_belongs_to_none() {
        let params = |text: &str| arguments(&Raw::parse(text).unwrap());
        assert_eq!(
            params(r#"{"name":"t","_meta":{"progressToken":1},"arguments":{"a":1}}"#),
            params(r#"{"name":"t","arguments":{"a":1},"_meta":{"progressToken":2}}"#)
        );
        assert_ne!(
            params(r#"{"arguments":{"a":1}}"#),
            params(r#"{"arguments":{"a":2}}"#)
        );
    }
}
