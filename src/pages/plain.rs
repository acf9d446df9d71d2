//! From Markdown to text for a terminal: headings, paragraphs, lists, tables and blocks of code.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use crate::wording::wrapped;

/// How far a block of code, which is never wrapped, stands to the right of what it belongs to.
const CODE: &str = "    ";

/// Writes what a parser reads, in lines of a width.
#[derive(Debug, Default)]
pub(super) struct Plain {
    width: usize,
    out: String,
    /// The words of the block that is being read.
    text: String,
    /// Where the links lead that are being read, and where in `text` their words begin.
    links: Vec<(String, usize)>,
    /// The next number of each list that is open; none for one with bullets.
    lists: Vec<Option<u64>>,
    /// What the items that are open have before their text.
    marks: Vec<String>,
    /// The mark of the innermost item has not been written yet.
    is_new_item: bool,
    /// What the columns of the table that is being read are called.
    names: Vec<String>,
    /// The cells of the row that is being read.
    cells: Vec<String>,
}

impl Plain {
    pub(super) fn new(width: usize) -> Self {
        Self {
            width,
            ..Self::default()
        }
    }

    /// The text of a page.
    pub(super) fn of(mut self, markdown: &str) -> String {
        for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
            match event {
                Event::Start(tag) => self.begin(tag),
                Event::End(tag) => self.end(tag),
                Event::Code(code) => self.text.extend(["`", &code, "`"]),
                Event::SoftBreak => self.text.push(' '),
                Event::HardBreak => self.text.push('\n'),
                Event::Rule => self.gap(),
                Event::Text(text)
                | Event::Html(text)
                | Event::InlineHtml(text)
                | Event::InlineMath(text)
                | Event::DisplayMath(text)
                | Event::FootnoteReference(text) => self.text.push_str(&text),
                Event::TaskListMarker(_) => {}
            }
        }
        self.out.trim_end().to_owned()
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the other marks leave no trace in a terminal"
    )]
    fn begin(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::List(first) => {
                self.flush();
                self.lists.push(first);
            }
            Tag::Item => {
                let mark = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}. ", *number - 1)
                    }
                    Some(None) | None => "- ".to_owned(),
                };
                self.marks.push(mark);
                self.is_new_item = true;
            }
            Tag::CodeBlock(_) => self.flush(),
            Tag::Link { dest_url, .. } => self.links.push((dest_url.into(), self.text.len())),
            Tag::Emphasis => self.text.push('"'),
            Tag::TableHead => self.names.clear(),
            _ => {}
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the other marks leave no trace in a terminal"
    )]
    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(level) => self.heading(level),
            TagEnd::Paragraph => {
                self.flush();
                self.gap();
            }
            TagEnd::List(_) => {
                self.lists.pop();
                if self.lists.is_empty() {
                    self.gap();
                }
            }
            TagEnd::Item => {
                self.flush();
                self.marks.pop();
            }
            TagEnd::CodeBlock => self.code(),
            TagEnd::Link => self.link(),
            TagEnd::Emphasis => self.text.push('"'),
            TagEnd::TableCell => self.cells.push(std::mem::take(&mut self.text)),
            TagEnd::TableHead => self.names = std::mem::take(&mut self.cells),
            TagEnd::TableRow => self.row(),
            TagEnd::Table => self.gap(),
            _ => {}
        }
    }

    fn heading(&mut self, level: HeadingLevel) {
        let text = std::mem::take(&mut self.text);
        if level <= HeadingLevel::H2 {
            self.line(&text.to_uppercase());
        } else {
            self.line(&text);
            self.line(&"-".repeat(text.chars().count()));
        }
        self.gap();
    }

    /// What a terminal shows of where a link leads.
    fn link(&mut self) {
        let Some((target, begin)) = self.links.pop() else {
            return;
        };
        let page = target.split('#').next().unwrap_or_default();
        let has_address = self
            .text
            .get(begin..)
            .is_some_and(|name| name.contains("://"));
        match page.strip_suffix(".md") {
            Some(page) if !page.contains('/') => {
                self.text.extend([" (chaperone help ", page, ")"]);
            }
            _ if target.starts_with("https://") && !has_address => {
                self.text.extend([" (", &target, ")"]);
            }
            _ => {}
        }
    }

    fn code(&mut self) {
        let code = std::mem::take(&mut self.text);
        let indent = self.indent();
        for line in code.lines() {
            self.line(format!("{indent}{CODE}{line}").trim_end());
        }
        self.gap();
    }

    /// A row becomes an item: what it is about, and what is said of it below.
    fn row(&mut self) {
        let cells = std::mem::take(&mut self.cells);
        let names = std::mem::take(&mut self.names);
        for (index, (cell, name)) in cells.iter().zip(&names).enumerate() {
            if index == 0 {
                self.wrapped(cell, "- ", "  ");
            } else if name.is_empty() && !cell.is_empty() {
                self.wrapped(cell, "    ", "    ");
            } else if !cell.is_empty() {
                self.wrapped(&format!("{name}: {cell}"), "    ", "    ");
            }
        }
        self.names = names;
    }

    /// Writes the words of a block, if there are any.
    fn flush(&mut self) {
        if self.text.is_empty() {
            return;
        }
        let text = std::mem::take(&mut self.text);
        let after = self.indent();
        let before = match self.marks.split_last() {
            Some((mark, outer)) if self.is_new_item => {
                let outer: usize = outer.iter().map(String::len).sum();
                format!("{}{mark}", " ".repeat(outer))
            }
            _ => after.clone(),
        };
        self.is_new_item = false;
        self.wrapped(&text, &before, &after);
    }

    fn indent(&self) -> String {
        " ".repeat(self.marks.iter().map(String::len).sum())
    }

    fn wrapped(&mut self, text: &str, before: &str, after: &str) {
        let text = wrapped(text, self.width - after.len(), "");
        for (index, line) in text.lines().enumerate() {
            let indent = if index == 0 { before } else { after };
            self.line(&format!("{indent}{line}"));
        }
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    /// One empty line, however often it is asked for.
    fn gap(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(markdown: &str, expected: &str) {
        assert_eq!(Plain::new(24).of(markdown), expected);
    }

    #[test]
    fn paragraphs_are_filled_and_headings_stand_alone() {
        check(
            "# One\n\nA first\nline, and **another** one.\n### Two\ntext",
            "ONE\n\nA first line, and\nanother one.\n\nTwo\n---\n\ntext",
        );
    }

    #[test]
    fn items_hang_and_code_stays_whole() {
        check(
            "1. What comes first, and\n   goes on:\n\n   ```sh\n   chaperone audit verify --json\n   ```\n\n- b\n- c",
            "1. What comes first, and\n   goes on:\n\n       chaperone audit verify --json\n\n- b\n- c",
        );
    }

    #[test]
    fn links_say_where_they_lead_if_that_is_here() {
        check(
            "See [it](auditor.md#x), [that](../a.toml) and `[x]`.",
            "See it (chaperone help\nauditor), that and\n`[x]`.",
        );
        check("**One** *two*, `three*`.", "One \"two\", `three*`.");
    }

    #[test]
    fn a_row_is_an_item() {
        check(
            "| what | who |\n| --- | --- |\n| a `x\\|y` | me |\n| b |  |\n\nend",
            "- a `x|y`\n    who: me\n- b\n\nend",
        );
    }
}
