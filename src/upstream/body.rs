//! Bodies of answers, read no further than is sane.

use crate::bounds::{ANSWER, EXPLANATION, IN_A_ROW, STREAM};
use bytes::Bytes;
use reqwest::Response;

use super::fault::{Broken, UpstreamError};
use super::sse::{Decoder, EventTooLarge};

/// The whole body. One that arrives in one piece, as small ones do, is not copied.
pub(super) async fn whole(response: &mut Response) -> Result<Bytes, UpstreamError> {
    let announced = response.content_length().unwrap_or(0);
    let announced = usize::try_from(announced).unwrap_or(usize::MAX);
    if announced > ANSWER {
        return Err(UpstreamError::TooLarge);
    }
    let Some(first) = response.chunk().await.map_err(broken)? else {
        return Ok(Bytes::new());
    };
    let Some(second) = response.chunk().await.map_err(broken)? else {
        return Ok(first);
    };
    let mut body = Vec::with_capacity(announced.max(first.len() + second.len()));
    body.extend_from_slice(&first);
    let mut piece = Some(second);
    while let Some(chunk) = piece {
        if body.len() + chunk.len() > ANSWER {
            return Err(UpstreamError::TooLarge);
        }
        body.extend_from_slice(&chunk);
        piece = response.chunk().await.map_err(broken)?;
    }
    Ok(body.into())
}

/// The beginning of a body that explains a failure; what cannot be read is left out.
pub(super) async fn explanation(response: &mut Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = EXPLANATION - body.len();
        body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if body.len() == EXPLANATION {
            break;
        }
    }
    body
}

/// The events of a stream.
#[derive(Debug)]
pub(super) struct Events {
    response: Response,
    decoder: Decoder,
    chunk: Bytes,
    /// How many bytes more this stream may carry.
    budget: usize,
    /// How many events have been taken since others had a turn.
    in_a_row: usize,
}

impl Events {
    pub(super) fn new(response: Response) -> Self {
        Self {
            response,
            decoder: Decoder::new(ANSWER),
            chunk: Bytes::new(),
            budget: STREAM,
            in_a_row: 0,
        }
    }

    /// Goes on with another response to the same stream, within the same budget.
    pub(super) fn resume(&mut self, response: Response) {
        self.decoder.restart();
        self.response = response;
        self.chunk = Bytes::new();
    }

    /// Goes on with a new stream that takes up where the earlier one ended.
    pub(super) fn renew(&mut self, response: Response) {
        self.resume(response);
        self.budget = STREAM;
    }

    /// What is known for coming back.
    pub(super) fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// The data of the next event; `None` at the end of the stream. However fast a server talks, the
    /// others are heard in between, and deadlines too.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, UpstreamError> {
        if self.in_a_row == IN_A_ROW {
            tokio::task::yield_now().await;
            self.in_a_row = 0;
        }
        self.in_a_row += 1;
        loop {
            let mut rest = &self.chunk[..];
            let event = self.decoder.next(&mut rest);
            let used = self.chunk.len() - rest.len();
            bytes::Buf::advance(&mut self.chunk, used);
            if let Some(data) = event.map_err(|EventTooLarge| UpstreamError::TooLarge)? {
                return Ok(Some(data));
            }
            let Some(chunk) = self.response.chunk().await.map_err(broken)? else {
                return Ok(None);
            };
            self.budget = self
                .budget
                .checked_sub(chunk.len())
                .ok_or(UpstreamError::TooLarge)?;
            self.chunk = chunk;
        }
    }

    /// Gives up the stream; what is left of the connection can be read to its end.
    pub(super) fn into_response(self) -> Response {
        self.response
    }
}

#[expect(clippy::needless_pass_by_value, reason = "fits map_err")]
fn broken(error: reqwest::Error) -> UpstreamError {
    UpstreamError::Interrupted(Some(Broken::of(&error)))
}
