//! The formats of what is kept between runs: each file and each entry of the keychain says which one it
//! has, and a program that is older than what it finds says so, and leaves it as it is.
//!
//! What is a mere copy of something that can be had again (lists, tokens, how a server is spoken to)
//! is not refused: it counts as absent. Where something would be lost, nothing is written.

use std::error::Error;
use std::io;

use serde::Deserialize;

/// Something was written by a newer program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it has the format {found} of a newer version of chaperone; {this} knows formats up to {known}",
    this = concat!("version ", env!("CARGO_PKG_VERSION"))
)]
pub struct Newer {
    /// Its format.
    pub found: i64,
    /// The newest that this program knows.
    pub known: i64,
}

impl Newer {
    /// Whether that is what an error comes from.
    #[must_use]
    pub fn is_behind(error: &(dyn Error + 'static)) -> bool {
        let mut next = Some(error);
        while let Some(error) = next {
            // What an error of the system carries is none of its sources.
            let carried = error
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref);
            if error.is::<Self>() || carried.is_some_and(<dyn Error + Send + Sync>::is::<Self>) {
                return true;
            }
            next = error.source();
        }
        false
    }
}

impl From<Newer> for io::Error {
    fn from(newer: Newer) -> Self {
        Self::new(io::ErrorKind::InvalidData, newer)
    }
}

/// Looks at the number that a JSON object gives as its `version`, before anything else of it is
/// understood: a newer one may have another shape. Without a number it is of the first format.
///
/// # Errors
/// When it is above the known one.
pub fn check(json: &[u8], known: u32) -> Result<(), Newer> {
    #[derive(Deserialize)]
    struct Head {
        version: i64,
    }
    let known = i64::from(known);
    match serde_json::from_slice::<Head>(json) {
        Ok(Head { version: found }) if found > known => Err(Newer { found, known }),
        // What is no such object is for its reader to refuse.
        Ok(_) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_found_whatever_else_there_is() {
        let newer = Newer { found: 3, known: 2 };
        assert_eq!(check(br#"{"a":[{}],"version":3,"b":null}"#, 2), Err(newer));
        for old in [
            r#"{"version":2,"a":1}"#,
            r#"{"a":1}"#,
            r#"{"version":"9"}"#,
            "{",
            "",
        ] {
            assert_eq!(check(old.as_bytes(), 2), Ok(()), "{old}");
        }
    }

    #[test]
    fn it_is_found_behind_other_errors() {
        #[derive(Debug, thiserror::Error)]
        #[error("outside")]
        struct Outside(#[source] io::Error);

        let newer = Newer { found: 3, known: 2 };
        assert!(Newer::is_behind(&newer));
        assert!(Newer::is_behind(&Outside(newer.into())));
        assert!(!Newer::is_behind(&Outside(io::Error::other("else"))));
    }
}
