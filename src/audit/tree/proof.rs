//! Inclusion proofs: RFC 9162 §2.1.3, for many leaves in one pass over all.
//!
//! A proof of a leaf is the hashes of the subtrees beside its way to the root. All of them but the
//! ragged ones at the right edge are complete subtrees, which come by as leaves are appended; the
//! ragged ones are what is left over at the end. So memory grows with what is to be proven, and not
//! with the tree.

use std::collections::HashMap;

use super::{Hash, node_hash};

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
mod tests {
    use super::super::{Frontier, leaf_hash};
    use super::*;

    fn leaves(size: u64) -> Vec<Hash> {
        (0..size).map(|at| leaf_hash(&at.to_be_bytes())).collect()
    }

    /// The definition of RFC 9162 §2.1.3.1, word by word.
    fn path(leaf: usize, leaves: &[Hash]) -> Vec<Hash> {
        if leaves.len() == 1 {
            return Vec::new();
        }
        let split = leaves.len().next_power_of_two() / 2;
        let (left, right) = leaves.split_at(split);
        let (mut proof, other) = if leaf < split {
            (path(leaf, left), right)
        } else {
            (path(leaf - split, right), left)
        };
        proof.push(root(other));
        proof
    }

    fn root(leaves: &[Hash]) -> Hash {
        let mut tree = Frontier::new();
        for leaf in leaves {
            tree.push(*leaf);
        }
        tree.root()
    }

    fn prover(size: u64, chosen: impl Iterator<Item = u64>) -> Prover {
        let mut prover = Prover::new(size, chosen);
        // Some records are newer than the head.
        for leaf in leaves(size + 3) {
            prover.push(leaf);
        }
        prover
    }

    #[test]
    fn proofs_are_those_of_the_definition_and_lead_to_the_root() {
        for size in 1..=130_u64 {
            let all = leaves(size);
            let prover = prover(size, 0..size);
            assert_eq!(prover.root(), Some(root(&all)));
            for (index, leaf) in (0..size).zip(&all) {
                let proof = prover.proof(index).unwrap();
                assert_eq!(proof, path(usize::try_from(index).unwrap(), &all));
                assert_eq!(
                    root_of(*leaf, index, size, &proof),
                    Some(root(&all)),
                    "{index} of {size}"
                );
            }
            assert_eq!(prover.proof(size), None);
        }
    }

    #[test]
    fn a_proof_proves_one_leaf_in_one_place_of_one_tree() {
        let (size, chosen) = (100, [0, 1, 63, 64, 96, 98, 99]);
        let all = leaves(size);
        let prover = prover(size, chosen.into_iter());
        let right = Some(root(&all));
        for index in chosen {
            let leaf = all[usize::try_from(index).unwrap()];
            let proof = prover.proof(index).unwrap();
            for other in (0..size + 2).filter(|other| *other != index) {
                assert_ne!(root_of(leaf, other, size, &proof), right, "{index} {other}");
            }
            // Another size may have a way of the same steps; its head has another root.
            for wrong in [
                &proof[1..],
                &proof[..proof.len() - 1],
                &[&proof[..], &[leaf]].concat(),
            ] {
                assert_ne!(root_of(leaf, index, size, wrong), right, "{index}");
            }
            for bit in 0..proof.len() * 256 {
                let mut wrong = proof.clone();
                wrong[bit / 256][bit % 256 / 8] ^= 1 << (bit % 8);
                assert_ne!(root_of(leaf, index, size, &wrong), right);
            }
        }
        assert_eq!(prover.proof(2), None, "it was not asked for");
    }

    #[test]
    fn numbers_at_the_end_of_counting_are_no_danger() {
        let proof = [Hash::default(); LONGEST];
        assert!(root_of(proof[0], 0, u64::MAX, &proof).is_some());
        assert!(root_of(proof[0], u64::MAX - 1, u64::MAX, &proof[1..]).is_some());
        assert_eq!(root_of(proof[0], 0, 0, &[]), None);
        assert_eq!(root_of(proof[0], u64::MAX, u64::MAX, &proof), None);
        assert_eq!(root_of(proof[0], 0, 1, &proof), None);
        assert_eq!(beside(0, u64::MAX).len(), LONGEST);
        assert_eq!(Prover::new(9, [8].into_iter()).root(), None);
    }
}
