//! JSON by the grammar of RFC 8259, with the text of every value.

/// Deeper values are not read, for the sake of the stack.
const DEPTH_LIMIT: usize = 1000;

/// A value and the text that it was read from, without the blanks around it.
#[derive(Debug)]
pub struct Value<'a> {
    /// The text.
    pub text: &'a str,
    /// What it is.
    pub kind: Kind<'a>,
}

/// What a value is.
#[derive(Debug)]
pub enum Kind<'a> {
    /// A number, `true`, `false` or `null`.
    Word,
    /// A string.
    String,
    /// The items.
    Array(Vec<Value<'a>>),
    /// The members, with the text of their keys.
    Object(Vec<(&'a str, Value<'a>)>),
}

impl<'a> Value<'a> {
    /// Reads a text that is one value.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut reader = Reader { text, at: 0 };
        let value = reader.value(DEPTH_LIMIT)?;
        reader.blanks();
        (reader.at == text.len()).then_some(value)
    }

    /// The members, if it is an object.
    #[must_use]
    pub fn members(&self) -> Option<&[(&'a str, Value<'a>)]> {
        match &self.kind {
            Kind::Object(members) => Some(members),
            Kind::Word | Kind::String | Kind::Array(_) => None,
        }
    }

    /// The items, if it is an array.
    #[must_use]
    pub fn items(&self) -> Option<&[Value<'a>]> {
        match &self.kind {
            Kind::Array(items) => Some(items),
            Kind::Word | Kind::String | Kind::Object(_) => None,
        }
    }

    /// How many arrays and objects lie around the deepest value.
    #[must_use]
    pub fn depth(&self) -> usize {
        let inner = |depth: Option<usize>| 1 + depth.unwrap_or(0);
        match &self.kind {
            Kind::Word | Kind::String => 0,
            Kind::Array(items) => inner(items.iter().map(Value::depth).max()),
            Kind::Object(members) => inner(members.iter().map(|(_, value)| value.depth()).max()),
        }
    }
}

/// The text that a string literal stands for; `None` if half of a surrogate pair is missing.
#[must_use]
pub fn unescape(literal: &str) -> Option<String> {
    let mut units = Vec::new();
    let mut chars = literal[1..literal.len() - 1].chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
            continue;
        }
        units.push(match chars.next()? {
            'u' => u16::from_str_radix(&chars.by_ref().take(4).collect::<String>(), 16).ok()?,
            'b' => 8,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            c => u16::try_from(u32::from(c)).ok()?,
        });
    }
    String::from_utf16(&units).ok()
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Steps over digits; whether there were any.
    fn digits(&mut self) -> bool {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at > start
    }

    fn value(&mut self, depth: usize) -> Option<Value<'a>> {
        self.blanks();
        let start = self.at;
        let kind = match self.peek()? {
            b'"' => {
                self.string()?;
                Kind::String
            }
            b'[' => Kind::Array(self.array(depth.checked_sub(1)?)?),
            b'{' => Kind::Object(self.object(depth.checked_sub(1)?)?),
            b'-' | b'0'..=b'9' => {
                self.number()?;
                Kind::Word
            }
            _ => {
                let rest = &self.text[self.at..];
                let mut words = ["true", "false", "null"].into_iter();
                self.at += words.find(|word| rest.starts_with(word))?.len();
                Kind::Word
            }
        };
        let text = &self.text[start..self.at];
        Some(Value { text, kind })
    }

    fn array(&mut self, depth: usize) -> Option<Vec<Value<'a>>> {
        let mut items = Vec::new();
        self.listed(b'[', b']', |reader| {
            items.push(reader.value(depth)?);
            Some(())
        })?;
        Some(items)
    }

    fn object(&mut self, depth: usize) -> Option<Vec<(&'a str, Value<'a>)>> {
        let mut members = Vec::new();
        self.listed(b'{', b'}', |reader| {
            let key = reader.string()?;
            reader.blanks();
            reader.take(b':').then_some(())?;
            members.push((key, reader.value(depth)?));
            Some(())
        })?;
        Some(members)
    }

    /// What stands between brackets, with commas between.
    fn listed(
        &mut self,
        open: u8,
        close: u8,
        mut each: impl FnMut(&mut Self) -> Option<()>,
    ) -> Option<()> {
        self.take(open).then_some(())?;
        self.blanks();
        if self.take(close) {
            return Some(());
        }
        loop {
            self.blanks();
            each(self)?;
            self.blanks();
            if self.take(close) {
                return Some(());
            }
            self.take(b',').then_some(())?;
        }
    }

    fn string(&mut self) -> Option<&'a str> {
        let start = self.at;
        self.take(b'"').then_some(())?;
        loop {
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b'"' => return Some(&self.text[start..self.at]),
                b'\\' => self.escape()?,
                0..0x20 => return None,
                _ => {}
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        let byte = self.peek()?;
        self.at += 1;
        match byte {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => {
                let digits = self.text.as_bytes().get(self.at..self.at + 4)?;
                self.at += 4;
                digits.iter().all(u8::is_ascii_hexdigit).then_some(())
            }
            _ => None,
        }
    }

    fn number(&mut self) -> Option<()> {
        self.take(b'-');
        if !self.take(b'0') {
            self.digits().then_some(())?;
        }
        if self.take(b'.') {
            self.digits().then_some(())?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _sign = self.take(b'+') || self.take(b'-');
            self.digits().then_some(())?;
        }
        Some(())
    }
}
