//! Records as files: a segment holds whole records, one a line, and is never changed once it has its
//! name; beside it lies the log's signed head. A share or a synchronising tool carries them off.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use super::delivery::Delivery;
use crate::audit::spool::Batch;
use crate::paths;
use crate::wording::chain;

/// Writes a batch as one segment. What was written before a cursor was lost is written again, perhaps
/// divided otherwise; the records are the same.
pub(super) fn deliver(directory: &Path, batch: &Batch) -> Delivery {
    match write(directory, batch) {
        Ok(()) => Delivery::Taken,
        Err(error) => Delivery::later(chain(&error)),
    }
}

fn write(directory: &Path, batch: &Batch) -> io::Result<()> {
    let (Some(first), Some(last)) = (batch.records.first(), batch.records.last()) else {
        return Ok(());
    };
    let place = directory.join(&*batch.log_id);
    fs::create_dir_all(&place)?;
    let name = format!("{:020}-{:020}", first.seq, last.seq);
    let mut text = Vec::new();
    for record in &batch.records {
        text.extend_from_slice(record.json.as_bytes());
        text.push(b'\n');
    }
    put(&place, &format!("{name}.jsonl"), &text)?;
    if let Some(head) = &batch.head {
        put(&place, &format!("{name}.checkpoint"), head.as_bytes())?;
    }
    paths::sync_directory(&place)
}

/// Whoever looks sees no file or the whole of it.
fn put(place: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let fresh = place.join(format!(".{name}.part"));
    let mut file = File::create(&fresh)?;
    file.write_all(content)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&fresh, place.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::spool::Spooled;

    #[test]
    fn segments_hold_the_records_and_the_head() {
        let directory = tempfile::tempdir().unwrap();
        let batch = Batch {
            log_id: "log".into(),
            size: 9,
            from: 7,
            head: Some("note\n".into()),
            records: [7, 8]
                .map(|seq| Spooled {
                    seq,
                    json: format!("{{\"seq\":{seq}}}").into(),
                })
                .into(),
            is_full: false,
        };
        for _twice in 0..2 {
            assert_eq!(deliver(directory.path(), &batch), Delivery::Taken);
        }
        let place = directory.path().join("log");
        let read = |name: &str| fs::read_to_string(place.join(name)).unwrap();
        let name = "00000000000000000007-00000000000000000008";
        assert_eq!(read(&format!("{name}.jsonl")), "{\"seq\":7}\n{\"seq\":8}\n");
        assert_eq!(read(&format!("{name}.checkpoint")), "note\n");
        assert_eq!(fs::read_dir(place).unwrap().count(), 2);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_tried_again() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let record = Spooled {
            seq: 0,
            json: "{}".into(),
        };
        let batch = Batch {
            log_id: "log".into(),
            size: 1,
            from: 0,
            head: None,
            records: vec![record],
            is_full: false,
        };
        assert!(matches!(deliver(&file, &batch), Delivery::NotNow { .. }));
    }
}
