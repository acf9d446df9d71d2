//! Inclusion and consistency proofs: RFC 9162 §2.1.3 and §2.1.4, many of them in one pass over all.
//!
//! A proof of a leaf is the hashes of the subtrees beside its way to the root; that one tree is the
//! beginning of another is proven by the subtrees beside the way to the older one's end. All of them
//! but the ragged ones at the right edge are complete subtrees, which come by as leaves are appended;
//! the ragged ones are what is left over at the end. So memory grows with what is to be proven, and
//! not with the tree.

use std::collections::HashMap;

use super::{Frontier, Hash, Head, empty_root, node_hash};

/// No tree that can be counted in 64 bits needs a longer proof.
pub const LONGEST: usize = 64;

/// Leaves from the first number up to the second, without it.
type Range = (u64, u64);

/// Collects what the proofs of chosen leaves need, while the whole tree goes by.
#[derive(Debug)]
pub struct Prover {
    size: u64,
    /// The subtrees that proofs need; filled in as they are complete.
    nodes: HashMap<Range, Option<Hash>>,
    /// Complete subtrees at the right edge, largest first.
    edge: Vec<(Range, Hash)>,
}

impl Prover {
    /// Prepares the proofs of these leaves in the tree of the first `size`; those beyond it have
    /// none.
    #[must_use]
    pub fn new(size: u64, leaves: impl Iterator<Item = u64>) -> Self {
        let leaves = leaves.filter(|leaf| *leaf < size);
        let beside = leaves.flat_map(|leaf| beside(leaf, size));
        Self {
            size,
            nodes: beside.map(|range| (range, None)).collect(),
            edge: Vec::new(),
        }
    }

    /// Also prepares the proofs that the trees of these sizes are the beginning of this one.
    #[must_use]
    pub fn with_older(mut self, sizes: impl Iterator<Item = u64>) -> Self {
        let ranges = sizes.flat_map(|older| after(older, self.size));
        self.nodes.extend(ranges.map(|range| (range, None)));
        self
    }

    /// Prepares the proof that `older` is the beginning of the tree of `size` leaves, of which only
    /// those go by that `older` does not have.
    #[must_use]
    pub fn resume(older: &Frontier, size: u64) -> Self {
        let mut prover = Self::new(size, std::iter::empty());
        prover = prover.with_older(std::iter::once(older.size()));
        for (start, end, hash) in older.subtrees() {
            prover.note((start, end), *hash);
            prover.edge.push(((start, end), *hash));
        }
        prover
    }

    /// Appends a leaf, which [`super::leaf_hash`] made; those beyond the tree do not count.
    pub fn push(&mut self, leaf: Hash) {
        let index = self.edge.last().map_or(0, |((_, end), _)| *end);
        if index >= self.size {
            return;
        }
        let (mut range, mut hash) = ((index, index + 1), leaf);
        self.note(range, hash);
        for _ in 0..index.trailing_ones() {
            if let Some(((start, _), left)) = self.edge.pop() {
                hash = node_hash(&left, &hash);
                range = (start, range.1);
                self.note(range, hash);
            }
        }
        self.edge.push((range, hash));
    }

    fn note(&mut self, range: Range, hash: Hash) {
        if let Some(node) = self.nodes.get_mut(&range) {
            *node = Some(hash);
        }
    }

    /// The root, once all leaves have gone by.
    #[must_use]
    pub fn root(&self) -> Option<Hash> {
        self.right_of(0)
    }

    /// The proof of a leaf that was asked for, once all leaves have gone by: from the leaf's sibling
    /// up to the root's child.
    #[must_use]
    pub fn proof(&self, leaf: u64) -> Option<Vec<Hash>> {
        let ranges = (leaf < self.size).then(|| beside(leaf, self.size))?;
        self.hashes(ranges)
    }

    /// The proof that the tree of the first `older` leaves, which was asked for, is the beginning of
    /// this one, once all leaves have gone by. There is nothing to prove of an empty tree or of this
    /// one itself.
    #[must_use]
    pub fn consistency(&self, older: u64) -> Option<Vec<Hash>> {
        let ranges = (older <= self.size).then(|| after(older, self.size))?;
        self.hashes(ranges)
    }

    fn hashes(&self, ranges: Vec<Range>) -> Option<Vec<Hash>> {
        let hash = |range: Range| match self.nodes.get(&range) {
            Some(Some(hash)) => Some(*hash),
            Some(None) if range.1 == self.size => self.right_of(range.0),
            Some(None) | None => None,
        };
        ranges.into_iter().map(hash).collect()
    }

    /// The hash over everything from a leaf on to the end.
    fn right_of(&self, start: u64) -> Option<Hash> {
        let end = self.edge.last().map(|((_, end), _)| *end);
        if end != Some(self.size) {
            return None;
        }
        let right = self.edge.iter().rev();
        right
            .take_while(|((begin, _), _)| *begin >= start)
            .map(|(_, hash)| *hash)
            .reduce(|right, left| node_hash(&left, &right))
    }
}

/// The subtrees beside the way from a leaf to the root of a tree, from the leaf upwards.
fn beside(leaf: u64, size: u64) -> Vec<Range> {
    let (mut start, mut end) = (0, size);
    let mut ranges = Vec::new();
    while end - start > 1 {
        // The largest power of two that is less than the number of leaves (RFC 9162 §2.1.1).
        let split = start + (1 << (end - start - 1).ilog2());
        if leaf < split {
            ranges.push((split, end));
            end = split;
        } else {
            ranges.push((start, split));
            start = split;
        }
    }
    ranges.reverse();
    ranges
}

/// The subtrees beside the way to the end of an older tree, from there upwards (RFC 9162 §2.1.4.1).
fn after(older: u64, size: u64) -> Vec<Range> {
    let (mut start, mut end) = (0, size);
    let mut ranges = Vec::new();
    if older == 0 {
        return ranges;
    }
    while older < end {
        let split = start + (1 << (end - start - 1).ilog2());
        if older <= split {
            ranges.push((split, end));
            end = split;
        } else {
            ranges.push((start, split));
            start = split;
        }
    }
    // The older tree itself is known to whoever verifies; a part of it is not.
    if start > 0 {
        ranges.push((start, end));
    }
    ranges.reverse();
    ranges
}

/// Whether a proof leads from an older head to both of them (RFC 9162 §2.1.4.2). Every tree begins
/// with the empty one and with itself; that needs no proof, and is given none.
#[must_use]
pub fn extends(older: &Head, newer: &Head, proof: &[Hash]) -> bool {
    if older.size == newer.size {
        return older.root == newer.root && proof.is_empty();
    }
    if older.size == 0 {
        return older.root == empty_root() && proof.is_empty();
    }
    if older.size > newer.size {
        return false;
    }
    let (mut at, mut last) = (older.size - 1, newer.size - 1);
    let skipped = at.trailing_ones();
    (at, last) = (shifted(at, skipped), shifted(last, skipped));
    // A complete tree is where its own proof begins.
    let (first, rest) = match proof.split_first() {
        _ if older.size.is_power_of_two() => (older.root, proof),
        Some((first, rest)) => (*first, rest),
        None => return false,
    };
    let (mut old, mut new) = (first, first);
    for sibling in rest {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            (old, new) = (node_hash(sibling, &old), node_hash(sibling, &new));
            let skipped = if at & 1 == 1 { 0 } else { at.trailing_zeros() };
            (at, last) = (shifted(at, skipped), shifted(last, skipped));
        } else {
            new = node_hash(&new, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && old == older.root && new == newer.root
}

/// The root that a proof leads to from a leaf (RFC 9162 §2.1.3.2); nothing if the proof has not
/// exactly as many hashes as the way has steps.
#[must_use]
pub fn root_of(leaf: Hash, index: u64, size: u64, proof: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in proof {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            // The way up a ragged edge skips the levels at which nothing stands beside it.
            let skipped = if at & 1 == 1 { 0 } else { at.trailing_zeros() };
            (at, last) = (shifted(at, skipped), shifted(last, skipped));
        } else {
            hash = node_hash(&hash, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    (last == 0).then_some(hash)
}

fn shifted(number: u64, by: u32) -> u64 {
    number.checked_shr(by).unwrap_or(0)
}

#[cfg(test)]
mod tests;
