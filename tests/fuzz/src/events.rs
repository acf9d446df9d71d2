//! Server-sent events, read from whole connections as the standard has it (WHATWG HTML §9.2.6).

use std::time::Duration;

/// The longest identity that the program keeps, which the standard knows nothing of.
const ID_LIMIT: usize = 1024;

/// What is carried from one connection to the next.
#[derive(Debug, Default)]
pub struct Stream {
    /// The last event ID string, unless it is empty.
    pub last_id: Option<String>,
    /// The reconnection time, once the server has named one.
    pub retry: Option<Duration>,
}

/// What one connection brings.
#[derive(Debug, Default)]
pub struct Connection {
    /// The data of the events of the default type that have any.
    pub events: Vec<Vec<u8>>,
    /// The most bytes that the lines of one event have together, comments aside; events that are
    /// not handed out and one that is cut off count too.
    pub largest: usize,
}

#[derive(Default)]
struct Pending {
    data: Vec<Vec<u8>>,
    kind: Vec<u8>,
    size: usize,
}

impl Stream {
    /// Reads a connection to its end.
    pub fn hear(&mut self, bytes: &[u8]) -> Connection {
        let mut heard = Connection::default();
        let mut pending = Pending::default();
        let mut id = self.last_id.clone().unwrap_or_default();
        let mut lines = lines(bytes);
        // What follows the last line end is not a line, and takes room all the same.
        let cut_off = lines.pop().unwrap_or_default();
        for (nth, line) in lines.into_iter().enumerate() {
            pending.grow(line);
            heard.largest = heard.largest.max(pending.size);
            let mark: &[u8] = if nth == 0 { b"\xef\xbb\xbf" } else { b"" };
            let line = line.strip_prefix(mark).unwrap_or(line);
            if line.is_empty() {
                self.last_id = Some(id.clone()).filter(|id| !id.is_empty());
                heard.events.extend(std::mem::take(&mut pending).event());
            } else {
                self.field(line, &mut pending, &mut id);
            }
        }
        pending.grow(cut_off);
        heard.largest = heard.largest.max(pending.size);
        heard
    }

    fn field(&mut self, line: &[u8], pending: &mut Pending, id: &mut String) {
        let colon = line.iter().position(|byte| *byte == b':');
        let name = &line[..colon.unwrap_or(line.len())];
        let value = colon.map_or(&b""[..], |colon| &line[colon + 1..]);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => pending.data.push(value.to_vec()),
            b"event" => pending.kind = value.to_vec(),
            b"id" => {
                if let Ok(text) = String::from_utf8(value.to_vec())
                    && text.len() <= ID_LIMIT
                    && !text.contains('\0')
                {
                    *id = text;
                }
            }
            b"retry" if value.iter().all(u8::is_ascii_digit) => {
                let millis = String::from_utf8_lossy(value).parse();
                self.retry = millis.map(Duration::from_millis).ok().or(self.retry);
            }
            _ => {}
        }
    }
}

impl Pending {
    fn grow(&mut self, line: &[u8]) {
        if !line.starts_with(b":") {
            self.size += line.len();
        }
    }

    fn event(self) -> Option<Vec<u8>> {
        let data = self.data.join(&b'\n');
        let wanted = matches!(&self.kind[..], b"" | b"message") && !data.is_empty();
        wanted.then_some(data)
    }
}

/// What stands between line ends, which are LF, CR, and CR LF.
fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    let (mut lines, mut start, mut at) = (Vec::new(), 0, 0);
    while at < bytes.len() {
        let end = at;
        at += match bytes[at..] {
            [b'\r', b'\n', ..] => 2,
            [b'\r' | b'\n', ..] => 1,
            _ => {
                at += 1;
                continue;
            }
        };
        lines.push(&bytes[start..end]);
        start = at;
    }
    lines.push(&bytes[start..]);
    lines
}
