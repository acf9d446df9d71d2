//! Opening the sign-in page in the person's browser, without a shell.
//!
//! An authorization endpoint is text from the network, and what opens links opens programs and
//! files too. So only a [`Link`] is opened: https, or http to this machine, spelled by the URL
//! parser in ASCII and of bounded length.

use url::{Host, Url};

/// Longer than any sign-in link; some systems cut or refuse longer arguments.
const LENGTH_LIMIT: usize = 16 * 1024;

/// A link that is safe to hand to the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link(Url);

/// Why a link is not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Anything but https, or http to this machine.
    #[error("a sign-in link must be https, or http on this machine")]
    Scheme,
    /// `https://name@host/` looks like what it is not.
    #[error("a sign-in link must not name a user")]
    UserInfo,
    /// Longer than systems accept.
    #[error("a sign-in link must not be longer than {LENGTH_LIMIT} bytes")]
    TooLong,
    /// The parser leaves nothing else behind; this is the second lock on the door.
    #[error("a sign-in link must be printable ASCII")]
    NotAscii,
}

impl TryFrom<&Url> for Link {
    type Error = LinkError;

    fn try_from(url: &Url) -> Result<Self, LinkError> {
        if !is_secure(url) {
            return Err(LinkError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(LinkError::UserInfo);
        }
        if url.as_str().len() > LENGTH_LIMIT {
            return Err(LinkError::TooLong);
        }
        if !url.as_str().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(LinkError::NotAscii);
        }
        Ok(Self(url.clone()))
    }
}

impl Link {
    /// Opens the link in the person's browser. Blocks while the system is asked, a moment at most.
    pub fn open(&self) -> std::io::Result<()> {
        open::that_detached(self.0.as_str())
    }
}

/// Whether what is sent there cannot be read on the way: https, or plain http to this machine.
#[must_use]
pub fn is_secure(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.has_host(),
        "http" => url.host().is_some_and(|host| match host {
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
            Host::Domain(name) => name == "localhost",
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(text: &str) -> Result<Link, LinkError> {
        Link::try_from(&Url::parse(text).unwrap())
    }

    #[test]
    fn only_https_and_this_machine_are_opened() {
        for text in [
            "javascript:alert(1)",
            "file:///etc/passwd",
            "data:text/html,x",
            "vbscript:x",
            "ms-msdt:/id",
            "a:$(calc)",
            "smb://host/share",
            "http://example.com/",
            "http://127.0.0.1.example.com/",
            "http://10.0.0.1/",
            "http://localhost.example.com/",
            "ftp://127.0.0.1/",
        ] {
            assert_eq!(link(text), Err(LinkError::Scheme), "{text}");
        }
        for text in [
            "https://sso.example.com/auth?a=b",
            "http://127.0.0.1:9400/auth",
            "http://[::1]:9400/auth",
            "http://localhost:9400/auth",
        ] {
            assert_eq!(link(text).unwrap().0.as_str(), text);
        }
    }

    #[test]
    fn a_user_in_the_link_is_refused() {
        assert_eq!(link("https://idp@evil.example/"), Err(LinkError::UserInfo));
        assert_eq!(link("https://:x@evil.example/"), Err(LinkError::UserInfo));
    }

    #[test]
    fn a_link_longer_than_systems_accept_is_refused() {
        let text = format!("https://sso.example.com/{}", "a".repeat(64 * 1024));
        assert_eq!(link(&text), Err(LinkError::TooLong));
    }

    #[test]
    fn what_is_opened_is_spelled_by_the_parser() {
        for (text, spelled) in [
            ("https://x/\"&calc&\"", "https://x/%22&calc&%22"),
            ("https://x/a b\n --flag", "https://x/a%20b%20--flag"),
            ("https://x/`id`", "https://x/%60id%60"),
            ("https://раураl.example/", "https://xn--l-7sba6dbr.example/"),
            ("  https://x/ ", "https://x/"),
        ] {
            assert_eq!(link(text).unwrap().0.as_str(), spelled);
        }
    }

    #[test]
    fn what_is_no_link_at_all_never_comes_this_far() {
        for text in ["-flag", "calc.exe", "$(calc)", "//x/y", ""] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }
}
