//! Evidence that somebody outside the machine has seen.

use super::*;
use crate::audit::checkpoint::cosign;
use crate::audit::checkpoint::tests::{SECONDS, Witness, cosigned_by, witnesses};
use crate::audit::tree::Head;

/// The root over the first records.
fn head_of(size: u64) -> Head {
    let mut tree = Frontier::new();
    for seq in 0..size {
        tree.push(leaf_hash(body(seq).as_bytes()));
    }
    let root = tree.root();
    Head { size, root }
}

/// A log of twenty records, whose first `seen` a witness saw.
fn seen_log(witness: &Witness, seen: u64) -> TempDir {
    let directory = log(20, 20);
    let connection = Connection::open(directory.path().join("audit.db")).unwrap();
    let note = sign(ORIGIN, seen, &head_of(seen).root, &key(1));
    let note = seen_note(&note, witness);
    let row = params![i64::try_from(seen).unwrap(), note];
    connection
        .execute("INSERT INTO cosigned VALUES ('w', ?1, x'', ?2)", row)
        .unwrap();
    directory
}

/// What is kept of a head that the witness saw.
fn seen_note(note: &str, witness: &Witness) -> String {
    let both = cosigned_by(note, witness, SECONDS);
    cosign(note, &both[note.len()..], &witness.key)
        .unwrap()
        .unwrap()
}

fn judged_with(content: &[u8], key: Option<VerifierKey>, witness: &Witness) -> EvidenceReport {
    judged_by(content, key, None, vec![witness.key.clone()])
}

fn kept(archive: &[u8], size: u64) -> EvidenceReport {
    let head = PinnedHead::Head(head_of(size));
    judged(archive, Some(pin(1)), Some(head))
}

#[test]
fn a_witness_vouches_for_what_it_saw_and_for_no_more() {
    for witness in witnesses() {
        let directory = seen_log(&witness, 13);
        let archive = made(&directory, &ids(&["12"])).unwrap();
        let report = judged_with(&archive, Some(pin(1)), &witness);
        assert_eq!(report.verdict, Verdict::Intact, "{report}");
        let said = report.to_string();
        let told = "the witness witness.example/w1 saw 13 records at 2023-03-20T12:25:47.000Z";
        assert!(said.contains(told), "{said}");
        // Without the log's key, its word is good for the records that were there.
        assert_eq!(
            judged_with(&archive, None, &witness).verdict,
            Verdict::Intact
        );
        let later = made(&directory, &ids(&["13"])).unwrap();
        assert_eq!(
            judged_with(&later, None, &witness).verdict,
            Verdict::Unproven
        );
        // A record that travels alone takes it along.
        let mut alone = Vec::new();
        singles(&open(&directory), "12", &mut alone).unwrap();
        assert_eq!(judged_with(&alone, None, &witness).verdict, Verdict::Intact);
    }
}

#[test]
fn a_witness_that_is_asked_for_and_has_seen_nothing_leaves_it_unproven() {
    let [one, other] = witnesses();
    for directory in [log(20, 20), seen_log(&one, 13)] {
        let archive = made(&directory, &ids(&["12"])).unwrap();
        let report = judged_with(&archive, Some(pin(1)), &other);
        assert_eq!(report.verdict, Verdict::Unproven, "{report}");
        assert!(
            report.to_string().contains("no cosignature of the witness"),
            "{report}"
        );
    }
}

#[test]
fn an_older_head_that_was_kept_is_continued_or_contradicted() {
    let directory = log(20, 20);
    let select = ids(&["3"]);
    let with_head = |head: &PinnedHead| {
        let mut out = Cursor::new(Vec::new());
        bundle(&open(&directory), &select, Some(head), &mut out).unwrap();
        out.into_inner()
    };
    for size in [1, 7, 8, 19, 20] {
        let note = PinnedHead::Note(sign(ORIGIN, size, &head_of(size).root, &key(1)).into());
        for head in [PinnedHead::Head(head_of(size)), note] {
            let archive = with_head(&head);
            let report = judged(&archive, Some(pin(1)), Some(head));
            assert_eq!(
                (report.verdict, report.memory),
                (Verdict::Intact, Some(Memory::Given))
            );
        }
    }
    // One that another log had when it was as long.
    let archive = with_head(&PinnedHead::Head(head_of(7)));
    let other = PinnedHead::Head(Head {
        size: 7,
        ..head_of(8)
    });
    let report = judged(&archive, Some(pin(1)), Some(other));
    assert_eq!(report.fault.unwrap().problem, Problem::Fork);
    // One of which the file says nothing, and one that the log has not reached.
    assert!(kept(&archive, 8).head_not_compared);
    assert!(
        with_head(&PinnedHead::Head(Head {
            size: 21,
            ..head_of(8)
        }))
        .len()
            > 100
    );
}

#[test]
fn no_single_bit_of_an_older_head_can_change() {
    let [witness, _] = witnesses();
    let archive = made(&seen_log(&witness, 13), &ids(&["12"])).unwrap();
    let manifest = String::from_utf8(files(&archive)[3].1.clone()).unwrap();
    let start = manifest.find("\"older\"").unwrap();
    for bit in start * 8..manifest.len() * 8 {
        let mut changed = manifest.clone().into_bytes();
        changed[bit / 8] ^= 1 << (bit % 8);
        // Space between the members of the document means nothing.
        let Ok(text) = String::from_utf8(changed) else {
            continue;
        };
        let same = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
        if same(&text) == same(&manifest) {
            continue;
        }
        let archive = with(&archive, MANIFEST, |content| *content = text.into_bytes());
        let report = judged_with(&archive, Some(pin(1)), &witness);
        // Under another name it is somebody else's signature, and this witness has seen nothing.
        assert_ne!(report.verdict, Verdict::Intact, "bit {bit}");
    }
}

#[test]
fn a_witness_that_saw_another_log_is_no_witness_of_this_one() {
    let [witness, _] = witnesses();
    let directory = seen_log(&witness, 13);
    let connection = Connection::open(directory.path().join("audit.db")).unwrap();
    for (origin, root) in [
        ("chaperone/audit/y", head_of(13).root),
        (ORIGIN, head_of(12).root),
    ] {
        let note = seen_note(&sign(origin, 13, &root, &key(1)), &witness);
        let changed = "UPDATE cosigned SET note = ?1";
        connection.execute(changed, [note]).unwrap();
        let refused = made(&directory, &ids(&["12"]));
        if origin == ORIGIN {
            assert!(matches!(refused, Err(BundleError::Changed)));
            continue;
        }
        let report = judged_with(&refused.unwrap(), Some(pin(1)), &witness);
        assert_eq!(report.fault.unwrap().problem, Problem::Older);
    }
}
