use super::*;

const NOTE: &str = "chaperone/audit/a-log\n9\nAAAA\n\n\u{2014} chaperone/audit/a-log BBBB\n";

fn batch(records: &[&str], head: Option<&str>) -> Batch {
    let records = records.iter().zip(7..).map(|(json, seq)| Spooled {
        seq,
        json: (*json).into(),
    });
    Batch {
        log_id: "a-log".into(),
        size: 9,
        from: 7,
        head: head.map(Into::into),
        records: records.collect(),
        is_full: false,
    }
}

/// The one message of a record.
fn of(json: &str) -> String {
    let frames = String::from_utf8(frames(&batch(&[json], None))).unwrap();
    let (length, message) = frames.split_once(' ').unwrap();
    assert_eq!(length.parse(), Ok(message.len()));
    message.to_owned()
}

const REFUSED: &str = r#"{"id":"i","seq":7,"timestamp":"2026-11-21T10:00:00.250Z","kind":"refusal","tool_args":{"a":1e400,"b":"Grüße\n]\"\\"},"outcome":"denied","client_ip":"192.0.2.7","host_pid":4711}"#;

#[test]
fn a_batch_is_mapped_as_documented() {
    let login =
        r#"{"id":"j","timestamp":"2026-11-21T10:00:01Z","kind":"login","outcome":"success"}"#;
    let text = String::from_utf8(frames(&batch(&[REFUSED, login], Some(NOTE)))).unwrap();
    let element = |more: &str| format!("[chaperone@32473 mapping=\"1\" {more}]");
    let first = format!(
        "<109>1 2026-11-21T10:00:00.250Z 192.0.2.7 chaperone 4711 refusal {} {REFUSED}",
        element(
            "id=\"i\" seq=\"7\" log_id=\"a-log\" \
             leaf=\"7145806e1017b8aac68ca05a0ee4d22468c508bf1f2f980fe5d951515090c9c3\""
        )
    );
    let second = format!(
        "<110>1 2026-11-21T10:00:01.000Z - chaperone - login {} {login}",
        element(
            "id=\"j\" seq=\"8\" log_id=\"a-log\" \
             leaf=\"c1732f46ab6eb2caf9cbee6be8e404fd485ee862dcd29034e21c148936e377f9\" \
             checkpoint=\"Y2hhcGVyb25lL2F1ZGl0L2EtbG9nCjkKQUFBQQoK4oCUIGNoYXBlcm9uZS9hdWRpdC9hLWxvZyBCQkJCCg==\""
        )
    );
    let frame = |message: &str| format!("{} {message}", message.len());
    assert_eq!(text, frame(&first) + &frame(&second));
}

#[test]
fn the_severity_is_that_of_the_outcome() {
    for (outcome, priority) in [
        (r#""outcome":"success""#, "<110>1 "),
        (r#""outcome":"error""#, "<108>1 "),
        (r#""outcome":"unknown""#, "<108>1 "),
        (r#""outcome":"denied""#, "<109>1 "),
        (r#""kind":"intent""#, "<110>1 "),
    ] {
        let message = of(&format!("{{{outcome}}}"));
        assert!(message.starts_with(priority), "{outcome}: {message}");
    }
}

#[test]
fn what_would_end_a_field_or_the_element_does_not() {
    let json = r#"{"id":"a\"b\\c]d","kind":"a b\nc\u00e4\u007fdefghijklmnopqrstuvwxyzabcdefghij","client_ip":" ","timestamp":"yesterday"}"#;
    let message = of(json);
    let head = "<110>1 - - chaperone - abcdefghijklmnopqrstuvwxyzabcdef [chaperone@32473 mapping=\"1\" id=\"a\\\"b\\\\c\\]d\" seq=\"7\" ";
    assert!(message.starts_with(head), "{message}");
    assert!(message.ends_with(&format!("\"] {json}")), "{message}");
}

#[test]
fn what_is_no_record_is_passed_on_all_the_same() {
    let message = of("no JSON");
    let head = "<110>1 - - chaperone - - [chaperone@32473 mapping=\"1\" id=\"\" seq=\"7\" ";
    assert!(message.starts_with(head), "{message}");
    assert!(message.ends_with("] no JSON"), "{message}");
}
