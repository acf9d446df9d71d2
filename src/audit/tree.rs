//! The tree over the records: RFC 9162 §2.1 with SHA-256, and nothing else.
//!
//! A [`Frontier`] is all that appending needs: the roots of the complete subtrees, at most one for
//! each bit of the size. There is no second structure beside this one: two that may disagree are how
//! other logs accepted forged proofs.

pub mod proof;

use aws_lc_rs::digest::{Context, Digest, SHA256, digest};

/// A SHA-256 digest.
pub type Hash = [u8; 32];

/// The hash of a leaf, SHA-256(0x00 ‖ body).
#[must_use]
pub fn leaf_hash(body: &[u8]) -> Hash {
    let mut context = Context::new(&SHA256);
    context.update(&[0]);
    context.update(body);
    hash_of(context.finish())
}

/// Hashes one leaf after the other in one piece each, which takes a little less than [`leaf_hash`].
#[derive(Debug, Default)]
pub struct LeafHasher {
    piece: Vec<u8>,
}

impl LeafHasher {
    /// What [`leaf_hash`] returns.
    pub fn hash(&mut self, body: &[u8]) -> Hash {
        self.piece.clear();
        self.piece.push(0);
        self.piece.extend_from_slice(body);
        hash_of(digest(&SHA256, &self.piece))
    }
}

/// The hash of an inner node, SHA-256(0x01 ‖ left ‖ right).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut node = [1; 65];
    let (head, tail) = node[1..].split_at_mut(32);
    head.copy_from_slice(left);
    tail.copy_from_slice(right);
    hash_of(digest(&SHA256, &node))
}

/// The root of a tree without leaves, SHA-256 of nothing.
#[must_use]
pub fn empty_root() -> Hash {
    hash_of(digest(&SHA256, &[]))
}

fn hash_of(digest: Digest) -> Hash {
    let mut hash = Hash::default();
    hash.copy_from_slice(digest.as_ref());
    hash
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

/// A head that was seen: a number of leaves and the root over them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The number of leaves.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

#[cfg(test)]
mod tests;
