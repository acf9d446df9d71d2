//! The tree over the records: RFC 9162 §2.1 with SHA-256, and nothing else.
//!
//! A [`Frontier`] is all that appending needs: the roots of the complete subtrees, at most one for
//! each bit of the size. Proofs are made from all leaves, which only an export or a sync does, and
//! checked from nothing but the proof. There is no second structure beside this one: two that may
//! disagree are how other logs accepted forged proofs.

use sha2::{Digest, Sha256};

/// A SHA-256 digest.
pub type Hash = [u8; 32];

/// The hash of a leaf, SHA-256(0x00 ‖ body).
#[must_use]
pub fn leaf_hash(body: &[u8]) -> Hash {
    Sha256::new()
        .chain_update([0])
        .chain_update(body)
        .finalize()
        .into()
}

/// The hash of an inner node, SHA-256(0x01 ‖ left ‖ right).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut input = [1; 65];
    input[1..33].copy_from_slice(left);
    input[33..].copy_from_slice(right);
    Sha256::digest(input).into()
}

/// The root of a tree without leaves, SHA-256 of nothing.
#[must_use]
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// The complete subtrees of a growing tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// Largest first; as many as `size` has ones.
    subtrees: Vec<Hash>,
}

/// Bytes that are no frontier of the given size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{found} bytes are no frontier of a tree of size {size}")]
pub struct FrontierError {
    /// The number of leaves that was claimed.
    pub size: u64,
    /// How many bytes there were.
    pub found: usize,
}

impl Frontier {
    /// The frontier of a tree without leaves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads what [`Self::to_bytes`] wrote for a tree of `size` leaves.
    ///
    /// # Errors
    /// When the bytes are not one hash for each subtree.
    pub fn from_bytes(size: u64, bytes: &[u8]) -> Result<Self, FrontierError> {
        let (subtrees, rest) = bytes.as_chunks::<32>();
        let wanted = usize::try_from(size.count_ones());
        if !rest.is_empty() || wanted != Ok(subtrees.len()) {
            return Err(FrontierError {
                size,
                found: bytes.len(),
            });
        }
        Ok(Self {
            size,
            subtrees: subtrees.to_vec(),
        })
    }

    /// The subtrees' hashes, largest first, 32 bytes each.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.subtrees.concat()
    }

    /// How many leaves there are.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The subtrees' hashes, largest first, each with its first leaf and the one after its last.
    pub fn subtrees(&self) -> impl Iterator<Item = (u64, u64, &Hash)> {
        let mut start = 0;
        self.subtrees.iter().map(move |hash| {
            let left = self.size - start;
            let end = start + (1 << left.ilog2());
            (std::mem::replace(&mut start, end), end, hash)
        })
    }

    /// Appends a leaf, which [`leaf_hash`] made.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.subtrees.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.subtrees.push(hash);
        self.size += 1;
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        let smallest_first = self.subtrees.iter().rev().copied();
        smallest_first
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or_else(empty_root)
    }
}

/// The root over a slice of leaves.
#[must_use]
pub fn root(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::new();
    for leaf in leaves {
        frontier.push(*leaf);
    }
    frontier.root()
}

/// Why a proof shows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The sizes or the index contradict each other.
    #[error("the proof is for an impossible place")]
    Place,
    /// Too many or too few hashes.
    #[error("the proof has the wrong length")]
    Length,
    /// It leads to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// The hashes that lead from leaf `index` to the root (§2.1.3.1); none for an index out of range.
#[must_use]
pub fn inclusion_proof(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    if index >= leaves.len() {
        return None;
    }
    let (mut proof, mut span, mut at) = (Vec::new(), leaves, index);
    while span.len() > 1 {
        let (left, right) = span.split_at(split(span.len()));
        if at < left.len() {
            proof.push(root(right));
            span = left;
        } else {
            proof.push(root(left));
            at -= left.len();
            span = right;
        }
    }
    proof.reverse();
    Some(proof)
}

/// The hashes that show that the first `old` leaves are a beginning of all (§2.1.4.1); none when
/// `old` is larger than their number. For no leaves at all and for equal sizes it is empty.
#[must_use]
pub fn consistency_proof(leaves: &[Hash], old: usize) -> Option<Vec<Hash>> {
    if old > leaves.len() {
        return None;
    }
    let (mut proof, mut span, mut rest, mut known) = (Vec::new(), leaves, old, true);
    while rest > 0 && rest < span.len() {
        let (left, right) = span.split_at(split(span.len()));
        if rest <= left.len() {
            proof.push(root(right));
            span = left;
        } else {
            proof.push(root(left));
            rest -= left.len();
            span = right;
            known = false;
        }
    }
    if old > 0 && !known {
        proof.push(root(span));
    }
    proof.reverse();
    Some(proof)
}

/// The largest power of two below `len`, which is at least 2.
fn split(len: usize) -> usize {
    1 << (len - 1).ilog2()
}

/// Checks that `leaf` is at `index` of the tree with this size and root (§2.1.3.2).
///
/// # Errors
/// When the proof does not show it.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::Place);
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            climb(&mut at, &mut last);
        } else {
            hash = node_hash(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    conclude(last, hash == *root)
}

/// A head that was seen: a number of leaves and the root over them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The number of leaves.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// Checks that the leaves under `new` begin with those under `old` (§2.1.4.2).
///
/// # Errors
/// When the proof does not show it.
pub fn verify_consistency(old: Head, new: Head, proof: &[Hash]) -> Result<(), ProofError> {
    if old.size > new.size {
        return Err(ProofError::Place);
    }
    if old.size == 0 || old.size == new.size {
        let same = if old.size == new.size {
            old.root == new.root
        } else {
            old.root == empty_root()
        };
        return conclude(u64::from(!proof.is_empty()), same);
    }
    let whole = old.size.is_power_of_two().then_some(&old.root);
    let mut path = whole.into_iter().chain(proof);
    let Some(first) = path.next() else {
        return Err(ProofError::Length);
    };
    let odd = (old.size - 1).trailing_ones();
    let (mut at, mut last) = ((old.size - 1) >> odd, (new.size - 1) >> odd);
    let (mut old_hash, mut new_hash) = (*first, *first);
    for sibling in path {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if at & 1 == 1 || at == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            climb(&mut at, &mut last);
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    conclude(last, old_hash == old.root && new_hash == new.root)
}

/// Skips the levels on which a node at the right edge has no sibling.
fn climb(at: &mut u64, last: &mut u64) {
    let lone = if *at == 0 { 0 } else { at.trailing_zeros() };
    *at >>= lone;
    *last >>= lone;
}

fn conclude(left: u64, same: bool) -> Result<(), ProofError> {
    match (left, same) {
        (0, true) => Ok(()),
        (0, false) => Err(ProofError::Root),
        _ => Err(ProofError::Length),
    }
}

#[cfg(test)]
mod tests;
