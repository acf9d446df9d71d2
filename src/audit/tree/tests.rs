use super::*;

/// The leaves and roots of the reference implementation (transparency-dev/merkle, testonly).
const LEAVES: [&[u8]; 8] = [
    b"",
    &[0x00],
    &[0x10],
    &[0x20, 0x21],
    &[0x30, 0x31],
    &[0x40, 0x41, 0x42, 0x43],
    &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
    &[
        0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e,
        0x6f,
    ],
];
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];
/// Enough for every shape up to seven levels.
const MANY: usize = 70;

fn hex(hash: &Hash) -> String {
    hash.iter()
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

fn many() -> Vec<Hash> {
    (0..MANY)
        .map(|n| leaf_hash(format!("record {n}").as_bytes()))
        .collect()
}

fn wide(n: usize) -> u64 {
    u64::try_from(n).unwrap()
}

/// The definition of §2.1.1, word for word.
fn defined_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&defined_root(left), &defined_root(right))
        }
    }
}

#[test]
fn roots_are_those_of_the_reference_implementation() {
    let mut frontier = Frontier::new();
    assert_eq!(hex(&frontier.root()), ROOTS[0]);
    for (leaf, root) in LEAVES.iter().zip(&ROOTS[1..]) {
        frontier.push(leaf_hash(leaf));
        assert_eq!(hex(&frontier.root()), *root);
    }
    assert_eq!(
        hex(&leaf_hash(b"L123456")),
        "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"
    );
    let mut one_after_the_other = LeafHasher::default();
    for body in [&b"L123456"[..], b"", b"L1", &[7; 5000], b"L123456"] {
        assert_eq!(one_after_the_other.hash(body), leaf_hash(body));
    }
}

#[test]
fn the_frontier_gives_the_defined_root_at_every_size() {
    let leaves = many();
    let mut frontier = Frontier::new();
    for size in 0..=MANY {
        assert_eq!(frontier.root(), defined_root(&leaves[..size]), "{size}");
        assert_eq!(frontier.size(), wide(size));
        let bytes = frontier.to_bytes();
        assert_eq!(
            Frontier::from_bytes(wide(size), &bytes).as_ref(),
            Ok(&frontier)
        );
        let mut covered = 0;
        for (start, end, hash) in frontier.subtrees() {
            assert_eq!(start, covered);
            let span = usize::try_from(start).unwrap()..usize::try_from(end).unwrap();
            assert_eq!(*hash, defined_root(&leaves[span]));
            covered = end;
        }
        assert_eq!(covered, wide(size));
        if let Some(leaf) = leaves.get(size) {
            frontier.push(*leaf);
        }
    }
}

#[test]
fn bytes_of_another_length_are_no_frontier() {
    for (size, bytes) in [(0, 32), (1, 0), (1, 31), (1, 64), (3, 32), (u64::MAX, 32)] {
        assert!(
            Frontier::from_bytes(size, &vec![0; bytes]).is_err(),
            "{size} {bytes}"
        );
    }
}
