//! The documentation beside the README: a page for each reader, compiled in, so that it can be read on a
//! machine without a network.
//!
//! The pages are Markdown, as they are published. [`Page::plain`] turns one into text for a terminal.

use plain::Plain;

mod plain;

/// One page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// What it is asked for by: the name of its file.
    pub name: &'static str,
    /// For whom it is, or what it is about.
    pub about: &'static str,
    markdown: &'static str,
}

macro_rules! pages {
    ($($name:literal: $about:literal;)+) => {
        /// All of them, in the order in which they are listed.
        pub const PAGES: &[Page] = &[$(
            Page {
                name: $name,
                about: $about,
                markdown: include_str!(concat!("pages/", $name, ".md")),
            }
        ),+];
    };
}

pages! {
    "developer": "From an installed program to the first call, in any host";
    "administrator": "A fleet: packages, managed settings, policy, upgrades";
    "auditor": "The record: what is in it, how it is verified, what it proves";
    "providers": "What to set at Keycloak, Entra ID, Okta and Auth0";
    "threats": "What is protected from whom, and what is not";
    "troubleshooting": "What to do, by what you see";
}

impl Page {
    /// The page of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        PAGES.iter().find(|page| page.name == name)
    }

    /// The text for a terminal, in lines of at most `width` characters; what is to be pasted stays whole.
    #[must_use]
    pub fn plain(&self, width: usize) -> String {
        Plain::new(width).of(self.markdown)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_is_a_page() {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/pages");
        let files: BTreeSet<String> = std::fs::read_dir(place)
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
            .filter_map(|name| Some(name.strip_suffix(".md")?.to_owned()))
            .collect();
        let known: BTreeSet<String> = PAGES.iter().map(|page| page.name.to_owned()).collect();
        assert_eq!(files, known);
    }

    #[test]
    fn a_page_fits_a_terminal_but_for_what_is_pasted() {
        for page in PAGES {
            let text = page.plain(78);
            for line in text.lines().filter(|line| !line.starts_with("    ")) {
                assert!(line.chars().count() <= 78, "{}: {line}", page.name);
                assert!(!line.contains("**") && !line.contains("]("), "{line}");
            }
            assert!(page.markdown.starts_with("# "), "{}", page.name);
            let prose = page.markdown.split("```").step_by(2);
            let mut prose = prose.flat_map(str::lines);
            let long = prose.find(|line| line.chars().count() > 112 && !line.starts_with('|'));
            assert_eq!(long, None, "{}", page.name);
        }
    }

    #[test]
    fn pages_name_each_other_and_codes_that_there_are() {
        for page in PAGES {
            for part in page.markdown.split("](").skip(1) {
                let target = part.split([')', '#']).next().unwrap_or_default();
                if let Some(name) = target.strip_suffix(".md")
                    && !name.contains('/')
                {
                    assert!(Page::find(name).is_some(), "{}: {target}", page.name);
                }
                if target.starts_with("../") {
                    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/pages");
                    assert!(file.join(target).exists(), "{}: {target}", page.name);
                }
            }
            let word = |c: char| !(c.is_ascii_uppercase() || c == '-');
            for code in page.markdown.split("CHP-").skip(1) {
                let code = code.split(word).next().unwrap_or_default();
                let code = format!("CHP-{}", code.trim_end_matches('-'));
                let known = crate::codes::Code::parse(&code).is_some();
                assert!(known || code == "CHP-", "{}: {code}", page.name);
            }
        }
    }
}
