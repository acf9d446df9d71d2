//! `WWW-Authenticate` by the grammar of RFC 9110 (§5.6, §11.2, §11.3), and by nothing else.

/// The parameters of all challenges of a header, names as they are spelled, escapes not undone;
/// `None` for what the grammar does not have.
#[must_use]
pub fn parameters(header: &str) -> Option<Vec<(&str, &str)>> {
    let mut cursor = Cursor(header);
    let mut found = Vec::new();
    let mut within = false;
    loop {
        cursor.skip(|c| is_blank(c) || c == ',');
        if cursor.0.is_empty() {
            return Some(found);
        }
        if within && let Some(parameter) = cursor.parameter() {
            found.push(parameter);
            cursor.end_element()?;
            continue;
        }
        cursor.token()?;
        within = true;
        if cursor.end_element().is_some() {
            continue;
        }
        if cursor.skip(|c| c == ' ').is_empty() {
            return None;
        }
        if cursor.token68() {
            within = false;
        } else if !cursor.0.starts_with(',') {
            found.push(cursor.parameter()?);
            cursor.end_element()?;
        }
    }
}

/// Whether a text can be a header's value.
#[must_use]
pub fn is_header(text: &str) -> bool {
    text.chars().all(|c| c == '\t' || (' '..='~').contains(&c))
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[derive(Clone)]
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    /// Steps over what fits, and returns it.
    fn skip(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let end = self.0.find(|c| !fits(c)).unwrap_or(self.0.len());
        let (skipped, rest) = self.0.split_at(end);
        self.0 = rest;
        skipped
    }

    fn take(&mut self, wanted: char) -> Option<()> {
        self.0 = self.0.strip_prefix(wanted)?;
        Some(())
    }

    fn token(&mut self) -> Option<&'a str> {
        Some(self.skip(is_token)).filter(|token| !token.is_empty())
    }

    /// Steps to the comma or the end that must follow an element of a list, or stays.
    fn end_element(&mut self) -> Option<()> {
        let mut after = self.clone();
        after.skip(is_blank);
        let ends = after.0.is_empty() || after.0.starts_with(',');
        ends.then(|| *self = after)
    }

    /// `token BWS "=" BWS ( token / quoted-string )`, or stays.
    fn parameter(&mut self) -> Option<(&'a str, &'a str)> {
        let mut cursor = self.clone();
        let name = cursor.token()?;
        cursor.skip(is_blank);
        cursor.take('=')?;
        cursor.skip(is_blank);
        let value = match cursor.take('"') {
            Some(()) => cursor.quoted()?,
            None => cursor.token()?,
        };
        *self = cursor;
        Some((name, value))
    }

    /// What stands before the quote that no backslash takes away.
    fn quoted(&mut self) -> Option<&'a str> {
        let mut escaped = false;
        let end = self.0.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })?;
        let value = &self.0[..end];
        self.0 = &self.0[end + 1..];
        Some(value)
    }

    /// Credentials without a name, or stays.
    fn token68(&mut self) -> bool {
        let mut cursor = self.clone();
        let text = cursor.skip(|c| c.is_ascii_alphanumeric() || "-._~+/".contains(c));
        cursor.skip(|c| c == '=');
        let found = !text.is_empty() && cursor.end_element().is_some();
        if found {
            *self = cursor;
        }
        found
    }
}
