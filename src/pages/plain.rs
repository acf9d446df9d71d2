//! From Markdown to text for a terminal: headings, paragraphs, lists, tables and blocks of code.

use std::iter::Peekable;
use std::str::Lines;

use crate::wording::wrapped;

/// How far a block of code, which is never wrapped, stands to the right.
const CODE: &str = "    ";

/// Turns Markdown into lines of a width.
#[derive(Debug)]
pub(super) struct Plain {
    width: usize,
    out: String,
}

/// What a paragraph's first line says that it is.
enum Kind<'a> {
    Heading { text: &'a str, depth: usize },
    Item { mark: &'a str, depth: usize },
    Text,
}

impl Plain {
    pub(super) fn new(width: usize) -> Self {
        let out = String::new();
        Self { width, out }
    }

    /// The text of a page.
    pub(super) fn of(mut self, markdown: &str) -> String {
        let mut waiting: Vec<&str> = Vec::new();
        let mut lines = markdown.lines().peekable();
        while let Some(line) = lines.next() {
            if let Some(fence) = line.trim_start().strip_prefix("```") {
                self.paragraph(&mut waiting);
                debug_assert!(!fence.is_empty(), "a block without its language");
                self.code(&mut lines);
            } else if line.starts_with('|') {
                self.paragraph(&mut waiting);
                self.table(line, &mut lines);
            } else if line.trim().is_empty() {
                self.paragraph(&mut waiting);
                self.gap();
            } else {
                let kind = kind(line);
                if !matches!(kind, Kind::Text) {
                    self.paragraph(&mut waiting);
                }
                waiting.push(line);
                if matches!(kind, Kind::Heading { .. }) {
                    self.paragraph(&mut waiting);
                }
            }
        }
        self.paragraph(&mut waiting);
        self.out.trim_end().to_owned()
    }

    fn code<'a>(&mut self, lines: &mut impl Iterator<Item = &'a str>) {
        for line in lines.take_while(|line| !line.trim_start().starts_with("```")) {
            self.line(format!("{CODE}{line}").trim_end());
        }
    }

    /// A row becomes an item: what it is about, and what is said of it below.
    fn table(&mut self, head: &str, lines: &mut Peekable<Lines<'_>>) {
        let names = cells(head);
        let _rule = lines.next();
        while let Some(row) = lines.next_if(|line| line.starts_with('|')) {
            let cells = cells(row);
            let mut cells = cells.iter().zip(&names);
            if let Some((first, _)) = cells.next() {
                self.wrapped(first, "- ", "  ");
            }
            for (cell, name) in cells.filter(|(cell, _)| !cell.is_empty()) {
                let text = if name.is_empty() {
                    cell.clone()
                } else {
                    format!("{name}: {cell}")
                };
                self.wrapped(&text, "    ", "    ");
            }
        }
        self.gap();
    }

    fn paragraph(&mut self, waiting: &mut Vec<&str>) {
        let Some(first) = waiting.first() else {
            return;
        };
        let joined = |lines: &[&str]| {
            let words: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
            words.join(" ")
        };
        match kind(first) {
            Kind::Heading { text, depth } => {
                let text = inline(text);
                if depth < 3 {
                    self.line(&text.to_uppercase());
                } else {
                    self.line(&text);
                    self.line(&"-".repeat(text.chars().count()));
                }
                self.gap();
            }
            Kind::Item { mark, depth } => {
                let text = joined(waiting);
                let text = text.strip_prefix(mark).unwrap_or(&text).trim();
                let before = format!("{:depth$}{mark} ", "");
                let after = " ".repeat(before.len());
                self.wrapped(text, &before, &after);
            }
            Kind::Text => {
                let depth = first.len() - first.trim_start().len();
                let indent = " ".repeat(depth);
                self.wrapped(&joined(waiting), &indent, &indent);
            }
        }
        waiting.clear();
    }

    fn wrapped(&mut self, text: &str, before: &str, after: &str) {
        let width = self.width - after.len();
        let text = wrapped(&inline(text), width, "");
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

fn kind(line: &str) -> Kind<'_> {
    let text = line.trim_start();
    if text.starts_with('#') {
        let heading = text.trim_start_matches('#');
        let depth = text.len() - heading.len();
        let text = heading.trim();
        return Kind::Heading { text, depth };
    }
    let mark = text.split(' ').next().unwrap_or_default();
    let number = mark.strip_suffix('.');
    let counts = number
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
    if mark == "-" || counts {
        let depth = line.len() - text.len();
        return Kind::Item { mark, depth };
    }
    Kind::Text
}

fn cells(row: &str) -> Vec<String> {
    let row = row.trim().trim_matches('|').replace("\\|", "\u{0}");
    let cells = row.split('|').map(|cell| cell.trim().replace('\u{0}', "|"));
    cells.collect()
}

/// Without the marks for bold text, with quotes for those of emphasis; a link becomes its text, and one to
/// another page says how to read it.
fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[') {
        out.push_str(before);
        match link
            .split_once("](")
            .and_then(|(name, rest)| Some((name, rest.split_once(')')?)))
        {
            Some((name, (target, after))) if !name.contains('[') => {
                out.push_str(name);
                out.push_str(&said(name, target));
                rest = after;
            }
            _ => {
                out.push('[');
                rest = link;
            }
        }
    }
    out.push_str(rest);
    let parts = out.split('`').enumerate().map(|(index, part)| {
        let is_code = index % 2 == 1;
        if is_code {
            part.to_owned()
        } else {
            part.replace("**", "").replace('*', "\"")
        }
    });
    parts.collect::<Vec<_>>().join("`")
}

/// What a terminal shows of where a link leads.
fn said(name: &str, target: &str) -> String {
    let page = target.split('#').next().unwrap_or_default();
    match page.strip_suffix(".md") {
        Some(page) if !page.contains('/') => format!(" (chaperone help {page})"),
        _ if target.starts_with("https://") && !name.contains("://") => format!(" ({target})"),
        _ => String::new(),
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
            "ONE\n\nA first line, and\nanother one.\nTwo\n---\n\ntext",
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
            "| what | who |\n| --- | --- |\n| a `x\\|y` | me |\n| b |  |\nend",
            "- a `x|y`\n    who: me\n- b\n\nend",
        );
    }
}
