//! `session.refresh`: the token itself, or where its parts are.

use zeroize::Zeroizing;

use crate::principal::Generation;

/// Before the token of a field: its kind and the generation.
pub(super) const HEAD: usize = 1 + 8;
/// The token itself follows.
pub(super) const WHOLE: u8 = 1;
/// A digest of the token and the places of its parts follow.
pub(super) const IN_PARTS: u8 = 2;

/// The field, read.
pub(super) struct Stored {
    pub(super) generation: Generation,
    pub(super) place: Place,
}

pub(super) enum Place {
    Whole(Zeroizing<Vec<u8>>),
    Parts {
        digest: [u8; 32],
        set: u8,
        count: u8,
    },
}

impl Place {
    pub(super) fn set(&self) -> Option<u8> {
        match self {
            Self::Whole(_) => None,
            Self::Parts { set, .. } => Some(*set),
        }
    }
}

impl Stored {
    pub(super) fn parse(field: &[u8]) -> Option<Self> {
        let (kind, rest) = field.split_first()?;
        let (generation, rest) = rest.split_first_chunk::<8>()?;
        let place = match *kind {
            WHOLE => Place::Whole(Zeroizing::new(rest.to_vec())),
            IN_PARTS => {
                let (digest, rest) = rest.split_first_chunk::<32>()?;
                let [set, count] = *rest else { return None };
                Place::Parts {
                    digest: *digest,
                    set,
                    count,
                }
            }
            _ => return None,
        };
        Some(Self {
            generation: Generation(u64::from_be_bytes(*generation)),
            place,
        })
    }

    pub(super) fn head(kind: u8, of: Generation, rest: &[u8]) -> Zeroizing<Vec<u8>> {
        let mut field = Zeroizing::new(Vec::with_capacity(HEAD + rest.len()));
        field.push(kind);
        field.extend(of.0.to_be_bytes());
        field.extend_from_slice(rest);
        field
    }
}
