//! Names that say that a value is a secret.
//!
//! A name is split into words at changes of case, digits and punctuation, and up to four
//! neighbouring words are compared with the list: `api_key`, `X-Api-Key` and `apiKey` are all
//! `apikey`, and `keyboard`, `monkey` and `max_tokens` are nothing.

use std::collections::HashSet;

/// Words, and neighbouring words written together, that name a secret wherever they stand.
/// `tokens` is not among them: what is counted in tokens is the most common member of all.
const NAMES: &[&str] = &[
    "password",
    "passwords",
    "passwd",
    "pwd",
    "passphrase",
    "passphrases",
    "passcode",
    "dbpass",
    "userpass",
    "secret",
    "secrets",
    "token",
    "credential",
    "credentials",
    "creds",
    "bearer",
    "authorization",
    "cookie",
    "cookies",
    "apikey",
    "apikeys",
    "accesskey",
    "accesskeys",
    "accesskeyid",
    "privatekey",
    "privatekeys",
    "secretkey",
    "signingkey",
    "encryptionkey",
    "decryptionkey",
    "sharedkey",
    "accountkey",
    "masterkey",
    "sshkey",
    "licensekey",
    "authkey",
    "accesstokens",
    "refreshtokens",
    "authtokens",
    "apitokens",
    "idtokens",
    "sessiontokens",
    "bearertokens",
    "connectionstring",
    "connectionstrings",
    "connstr",
    "jwt",
    "otp",
    "totp",
    "cvv",
    "cvc",
    "ssn",
    "sastoken",
    "clientassertion",
    "codeverifier",
    "sessionkey",
    "webhookurl",
];
/// Words that name a secret when they are the whole name.
const WHOLE: &[&str] = &["pass", "auth", "pin", "sig", "signature", "privkey"];
/// Ends of words that were run together: `dbpassword`, `clientsecret`, `PGPASSWORD`.
const ENDINGS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "credential",
    "credentials",
];
/// The most words that are read as one name.
const SPAN: usize = 4;
/// Longer names are no names; only so much of one is read.
const LONGEST: usize = 256;

/// The names that are looked for.
#[derive(Debug)]
pub(super) struct Keys {
    names: HashSet<Box<str>>,
}

impl Keys {
    pub(super) fn new(extra: &[Box<str>]) -> Self {
        let extra = extra.iter().map(|name| words(name).0.into_boxed_str());
        let built_in = NAMES.iter().map(|name| Box::from(*name));
        Self {
            names: built_in
                .chain(extra)
                .filter(|name| !name.is_empty())
                .collect(),
        }
    }

    /// Whether the value of this name is a secret.
    pub(super) fn names_secret(&self, key: &str) -> bool {
        let (joined, starts) = words(key);
        if WHOLE.contains(&joined.as_str()) {
            return true;
        }
        let end_of = |at: usize| starts.get(at).copied().unwrap_or(joined.len());
        starts.iter().enumerate().any(|(nth, start)| {
            let ends = (nth + 1..=(nth + SPAN).min(starts.len())).map(end_of);
            let word = &joined[*start..end_of(nth + 1)];
            ENDINGS.iter().any(|ending| word.ends_with(ending))
                || ends
                    .into_iter()
                    .any(|end| self.names.contains(&joined[*start..end]))
        })
    }
}

/// The words of a name, in lower case, written together, and where each begins.
fn words(key: &str) -> (String, Vec<usize>) {
    let (mut joined, mut starts) = (String::new(), Vec::new());
    let mut inside = false;
    let mut previous = ' ';
    let mut chars = key.chars().take(LONGEST).peekable();
    while let Some(c) = chars.next() {
        if !c.is_alphabetic() {
            (inside, previous) = (false, c);
            continue;
        }
        // A capital begins a word after a small letter (`apiKey`), or before one (`APIKey`).
        let before_small =
            previous.is_uppercase() && chars.peek().is_some_and(|c| c.is_lowercase());
        if !inside || (c.is_uppercase() && (previous.is_lowercase() || before_small)) {
            starts.push(joined.len());
        }
        joined.extend(c.to_lowercase());
        (inside, previous) = (true, c);
    }
    (joined, starts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[&str] = &[
        "password",
        "Password",
        "PASSWORD",
        "dbPassword",
        "db_password",
        "PGPASSWORD",
        "pwd",
        "userpassword",
        "password2",
        "api_key",
        "apiKey",
        "APIKey",
        "APIKEY",
        "X-Api-Key",
        "x-api-key",
        "clientSecret",
        "client_secret",
        "clientsecret",
        "access_token",
        "accessToken",
        "OAuthToken",
        "oauth2_token",
        "refresh-token",
        "id_token",
        "authtoken",
        "github.token",
        "Authorization",
        "Proxy-Authorization",
        "Set-Cookie",
        "cookie",
        "credentials",
        "awsSecretAccessKey",
        "AWS_ACCESS_KEY_ID",
        "private_key",
        "privateKey",
        "ssh_key",
        "passphrase",
        "connectionString",
        "auth",
        "pass",
        "refresh_tokens",
        "db_pin",
        "DbPin",
        "key",
        "sort_key",
        "токен_token",
        "secrets",
        "api keys",
    ];
    const PLAIN: &[&str] = &[
        "keyboard",
        "max_tokens",
        "maxTokens",
        "monkey",
        "tokenizer",
        "tokenize",
        "tokens",
        "secretary",
        "author",
        "authors",
        "passenger",
        "compass",
        "pass_rate",
        "keynote",
        "cookbook",
        "pinned",
        "db",
        "pin_code_length",
        "",
        "_",
        "name",
        "query",
        "hotkey",
        "auth_type",
        "design",
        "bearing",
        "authorized",
        "keywords",
        "primaryKeys",
    ];

    #[test]
    fn names_of_secrets_are_told_from_their_neighbours() {
        let keys = Keys::new(&["db pin".into(), "Key".into()]);
        for secret in SECRET {
            assert!(keys.names_secret(secret), "{secret}");
        }
        for plain in PLAIN {
            assert!(!keys.names_secret(plain), "{plain}");
        }
        assert!(!Keys::new(&[]).names_secret("key"));
        assert!(!Keys::new(&[]).names_secret("sort_key"));
    }
}
