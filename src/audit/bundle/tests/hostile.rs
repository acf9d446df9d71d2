//! Archives by somebody who wants to deceive, or to hurt, the verifier.

use super::*;

/// Small enough that every bit can be tried.
fn small() -> Vec<u8> {
    let archive = made(&log(5, 5), &ids(&["1", "2"])).unwrap();
    with(&archive, README, Vec::clear)
}

#[test]
fn no_single_bit_of_head_proof_or_record_can_change() {
    let mut files = files(&small());
    for at in [1, 4] {
        for bit in 0..files[at].1.len() * 8 {
            files[at].1[bit / 8] ^= 1 << (bit % 8);
            let report = judged(&zipped(&files), Some(pin(1)), None);
            assert_eq!(
                report.verdict,
                Verdict::Changed,
                "bit {bit} of {}",
                files[at].0
            );
            files[at].1[bit / 8] ^= 1 << (bit % 8);
        }
    }
    assert_eq!(
        judged(&zipped(&files), Some(pin(1)), None).verdict,
        Verdict::Intact
    );
}

#[test]
fn no_single_bit_of_the_archive_makes_other_evidence() {
    let archive = small();
    let whole = judged(&archive, Some(pin(1)), None);
    for bit in 0..archive.len() * 8 {
        let mut changed = archive.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        // As something that is no archive it would be refused as a log.
        if !changed.starts_with(b"PK") {
            continue;
        }
        let report = judged(&changed, Some(pin(1)), None);
        // Times and modes of files are nobody's evidence.
        assert!(
            report.verdict == Verdict::Changed
                || (report.records, &report.root, &report.note)
                    == (whole.records, &whole.root, &whole.note),
            "bit {bit}"
        );
    }
}

#[test]
fn lines_and_proofs_cannot_change_places() {
    let archive = made(&log(9, 9), &ids(&["1", "2", "8"])).unwrap();
    let lines = |change: fn(&mut Vec<String>)| {
        with(&archive, RECORDS, |content| {
            let text = String::from_utf8(content.clone()).unwrap();
            let mut lines = text.lines().map(ToOwned::to_owned).collect();
            change(&mut lines);
            *content = lines
                .iter()
                .flat_map(|line| [line.as_bytes(), b"\n"].concat())
                .collect();
        })
    };
    assert_eq!(
        judged(&lines(|_| {}), Some(pin(1)), None).verdict,
        Verdict::Intact
    );
    assert_eq!(problem(&lines(|lines| lines.swap(0, 1))), Problem::Order);
    assert_eq!(
        problem(&lines(|lines| lines.insert(1, lines[0].clone()))),
        Problem::Order
    );
    for taken in [0, 1, 2] {
        let found = match taken {
            0 => problem(&lines(|lines| drop(lines.remove(0)))),
            1 => problem(&lines(|lines| drop(lines.remove(1)))),
            _ => problem(&lines(|lines| drop(lines.remove(2)))),
        };
        assert!(matches!(found, Problem::Manifest(_)), "{found:?}");
    }
    assert!(matches!(problem(&lines(Vec::clear)), Problem::Manifest(_)));
    // The proof of another, one that is cut, and one that goes on.
    let proofs = |change: fn(&mut Line)| {
        with(&archive, RECORDS, |content| {
            let text = String::from_utf8(content.clone()).unwrap();
            let mut first: Line = serde_json::from_str(text.lines().next().unwrap()).unwrap();
            let rest = text.split_once('\n').unwrap().1;
            change(&mut first);
            *content = format!("{}\n{rest}", serde_json::to_string(&first).unwrap()).into_bytes();
        })
    };
    for change in [
        |line: &mut Line| line.seq = 0,
        |line: &mut Line| drop(line.proof.pop()),
        |line: &mut Line| line.proof.reverse(),
        |line: &mut Line| line.proof.push(line.proof[0].clone()),
        |line: &mut Line| line.record = format!("{} ", line.record).into(),
    ] {
        assert_eq!(problem(&proofs(change)), Problem::Proof);
    }
    let many = |line: &mut Line| line.proof = vec![line.proof[0].clone(); 65];
    assert_eq!(problem(&proofs(many)), Problem::Line);
}

#[test]
fn everything_made_anew_with_another_key_is_refused() {
    let archive = small();
    let mut files = files(&archive);
    let forged = body(1).replace("alice", "mallory");
    let leaf = leaf_hash(forged.as_bytes());
    let mut tree = Frontier::new();
    tree.push(leaf);
    let line = format!(
        "{}\n",
        serde_json::to_string(&Line {
            seq: 0,
            proof: Vec::new(),
            record: forged.replace("\"seq\":1", "\"seq\":0").into(),
        })
        .unwrap()
    );
    files[1].1 = sign(ORIGIN, 1, &tree.root(), &key(2)).into_bytes();
    files[2].1 = format!("{}\n", pin(2)).into_bytes();
    files[4].1 = line.into_bytes();
    assert_eq!(problem(&zipped(&files)), Problem::Note(NoteError::Unsigned));
}

#[test]
fn the_manifest_says_what_the_files_say() {
    let archive = small();
    for (from, to, what) in [
        (ORIGIN, "chaperone/audit/y", "log"),
        ("\"head_size\": 5", "\"head_size\": 6", "head"),
        ("\"records\": 2", "\"records\": 3", "number of records"),
        ("\"first\": 1", "\"first\": 0", "first record"),
        ("\"last\": 2", "\"last\": 3", "last record"),
    ] {
        let changed = with_text(&archive, MANIFEST, from, to);
        assert_eq!(problem(&changed), Problem::Manifest(what));
    }
    let other = with_text(&archive, MANIFEST, "chaperone-evidence", "something");
    assert_eq!(problem(&other), Problem::Format(MANIFEST));
    for (from, to) in [
        ("\"records\"", "\"more\": 1, \"records\""),
        ("\"last\"", "\"first\": 1, \"last\""),
        ("{", "["),
    ] {
        let changed = with_text(&archive, MANIFEST, from, to);
        assert!(
            matches!(problem(&changed), Problem::Document { .. }),
            "{to}"
        );
    }
}

#[test]
fn files_that_swell_are_not_swallowed() {
    let archive = small();
    let huge = vec![b' '; 16 << 20];
    for name in [MANIFEST, CHECKPOINT, KEY, RECORDS] {
        let bomb = with(&archive, name, |content| content.extend_from_slice(&huge));
        assert!(bomb.len() < 64 << 10);
        let found = problem(&bomb);
        assert!(
            matches!(found, Problem::TooLong { name: told, .. } if told == name),
            "{name}: {found:?}"
        );
    }
}

#[test]
fn an_archive_holds_the_five_files_and_nothing_else() {
    let archive = small();
    for name in [
        "../../etc/passwd",
        "/etc/passwd",
        "C:\\x",
        "RECORDS.JSONL",
        "a/key.txt",
        "",
    ] {
        let mut changed = files(&archive);
        changed[2].0 = name.into();
        assert_eq!(problem(&zipped(&changed)), Problem::Name(name.into()));
    }
    let mut more = files(&archive);
    more.push(("more.txt".into(), Vec::new()));
    assert_eq!(problem(&zipped(&more)), Problem::Files);
    let mut fewer = files(&archive);
    fewer.remove(0);
    assert_eq!(problem(&zipped(&fewer)), Problem::Files);
    for changed in [
        [b"PK", &archive[..]].concat(),
        [&archive[..], b"\0"].concat(),
        [&archive[..archive.len() - 2], b"\x01\x00x"].concat(),
        b"PK".to_vec(),
    ] {
        assert_eq!(problem(&changed), Problem::Padding);
    }
    // The names are of the same length, so they can be exchanged where they stand.
    let renamed = |from: &str, to: &str, which: fn(usize) -> bool| {
        let mut changed = archive.clone();
        let places: Vec<_> = archive
            .windows(from.len())
            .enumerate()
            .filter(|(_, found)| *found == from.as_bytes())
            .map(|(at, _)| at)
            .collect();
        assert_eq!(places.len(), 2, "one in the directory, one at the file");
        for (nth, at) in places.into_iter().enumerate() {
            if which(nth) {
                changed[at..at + to.len()].copy_from_slice(to.as_bytes());
            }
        }
        changed
    };
    assert_eq!(
        problem(&renamed(MANIFEST, RECORDS, |_| true)),
        Problem::Twice
    );
    for hidden in [
        renamed(KEY, "../x.sh", |nth| nth == 0),
        renamed(RECORDS, MANIFEST, |nth| nth == 0),
    ] {
        let found = problem(&hidden);
        assert!(matches!(found, Problem::Archive(_)), "{found:?}");
    }
    // Every cut.
    for length in 4..archive.len() {
        let report = judged(&archive[..length], Some(pin(1)), None);
        assert_eq!(report.verdict, Verdict::Changed, "{length}");
    }
}
