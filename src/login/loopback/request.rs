//! Reading one request of the browser, strictly.

use tokio::io::{AsyncRead, AsyncReadExt};
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use crate::login::page::Refusal;
use crate::login::provider::Callback;

/// The longest head; a callback's code and state fill a fraction of it.
const HEAD_LIMIT: usize = 8 * 1024;
/// More headers than a browser sends.
const HEADER_LIMIT: usize = 64;

/// A GET of the right host, by the person's own navigation.
pub(super) struct Request {
    /// Without the query.
    pub(super) path: String,
    /// The query as a callback; `None` if it says something twice.
    pub(super) callback: Option<Callback>,
}

/// Reads a request for the host of `redirect`; `Err(None)` when the other side just went away.
pub(super) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    redirect: &Url,
) -> Result<Request, Option<Refusal>> {
    let mut head = Zeroizing::new(vec![0; HEAD_LIMIT]);
    let mut filled = 0;
    loop {
        let read = stream.read(&mut head[filled..]).await.or(Err(None))?;
        if read == 0 {
            return Err(None);
        }
        filled += read;
        match parse(&head[..filled], redirect) {
            Ok(Some(request)) => return Ok(request),
            Ok(None) if filled == HEAD_LIMIT => return Err(Some(Refusal::TooLarge)),
            Ok(None) => {}
            Err(refusal) => return Err(Some(refusal)),
        }
    }
}

/// `Ok(None)` while the head is not complete.
fn parse(head: &[u8], redirect: &Url) -> Result<Option<Request>, Refusal> {
    let mut headers = [httparse::EMPTY_HEADER; HEADER_LIMIT];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::TooLarge),
        Err(_) => return Err(Refusal::BadRequest),
    }
    if request.method != Some("GET") {
        return Err(Refusal::Method);
    }
    check_host(request.headers, redirect)?;
    check_navigation(request.headers)?;
    let target = request.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Ok(Some(Request {
        path: path.to_owned(),
        callback: callback(query),
    }))
}

/// The host must be spelled as in the redirect URI: a page of another site that has its name
/// resolved to this machine comes with its own.
fn check_host(headers: &[httparse::Header<'_>], redirect: &Url) -> Result<(), Refusal> {
    let host = redirect.host_str().unwrap_or_default();
    let ours = match redirect.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    let mut hosts = all(headers, "host");
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if host == ours.as_bytes() => Ok(()),
        _ => Err(Refusal::Misdirected),
    }
}

/// The provider's redirect is a navigation. A script of another page is not, and browsers say so;
/// an older one that says nothing sends `Origin` with scripts only.
fn check_navigation(headers: &[httparse::Header<'_>]) -> Result<(), Refusal> {
    let is = |name: &str, value: &[u8]| all(headers, name).any(|found| found == value);
    let from_elsewhere =
        all(headers, "origin").next().is_some() || is("sec-fetch-site", b"cross-site");
    if from_elsewhere && !is("sec-fetch-mode", b"navigate") {
        return Err(Refusal::Forbidden);
    }
    Ok(())
}

fn all<'a>(headers: &'a [httparse::Header<'a>], name: &str) -> impl Iterator<Item = &'a [u8]> {
    headers
        .iter()
        .filter(move |header| header.name.eq_ignore_ascii_case(name))
        .map(|header| header.value)
}

/// Decodes the query; `None` when a parameter comes twice, since either could be meant.
fn callback(query: &str) -> Option<Callback> {
    let mut callback = Callback {
        code: None,
        state: None,
        iss: None,
        error: None,
        error_description: None,
    };
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if name == "code" {
            let code = Zeroizing::new(value.into_owned());
            if callback.code.replace(code).is_some() {
                return None;
            }
            continue;
        }
        let field = match &*name {
            "state" => &mut callback.state,
            "iss" => &mut callback.iss,
            "error" => &mut callback.error,
            "error_description" => &mut callback.error_description,
            _ => continue,
        };
        if field.replace(value.into_owned()).is_some() {
            return None;
        }
    }
    Some(callback)
}
