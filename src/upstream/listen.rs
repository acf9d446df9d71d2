//! The stream on which a server speaks unasked. It lives as long as the session.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use reqwest::Response;
use tokio::time::Instant;

use super::Inner;
use super::backoff::Backoff;
use super::body::Events;
use super::fault::UpstreamError;
use super::head::{self, Kind};
use super::link::Link;
use crate::wire::Message;

/// A stream that held this long was a good one: the next attempt comes soon, and a 404 after it
/// means that the session has ended.
const GOOD: Duration = Duration::from_secs(30);
/// Pauses between attempts; a server that closes each stream at once is asked ever more seldom.
const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(60);
/// How long the head of the stream may take.
const HEAD: Duration = Duration::from_secs(30);

/// Why there is no stream.
enum NoStream {
    /// The server offers none, or refuses it: the session goes on without.
    Never,
    /// The session has ended.
    Gone,
    /// The server cannot be reached.
    Away(UpstreamError),
    /// It failed; another attempt may not.
    Later,
}

impl Inner {
    /// Listens until the session ends or the server turns out to have no stream.
    pub(super) async fn listen(self: Arc<Self>, link: Arc<Link>) {
        let mut events: Option<Events> = None;
        let mut backoff = Backoff::new(SHORTEST, LONGEST);
        let mut was_good = false;
        loop {
            let after = events
                .as_ref()
                .and_then(|events| events.decoder().last_id());
            let asked = self.stream(&link, after).await;
            link.is_heard();
            match asked {
                Ok(response) => {
                    let since = Instant::now();
                    let stream = match events.take() {
                        Some(mut earlier) => {
                            earlier.renew(response);
                            earlier
                        }
                        None => Events::new(response),
                    };
                    events = Some(self.hear_out(&link, stream).await);
                    was_good = since.elapsed() >= GOOD;
                }
                Err(NoStream::Gone) if was_good => return self.lost(&link, None),
                Err(NoStream::Gone | NoStream::Never) => return,
                Err(NoStream::Away(error)) => return self.away(&link, error),
                Err(NoStream::Later) => {}
            }
            if was_good {
                backoff.reset();
            }
            let wanted = events.as_ref().and_then(|events| events.decoder().retry());
            tokio::time::sleep(backoff.next().max(wanted.unwrap_or_default())).await;
        }
    }

    /// Asks for the stream.
    async fn stream(
        self: &Arc<Self>,
        link: &Arc<Link>,
        after: Option<&str>,
    ) -> Result<Response, NoStream> {
        let who = self
            .standing(None)
            .await
            .map_err(|_no_grant| NoStream::Never)?;
        if !link.belongs_to(who.as_ref()) {
            return Err(NoStream::Never);
        }
        let head = link
            .heads
            .get(self.bearer(who.as_ref()).map(AsRef::as_ref), after);
        let asked = self.execute(Method::GET, head, None);
        let response = match tokio::time::timeout(HEAD, asked).await {
            Ok(Ok(response)) => response,
            Ok(Err(error @ UpstreamError::Unreachable(_))) => return Err(NoStream::Away(error)),
            Ok(Err(_)) | Err(_) => return Err(NoStream::Later),
        };
        match response.status() {
            StatusCode::OK if head::kind(response.headers()) == Kind::Events => Ok(response),
            StatusCode::NOT_FOUND if link.heads.has_session() => Err(NoStream::Gone),
            StatusCode::TOO_MANY_REQUESTS => Err(NoStream::Later),
            status if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED => {
                Err(NoStream::Later)
            }
            _ => Err(NoStream::Never),
        }
    }

    /// Takes what comes until the stream ends, however it does.
    async fn hear_out(self: &Arc<Self>, link: &Arc<Link>, mut events: Events) -> Events {
        while let Ok(Some(data)) = events.next().await {
            // The stream may outlive the token that opened it.
            let who = self.standing(None).await.ok().flatten();
            match Message::parse(&data) {
                Ok(message) => self.heard(link, self.bearer(who.as_ref()), message, None),
                Err(_malformed) => self.count_stray(),
            }
        }
        events
    }
}
