use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use sha2::Sha256;

use super::super::leaf_hash;
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

/// Another implementation, of the same tree.
type Other = MemoryBackedTree<Sha256, Vec<u8>>;

/// As many trees as there are proofs to compare.
const SIZES: u64 = 300;

fn other(size: u64) -> Other {
    let mut tree = Other::new();
    for at in 0..size {
        tree.push(at.to_be_bytes().to_vec());
    }
    tree
}

fn head(size: u64) -> Head {
    let root = root(&leaves(size));
    Head { size, root }
}

#[test]
fn another_implementation_agrees_on_roots_and_inclusion() {
    for size in 0..=SIZES {
        let (tree, all) = (other(size), leaves(size));
        assert_eq!(tree.root().as_bytes()[..], root(&all)[..], "{size}");
        let prover = prover(size, 0..size);
        // All leaves of small trees, and in larger ones some that lie differently.
        let step = usize::try_from(1 + size / 16).unwrap();
        for index in (0..size).step_by(step).chain(size.checked_sub(1)) {
            let at = usize::try_from(index).unwrap();
            let ours = prover.proof(index).unwrap().concat();
            assert_eq!(
                tree.prove_inclusion(at).as_bytes(),
                ours,
                "{index} of {size}"
            );
            let ours = InclusionProof::<Sha256>::try_from_bytes(ours).unwrap();
            let leaf = index.to_be_bytes().to_vec();
            tree.root().verify_inclusion(&leaf, index, &ours).unwrap();
        }
    }
}

#[test]
fn another_implementation_agrees_on_consistency() {
    let heads: Vec<Head> = (0..=SIZES).map(head).collect();
    for newer in &heads[1..] {
        let (size, tree) = (newer.size, other(newer.size));
        let all = prover(size, std::iter::empty());
        assert_eq!(all.consistency(0), Some(Vec::new()));
        let step = usize::try_from(1 + size / 16).unwrap();
        let sizes = (1..size).step_by(step).chain(size.checked_sub(1));
        for older in sizes.filter(|older| *older > 0) {
            let mut begun = Frontier::new();
            for leaf in leaves(older) {
                begun.push(leaf);
            }
            let mut resumed = Prover::resume(&begun, size);
            for leaf in &leaves(size)[usize::try_from(older).unwrap()..] {
                resumed.push(*leaf);
            }
            let proof = resumed.consistency(older).unwrap();
            let whole = Prover::new(size, std::iter::empty());
            let mut whole = whole.with_older(std::iter::once(older));
            for leaf in leaves(size) {
                whole.push(leaf);
            }
            assert_eq!(whole.consistency(older), Some(proof.clone()));
            let additions = usize::try_from(size - older).unwrap();
            let theirs = tree.prove_consistency(additions);
            assert_eq!(theirs.as_bytes(), proof.concat(), "{older} of {size}");
            let old = &heads[usize::try_from(older).unwrap()];
            assert!(extends(old, newer, &proof), "{older} of {size}");
            let ours = ConsistencyProof::<Sha256>::try_from_bytes(proof.concat()).unwrap();
            let old = RootHash::<Sha256>::new(old.root.into(), older);
            tree.root().verify_consistency(&old, &ours).unwrap();
        }
    }
}

#[test]
fn a_consistency_proof_is_good_for_its_two_trees_alone() {
    for (older, size) in [
        (1, 2),
        (3, 7),
        (4, 7),
        (6, 8),
        (64, 100),
        (77, 100),
        (99, 100),
    ] {
        let (old, new) = (head(older), head(size));
        let prover = Prover::new(size, std::iter::empty());
        let mut prover = prover.with_older(std::iter::once(older));
        for leaf in leaves(size) {
            prover.push(leaf);
        }
        let proof = prover.consistency(older).unwrap();
        assert!(extends(&old, &new, &proof));
        for other in (0..size + 2).filter(|other| *other != older && *other != size) {
            let as_old = Head { size: other, ..old };
            assert!(!extends(&as_old, &new, &proof), "{other} {size}");
            assert!(!extends(&head(other), &new, &proof), "{other} {size}");
        }
        for bit in 0..proof.len() * 256 {
            let mut wrong = proof.clone();
            wrong[bit / 256][bit % 256 / 8] ^= 1 << (bit % 8);
            assert!(!extends(&old, &new, &wrong));
        }
        assert!(!extends(&old, &new, &proof[1..]));
        assert!(!extends(&old, &new, &[&proof[..], &[old.root]].concat()));
        assert!(!extends(&new, &old, &proof));
    }
    let (empty, one) = (head(0), head(1));
    assert!(extends(&empty, &one, &[]) && extends(&one, &one, &[]));
    assert!(!extends(
        &Head {
            root: one.root,
            ..empty
        },
        &one,
        &[]
    ));
    assert!(!extends(&empty, &one, &[one.root]) && !extends(&one, &one, &[one.root]));
    assert!(!extends(&one, &head(2), &[]));
    let longest = [Hash::default(); LONGEST + 1];
    let huge = |size| Head {
        size,
        root: Hash::default(),
    };
    assert!(!extends(&huge(u64::MAX - 1), &huge(u64::MAX), &longest));
    assert!(!extends(&huge(1 << 63), &huge(u64::MAX), &longest));
}
