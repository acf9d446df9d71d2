//! What of a server's question is fit to be shown to a person: texts in which nothing is hidden, and
//! links that lead to the web and nowhere else.

use url::Url;

use crate::bounds::{LINKS, QUESTION};
use crate::catalog::texts::{self, HiddenKey};
use crate::login::browser::{Link, LinkError};
use crate::wire::object::{Object, ObjectError};
use crate::wire::raw::List;
use crate::wire::{Raw, code, method};

/// Why a question is not put to anybody.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    #[error("it is longer than {QUESTION} bytes")]
    TooLong,
    #[error("a key in it holds characters that cannot be seen")]
    HiddenKey,
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] ObjectError),
    #[error("it asks to open a link and has none")]
    NoLink,
    #[error("it asks to open what is no link")]
    Nonsense(#[source] url::ParseError),
    #[error(
        "it asks to open a link that is neither https nor http to this machine, or is not plain"
    )]
    Link(#[source] LinkError),
}

/// The parameters of a question as they may be shown.
pub(super) fn question(asked: &str, params: &Raw) -> Result<Raw, Unfit> {
    let elicits = asked == method::ELICIT;
    if elicits && params.get().len() > QUESTION {
        return Err(Unfit::TooLong);
    }
    let plain = texts::cleaned(params).map_err(|HiddenKey| Unfit::HiddenKey)?;
    let plain = plain.unwrap_or_else(|| params.clone());
    if !elicits {
        return Ok(plain);
    }
    let object = Object::of(&plain, &["mode", "message", "url", "requestedSchema"])?;
    let wanted = object.string("mode")?.as_deref() == Some("url");
    match object.string("url")? {
        None if wanted => Err(Unfit::NoLink),
        None => Ok(plain.clone()),
        Some(text) => {
            let spelled = Raw::string(&link(&text)?);
            Ok(object.with("url", Some(&spelled)))
        }
    }
}

/// An error of a server; one that asks to open links is checked like a question.
pub(super) fn error(error: Raw) -> Result<Raw, Unfit> {
    let is_about_links = match Object::of(&error, &["code", "data"]) {
        Ok(object) => object.get("code").is_some_and(needs_url),
        Err(ObjectError::Shape) => false,
        Err(error) => return Err(error.into()),
    };
    if !is_about_links {
        return Ok(error);
    }
    let plain = texts::cleaned(&error).map_err(|HiddenKey| Unfit::HiddenKey)?;
    let plain = plain.unwrap_or(error);
    let outer = Object::of(&plain, &["data"])?;
    let Some(data) = outer.get("data").filter(|data| data.is_object()) else {
        return Ok(plain.clone());
    };
    let data = Object::of(data, &["elicitations"])?;
    let asked = data
        .get("elicitations")
        .and_then(|all| all.items(LINKS + 1));
    let asked = asked.unwrap_or_default();
    if asked.len() > LINKS {
        return Err(Unfit::TooLong);
    }
    let mut shown = List::of("elicitations");
    for one in &asked {
        shown.add(&question(method::ELICIT, one)?);
    }
    let shown = shown.done();
    let shown = Object::of(&shown, &[])?;
    let data = data.with("elicitations", shown.get("elicitations"));
    Ok(outer.with("data", Some(&data)))
}

/// However the number is spelled.
fn needs_url(said: &Raw) -> bool {
    let said: Result<f64, _> = said.get().parse();
    said.is_ok_and(|said| (said - f64::from(code::URL_NEEDED)).abs() < 0.5)
}

/// A link as the parser spells it, so that nobody reads it in another way.
fn link(text: &str) -> Result<String, Unfit> {
    let url = Url::parse(text).map_err(Unfit::Nonsense)?;
    Link::try_from(&url).map_err(Unfit::Link)?;
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Raw {
        Raw::parse(text).unwrap()
    }

    fn elicited(params: &str) -> Result<String, Unfit> {
        question(method::ELICIT, &raw(params)).map(|fit| fit.get().to_owned())
    }

    #[test]
    fn links_lead_to_the_web_or_are_not_shown() {
        for url in [
            "javascript:alert(1)",
            "java\\tscript:alert(1)",
            "file:///etc/passwd",
            "data:text/html,x",
            "ms-msdt:/id",
            "http://example.com/",
            "http://127.0.0.1.example.com/",
            "https://idp@evil.example/",
            "//example.com/",
            "",
        ] {
            for mode in [r#""mode":"url","#, r#""mode":"form","#, ""] {
                let asked = format!(r#"{{{mode}"message":"?","url":"{url}"}}"#);
                assert!(elicited(&asked).is_err(), "{asked}");
                let error_with = format!(
                    r#"{{"code":-32042,"message":"m","data":{{"elicitations":[{asked}]}}}}"#
                );
                assert!(error(raw(&error_with)).is_err(), "{error_with}");
                let spelled = error_with.replace("-32042", "-3.2042e4");
                assert!(error(raw(&spelled)).is_err(), "{spelled}");
            }
        }
        for (asked, shown) in [
            ("https://a.example/x?y", "https://a.example/x?y"),
            ("http://localhost:7/x", "http://localhost:7/x"),
            ("https:\\\\a.example", "https://a.example/"),
            ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ] {
            let text = format!(r#"{{"mode":"url","url":"{asked}"}}"#);
            let expected = format!(r#"{{"mode":"url","url":"{shown}"}}"#);
            assert_eq!(elicited(&text).unwrap(), expected);
        }
    }

    #[test]
    fn what_two_readers_may_read_differently_is_not_shown() {
        for params in [
            r#"{"mode":"url"}"#,
            r#"{"mode":"url","url":7}"#,
            r#"{"mode":"url","url":"https://a/","url":"file:///"}"#,
            r#"{"mode":"form","URL":"file:///"}"#,
            r#"{"mode":["url"]}"#,
            r#"{"requestedSchema":{"properties":{"a\u202e":{}}}}"#,
        ] {
            assert!(elicited(params).is_err(), "{params}");
        }
        let long = format!(r#"{{"message":"{}"}}"#, "x".repeat(QUESTION));
        assert!(matches!(elicited(&long), Err(Unfit::TooLong)));
        assert!(question(method::SAMPLE, &raw(&long)).is_ok());
    }

    #[test]
    fn texts_of_questions_lose_what_cannot_be_seen() {
        let asked = r#"{"message":"Agree?\u202e\u001b[8m","requestedSchema":{"properties":
            {"q":{"title":"\udb40\udc41Q","description":"\u200bd"}}}}"#;
        let shown = r#"{"message":"Agree?[8m","requestedSchema":{"properties":
            {"q":{"title":"Q","description":"d"}}}}"#;
        assert_eq!(elicited(asked).unwrap(), shown);
        let sampled = question(method::SAMPLE, &raw(r#"{"systemPrompt":"a\u202eb"}"#)).unwrap();
        assert_eq!(sampled.get(), r#"{"systemPrompt":"ab"}"#);
    }

    #[test]
    fn other_errors_pass_as_they_are() {
        for text in [
            r#"{"code":-32000,"message":"\u001b[2J"}"#,
            r#"{"code":-32042,"message":"m","data":{"elicitations":[{"mode":"url","url":"https://a/"}]}}"#,
            r#"{"code":-32042,"message":"m"}"#,
            r#"{"code":-32042,"message":"m","data":[7]}"#,
            "7",
        ] {
            assert_eq!(error(raw(text)).unwrap().get(), text);
        }
        assert!(error(raw(r#"{"code":1,"code":-32042}"#)).is_err());
        let many = [r#"{"url":"https://a/"}"#; LINKS + 1].join(",");
        let many = format!(r#"{{"code":-32042,"data":{{"elicitations":[{many}]}}}}"#);
        assert!(error(raw(&many)).is_err());
    }
}
