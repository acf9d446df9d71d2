//! An answer that comes as a stream: read to its result, taken up again where it breaks.

use std::time::Duration;

use http::{Method, StatusCode, Version};
use reqwest::Response;

use super::body::Events;
use super::exchange::{Exchange, Outcome};
use super::fault::{BadAnswer, UpstreamError};
use super::head::{self, Kind};
use crate::bounds::VAIN_RETURNS;
use crate::wire::{Id, Message};

/// The first pause before such an attempt, unless the server names one; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// What is read of a stream after its result, for the sake of the connection.
const TAIL: Duration = Duration::from_secs(1);
const TAIL_CHUNKS: usize = 64;

impl Exchange<'_> {
    /// Reads a stream to the result of this request.
    ///
    /// A stream that breaks is taken up again after the last event that had an identity. Without
    /// one nobody knows what became of the request, and it is never sent a second time.
    pub(super) async fn follow(&self, mut events: Events) -> Result<Outcome, UpstreamError> {
        let mut vain = 0;
        loop {
            let (heard, end) = self.listen(&mut events).await;
            let broken = match end {
                Ok(Some(outcome)) => {
                    self.let_end(events.into_response());
                    return Ok(outcome);
                }
                Ok(None) => UpstreamError::Interrupted(None),
                Err(error @ UpstreamError::Interrupted(_)) => error,
                Err(error) => return Err(error),
            };
            vain = if heard { 0 } else { vain + 1 };
            match self.come_back(&events, &mut vain).await {
                Some(response) => events.resume(response),
                None => return Err(broken),
            }
        }
    }

    /// Reads one connection's part of the stream; whether it brought any event, and how it ended.
    async fn listen(&self, events: &mut Events) -> (bool, Result<Option<Outcome>, UpstreamError>) {
        let before = events.decoder().last_id().map(Box::<str>::from);
        let end = loop {
            match events.next().await {
                Ok(Some(data)) => match self.hear(&data) {
                    Ok(None) => {}
                    Ok(Some(outcome)) => break Ok(Some(outcome)),
                    Err(error) => break Err(error),
                },
                Ok(None) => break Ok(None),
                Err(error) => break Err(error),
            }
        };
        let heard = before.as_deref() != events.decoder().last_id();
        (heard, end)
    }

    /// Takes one message of the stream; the outcome, if it is the answer.
    fn hear(&self, data: &[u8]) -> Result<Option<Outcome>, UpstreamError> {
        match Message::parse(data) {
            Ok(Message::Response(reply)) if self.is_mine(&reply) => Ok(Some(reply.outcome)),
            Ok(other) => {
                self.inner.heard(self.link, self.bearer, other, self.asides);
                Ok(None)
            }
            Err(malformed) if malformed.id.as_ref().and_then(Id::as_number) == Some(self.id) => {
                Err(BadAnswer::Malformed(malformed.reason).into())
            }
            Err(_malformed) => {
                self.inner.count_stray();
                Ok(None)
            }
        }
    }

    /// Asks for the rest of the stream, each time after the pause that the server wants.
    async fn come_back(&self, events: &Events, vain: &mut u32) -> Option<Response> {
        if self.link.is_alone() {
            // Streams of this revision are not taken up again.
            return None;
        }
        let decoder = events.decoder();
        let after = decoder.last_id()?;
        let bearer = self.bearer.map(AsRef::as_ref);
        while *vain < VAIN_RETURNS {
            let doubled = FIRST_PAUSE.saturating_mul(1 << (*vain).min(8));
            tokio::time::sleep(decoder.retry().unwrap_or(doubled)).await;
            let head = self.link.heads.get(bearer, Some(after));
            match self.inner.execute(Method::GET, head, None).await {
                Ok(response) if response.status() == StatusCode::OK => {
                    let is_stream = head::kind(response.headers()) == Kind::Events;
                    return is_stream.then_some(response);
                }
                Ok(response) if !response.status().is_server_error() => return None,
                Ok(_) | Err(_) => *vain += 1,
            }
        }
        None
    }

    /// Over HTTP/1.1 a connection can be used again only after its stream has been read to the
    /// end, which is mostly there already.
    fn let_end(&self, mut response: Response) {
        if response.version() > Version::HTTP_11 {
            return;
        }
        let at_end = |piece: &Option<reqwest::Result<Option<bytes::Bytes>>>| {
            matches!(piece, Some(Ok(None) | Err(_)))
        };
        if at_end(&futures_util::FutureExt::now_or_never(response.chunk())) {
            return;
        }
        self.inner.aside(async move {
            let rest = async {
                for _ in 0..TAIL_CHUNKS {
                    if !matches!(response.chunk().await, Ok(Some(_))) {
                        break;
                    }
                }
            };
            // Whether in time or not: the connection is given up with the response.
            let _ended = tokio::time::timeout(TAIL, rest).await;
        });
    }
}
