//! Results that ask for something first (MCP 2026-07-28, basic/patterns/mrtr), and the requests that
//! bring it.

use std::borrow::Cow;

use super::leap::literals;
use super::object::{Object, ObjectError, quoted};
use super::raw::Raw;
use super::{message::Id, method};
use crate::bounds::{self, INPUTS};
use crate::wording::is_invisible;

const KIND: &str = "resultType";
const REQUIRED: &str = "input_required";
const REQUESTS: &str = "inputRequests";
const RESPONSES: &str = "inputResponses";
const STATE: &str = "requestState";

/// What a result asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct InputRequired {
    /// What is asked, in its order.
    pub requests: Vec<InputRequest>,
    /// What the server wants to see again, untouched.
    pub state: Option<Raw>,
}

/// One thing that is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct InputRequest {
    /// What the server calls it.
    pub key: Box<str>,
    /// `elicitation/create`, `sampling/createMessage` or `roots/list`.
    pub method: Box<str>,
    /// With what.
    pub params: Option<Raw>,
}

/// What a request brings that goes on with an earlier one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Brought {
    /// `inputResponses`, by their keys.
    pub responses: Vec<(Box<str>, Raw)>,
    /// `requestState`
    pub state: Option<Raw>,
}

/// Why what a result asks for cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadInput(&'static str);

/// Whether requests of a method may be answered with such a result.
#[must_use]
pub fn may_ask(asked: &str) -> bool {
    matches!(
        asked,
        method::TOOLS_CALL | method::PROMPTS_GET | method::RESOURCES_READ
    )
}

impl InputRequired {
    /// Reads a result; `None` if it asks for nothing.
    ///
    /// # Errors
    /// When it asks for something that nobody could bring.
    pub fn of(result: &Raw) -> Result<Option<Self>, BadInput> {
        // Nearly no result does, and some are large.
        if !may_hold(result, REQUIRED) {
            return Ok(None);
        }
        let object = match Object::of(result, &[KIND, REQUESTS, STATE]) {
            Ok(object) => object,
            // It passes as it came, unless some reader could find that it asks.
            Err(_) if !holds(result, REQUIRED) => return Ok(None),
            Err(ObjectError::Shape) => return Ok(None),
            Err(_) => return Err(BadInput("the result cannot be read")),
        };
        if object.string(KIND).ok().flatten().as_deref() != Some(REQUIRED) {
            return Ok(None);
        }
        let requests = object.get(REQUESTS).map(requests).transpose()?;
        let state = object.get(STATE).cloned();
        if state
            .as_ref()
            .is_some_and(|state| state.get().len() > bounds::STATE)
        {
            return Err(BadInput("its \"requestState\" is too long"));
        }
        if requests.is_none() && state.is_none() {
            return Err(BadInput("it asks for nothing"));
        }
        Ok(Some(Self {
            requests: requests.unwrap_or_default(),
            state,
        }))
    }
}

/// Whether one of the strings is this word, however it is spelled.
fn holds(raw: &Raw, word: &str) -> bool {
    let text = raw.get();
    literals(text).any(|place| {
        let spelled = serde_json::from_str::<Cow<'_, str>>(&text[place]);
        spelled.is_ok_and(|spelled| spelled == word)
    })
}

/// Whether a word may stand in a text, spelled with escapes or without.
fn may_hold(raw: &Raw, word: &str) -> bool {
    let text = raw.get().as_bytes();
    let has = |word: &str| memchr::memmem::find(text, word.as_bytes()).is_some();
    has(word) || has("\\u")
}

fn requests(raw: &Raw) -> Result<Vec<InputRequest>, BadInput> {
    let bad = |_| BadInput("\"inputRequests\" cannot be read");
    let requests = Object::of(raw, &[]).map_err(bad)?;
    let mut read = Vec::new();
    for (key, request) in requests.iter() {
        if key.chars().any(is_invisible) {
            return Err(BadInput("it names what it asks for with hidden characters"));
        }
        let request = Object::of(request, &["method", "params"]).map_err(bad)?;
        let asked = request.string("method").map_err(bad)?.unwrap_or_default();
        if method::ability(&asked).is_none() {
            return Err(BadInput("it asks for something that no host is asked for"));
        }
        read.push(InputRequest {
            key: key.into(),
            method: asked.into(),
            params: request.get("params").cloned(),
        });
    }
    if read.len() > INPUTS {
        return Err(BadInput("it asks for too many things at once"));
    }
    Ok(read)
}

/// A result that asks for this.
#[must_use]
pub fn asking<'a>(
    requests: impl IntoIterator<Item = (&'a str, &'a str, Option<&'a Raw>)>,
    state: &str,
) -> Raw {
    let (requests, state) = (requests_of(requests), quoted(state));
    Raw::assembled(format!(
        "{{\"{KIND}\":\"{REQUIRED}\",\"{REQUESTS}\":{requests},\"{STATE}\":{state}}}"
    ))
}

/// A result that asks for something, with what it asks for as it may be shown; nothing else of it
/// changes.
#[must_use]
pub fn asking_this(result: &Raw, asked: &[InputRequest], shown: &[InputRequest]) -> Raw {
    if asked == shown {
        return result.clone();
    }
    let shown = shown.iter();
    let shown = shown.map(|one| (&*one.key, &*one.method, one.params.as_ref()));
    let shown = requests_of(shown);
    result.with(REQUESTS, &Raw::assembled(shown))
}

fn requests_of<'a>(
    requests: impl IntoIterator<Item = (&'a str, &'a str, Option<&'a Raw>)>,
) -> String {
    let requests = requests.into_iter().map(|(key, asked, params)| {
        let params = params.map_or_else(String::new, |params| {
            format!(",\"params\":{}", params.get())
        });
        format!("{}:{{\"method\":{}{params}}}", quoted(key), quoted(asked))
    });
    let requests: Vec<String> = requests.collect();
    format!("{{{}}}", requests.join(","))
}

/// The parameters of the first request with what is brought.
#[must_use]
pub fn bringing(params: &Raw, responses: &[(Box<str>, Raw)], state: Option<&Raw>) -> Raw {
    let Ok(object) = Object::of(params, &[]) else {
        return params.clone();
    };
    let mut members = Vec::new();
    if !responses.is_empty() {
        let texts = responses.iter();
        let texts: Vec<_> = texts
            .map(|(key, raw)| format!("{}:{}", quoted(key), raw.get()))
            .collect();
        members.push((
            RESPONSES,
            Raw::assembled(format!("{{{}}}", texts.join(","))),
        ));
    }
    members.extend(state.map(|state| (STATE, state.clone())));
    object.with_all(&members)
}

/// Takes out of the parameters what they bring; `None` if that is nothing.
///
/// # Errors
/// When it cannot be read.
pub fn brought(params: &Raw) -> Result<Option<(Brought, Raw)>, BadInput> {
    if !may_hold(params, STATE) && !may_hold(params, RESPONSES) {
        return Ok(None);
    }
    let bad = |_| BadInput("what the request brings cannot be read");
    let object = Object::of(params, &[STATE, RESPONSES]).map_err(bad)?;
    let (state, responses) = (object.get(STATE), object.get(RESPONSES));
    if state.is_none() && responses.is_none() {
        return Ok(None);
    }
    let mut brought = Brought {
        responses: Vec::new(),
        state: state.cloned(),
    };
    if let Some(responses) = responses {
        let responses = Object::of(responses, &[]).map_err(bad)?;
        let each = responses.iter();
        brought.responses = each.map(|(key, raw)| (key.into(), raw.clone())).collect();
    }
    Ok(Some((brought, object.without(&[STATE, RESPONSES]))))
}

impl Id {
    /// An identity of our own.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self::of_text(quoted(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Raw {
        Raw::parse(text).unwrap()
    }

    #[test]
    fn what_a_result_asks_for_is_read() {
        let result = raw(
            r#"{"resultType":"input_required","requestState":"a\u0062","inputRequests":{
            "who":{"method":"elicitation/create","params":{"n":1e400}},"r":{"method":"roots/list"}}}"#,
        );
        let asked = InputRequired::of(&result).unwrap().unwrap();
        assert_eq!(asked.state.unwrap().get(), r#""a\u0062""#);
        let kinds: Vec<_> = asked
            .requests
            .iter()
            .map(|one| (&*one.key, &*one.method))
            .collect();
        assert_eq!(kinds, [("who", "elicitation/create"), ("r", "roots/list")]);
        assert_eq!(
            asked.requests[0].params.as_ref().unwrap().get(),
            r#"{"n":1e400}"#
        );
        for other in [
            r#"{"content":["input_required"]}"#,
            r#"{"resultType":"complete"}"#,
            r#"["resultType","input_required"]"#,
            r#"{"ResultType":"\u0063omplete"}"#,
            r#"{"a":1,"a":"\ud800 input_required"}"#,
        ] {
            assert_eq!(InputRequired::of(&raw(other)), Ok(None));
        }
    }

    #[test]
    fn what_nobody_could_bring_is_refused() {
        let many: Vec<String> = (0..=INPUTS)
            .map(|n| format!("\"{n}\":{{\"method\":\"roots/list\"}}"))
            .collect();
        for requests in [
            String::new(),
            r#","inputRequests":[]"#.into(),
            r#","inputRequests":{"a":{"method":"tools/call"}}"#.into(),
            r#","inputRequests":{"a\u200b":{"method":"roots/list"}}"#.into(),
            format!(r#","requestState":"{}""#, "x".repeat(10 << 20)),
            r#","inputRequests":{"a":{"method":"roots/list","METHOD":"x"}}"#.into(),
            format!(",\"inputRequests\":{{{}}}", many.join(",")),
        ] {
            let text = format!("{{\"resultType\":\"input_required\"{requests}}}");
            assert!(InputRequired::of(&raw(&text)).is_err(), "{text:.200}");
        }
    }

    #[test]
    fn what_one_reader_finds_asking_and_another_does_not_is_refused() {
        for result in [
            r#"{"resultType":"input_required","resultType":"complete"}"#,
            r#"{"ResultType":"input\u005frequired"}"#,
        ] {
            assert!(InputRequired::of(&raw(result)).is_err(), "{result}");
        }
    }

    #[test]
    fn escapes_hide_nothing_that_is_asked() {
        let result = raw(r#"{"result\u0054ype":"input\u005frequired","requestSt\u0061te":"a"}"#);
        let asked = InputRequired::of(&result).unwrap().unwrap();
        assert_eq!(asked.state, Some(Raw::string("a")));
        assert!(
            brought(&raw(r#"{"requestSt\u0061te":"a"}"#))
                .unwrap()
                .is_some()
        );
    }

    #[test]
    fn what_is_asked_can_be_shown_otherwise() {
        let result = raw(
            r#"{"resultType":"input_required","inputRequests":{"a":{"method":"roots/list"},"b":{"method":
            "elicitation/create","params":{"message":"x"}}},"requestState":"\u202e","n":1e400}"#,
        );
        let asked = InputRequired::of(&result).unwrap().unwrap().requests;
        assert_eq!(asking_this(&result, &asked, &asked), result);
        let mut shown = asked.clone();
        shown[1].params = Some(raw("{}"));
        assert_eq!(
            asking_this(&result, &asked, &shown).get(),
            r#"{"resultType":"input_required","inputRequests":{"a":{"method":"roots/list"},"b":{"method":"elicitation/create","params":{}}},"requestState":"\u202e","n":1e400}"#
        );
    }

    #[test]
    fn what_is_brought_goes_there_and_back() {
        let params = raw(r#"{"name":"t","arguments":{"x":1e400}}"#);
        let responses = [("who".into(), raw(r#"{"action":"accept"}"#))];
        let sent = bringing(&params, &responses, Some(&Raw::string("s")));
        assert_eq!(
            sent.get(),
            r#"{"name":"t","arguments":{"x":1e400},"inputResponses":{"who":{"action":"accept"}},"requestState":"s"}"#
        );
        let (read, rest) = brought(&sent).unwrap().unwrap();
        assert_eq!(rest, params);
        assert_eq!(read.responses, responses);
        assert_eq!(read.state, Some(Raw::string("s")));
        assert_eq!(bringing(&params, &[], None), params);
        assert_eq!(brought(&params), Ok(None));
        assert_eq!(
            brought(&raw(r#"{"arguments":{"requestState":1}}"#)),
            Ok(None)
        );
        assert!(brought(&raw(r#"{"inputResponses":[]}"#)).is_err());
    }

    #[test]
    fn asking_makes_a_result_that_can_be_read() {
        let params = raw(r#"{"message":"?"}"#);
        let asked = [
            ("1", "elicitation/create", Some(&params)),
            ("2", "roots/list", None),
        ];
        let result = asking(asked, "state");
        let read = InputRequired::of(&result).unwrap().unwrap();
        assert_eq!(read.requests.len(), 2);
        assert_eq!(read.requests[0].params.as_ref(), Some(&params));
        assert_eq!(read.state, Some(Raw::string("state")));
    }
}
