//! A second reader of proofs, by the recursive definitions of RFC 9162 (§2.1.3.1, §2.1.4.1).

use chaperone::audit::tree::{Hash, node_hash};

/// The root that an inclusion proof leads to, if it has exactly as many hashes as it takes.
#[must_use]
pub fn inclusion(leaf: Hash, index: u64, size: u64, proof: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let mut rest = proof.iter();
    let root = climb(leaf, index, size, &mut rest)?;
    rest.next().is_none().then_some(root)
}

fn climb<'a>(
    leaf: Hash,
    index: u64,
    size: u64,
    rest: &mut impl Iterator<Item = &'a Hash>,
) -> Option<Hash> {
    if size == 1 {
        return Some(leaf);
    }
    let split = split(size);
    if index < split {
        let left = climb(leaf, index, split, rest)?;
        Some(node_hash(&left, rest.next()?))
    } else {
        let right = climb(leaf, index - split, size - split, rest)?;
        Some(node_hash(rest.next()?, &right))
    }
}

/// The two roots that a consistency proof leads to, if it has exactly as many hashes as it takes. An
/// older tree that is complete has the root that is given.
#[must_use]
pub fn consistency(older: u64, newer: u64, root: Hash, proof: &[Hash]) -> Option<(Hash, Hash)> {
    if older == 0 || older >= newer {
        return None;
    }
    let mut rest = proof.iter();
    let roots = grow(older, newer, Some(root), &mut rest)?;
    rest.next().is_none().then_some(roots)
}

/// `whole` is the older root as long as the older tree is looked at as a whole.
fn grow<'a>(
    older: u64,
    newer: u64,
    whole: Option<Hash>,
    rest: &mut impl Iterator<Item = &'a Hash>,
) -> Option<(Hash, Hash)> {
    if older == newer {
        let root = match whole {
            Some(root) => root,
            None => *rest.next()?,
        };
        return Some((root, root));
    }
    let split = split(newer);
    if older <= split {
        let (old, left) = grow(older, split, whole, rest)?;
        Some((old, node_hash(&left, rest.next()?)))
    } else {
        let (old, right) = grow(older - split, newer - split, None, rest)?;
        let left = rest.next()?;
        Some((node_hash(left, &old), node_hash(left, &right)))
    }
}

/// The largest power of two that is less than a number of leaves.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}
