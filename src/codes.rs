//! What can go wrong, each with a code that stays the same, whatever the sentence about it says.
//!
//! A code is for searching: in a log, in a ticket, in the page below, which `chaperone help <code>`
//! reads. One code stands for one thing that a person would do differently, not for one place in the
//! program. Codes are never given another meaning; one that is no longer shown keeps its section.
//!
#![doc = include_str!("codes.md")]

use std::fmt;

/// The page with a section for each code.
const PAGE: &str = include_str!("codes.md");

/// The exit codes, as the help lists them.
pub mod exit {
    /// Done.
    pub const DONE: u8 = 0;
    /// Failed.
    pub const FAILED: u8 = 1;
    /// Wrong use, or an unusable configuration.
    pub const USAGE: u8 = 2;
    /// Refused by policy.
    pub const REFUSED: u8 = 3;
    /// Nobody is signed in.
    pub const NOT_SIGNED_IN: u8 = 4;
    /// A server or the provider cannot be reached.
    pub const UNREACHABLE: u8 = 5;
    /// The audit log is not intact.
    pub const NOT_INTACT: u8 = 6;
}

/// One table: the name in the program, the code, and the exit code of a command that ends with it.
macro_rules! codes {
    ($($name:ident = $text:literal, $exit:ident;)+) => {
        /// What went wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(
                #[doc = concat!("`", $text, "`")]
                $name,
            )+
        }

        impl Code {
            /// All of them, in the order of the page.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The code as it is shown.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }

            /// How a command ends that fails with it.
            #[must_use]
            pub const fn exit(self) -> u8 {
                match self {
                    $(Self::$name => exit::$exit,)+
                }
            }
        }
    };
}

codes! {
    Usage = "CHP-USAGE", USAGE;
    Input = "CHP-INPUT", FAILED;
    Output = "CHP-OUTPUT", FAILED;
    System = "CHP-SYSTEM", FAILED;
    Busy = "CHP-BUSY", FAILED;
    NoHome = "CHP-NO-HOME", USAGE;
    ConfigMissing = "CHP-CONFIG-MISSING", USAGE;
    ConfigInvalid = "CHP-CONFIG-INVALID", USAGE;
    ConfigManaged = "CHP-CONFIG-MANAGED", USAGE;
    NetworkSettings = "CHP-NETWORK-SETTINGS", USAGE;
    TlsRoots = "CHP-TLS-ROOTS", FAILED;
    ClockSkew = "CHP-CLOCK-SKEW", FAILED;
    PolicyInvalid = "CHP-POLICY-INVALID", USAGE;
    PolicyDenied = "CHP-POLICY-DENIED", REFUSED;
    PolicyRate = "CHP-POLICY-RATE", REFUSED;
    ProviderUnreachable = "CHP-PROVIDER-UNREACHABLE", UNREACHABLE;
    ProviderUnfit = "CHP-PROVIDER-UNFIT", FAILED;
    ProviderRefused = "CHP-PROVIDER-REFUSED", REFUSED;
    KeychainAbsent = "CHP-KEYCHAIN-ABSENT", FAILED;
    KeychainLocked = "CHP-KEYCHAIN-LOCKED", FAILED;
    KeychainFailed = "CHP-KEYCHAIN-FAILED", FAILED;
    NotSignedIn = "CHP-NOT-SIGNED-IN", NOT_SIGNED_IN;
    SignInFailed = "CHP-SIGN-IN-FAILED", FAILED;
    SignInTimeout = "CHP-SIGN-IN-TIMEOUT", NOT_SIGNED_IN;
    SignOutFailed = "CHP-SIGN-OUT-FAILED", FAILED;
    SignOutUntold = "CHP-SIGN-OUT-UNTOLD", UNREACHABLE;
    Unreachable = "CHP-UNREACHABLE", UNREACHABLE;
    ServerUnreachable = "CHP-SERVER-UNREACHABLE", UNREACHABLE;
    ServerError = "CHP-SERVER-ERROR", FAILED;
    ServerClosed = "CHP-SERVER-CLOSED", REFUSED;
    UnknownName = "CHP-UNKNOWN-NAME", FAILED;
    BadParams = "CHP-BAD-PARAMS", USAGE;
    UnknownMethod = "CHP-UNKNOWN-METHOD", FAILED;
    HostIncapable = "CHP-HOST-INCAPABLE", FAILED;
    Message = "CHP-MESSAGE", FAILED;
    LogUnusable = "CHP-LOG-UNUSABLE", FAILED;
    LogWithheld = "CHP-LOG-WITHHELD", FAILED;
    LogUnreadable = "CHP-LOG-UNREADABLE", FAILED;
    LogDamaged = "CHP-LOG-DAMAGED", NOT_INTACT;
    LogKey = "CHP-LOG-KEY", FAILED;
    LogDisk = "CHP-LOG-DISK", FAILED;
    LogRoom = "CHP-LOG-ROOM", FAILED;
    NoRecord = "CHP-NO-RECORD", FAILED;
    Evidence = "CHP-EVIDENCE", FAILED;
    SpoolFull = "CHP-SPOOL-FULL", REFUSED;
    SyncBehind = "CHP-SYNC-BEHIND", UNREACHABLE;
    Witness = "CHP-WITNESS", UNREACHABLE;
    HostAbsent = "CHP-HOST-ABSENT", FAILED;
    HostWiped = "CHP-HOST-WIPED", FAILED;
    HostStale = "CHP-HOST-STALE", FAILED;
    HostFile = "CHP-HOST-FILE", FAILED;
    DataOpen = "CHP-DATA-OPEN", FAILED;
    DataFailed = "CHP-DATA-FAILED", FAILED;
    VersionMixed = "CHP-VERSION-MIXED", FAILED;
    VersionNewer = "CHP-VERSION-NEWER", FAILED;
}

/// What the page says of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// What happened, in a sentence.
    pub happened: &'static str,
    /// Why, as far as can be said in general.
    pub why: &'static str,
    /// What to do next.
    pub next: &'static str,
}

impl Code {
    /// The code of this spelling, in capitals or not.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|code| code.as_str().eq_ignore_ascii_case(text))
    }

    /// What the page says of it.
    #[must_use]
    pub fn explanation(self) -> Explanation {
        let mut sections = sections();
        let section = sections.find(|(code, _)| *code == self.as_str());
        let mut parts = section.map_or("", |(_, text)| text).split("\n\n");
        let mut part = |label: &str| {
            let text = parts.next().unwrap_or_default().trim();
            text.strip_prefix(label).unwrap_or(text).trim()
        };
        Explanation {
            happened: part(""),
            why: part("**Why.**"),
            next: part("**What to do.**"),
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The sections of the page: code and text.
fn sections() -> impl Iterator<Item = (&'static str, &'static str)> {
    let parts = PAGE.split("\n## ").skip(1);
    parts.filter_map(|part| part.split_once("\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_a_section_for_each_code_and_no_other() {
        let written: Vec<&str> = sections().map(|(code, _)| code).collect();
        let known: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(written, known);
        for (code, text) in sections() {
            let parts: Vec<&str> = text.trim().split("\n\n").collect();
            let [happened, why, next] = parts[..] else {
                panic!("{code} has {} parts", parts.len());
            };
            assert!(happened.ends_with('.'), "{code}");
            assert!(why.starts_with("**Why.** ") && why.ends_with('.'), "{code}");
            let next = next.strip_prefix("**What to do.** ");
            assert!(next.is_some_and(|next| next.ends_with('.')), "{code}");
        }
    }

    #[test]
    fn a_code_is_short_and_found_however_it_is_spelled() {
        for code in Code::ALL {
            let text = code.as_str();
            assert!(text.starts_with("CHP-") && text.len() <= 28, "{text}");
            let mut letters = text.bytes();
            assert!(letters.all(|byte| byte.is_ascii_uppercase() || byte == b'-'));
            assert_eq!(Code::parse(&text.to_lowercase()), Some(*code));
            assert!(code.exit() > exit::DONE, "{text}");
        }
        assert_eq!(Code::parse("CHP-"), None);
    }

    #[test]
    fn an_explanation_is_the_text_of_its_section() {
        let told = Code::ConfigMissing.explanation();
        assert_eq!(told.happened, "There is no configuration yet.");
        assert!(!told.why.contains("**") && !told.next.contains("**"));
        assert!(told.next.contains("chaperone.toml"), "{told:?}");
    }
}
