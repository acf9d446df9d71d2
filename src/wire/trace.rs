//! The place of a request in a distributed trace (W3C Trace Context, `traceparent`).

use std::fmt;

use super::object::Object;
use super::raw::Raw;

const KEY: &str = "traceparent";

/// A trace, the span in it that a message belongs to, and whether it is sampled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: Box<str>,
    span: u64,
    flags: u8,
}

impl TraceContext {
    /// A new trace, which begins here; `trace_id` has 32 hexadecimal digits, not all zero.
    #[must_use]
    pub fn begin(trace_id: Box<str>, span: u64) -> Self {
        Self {
            trace_id,
            span: span.max(1),
            flags: 1,
        }
    }

    /// Reads a `traceparent`. Of versions to come the part is read that this one knows.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split('-');
        let version = hex(fields.next()?, 2)?;
        let (trace, span) = (fields.next()?, fields.next()?);
        let flags = hex(fields.next()?, 2)?;
        let more = fields.next().is_some();
        if version == 0xff || (version == 0 && more) {
            return None;
        }
        // Neither name is all zero.
        let halves = hex(trace.get(..16)?, 16)? | hex(trace.get(16..)?, 16)?;
        let span = hex(span, 16)?;
        (halves != 0 && span != 0).then(|| Self {
            trace_id: trace.into(),
            span,
            flags: u8::try_from(flags).unwrap_or(0),
        })
    }

    /// The place that a request's `_meta` names, if it names one.
    #[must_use]
    pub fn of(params: &Raw) -> Option<Self> {
        // Most requests name none, and some are large.
        memchr::memmem::find(params.get().as_bytes(), KEY.as_bytes())?;
        let params = Object::of(params, &[]).ok()?;
        let meta = Object::of(params.get("_meta")?, &[]).ok()?;
        Self::parse(&meta.string(KEY).ok()??)
    }

    /// The request with this place in its `_meta`, beside whatever stands there.
    #[must_use]
    pub fn put_into(&self, params: &Raw) -> Raw {
        let meta = Object::of(params, &[]).ok();
        let meta = meta.and_then(|params| params.get("_meta").cloned());
        let meta = meta.unwrap_or_else(Raw::empty_object);
        params.with("_meta", &meta.with(KEY, &Raw::string(&self.to_string())))
    }

    /// A span below this one.
    #[must_use]
    pub fn below(&self, span: u64) -> Self {
        Self {
            span: span.max(1),
            ..self.clone()
        }
    }

    /// The trace: 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        &self.trace_id
    }
}

/// So many lower-case hexadecimal digits.
fn hex(text: &str, digits: usize) -> Option<u64> {
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != digits || !text.bytes().all(lower) {
        return None;
    }
    u64::from_str_radix(text, 16).ok()
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{}-{:016x}-{:02x}",
            self.trace_id, self.span, self.flags
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_is_read_as_the_standard_says() {
        let given = TraceContext::parse(GIVEN).unwrap();
        assert_eq!(given.to_string(), GIVEN);
        assert_eq!(given.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        let later = GIVEN.replacen("00-", "01-", 1) + "-more";
        assert_eq!(TraceContext::parse(&later), Some(given));
        for bad in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7",
            "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
            "00-0AF7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319-00f067aa0ba902b7-01",
            "00-0af7651916cd43dd8448eb211c80319é-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceContext::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn our_span_takes_the_place_of_the_hosts_and_nothing_else_changes() {
        let params = format!(
            r#"{{"name":"x","_meta":{{"traceparent":"{GIVEN}","tracestate":"a=b","n":1e400}}}}"#
        );
        let params = Raw::parse(&params).unwrap();
        let ours = TraceContext::of(&params).unwrap().below(7);
        let expected = params.get().replace("00f067aa0ba902b7", "0000000000000007");
        assert_eq!(ours.put_into(&params).get(), expected);
        let none = Raw::parse(r#"{"arguments":{"traceparent":"x"}}"#).unwrap();
        assert_eq!(TraceContext::of(&none), None);
    }
}
