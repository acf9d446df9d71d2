//! What a mistyped word was meant to be.

/// Returns the candidate that is nearest to a word, if it is near enough to be meant.
pub(super) fn nearest<'c>(word: &str, candidates: &[&'c str]) -> Option<&'c str> {
    candidates
        .iter()
        .map(|candidate| (distance(word, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many characters must be put in, left out, replaced, or swapped with their neighbour; case
/// and the choice between `-` and `_` count for nothing.
fn distance(a: &str, b: &str) -> usize {
    let fold = |c: char| {
        if c == '-' {
            '_'
        } else {
            c.to_ascii_lowercase()
        }
    };
    // A key is typed by hand; what is longer than this was never meant to be one.
    let a: Vec<char> = a.chars().take(64).map(fold).collect();
    let b: Vec<char> = b.chars().map(fold).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row_above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = row_above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(row_above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut row_above, row);
    }
    row_above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let keys = ["issuer", "client_id", "scopes", "audience_by", "file"];
        for (word, expected) in [
            ("isuer", Some("issuer")),
            ("isseur", Some("issuer")),
            ("client-id", Some("client_id")),
            ("clientId", Some("client_id")),
            ("scope", Some("scopes")),
            ("audienceby", Some("audience_by")),
            ("fiel", Some("file")),
            ("client_secret", None),
            ("port", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, &keys), expected, "{word}");
        }
    }
}
