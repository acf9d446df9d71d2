//! Finding tools by words, for hosts that do not show the list.

use super::Tool;

/// Returns the tools that fit the words best, at most `limit`, best first.
///
/// A word counts most in the name, less in the description; a tool needs one word at least.
/// Without words every tool fits and the order stays.
#[must_use]
pub fn rank<'a>(tools: &[&'a Tool], query: &str, limit: usize) -> Vec<&'a Tool> {
    let words: Vec<String> = split(query).collect();
    let scored = tools.iter().map(|tool| (score(tool, &words), *tool));
    let mut fitting: Vec<_> = scored
        .filter(|(score, _)| words.is_empty() || *score > 0)
        .collect();
    fitting.sort_by(|(a, first), (b, second)| b.cmp(a).then(first.exposed.cmp(&second.exposed)));
    fitting
        .into_iter()
        .take(limit)
        .map(|(_, tool)| tool)
        .collect()
}

fn score(tool: &Tool, words: &[String]) -> usize {
    let name: Vec<String> = split(tool.exposed.as_str()).collect();
    let description: Vec<String> = split(&tool.description).collect();
    let worth = |word: &String| {
        if name.contains(word) {
            8
        } else if name.iter().any(|part| part.starts_with(word.as_str())) {
            5
        } else if description.contains(word) {
            3
        } else {
            usize::from(
                description
                    .iter()
                    .any(|part| part.starts_with(word.as_str())),
            )
        }
    };
    words.iter().map(worth).sum()
}

fn split(text: &str) -> impl Iterator<Item = String> + '_ {
    let parts = text.split(|c: char| !c.is_alphanumeric());
    parts.filter(|part| !part.is_empty()).map(str::to_lowercase)
}
