//! The shortest way to the server: HTTP/1.1 over warm connections, without a library.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// One connection.
pub struct Direct {
    stream: TcpStream,
    host: String,
    buffer: Vec<u8>,
}

impl Direct {
    /// Connects to a server's endpoint.
    pub async fn connect(url: &str) -> Self {
        let host = url
            .trim_start_matches("http://")
            .trim_end_matches("/mcp")
            .to_owned();
        let stream = TcpStream::connect(&host)
            .await
            .expect("a server that listens");
        stream.set_nodelay(true).expect("a TCP stream");
        Self {
            stream,
            host,
            buffer: Vec::new(),
        }
    }

    /// Sends one message and reads the answer to its end; returns its length.
    pub async fn call(&mut self, message: &str) -> usize {
        let head = format!(
            "POST /mcp HTTP/1.1\r\nhost: {}\r\naccept: application/json, text/event-stream\r\n\
             content-type: application/json\r\nmcp-session-id: one\r\ncontent-length: {}\r\n\r\n",
            self.host,
            message.len()
        );
        let request = [head.as_bytes(), message.as_bytes()].concat();
        self.stream
            .write_all(&request)
            .await
            .expect("a server that reads");
        self.buffer.clear();
        loop {
            self.stream
                .read_buf(&mut self.buffer)
                .await
                .expect("an answer");
            if let Some(length) = whole(&self.buffer) {
                return length;
            }
        }
    }
}

/// The length of the body, once all of it is there.
fn whole(answer: &[u8]) -> Option<usize> {
    let end = answer.windows(4).position(|part| part == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&answer[..end]).expect("a head");
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.expect("a length").parse().expect("a number");
    (answer.len() >= end + length).then_some(length)
}
