use proptest::prelude::*;
use tokio::io::AsyncWriteExt;

use super::*;
use crate::stop::Tasks;

fn bound(bytes: usize) -> LineLimit {
    let limit = LineLimit::default();
    limit.set(bytes);
    limit
}

/// The lines of the input when `step` bytes come at a time.
async fn split(input: &[u8], step: usize, limit: usize) -> Vec<Option<Vec<u8>>> {
    let (reader, mut writer) = tokio::io::duplex(step);
    let input = input.to_vec();
    Tasks::new().spawn(async move { writer.write_all(&input).await.unwrap() });
    let mut lines = Lines::new(reader, bound(limit));
    let mut all = Vec::new();
    while let Some(line) = lines.next().await.unwrap() {
        all.push(match line {
            Line::Text(text) => Some(text.to_vec()),
            Line::TooLong(told) => {
                assert_eq!(told, limit);
                None
            }
        });
    }
    all
}

/// The same, said in one line.
fn expected(input: &[u8], limit: usize) -> Vec<Option<Vec<u8>>> {
    input
        .split(|byte| *byte == b'\n')
        .filter(|line| line.len() > limit || !line.trim_ascii().is_empty())
        .map(|line| (line.len() <= limit).then(|| line.to_vec()))
        .collect()
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(future)
}

proptest! {
    #[test]
    fn lines_are_the_same_however_they_come(
        pieces in proptest::collection::vec(
            prop_oneof![Just("\n"), Just("\r\n"), Just(" "), Just("ab"), Just("long line")],
            0..40,
        ),
        step in 1..20_usize,
        limit in 0..12_usize,
    ) {
        let input = pieces.concat();
        let input = input.as_bytes();
        prop_assert_eq!(run(split(input, step, limit)), expected(input, limit));
    }
}

#[tokio::test]
async fn an_endless_line_takes_no_more_room_than_its_limit() {
    let limit = 4 * KEPT;
    let endless = tokio::io::repeat(b'x').take(40 * 1024 * 1024);
    let mut lines = Lines::new(endless.chain(&b"\nnext\n"[..]), bound(limit));
    assert_eq!(lines.next().await.unwrap(), Some(Line::TooLong(limit)));
    assert!(lines.buffer.capacity() <= 2 * (limit + CHUNK));
    assert_eq!(lines.next().await.unwrap(), Some(Line::Text(b"next")));
    assert!(lines.buffer.capacity() <= KEPT, "the room is given back");
    assert_eq!(lines.next().await.unwrap(), None);
}

#[tokio::test]
async fn a_limit_holds_for_the_lines_that_come_after_it_was_set() {
    let limit = bound(2);
    let mut lines = Lines::new(&b"abc\nabc\n"[..], limit.clone());
    assert_eq!(lines.next().await.unwrap(), Some(Line::TooLong(2)));
    limit.set(3);
    assert_eq!(lines.next().await.unwrap(), Some(Line::Text(b"abc")));
}
