//! Records for Splunk's HTTP Event Collector: events one after the other, each the record as it is,
//! with the log's newest signed head among the indexed fields.

use serde::Serialize;
use serde_json::value::RawValue;

use super::cursor::made;
use super::delivery::Delivery;
use crate::audit::spool::{Batch, Spooled};
use crate::clock::Timestamp;

#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    /// Seconds since 1970; a text may stand for the number.
    time: Option<String>,
    source: &'static str,
    sourcetype: &'static str,
    event: &'a RawValue,
    fields: Fields<'a>,
}

#[derive(Serialize)]
struct Fields<'a> {
    log_id: &'a str,
    seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint: Option<&'a str>,
}

/// A batch as the body of a request; the head stands with the last event.
pub(super) fn request(batch: &Batch) -> Vec<u8> {
    let mut body = Vec::new();
    let last = batch.records.last().map(|record| record.seq);
    for record in &batch.records {
        let head = batch.head.as_deref().filter(|_| Some(record.seq) == last);
        if let Some(event) = event(batch, record, head) {
            body.extend(event);
            body.push(b'\n');
        }
    }
    body
}

fn event(batch: &Batch, record: &Spooled, checkpoint: Option<&str>) -> Option<Vec<u8>> {
    let time = made(&record.json).and_then(|time| Timestamp::parse(&time).ok());
    let seconds = |time: Timestamp| {
        let (seconds, millis) = (time.seconds(), time.millis().rem_euclid(1000));
        format!("{seconds}.{millis:03}")
    };
    let line = Line {
        time: time.map(seconds),
        source: "chaperone",
        sourcetype: "chaperone:audit",
        event: serde_json::from_str(&record.json).ok()?,
        fields: Fields {
            log_id: &batch.log_id,
            seq: record.seq,
            checkpoint,
        },
    };
    serde_json::to_vec(&line).ok()
}

/// What an answer of status 200 says: `code` 0 is success.
pub(super) fn judge(answer: &[u8]) -> Delivery {
    #[derive(serde::Deserialize)]
    struct Answer {
        code: Option<i64>,
        text: Option<String>,
    }
    match serde_json::from_slice(answer) {
        Ok(Answer {
            code: None | Some(0),
            ..
        }) => Delivery::Taken,
        Ok(Answer {
            text,
            code: Some(code),
        }) => {
            let text = text.unwrap_or_default();
            Delivery::later(format!("it answers with code {code}: {text}"))
        }
        Err(_) => Delivery::later("its answer is none of an event collector"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_hold_the_record_byte_for_byte() {
        let json = r#"{"id":"a","timestamp":"2026-11-21T10:00:00.250Z","n":1e400}"#;
        let record = |seq| Spooled {
            seq,
            json: json.into(),
        };
        let batch = Batch {
            log_id: "log".into(),
            size: 2,
            from: 0,
            head: Some("note".into()),
            records: vec![record(0), record(1)],
            is_full: false,
        };
        let body = String::from_utf8(request(&batch)).unwrap();
        let lines: Vec<&str> = body.lines().collect();
        let head = r#"{"time":"1795255200.250","source":"chaperone","sourcetype":"chaperone:audit","event":"#;
        assert_eq!(
            lines,
            [
                format!("{head}{json},\"fields\":{{\"log_id\":\"log\",\"seq\":0}}}}"),
                format!(
                    "{head}{json},\"fields\":{{\"log_id\":\"log\",\"seq\":1,\"checkpoint\":\"note\"}}}}"
                ),
            ]
        );
    }

    #[test]
    fn only_success_is_success() {
        assert_eq!(judge(br#"{"text":"Success","code":0}"#), Delivery::Taken);
        for answer in [
            &br#"{"text":"Server is busy","code":9}"#[..],
            b"<html>",
            b"",
        ] {
            assert!(matches!(judge(answer), Delivery::NotNow { .. }));
        }
    }
}
