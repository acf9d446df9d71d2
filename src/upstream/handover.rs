//! Handing bytes over a TLS connection to a peer that answers nothing, and finding out whether it had
//! them. All that it can tell is how it ends the connection: one that has read everything answers
//! TLS's farewell (`close_notify`) with its own and closes in order; one that dies sends none; one that
//! closes with something unread resets the connection (RFC 1122 §4.2.2.13).
//!
//! The farewell is not the end of TCP: a receiver that finds the connection closed need not answer
//! (RFC 5425 §4.4).

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use url::Host;

use super::tls::{Tls, plainly};
use crate::bounds::RECEIPT;
use crate::wording::chain;

/// How long a peer that broke off may take to say why.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long the news takes that a peer was gone before the last bytes came: two ways there and back,
/// within these bounds.
const NEWS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// How a peer ended the connection, after everything had been sent and nothing was left to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goodbye {
    /// With TLS's farewell: it has read everything.
    Answered,
    /// Without: it has read everything, or died.
    Bare,
}

/// Why it is not known that the peer has everything.
#[derive(Debug, thiserror::Error)]
pub enum HandoverError {
    /// There is no connection, or it broke.
    #[error("{}", plainly(.0).unwrap_or_else(|| chain(.0)))]
    Io(io::Error),
    /// It did not wait for the end.
    #[error("it ended the connection before everything was sent")]
    Early,
    /// It has a lot to say.
    #[error("it answers, which no receiver of syslog does")]
    Talk,
}

impl From<io::Error> for HandoverError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Tls {
    /// Opens a connection straight to a peer (no proxy is asked), sends everything, and closes it. Takes
    /// as long as the peer does.
    ///
    /// # Errors
    /// When the peer may lack some of it.
    pub async fn hand_over(
        &self,
        host: &Host,
        port: u16,
        bytes: &[u8],
    ) -> Result<Goodbye, HandoverError> {
        let begun = Instant::now();
        let (stream, name) = reach(host, port).await?;
        let (soonest, latest) = NEWS;
        let news = (begun.elapsed() * 2).clamp(soonest, latest);
        let connector = TlsConnector::from(Arc::clone(&self.0));
        let mut stream = connector.connect(name, stream).await?;
        send(&mut stream, bytes).await?;
        let goodbye = farewell(&mut stream).await?;
        sleep(news).await;
        settle(&stream)?;
        Ok(goodbye)
    }
}

async fn reach(host: &Host, port: u16) -> io::Result<(TcpStream, ServerName<'static>)> {
    let address = match host {
        Host::Domain(name) => {
            let stream = TcpStream::connect((name.as_str(), port)).await?;
            let name = ServerName::try_from(name.clone());
            return Ok((stream, name.map_err(io::Error::other)?));
        }
        Host::Ipv4(address) => IpAddr::V4(*address),
        Host::Ipv6(address) => IpAddr::V6(*address),
    };
    let stream = TcpStream::connect((address, port)).await?;
    Ok((stream, ServerName::from(address)))
}

/// Sends everything to a peer that goes on listening, and hears it if it does not.
async fn send(stream: &mut TlsStream<TcpStream>, bytes: &[u8]) -> Result<(), HandoverError> {
    let (mut from, mut to) = tokio::io::split(stream);
    let mut hearing = std::pin::pin!(hear(&mut from));
    let saying = async {
        to.write_all(bytes).await?;
        to.flush().await
    };
    let heard = tokio::select! {
        heard = &mut hearing => heard,
        said = saying => match said {
            // What has arrived meanwhile is heard, too.
            Ok(()) => match hearing.now_or_never() {
                None => return Ok(()),
                Some(heard) => heard,
            },
            Err(error) => return Err(last_words(hearing, error).await),
        },
    };
    Err(heard.err().unwrap_or(HandoverError::Early))
}

/// Says farewell, and waits for the peer to do the same and close.
async fn farewell(stream: &mut TlsStream<TcpStream>) -> Result<Goodbye, HandoverError> {
    stream.get_mut().1.send_close_notify();
    if let Err(error) = stream.flush().await {
        return Err(last_words(hear(stream), error).await);
    }
    match hear(stream).await {
        // An end in order. Behind the farewell comes that of TCP.
        Ok(()) => hear(stream.get_mut().0).await.map(|()| Goodbye::Answered),
        Err(HandoverError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Ok(Goodbye::Bare)
        }
        Err(error) => Err(error),
    }
}

/// Why a peer broke off: what it says, if it says so, else what the system says.
async fn last_words(
    hearing: impl Future<Output = Result<(), HandoverError>>,
    error: io::Error,
) -> HandoverError {
    let heard = timeout(LAST_WORDS, hearing).await;
    let why = heard.ok().and_then(Result::err);
    why.unwrap_or_else(|| error.into())
}

/// Bytes that were on their way when the peer closed have been answered with a reset.
fn settle(stream: &TlsStream<TcpStream>) -> Result<(), HandoverError> {
    match stream.get_ref().0.take_error()? {
        Some(reset) => Err(reset.into()),
        None => Ok(()),
    }
}

/// Reads to the end; there is nothing to be read.
async fn hear(stream: &mut (impl AsyncRead + Unpin)) -> Result<(), HandoverError> {
    let mut heard = stream.take(u64::try_from(RECEIPT).unwrap_or(u64::MAX));
    tokio::io::copy(&mut heard, &mut tokio::io::sink()).await?;
    if heard.limit() == 0 {
        return Err(HandoverError::Talk);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
