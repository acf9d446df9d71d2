//! A person at the provider's sign-in pages: once as plain HTTP with cookies, once in a real browser.

use std::collections::BTreeMap;

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use serde_json::Value;
use url::Url;

use super::parts::http;
use super::{World, finish};

/// Where the browser ended.
#[derive(Debug)]
pub struct Page {
    /// Its address.
    pub url: Url,
    /// The answer's status.
    pub status: u16,
    /// Where it sends the browser.
    pub next: Option<Url>,
    /// What it shows.
    pub body: String,
}

/// What the person does on the sign-in page.
#[derive(Debug, Clone, Copy)]
pub enum Choice<'a> {
    /// Signs in and agrees.
    SignIn(&'a str),
    /// Goes back to the application.
    Abort,
}

/// Follows a sign-in link to its end, as this person, the callback included.
///
/// The program may send the browser to the provider once more, with a question that it accepts.
pub async fn sign_in(link: &str, person: &str) -> Page {
    let mut link = link.to_owned();
    loop {
        let callback = authorize(&link, Choice::SignIn(person)).await;
        let first = visit(callback.clone()).await;
        match &first.next {
            None => return first,
            Some(next) if next.origin() == callback.origin() => return visit(next.clone()).await,
            Some(next) => link = next.to_string(),
        }
    }
}

/// Visits the callback, as the browser does when the provider sends it there, and goes where the
/// program sends it next, which is without the code in its address.
pub async fn call_back(callback: Url) -> Page {
    let first = visit(callback).await;
    match &first.next {
        Some(next) => visit(next.clone()).await,
        None => first,
    }
}

async fn visit(url: Url) -> Page {
    let response = http().get(url.clone()).send().await;
    page(url, response.expect("a listener for the callback")).await
}

/// Follows a sign-in link up to the callback, and returns the callback without visiting it.
///
/// # Panics
/// When the provider shows a page with neither a form nor a way on: a refusal without redirect.
pub async fn authorize(link: &str, choice: Choice<'_>) -> Url {
    let start = Url::parse(link).expect("a link");
    let mut visit = Visit {
        provider: start.origin(),
        client: http(),
        cookies: BTreeMap::new(),
    };
    let mut next = visit.get(start).await;
    loop {
        match next {
            Step::Callback(url) => return url,
            Step::Page(page) => next = visit.answer(&page, choice).await,
        }
    }
}

enum Step {
    Page(Page),
    Callback(Url),
}

struct Visit {
    provider: url::Origin,
    client: reqwest::Client,
    cookies: BTreeMap<String, String>,
}

impl Visit {
    async fn get(&mut self, url: Url) -> Step {
        let request = self.client.get(url.clone());
        self.follow(url, request).await
    }

    async fn answer(&mut self, page: &Page, choice: Choice<'_>) -> Step {
        let action = attribute(&page.body, "action=\"");
        let Some(action) = action else {
            panic!("a page without a form: {page:?}")
        };
        let action = page.url.join(action).expect("an address");
        let Choice::SignIn(person) = choice else {
            let abort = format!("{}/abort", action.path());
            return Box::pin(self.get(action.join(&abort).expect("an address"))).await;
        };
        let prompt = if page.body.contains("name=\"login\"") {
            "login"
        } else {
            "consent"
        };
        let form = format!("prompt={prompt}&login={person}&password=unused");
        let request = self
            .client
            .post(action.clone())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        self.follow(action, request).await
    }

    async fn follow(&mut self, mut url: Url, mut request: reqwest::RequestBuilder) -> Step {
        loop {
            let response = request
                .header(COOKIE, self.jar())
                .send()
                .await
                .expect("an answer");
            self.keep(&response);
            let Some(location) = response.headers().get(LOCATION) else {
                return Step::Page(page(url, response).await);
            };
            url = url
                .join(location.to_str().expect("text"))
                .expect("an address");
            if url.origin() != self.provider {
                return Step::Callback(url);
            }
            request = self.client.get(url.clone());
        }
    }

    fn jar(&self) -> String {
        let pairs: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("; ")
    }

    /// Paths and expiry are left aside: names are unique, and an emptied cookie is sent empty.
    fn keep(&mut self, response: &reqwest::Response) {
        for header in response.headers().get_all(SET_COOKIE) {
            let text = header.to_str().expect("text");
            let pair = text.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

async fn page(url: Url, response: reqwest::Response) -> Page {
    let next = response.headers().get(LOCATION);
    let next = next.and_then(|to| url.join(to.to_str().ok()?).ok());
    Page {
        url,
        next,
        status: response.status().as_u16(),
        body: response.text().await.expect("a page"),
    }
}

fn attribute<'a>(html: &'a str, start: &str) -> Option<&'a str> {
    html.split_once(start)?.1.split('"').next()
}

impl World {
    /// Does the same in headless Chromium; answers with the last page's `url`, `title` and `text`.
    pub async fn chromium(&self, link: &str, person: &str) -> Value {
        let mut command = self.node("tests/world/chromium.mjs");
        let output = finish(command.arg(link).arg(person)).await;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the browser failed: {stderr}");
        serde_json::from_slice(&output.stdout).expect("what the browser saw, as JSON")
    }
}
