//! How findings are put, and how the command ends by them.

use super::*;

#[test]
fn the_worst_decides_how_it_ends() {
    let failed = |code| Check::failed("x", code, "d", "f");
    let warning = || Check::warning("x", Code::HostStale, "d", "f");
    for (checks, expected) in [
        (vec![Check::ok("x", "d"), Check::note("x", "d")], 0),
        (vec![Check::skipped("x", "d")], 0),
        (vec![Check::ok("x", "d"), warning()], 1),
        (vec![failed(Code::KeychainFailed), warning()], 1),
        (vec![failed(Code::NotSignedIn), warning()], 4),
        (
            vec![failed(Code::NotSignedIn), failed(Code::ServerUnreachable)],
            5,
        ),
        (
            vec![failed(Code::ServerUnreachable), failed(Code::ConfigInvalid)],
            2,
        ),
        (
            vec![failed(Code::ConfigInvalid), failed(Code::LogDamaged)],
            6,
        ),
    ] {
        assert_eq!(exit_code(&checks), expected, "{checks:?}");
    }
}

#[test]
fn a_line_begins_with_a_word_and_is_no_wider_than_a_terminal() {
    let detail = "something that takes many words to say, and holds\n\u{1b}[2J a control character";
    let check = Check::failed(
        "host.cursor",
        Code::HostWiped,
        detail,
        &"do this ".repeat(20),
    );
    let plain = line(&check, false);
    assert!(
        plain.starts_with("failed   host.cursor: something"),
        "{plain}"
    );
    assert!(
        plain.lines().all(|line| line.chars().count() <= 80),
        "{plain}"
    );
    assert!(
        plain.contains("\\u{1b}") && !plain.contains('\u{1b}'),
        "{plain}"
    );
    assert!(plain.contains("\n           Fix: do this"), "{plain}");
    assert!(plain.ends_with("(CHP-HOST-WIPED)"), "{plain}");
    let coloured = line(&check, true);
    assert!(
        coloured.starts_with("\u{1b}[31mfailed   \u{1b}[0mhost"),
        "{coloured}"
    );
}

#[test]
fn a_check_is_json_with_five_keys() {
    let check = Check::warning(
        "sync.siem",
        Code::SyncBehind,
        "3 wait",
        "chaperone sync --now",
    );
    let json = serde_json::to_value(&check).unwrap();
    let expected = serde_json::json!({"id": "sync.siem", "state": "warning", "detail": "3 wait",
        "fix": "chaperone sync --now", "code": "CHP-SYNC-BEHIND"});
    assert_eq!(json, expected);
    let json = serde_json::to_value(Check::ok("version", "1")).unwrap();
    assert_eq!(
        (&json["fix"], &json["code"]),
        (&serde_json::Value::Null, &serde_json::Value::Null)
    );
}
