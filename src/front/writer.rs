//! Writes what the host is to hear.

use std::io;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};

use crate::wire::Message;

/// How many messages are put into one write.
const BATCH: usize = 64;
/// How much text is gathered before it is written.
const GATHERED: usize = 64 * 1024;
/// The largest buffer that is kept.
const KEPT: usize = 1024 * 1024;

/// Writes messages as whole lines until the host closes its end, or until what was queued when
/// `ending` was told is written.
pub(super) async fn write<W: AsyncWrite + Unpin>(
    writer: W,
    inbox: mpsc::Receiver<Message>,
    ending: &Notify,
) {
    if let Err(error) = write_all(writer, inbox, ending).await {
        tracing::debug!(%error, "the host cannot be written to");
    }
}

async fn write_all<W: AsyncWrite + Unpin>(
    mut writer: W,
    mut inbox: mpsc::Receiver<Message>,
    ending: &Notify,
) -> io::Result<()> {
    let mut batch = Vec::with_capacity(BATCH);
    let mut text = Vec::new();
    loop {
        tokio::select! {
            biased;
            () = ending.notified() => inbox.close(),
            count = inbox.recv_many(&mut batch, BATCH) => if count == 0 {
                return writer.flush().await;
            },
        }
        for message in batch.drain(..) {
            message.write_line(&mut text);
            if text.len() >= GATHERED {
                write_out(&mut writer, &mut text).await?;
            }
        }
        write_out(&mut writer, &mut text).await?;
        if inbox.is_empty() {
            writer.flush().await?;
        }
    }
}

async fn write_out<W: AsyncWrite + Unpin>(writer: &mut W, text: &mut Vec<u8>) -> io::Result<()> {
    writer.write_all(text).await?;
    text.clear();
    text.shrink_to(KEPT);
    Ok(())
}
