//! Records for receivers of syslog over TLS (RFC 5425).
//!
//! Syslog has no answer. A batch goes over a connection of its own and counts as taken once all of it
//! was written, this side has said TLS's farewell, and the receiver has answered with its own and closed
//! the connection in order, as RFC 5425 §4.4 has it do after reading everything (rsyslog with its driver
//! `ossl` does, and so does syslog-ng). One connection for several batches would leave the earlier ones
//! unproven for as long as it lasts; a handshake for 500 records is the price.
//!
//! What this proves is that the receiver's *program* has read everything: not a kernel, nor one that was
//! killed or stopped meanwhile. What it does not prove is that the program has kept it. rsyslog reads
//! into a queue in memory, unless its `main_queue` is `direct` (then it has written before it reads on)
//! or on disk; a relay or a balancer that ends TLS speaks for itself alone. Who reads the records finds
//! what was lost by a gap in `seq`, and what was cut short by `leaf`.
//!
//! rsyslog's driver `gtls` ends connections without a farewell, which looks like the death of a receiver:
//! records wait, and are told to, unless `receipt = "eof"` says to count that.

mod message;

use super::channel::Channel;
use super::delivery::Delivery;
use crate::audit::spool::Batch;
use crate::config::{Endpoint, Receipt, Syslog};
use crate::upstream::Goodbye;

/// Sends a batch and waits for the end of its connection.
pub(super) async fn deliver(channel: &Channel<'_>, receiver: &Syslog, batch: &Batch) -> Delivery {
    match tokio::time::timeout(receiver.timeout, send(channel, receiver, batch)).await {
        Ok(Ok(())) => Delivery::Taken,
        Ok(Err(delivery)) => delivery,
        Err(_late) => Delivery::later("it did not take everything in time"),
    }
}

async fn send(channel: &Channel<'_>, receiver: &Syslog, batch: &Batch) -> Result<(), Delivery> {
    let tls = channel.tls(receiver.certificate.as_ref()).await?;
    let Endpoint { host, port } = &receiver.endpoint;
    let batch = batch.clone();
    let frames = move || message::frames(&batch);
    let frames = channel.sync.0.tasks.blocking(frames).await;
    let goodbye = tls.hand_over(host, *port, &frames).await;
    match (
        goodbye.map_err(|error| Delivery::later(error.to_string()))?,
        receiver.receipt,
    ) {
        (Goodbye::Answered, _) | (Goodbye::Bare, Receipt::Eof) => Ok(()),
        (Goodbye::Bare, Receipt::CloseNotify) => Err(Delivery::later(
            "it ended the connection without TLS's close_notify, so that it may have died before it \
             had everything; if it always does (rsyslog's driver gtls), see `receipt`",
        )),
    }
}
