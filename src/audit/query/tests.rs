use rusqlite::{Connection, params};
use tempfile::TempDir;

use super::*;
use crate::audit::schema;

fn log() -> (TempDir, Connection) {
    let directory = tempfile::tempdir().unwrap();
    let connection = Connection::open(directory.path().join("audit.db")).unwrap();
    connection
        .pragma_update(None, "journal_mode", "wal")
        .unwrap();
    connection.execute_batch(&schema::create()).unwrap();
    for seq in 0..10 {
        write(&connection, seq);
    }
    (directory, connection)
}

fn write(connection: &Connection, seq: u32) {
    let (user, tool) = (
        ["alice", "bob"][usize::from(seq % 2 == 1)],
        ["read", "drop", "list"][usize::try_from(seq % 3).unwrap()],
    );
    let body = format!(
        "{{\"id\":\"id-{seq}\",\"seq\":{seq},\"timestamp\":\"2026-01-01T00:00:{seq:02}.000Z\",\"kind\":\"outcome\",\"request_id\":\"call-{}\",\"user_id\":\"{user}\",\"subject\":\"sub-{user}\",\"server\":\"db\",\"tool_name\":\"{tool}\",\"outcome\":\"success\",\"duration_ms\":12}}",
        seq / 2
    );
    connection
        .execute(
            "INSERT INTO record (seq, leaf, body) VALUES (?1, x'', ?2)",
            params![seq, body.as_bytes()],
        )
        .unwrap();
}

fn open(directory: &TempDir) -> Reader {
    Reader::open(&directory.path().join("audit.db")).unwrap()
}

fn listed(reader: &Reader, filter: &Filter, order: Order, limit: usize) -> Vec<u64> {
    let mut found = Vec::new();
    list(reader, filter, order, |entry| {
        found.push(entry.seq);
        if found.len() < limit {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })
    .unwrap();
    found
}

#[test]
fn filters_are_joined_by_and() {
    let (directory, _connection) = log();
    let reader = open(&directory);
    let some = |text: &str| Some(Box::from(text));
    let none = Filter::default();
    for (filter, expected) in [
        (Filter { ..none.clone() }, vec![9, 8, 7]),
        (
            Filter {
                user: some("alice"),
                ..none.clone()
            },
            vec![8, 6, 4],
        ),
        (
            Filter {
                user: some("sub-bob"),
                tool: some("drop"),
                ..none.clone()
            },
            vec![7, 1],
        ),
        (
            Filter {
                server: some("db"),
                outcome: some("success"),
                since: Some(Timestamp::parse("2026-01-01T00:00:08.5Z").unwrap()),
                ..none.clone()
            },
            vec![9],
        ),
        (
            Filter {
                server: some("d"),
                ..none.clone()
            },
            vec![],
        ),
        (
            Filter {
                outcome: some("denied"),
                ..none.clone()
            },
            vec![],
        ),
    ] {
        assert_eq!(
            listed(&reader, &filter, Order::NewestFirst, 3),
            expected,
            "{filter:?}"
        );
    }
    assert_eq!(listed(&reader, &none, Order::OldestFirst, 2), [0, 1]);
}

#[test]
fn a_record_is_found_by_number_identifier_and_call() {
    let (directory, _connection) = log();
    let reader = open(&directory);
    let found = |which: &str| -> Vec<u64> {
        find(&reader, which)
            .unwrap()
            .iter()
            .map(|entry| entry.seq)
            .collect()
    };
    assert_eq!(found("7"), [7]);
    assert_eq!(found("id-7"), [7]);
    assert_eq!(found("call-3"), [6, 7]);
    assert_eq!(found("call"), [0; 0]);
    assert_eq!(found("77"), [0; 0]);
    let entry = find(&reader, "3").unwrap().remove(0);
    let row = entry.row();
    assert_eq!(
        (&*row.timestamp, row.tool_name.as_deref(), row.duration_ms),
        ("2026-01-01T00:00:03.000Z", Some("read"), Some(12))
    );
}

#[test]
fn following_sees_what_is_written_meanwhile() {
    let (directory, connection) = log();
    let reader = Reader::open_live(&directory.path().join("audit.db")).unwrap();
    let from = end(&reader).unwrap();
    assert_eq!(from, 10);
    let (mut seen, mut waits) = (Vec::new(), 0);
    follow(
        &reader,
        from - 1,
        &Filter::default(),
        |entry| {
            seen.push(entry.seq);
            ControlFlow::Continue(())
        },
        || {
            waits += 1;
            match waits {
                1 => write(&connection, 10),
                3 => write(&connection, 11),
                5 => return ControlFlow::Break(()),
                _ => {}
            }
            ControlFlow::Continue(())
        },
    )
    .unwrap();
    assert_eq!(seen, [9, 10, 11]);
}

#[test]
fn a_record_that_cannot_be_read_still_comes_out_and_a_pruned_one_does_not() {
    let (directory, connection) = log();
    connection
        .execute(
            "INSERT INTO record (seq, leaf, body) VALUES (10, x'', x'FF7B'), (11, x'', NULL), (12, x'', x'')",
            [],
        )
        .unwrap();
    let reader = open(&directory);
    assert_eq!(
        listed(&reader, &Filter::default(), Order::NewestFirst, 2),
        [12, 10]
    );
    assert_eq!(find(&reader, "11").unwrap(), []);
    assert_eq!(pruned(&reader, "11").unwrap(), Some(11));
    assert_eq!(pruned(&reader, "10").unwrap(), None);
    let shown = |row: Row<'_>| format!("{row:?}");
    assert_eq!(
        shown(find(&reader, "10").unwrap()[0].row()),
        shown(Row::default())
    );
}
