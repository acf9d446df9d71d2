//! Values as they would be written in a file.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::{AudienceBy, ClaimPath, Durability, Endpoint, ServerAuth};

/// A value that `config show` can show.
pub(super) trait Shown {
    /// The value as TOML.
    fn shown(&self) -> String;
}

/// A text in TOML's basic quotes.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

impl Shown for Box<str> {
    fn shown(&self) -> String {
        quoted(self)
    }
}

impl Shown for Url {
    fn shown(&self) -> String {
        quoted(self.as_str())
    }
}

impl Shown for Endpoint {
    fn shown(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Shown for PathBuf {
    fn shown(&self) -> String {
        quoted(&self.display().to_string())
    }
}

impl Shown for ClaimPath {
    fn shown(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Shown for bool {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for u16 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for usize {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for u64 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for Duration {
    fn shown(&self) -> String {
        const DAY: u64 = 24 * 3600;
        match self.subsec_millis() {
            0 if self.as_secs() >= DAY && self.as_secs().is_multiple_of(DAY) => {
                quoted(&format!("{}d", self.as_secs() / DAY))
            }
            0 => quoted(&format!("{}s", self.as_secs())),
            _ => quoted(&format!("{}ms", self.as_millis())),
        }
    }
}

impl<T: Shown> Shown for Vec<T> {
    fn shown(&self) -> String {
        let items: Vec<String> = self.iter().map(Shown::shown).collect();
        format!("[{}]", items.join(", "))
    }
}

impl<T: Shown> Shown for Option<T> {
    fn shown(&self) -> String {
        self.as_ref()
            .map_or_else(|| "\"\"".to_owned(), Shown::shown)
    }
}

impl Shown for AudienceBy {
    fn shown(&self) -> String {
        quoted(match self {
            Self::Resource => "resource",
            Self::Scope => "scope",
            Self::Audience => "audience",
            Self::None => "none",
        })
    }
}

impl Shown for Durability {
    fn shown(&self) -> String {
        quoted(match self {
            Self::Strict => "strict",
            Self::Process => "process",
        })
    }
}

impl Shown for ServerAuth {
    fn shown(&self) -> String {
        quoted(match self {
            Self::Sso => "sso",
            Self::None => "none",
        })
    }
}
