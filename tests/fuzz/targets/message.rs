//! A line is the message that a whole parser finds in it, and passes byte for byte.

#![no_main]

use chaperone::wire::leap::{stop, string_end};
use chaperone::wire::{Id, Malformed, Message, Object, Raw, code};
use chaperone_fuzz::json::Value;
use chaperone_fuzz::message::{Message as Plain, Nothing, members, read};
use libfuzzer_sys::fuzz_target;

/// Keys that nothing may imitate, as a reader of params has them.
const EXPECTED: [&str; 3] = ["name", "arguments", "task"];
/// More brackets than the plain reader follows.
const DEEP: usize = 1000;
/// What an error answer may repeat of a line, at most.
const REASON: usize = 120;

fuzz_target!(|line: &[u8]| {
    leaps(line);
    let found = Message::parse(line);
    let Ok(text) = std::str::from_utf8(line) else {
        assert_eq!(found.unwrap_err().code, code::PARSE_ERROR);
        return;
    };
    if text.matches(['[', '{']).count() > DEEP {
        return;
    }
    let value = Value::parse(text);
    match (found, read(value.as_ref())) {
        (Ok(found), Ok(expected)) => {
            same(&found, &expected);
            passes(&found);
        }
        (Err(found), Err(expected)) => refused(&found, &expected, text),
        (found, expected) => panic!("{found:?} {expected:?}"),
    }
    match (Raw::parse(text), value) {
        (Ok(raw), Some(value)) => everything(&raw, &value),
        (Err(_), None) => assert!(serde_json::from_str::<serde_json::Value>(text).is_err()),
        (raw, value) => panic!("{raw:?} {value:?}"),
    }
});

fn leaps(bytes: &[u8]) {
    for at in 0..bytes.len().min(40) {
        let slow = (at..bytes.len()).find(|at| matches!(bytes[*at], b'"' | b'\\'));
        assert_eq!(stop(bytes, at), slow);
    }
    let mut rest = bytes.iter().enumerate().skip(1);
    let mut end = bytes.len();
    while let Some((at, byte)) = rest.next() {
        match byte {
            b'"' => {
                end = at;
                break;
            }
            b'\\' => drop(rest.next()),
            _ => {}
        }
    }
    assert_eq!(string_end(bytes, 1), end);
}

fn same(found: &Message, expected: &Plain<'_>) {
    let text = |raw: &Option<Raw>| raw.as_ref().map(|raw| raw.get().to_owned());
    let plain = |value: Option<&Value<'_>>| value.map(|value| value.text.to_owned());
    match (found, expected) {
        (Message::Request(found), Plain::Request(id, method, params)) => {
            assert_eq!((found.id.as_json(), &*found.method), (*id, &**method));
            assert_eq!(text(&found.params), plain(*params));
        }
        (Message::Notification(found), Plain::Notification(method, params)) => {
            assert_eq!(&*found.method, &**method);
            assert_eq!(text(&found.params), plain(*params));
        }
        (Message::Response(found), Plain::Response(id, outcome)) => {
            assert_eq!(found.id.as_ref().map(Id::as_json), *id);
            let outcome = outcome.map(|value| value.text).map_err(|value| value.text);
            assert_eq!(
                found.outcome.as_ref().map(Raw::get).map_err(Raw::get),
                outcome
            );
        }
        (found, expected) => panic!("{found:?} {expected:?}"),
    }
}

fn refused(found: &Malformed, expected: &Nothing<'_>, text: &str) {
    assert!(found.reason.len() <= REASON, "{}", found.reason);
    let id = found.id.as_ref().map(Id::as_json);
    let (code, expected) = match expected {
        // A batch is refused before it is read.
        Nothing::Unreadable if text.trim_start().starts_with('[') => (found.code, None),
        Nothing::Unreadable => (code::PARSE_ERROR, None),
        Nothing::NoMessage(id) => (code::INVALID_REQUEST, *id),
    };
    assert_eq!((found.code, id), (code, expected));
}

/// What is written is one line, says the same to the byte, and is written so ever after.
fn passes(message: &Message) {
    let mut line = Vec::new();
    message.write_line(&mut line);
    let text = str::from_utf8(&line).unwrap();
    assert_eq!(text.find(['\n', '\r']), Some(text.len() - 1));
    let value = Value::parse(text);
    same(&flat(message.clone()), &read(value.as_ref()).unwrap());
    let mut again = Vec::new();
    Message::parse(&line).unwrap().write_line(&mut again);
    assert_eq!(line, again);
}

/// The message with spaces for line ends, which JSON has between its tokens only.
fn flat(message: Message) -> Message {
    let flat = |raw: Raw| Raw::parse(&raw.get().replace(['\n', '\r'], " ")).unwrap();
    match message {
        Message::Request(mut request) => {
            request.params = request.params.map(flat);
            Message::Request(request)
        }
        Message::Notification(mut notice) => {
            notice.params = notice.params.map(flat);
            Message::Notification(notice)
        }
        Message::Response(mut response) => {
            response.outcome = response.outcome.map(flat).map_err(flat);
            Message::Response(response)
        }
    }
}

/// Every value within is found where it stands, and every object can be changed in one place.
fn everything(raw: &Raw, value: &Value<'_>) {
    assert_eq!(raw.get(), value.text);
    assert_eq!(raw.is_object(), value.members().is_some());
    let items = raw.items(usize::MAX);
    assert_eq!(items.is_some(), value.items().is_some());
    let (items, expected) = (items.unwrap_or_default(), value.items().unwrap_or_default());
    assert_eq!(items.len(), expected.len());
    for (item, value) in items.iter().zip(expected) {
        everything(item, value);
    }
    let strict = Object::of(raw, &EXPECTED);
    assert_eq!(
        strict.is_ok(),
        members(value, &EXPECTED).is_some(),
        "{strict:?}"
    );
    let (object, expected) = match (Object::of(raw, &[]), members(value, &[])) {
        (Ok(object), Some(expected)) => (object, expected),
        (Err(_), None) => return,
        (object, expected) => panic!("{object:?} {expected:?}"),
    };
    assert_eq!(raw.is_empty_object(), expected.is_empty());
    assert_eq!(object.iter().count(), expected.len());
    for ((key, raw), (known, value)) in object.iter().zip(&expected) {
        assert_eq!(key, known);
        everything(raw, value);
    }
    changes(raw, &object, &expected);
}

fn changes(raw: &Raw, object: &Object<'_>, before: &[(String, &Value<'_>)]) {
    let new = Raw::parse(r#"{"new": "}\"" }"#).unwrap();
    let texts: Vec<(&str, &str)> = before
        .iter()
        .map(|(key, value)| (key.as_str(), value.text))
        .collect();
    for key in ["name", "\"}"]
        .into_iter()
        .chain(texts.iter().map(|(key, _)| *key).take(4))
    {
        let mut set = texts.clone();
        match set.iter_mut().find(|(known, _)| *known == key) {
            Some((_, value)) => *value = new.get(),
            None => set.push((key, new.get())),
        }
        holds(&object.with(key, Some(&new)), &set);
        holds(&object.with_all(&[(key, new.clone())]), &set);
        assert_eq!(raw.with(key, &new), object.with(key, Some(&new)));
        set.retain(|(known, _)| *known != key);
        holds(&object.with(key, None), &set);
        holds(&object.without(&[key]), &set);
    }
}

fn holds(changed: &Raw, expected: &[(&str, &str)]) {
    let value = Value::parse(changed.get()).unwrap();
    let found = members(&value, &[]).unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|(key, value)| (key.as_str(), value.text))
        .collect();
    assert_eq!(found, expected);
}
