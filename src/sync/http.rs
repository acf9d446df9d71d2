//! A request to a receiver: what is common to all that listen on HTTP.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use reqwest::Client;
use url::Url;
use zeroize::Zeroizing;

use super::channel::Channel;
use super::delivery::Delivery;
use super::{audience, secret_field};
use crate::audit::spool::Batch;
use crate::bounds::{EXCERPT, RECEIPT};
use crate::config::{Receiver, SinkAuth};
use crate::upstream::head::retry_after;
use crate::upstream::plainly;
use crate::wording::{chain, visible};

/// What one kind of receiver speaks.
pub(super) struct Dialect {
    pub(super) content_type: &'static str,
    /// What stands before a secret that is kept alone.
    pub(super) scheme: &'static str,
    pub(super) packed: bool,
    pub(super) request: fn(&Batch) -> Vec<u8>,
    /// What a body of status 200 says.
    pub(super) judge: fn(&[u8]) -> Delivery,
}

/// Sends a batch and waits for the answer.
pub(super) async fn deliver(
    channel: &Channel<'_>,
    receiver: &Receiver,
    dialect: &Dialect,
    batch: &Batch,
) -> Delivery {
    let sending = send(channel, receiver, dialect, batch);
    match tokio::time::timeout(receiver.timeout, sending).await {
        Ok(Ok(delivery) | Err(delivery)) => delivery,
        Err(_late) => Delivery::later("it did not answer in time"),
    }
}

async fn send(
    channel: &Channel<'_>,
    receiver: &Receiver,
    dialect: &Dialect,
    batch: &Batch,
) -> Result<Delivery, Delivery> {
    let mut head = HeaderMap::new();
    head.insert(CONTENT_TYPE, HeaderValue::from_static(dialect.content_type));
    if let Some((name, value)) = credentials(channel, receiver, dialect).await? {
        head.insert(name, value);
    }
    if dialect.packed {
        head.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    // Some milliseconds of work, in which the thread of the calls has better things to do.
    let (batch, request, is_packed) = (batch.clone(), dialect.request, dialect.packed);
    let body = move || match request(&batch) {
        body if is_packed => packed(&body),
        body => Ok(body),
    };
    let body = channel.sync.0.tasks.blocking(body).await;
    let body = body.map_err(|error| Delivery::later(chain(&error)))?;
    let client = channel.client(receiver).await?;
    let reply = post(&client, receiver.url.clone(), head, body).await;
    let reply = reply.map_err(Delivery::later)?;
    Ok(judge(&reply, dialect))
}

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    /// How long the receiver wants to be left alone.
    pub(super) after: Option<Duration>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    /// The beginning of the body, as it can be shown.
    pub(super) fn excerpt(&self) -> String {
        let said = String::from_utf8_lossy(&self.body);
        said.trim().chars().take(EXCERPT).map(visible).collect()
    }
}

/// Posts something, and reads as much of the answer as is of use.
///
/// # Errors
/// Why nothing came back.
pub(super) async fn post(
    client: &Client,
    url: Url,
    head: HeaderMap,
    body: Vec<u8>,
) -> Result<Reply, String> {
    let answer = client.post(url).headers(head).body(body).send().await;
    let mut answer = answer.map_err(unsent)?;
    let (status, after) = (answer.status(), retry_after(answer.headers()));
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > RECEIPT {
            break;
        }
    }
    Ok(Reply {
        status,
        after,
        body,
    })
}

/// Why nothing came back, without the address.
fn unsent(error: reqwest::Error) -> String {
    let error = error.without_url();
    plainly(&error).unwrap_or_else(|| chain(&error))
}

/// What a status means. Only what says that the records themselves are bad is a refusal: everything
/// else may be mended at the receiver, and until then nothing is passed over.
fn judge(reply: &Reply, dialect: &Dialect) -> Delivery {
    let (status, said) = (reply.status, reply.excerpt());
    match status.as_u16() {
        200..=299 => (dialect.judge)(&reply.body),
        400 | 413 | 422 => Delivery::Refused(format!("HTTP {status}: {said}")),
        401 | 403 => Delivery::later(format!("it does not accept the credentials: HTTP {status}")),
        _ => Delivery::NotNow {
            why: format!("HTTP {status}: {said}"),
            after: reply.after,
        },
    }
}

async fn credentials(
    channel: &Channel<'_>,
    receiver: &Receiver,
    dialect: &Dialect,
) -> Result<Option<(HeaderName, HeaderValue)>, Delivery> {
    let (name, mut value) = match &receiver.auth {
        SinkAuth::None => return Ok(None),
        auth @ SinkAuth::Sso { .. } => {
            let Some(audience) = audience(auth) else {
                return Ok(None);
            };
            let grant = channel.sync.0.session.grant(&audience).await;
            let grant = grant.map_err(|why| Delivery::later(chain(&why)))?;
            let value = Zeroizing::new(format!("Bearer {}", grant.token().expose()));
            (AUTHORIZATION, header(value.as_bytes())?)
        }
        SinkAuth::Header(name) => {
            let name = HeaderName::try_from(&**name);
            let name = name.map_err(|_| Delivery::later("the name of its header is none"))?;
            (name, secret(channel, dialect).await?)
        }
    };
    value.set_sensitive(true);
    Ok(Some((name, value)))
}

async fn secret(channel: &Channel<'_>, dialect: &Dialect) -> Result<HeaderValue, Delivery> {
    let (sync, sink) = (channel.sync, channel.sink);
    let (secrets, field) = (sync.0.secrets.clone(), secret_field(sink));
    let kept = sync.0.tasks.blocking(move || secrets.read(&field)).await;
    let Some(kept) = kept.map_err(|error| Delivery::later(chain(&error)))? else {
        let name = &sink.name;
        return Err(Delivery::later(format!(
            "its header has no value; run `chaperone sync secret {name}`"
        )));
    };
    let scheme = dialect.scheme.as_bytes();
    if kept.starts_with(scheme) {
        header(&kept)
    } else {
        header(&Zeroizing::new([scheme, &kept[..]].concat()))
    }
}

fn header(value: &[u8]) -> Result<HeaderValue, Delivery> {
    HeaderValue::from_bytes(value).map_err(|_| Delivery::later("the credentials are no header"))
}

fn packed(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body)?;
    encoder.finish()
}
