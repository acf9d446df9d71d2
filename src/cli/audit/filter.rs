//! Which records: the options that all commands share.

use std::time::Duration;

use clap::Args;

use crate::audit::query::{Filter, Words};
use crate::clock::Timestamp;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Which records; every option that is given has to match.
#[derive(Debug, Default, Args)]
pub(super) struct FilterArgs {
    /// Made at this time or later: `2026-01-31` or `2026-01-31T12:00:00Z`.
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    pub(super) since: Option<Timestamp>,
    /// Made before this time, or on this day at the latest.
    #[arg(long, value_name = "TIME", value_parser = parse_until)]
    pub(super) until: Option<Timestamp>,
    /// By this person: e-mail or subject.
    #[arg(long)]
    pub(super) user: Option<Box<str>>,
    /// On this server.
    #[arg(long)]
    pub(super) server: Option<Box<str>>,
    /// Of this tool, by its own name.
    #[arg(long)]
    pub(super) tool: Option<Box<str>>,
    /// `success`, `error`, `denied` or `unknown`.
    #[arg(long, value_parser = OUTCOMES)]
    pub(super) outcome: Option<String>,
    /// Holding all these words, in any case: in tool, server, user, reason, summary or arguments.
    #[arg(long, value_name = "WORDS")]
    pub(super) text: Option<Box<str>>,
}

pub(super) const OUTCOMES: [&str; 4] = ["success", "error", "denied", "unknown"];

impl FilterArgs {
    pub(super) fn filter(&self) -> Filter {
        Filter {
            since: self.since,
            until: self.until,
            user: self.user.clone(),
            server: self.server.clone(),
            tool: self.tool.clone(),
            outcome: self.outcome.as_deref().map(Into::into),
            text: self.text.as_deref().map(Words::new),
        }
    }
}

pub(super) fn parse_since(text: &str) -> Result<Timestamp, chrono::ParseError> {
    Timestamp::parse(text).or_else(|error| midnight(text).map_err(|_| error))
}

/// A day counts as a whole: what is asked for until the 31st includes the 31st.
pub(super) fn parse_until(text: &str) -> Result<Timestamp, chrono::ParseError> {
    Timestamp::parse(text).or_else(|error| {
        let day = midnight(text).map_err(|_| error)?;
        Ok(day.after(DAY))
    })
}

/// Why a selection is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum SelectError {
    /// No term of the form `name=value`.
    #[error("{0:?} is not of the form name=value")]
    Term(Box<str>),
    /// A quotation mark without its other half.
    #[error("a quotation mark is not closed")]
    Quote,
    /// A name that is none, or is there twice.
    #[error(
        "{0:?} is not one of since, until, user, server, tool, outcome, text, or is there twice"
    )]
    Name(Box<str>),
    /// A value that the name does not take.
    #[error("{0:?} is not a value of {1}")]
    Value(Box<str>, Box<str>),
}

impl FilterArgs {
    /// Reads the options from one text: `user=alice outcome=denied text="drop table"`.
    ///
    /// # Errors
    /// Says which part is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, SelectError> {
        let mut parsed = Self::default();
        for term in terms(text)? {
            let (name, value) = term
                .split_once('=')
                .ok_or_else(|| SelectError::Term(term.as_str().into()))?;
            let wrong = || SelectError::Value(value.into(), name.into());
            let free = match name {
                "since" => put(&mut parsed.since, parse_since(value).map_err(|_| wrong())?),
                "until" => put(&mut parsed.until, parse_until(value).map_err(|_| wrong())?),
                "user" => put(&mut parsed.user, value.into()),
                "server" => put(&mut parsed.server, value.into()),
                "tool" => put(&mut parsed.tool, value.into()),
                "text" => put(&mut parsed.text, value.into()),
                "outcome" if OUTCOMES.contains(&value) => put(&mut parsed.outcome, value.into()),
                "outcome" => return Err(wrong()),
                _ => false,
            };
            if !free {
                return Err(SelectError::Name(name.into()));
            }
        }
        Ok(parsed)
    }

    /// The same as [`Self::parse`] reads, for a manifest.
    pub(super) fn words(&self) -> Box<str> {
        let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
        let terms = [
            ("since", time(self.since)),
            ("until", time(self.until)),
            ("user", self.user.as_deref().map(quoted)),
            ("server", self.server.as_deref().map(quoted)),
            ("tool", self.tool.as_deref().map(quoted)),
            ("outcome", self.outcome.clone()),
            ("text", self.text.as_deref().map(quoted)),
        ];
        let given = terms
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name}={}", value?)));
        given.collect::<Vec<_>>().join(" ").into()
    }
}

/// Whether the place was free.
fn put<T>(place: &mut Option<T>, value: T) -> bool {
    place.replace(value).is_none()
}

/// Takes a text apart at the spaces outside of quotation marks, and takes these away; a backslash
/// takes the next character as it is.
fn terms(text: &str) -> Result<Vec<String>, SelectError> {
    let (mut terms, mut term, mut open, mut begun) = (Vec::new(), String::new(), false, false);
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            '"' => open = !open,
            '\\' => term.extend(characters.next()),
            c if c.is_whitespace() && !open => {
                if std::mem::take(&mut begun) {
                    terms.push(std::mem::take(&mut term));
                }
                continue;
            }
            c => term.push(c),
        }
        begun = true;
    }
    if open {
        return Err(SelectError::Quote);
    }
    terms.extend(begun.then_some(term));
    Ok(terms)
}

fn quoted(value: &str) -> String {
    if value.is_empty() || value.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '\\')) {
        format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        value.to_owned()
    }
}

fn midnight(day: &str) -> Result<Timestamp, chrono::ParseError> {
    Timestamp::parse(&format!("{day}T00:00:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_in_one_text_is_the_options_and_back() {
        let text = r#"since=2026-01-01T00:00:00.000Z user="a \"b\" \\c" tool=drop outcome=denied text="x y""#;
        let parsed = FilterArgs::parse(text).unwrap();
        assert_eq!(parsed.user.as_deref(), Some(r#"a "b" \c"#));
        assert_eq!(parsed.text.as_deref(), Some("x y"));
        assert_eq!(&*parsed.words(), text);
        let short = FilterArgs::parse(" server=db\n until=2026-01-31 ").unwrap();
        assert_eq!(&*short.words(), "until=2026-02-01T00:00:00.000Z server=db");
        assert_eq!(&*FilterArgs::parse("").unwrap().words(), "");
        for (text, wrong) in [
            ("alice", SelectError::Term("alice".into())),
            ("user=\"a", SelectError::Quote),
            ("person=a", SelectError::Name("person".into())),
            ("user=a user=b", SelectError::Name("user".into())),
            (
                "outcome=fine",
                SelectError::Value("fine".into(), "outcome".into()),
            ),
            (
                "since=now",
                SelectError::Value("now".into(), "since".into()),
            ),
        ] {
            assert_eq!(FilterArgs::parse(text).unwrap_err(), wrong);
        }
    }
}
