//! The command lines of the documentation: of Markdown the blocks of shell lines and what stands between
//! backticks, of configuration the comments, of the program its own help.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::world::{World, repository};

/// Documents, in the order in which they are read.
const DOCUMENTS: [&str; 14] = [
    "README.md",
    "src/pages/developer.md",
    "src/pages/administrator.md",
    "src/pages/auditor.md",
    "src/pages/providers.md",
    "src/pages/threats.md",
    "src/pages/troubleshooting.md",
    "src/codes.md",
    "tests/evidence.md",
    "tests/hostile.md",
    "config/chaperone.toml",
    "config/mcp-policies.yaml",
    "installers/managed/managed.toml",
    "installers/managed/en-US/chaperone.adml",
];
/// What is between fences of these holds no commands.
const NO_SHELL: [&str; 5] = ["toml", "yaml", "json", "js", "text"];

/// A command line, and where it is shown first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    pub place: String,
    pub text: String,
}

/// All of them, each once, and document by document.
pub async fn all(world: &World) -> Vec<Vec<Line>> {
    let mut seen = BTreeSet::new();
    let mut pages = Vec::new();
    for place in DOCUMENTS {
        let text = fs::read_to_string(repository(place)).expect("a document");
        let is_markdown = Path::new(place).extension().is_some_and(|end| end == "md");
        let found = if is_markdown {
            markdown(&text)
        } else {
            comments(&text)
        };
        pages.push(named(place, found, &mut seen));
    }
    for (place, text) in helps(world).await {
        pages.push(named(&place, help(&text), &mut seen));
    }
    pages
}

fn named(place: &str, found: Vec<String>, seen: &mut BTreeSet<String>) -> Vec<Line> {
    let new = found.into_iter().filter(|text| seen.insert(text.clone()));
    let line = |text| Line {
        place: place.to_owned(),
        text,
    };
    new.map(line).collect()
}

fn markdown(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut prose = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.trim_start().strip_prefix("```") else {
            prose += if line.is_empty() { "\n" } else { line.trim() };
            prose.push(' ');
            continue;
        };
        found.append(&mut spans(&prose));
        prose.clear();
        let block = lines.by_ref();
        let block = block.take_while(|line| !line.trim_start().starts_with("```"));
        let block: Vec<&str> = block.map(str::trim).collect();
        match language {
            "sh" | "bat" => found.extend(whole(&block)),
            other => {
                assert!(NO_SHELL.contains(&other) || is_picture(&block), "{block:?}");
                let hidden = block.iter().find(|line| line.starts_with("chaperone "));
                assert_eq!(hidden, None, "a command outside of a block of shell lines");
            }
        }
    }
    found.append(&mut spans(&prose));
    found
}

/// The lines of a block, put together where one goes on in the next, without comments.
fn whole(block: &[&str]) -> Vec<String> {
    let text = block.join("\n").replace("\\\n", "");
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// The drawing at the beginning of the README.
fn is_picture(block: &[&str]) -> bool {
    block.iter().any(|line| line.contains("──stdio──"))
}

fn comments(text: &str) -> Vec<String> {
    let comments = text
        .lines()
        .map(|line| line.split_once('#').map_or(line, |(_, comment)| comment));
    let prose: Vec<&str> = comments.map(str::trim).collect();
    spans(&prose.join(" "))
}

/// What stands between backticks and is a command.
fn spans(prose: &str) -> Vec<String> {
    let between = prose.split('`').skip(1).step_by(2);
    let between = between.filter(|span| super::ways::is_command(span));
    between.map(|span| span.replace("\\|", "|")).collect()
}

/// The examples, and what stands between backticks.
fn help(text: &str) -> Vec<String> {
    let mut found = spans(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    let mut block = Vec::new();
    let mut is_example = false;
    for line in text.lines() {
        if !line.starts_with(' ') {
            is_example = matches!(line, "Example:" | "Examples:");
        }
        if line.starts_with("chaperone ") || (is_example && line.starts_with(' ')) {
            block.push(line.trim());
        }
    }
    found.append(&mut whole(&block));
    found
}

/// What `--help` of each command says.
async fn helps(world: &World) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut waiting = vec![Vec::new()];
    while let Some(path) = waiting.pop() {
        let mut arguments: Vec<&str> = path.iter().map(String::as_str).collect();
        arguments.push("--help");
        let output = world.run(&arguments).await;
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let commands = text.split("Commands:\n").nth(1).unwrap_or_default();
        let commands = commands.lines().take_while(|line| line.starts_with("  "));
        for line in commands.filter(|line| !line.starts_with("   ")) {
            let name = line.split_whitespace().next().expect("a command");
            let mut longer: Vec<String> = path.clone();
            longer.push(name.to_owned());
            waiting.push(longer);
        }
        found.push((format!("chaperone {}", arguments.join(" ")), text));
    }
    assert!(found.len() > 30, "{found:?}");
    found.reverse();
    found
}
