//! `[[audit.sink]]`: where records are sent.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::document::{Report, Value};
use super::layers::Section;
use super::named;
use super::servers::Address;
use super::shown::Shown;
use super::values::{self, Endpoint};
use crate::name::ServerName;

/// A place that gets every record.
#[derive(Debug, Clone)]
pub struct SinkConfig {
    /// Its name here; cursors and secrets are kept under it.
    pub name: ServerName,
    /// The way there.
    pub way: SinkWay,
}

/// How records get there.
#[derive(Debug, Clone)]
pub enum SinkWay {
    /// OTLP over HTTP: a collector, or whatever speaks its protocol.
    Otlp(Receiver),
    /// Splunk's HTTP Event Collector.
    Splunk(Receiver),
    /// Syslog over TLS.
    Syslog(Syslog),
    /// Files in a directory, which something else carries off.
    Directory(PathBuf),
}

impl SinkWay {
    /// The word for it in a file.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        let kind = match self {
            Self::Otlp(_) => Kind::Otlp,
            Self::Splunk(_) => Kind::Splunk,
            Self::Syslog(_) => Kind::Syslog,
            Self::Directory(_) => Kind::Directory,
        };
        word(&KINDS, &kind)
    }

    /// What is shown to whoever listens there.
    #[must_use]
    pub fn certificate(&self) -> Option<&ClientCertificate> {
        match self {
            Self::Otlp(receiver) | Self::Splunk(receiver) => receiver.certificate.as_ref(),
            Self::Syslog(syslog) => syslog.certificate.as_ref(),
            Self::Directory(_) => None,
        }
    }
}

/// Something that listens.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// Where; https, or http on loopback.
    pub url: Url,
    /// How this program shows that it may.
    pub auth: SinkAuth,
    /// What TLS shows of it besides.
    pub certificate: Option<ClientCertificate>,
    /// How long it may take to answer.
    pub timeout: Duration,
}

/// How a receiver knows the sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkAuth {
    /// Not at all.
    None,
    /// By an access token of the person who is signed in.
    Sso {
        /// For whom the token is.
        audience: Box<str>,
        /// What it has to allow.
        scopes: Vec<Box<str>>,
    },
    /// By a header whose value is in the keychain (`chaperone sync secret`).
    Header(Box<str>),
}

/// Something that takes syslog messages over TLS (RFC 5425).
#[derive(Debug, Clone)]
pub struct Syslog {
    /// Where. Host and port and nothing else: a URL would have a scheme of which there is but one, and a
    /// path that means nothing.
    pub endpoint: Endpoint,
    /// What TLS shows of this program.
    pub certificate: Option<ClientCertificate>,
    /// What shows that it has everything.
    pub receipt: Receipt,
    /// How long it may take for a batch.
    pub timeout: Duration,
}

/// What shows that a receiver which answers nothing has read everything: how it ends the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// With TLS's own farewell, as RFC 5425 §4.4 asks.
    CloseNotify,
    /// However it ends it. One that dies with the last messages in its hands ends it so, too.
    Eof,
}

/// Where a client certificate is (mutual TLS).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate and those between it and its authority, in PEM form.
    pub chain: PathBuf,
    /// Its private key in PEM form; else it is in the keychain (`chaperone sync secret --key`).
    pub key: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Otlp,
    Splunk,
    Syslog,
    Directory,
}

const KINDS: [(&str, Kind); 4] = [
    ("otlp", Kind::Otlp),
    ("splunk", Kind::Splunk),
    ("syslog", Kind::Syslog),
    ("directory", Kind::Directory),
];

const RECEIPTS: [(&str, Receipt); 2] = [
    ("close_notify", Receipt::CloseNotify),
    ("eof", Receipt::Eof),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Auth {
    None,
    Sso,
    Header,
}

const AUTH: [(&str, Auth); 3] = [
    ("none", Auth::None),
    ("sso", Auth::Sso),
    ("header", Auth::Header),
];

impl Shown for Kind {
    fn shown(&self) -> String {
        format!("\"{}\"", word(&KINDS, self))
    }
}

impl Shown for Auth {
    fn shown(&self) -> String {
        format!("\"{}\"", word(&AUTH, self))
    }
}

impl Shown for Receipt {
    fn shown(&self) -> String {
        format!("\"{}\"", word(&RECEIPTS, self))
    }
}

fn word<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> &'static str {
    let found = words.iter().find(|(_, known)| known == value);
    found.map_or("", |(word, _)| *word)
}

/// How long a receiver may take, unless it is set.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The port that is registered for syslog over TLS (RFC 5425 §4.1).
const SYSLOG_TLS: u16 = 6514;

/// Reads the sinks of all files.
pub(super) fn read(files: Vec<Value<'_>>, report: &mut Report) -> Vec<SinkConfig> {
    let sinks = named::tables(files, "sink", report, way).into_iter();
    sinks.map(|(name, way)| SinkConfig { name, way }).collect()
}

fn way(mut section: Section<'_>, report: &mut Report) -> Option<SinkWay> {
    let kind = section.required("kind", report, |value, report| {
        values::word(value, report, &KINDS)
    });
    let way = match kind {
        Some(Kind::Otlp) => receiver(&mut section, Auth::Sso, report).map(SinkWay::Otlp),
        Some(Kind::Splunk) => receiver(&mut section, Auth::Header, report).map(SinkWay::Splunk),
        Some(Kind::Syslog) => syslog(&mut section, report).map(SinkWay::Syslog),
        Some(Kind::Directory) => {
            let path = section.required("path", report, values::file);
            path.map(SinkWay::Directory)
        }
        // What else it needs depends on it.
        None => return None,
    };
    section.finish(report);
    way
}

fn receiver(section: &mut Section<'_>, usual: Auth, report: &mut Report) -> Option<Receiver> {
    let address = section.required("url", report, |value, report| {
        values::safe_url(value, report).map(Address)
    });
    let auth = section.or("auth", usual, report, |value, report| {
        values::word(value, report, &AUTH)
    });
    let certificate = certificate(section, report);
    let is_plain = |Address((_, url)): &Address| url.scheme() == "http";
    if certificate.is_some() && address.as_ref().is_some_and(is_plain) {
        let at = section.values("client_cert").into_iter().next();
        at?.refuse::<()>(report, "without https nobody sees a client certificate");
    }
    let timeout = section.or("timeout", TIMEOUT, report, values::duration);
    let as_written = address.as_ref().map(|Address((text, _))| text.clone());
    let auth = match auth {
        Auth::None => SinkAuth::None,
        Auth::Sso => SinkAuth::Sso {
            audience: section.or(
                "audience",
                as_written.unwrap_or_default(),
                report,
                values::text,
            ),
            scopes: section.or("scopes", Vec::new(), report, values::texts),
        },
        Auth::Header => {
            let usual = "Authorization".into();
            SinkAuth::Header(section.or("header", usual, report, values::text))
        }
    };
    let Address((_, url)) = address?;
    Some(Receiver {
        url,
        auth,
        certificate,
        timeout,
    })
}

fn syslog(section: &mut Section<'_>, report: &mut Report) -> Option<Syslog> {
    let endpoint = section.required("address", report, |value, report| {
        values::endpoint(value, report, SYSLOG_TLS)
    });
    let receipt = section.or("receipt", Receipt::CloseNotify, report, |value, report| {
        values::word(value, report, &RECEIPTS)
    });
    let certificate = certificate(section, report);
    let timeout = section.or("timeout", TIMEOUT, report, values::duration);
    Some(Syslog {
        endpoint: endpoint?,
        certificate,
        receipt,
        timeout,
    })
}

fn certificate(section: &mut Section<'_>, report: &mut Report) -> Option<ClientCertificate> {
    let chain = section.or("client_cert", None, report, values::file_or_none);
    let key = section.or("client_key", None, report, values::file_or_none);
    if let (None, Some(_), Some(at)) = (&chain, &key, section.values("client_key").first()) {
        at.refuse::<()>(report, "a key counts with its certificate, 'client_cert'");
    }
    Some(ClientCertificate { chain: chain?, key })
}
