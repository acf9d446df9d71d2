use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// Sends the bytes and returns the whole answer.
async fn send(loopback: &Loopback, request: &str) -> String {
    let mut stream = connect(loopback).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn connect(loopback: &Loopback) -> TcpStream {
    let port = loopback.redirect().port().unwrap();
    TcpStream::connect(("127.0.0.1", port)).await.unwrap()
}

fn host(loopback: &Loopback) -> String {
    format!("127.0.0.1:{}", loopback.redirect().port().unwrap())
}

fn get(loopback: &Loopback, target: &str, headers: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n",
        host(loopback)
    )
}

async fn bind() -> Loopback {
    Loopback::bind("127.0.0.1", 0).await.unwrap()
}

fn is_ours(state: &str) -> bool {
    state == "ours"
}

const GOOD: &str = "/callback?code=c%2Bd&state=ours&iss=https%3A%2F%2Fsso.example.com";

/// Sends a request, in which `HOST` stands for the right host and `PORT` for the port, while the
/// listener waits. It must be refused with the status, and the right callback must still come
/// through afterwards.
async fn check_refused(status: &str, request: &str) {
    let loopback = bind().await;
    let port = loopback.redirect().port().unwrap().to_string();
    let text = request
        .replace("HOST", &host(&loopback))
        .replace("PORT", &port);
    let attack = async {
        let answer = send(&loopback, &text).await;
        let mut stream = connect(&loopback).await;
        let good = get(&loopback, GOOD, "");
        stream.write_all(good.as_bytes()).await.unwrap();
        (answer, stream)
    };
    let program = async { loopback.wait(is_ours).await.unwrap().callback };
    let (callback, (answer, _stream)) = tokio::join!(program, attack);
    assert_eq!(callback.code.unwrap().as_str(), "c+d");
    assert_eq!(callback.iss.as_deref(), Some("https://sso.example.com"));
    let expected = format!("HTTP/1.1 {status} ");
    assert!(answer.starts_with(&expected), "{request}: {answer}");
    assert!(!answer.contains("evil"), "{request}: {answer}");
}

#[tokio::test]
async fn a_callback_of_another_sign_in_is_refused_and_the_wait_goes_on() {
    for (status, target) in [
        ("400", "/callback?code=evil&state=theirs"),
        ("400", "/callback?code=evil"),
        ("400", "/callback"),
        ("400", "/callback?state=ours&state=ours&code=evil"),
        ("400", "/callback?state=ours&code=evil&code=b"),
        ("404", "/callback/?code=evil&state=ours"),
        ("404", "/Callback?code=evil&state=ours"),
        ("404", "//callback?code=evil&state=ours"),
        ("404", "/done"),
        ("404", "/favicon.ico"),
    ] {
        check_refused(
            status,
            &format!("GET {target} HTTP/1.1\r\nHost: HOST\r\n\r\n"),
        )
        .await;
    }
}

#[tokio::test]
async fn what_is_not_the_persons_navigation_to_this_host_is_refused() {
    for (status, line, headers) in [
        ("405", "POST / HTTP/1.1", "Host: HOST\r\n"),
        ("405", "OPTIONS / HTTP/1.1", "Host: HOST\r\n"),
        ("421", "GET / HTTP/1.1", "Host: localhost:PORT\r\n"),
        ("421", "GET / HTTP/1.1", "Host: evil.example:PORT\r\n"),
        ("421", "GET / HTTP/1.1", "Host: 127.0.0.1\r\n"),
        ("421", "GET / HTTP/1.1", "Host: HOST\r\nHost: HOST\r\n"),
        ("421", "GET / HTTP/1.0", ""),
        (
            "403",
            "GET / HTTP/1.1",
            "Host: HOST\r\nOrigin: https://evil.example\r\n",
        ),
        (
            "403",
            "GET / HTTP/1.1",
            "Host: HOST\r\nsec-fetch-site: cross-site\r\n",
        ),
        (
            "403",
            "GET / HTTP/1.1",
            "Host: HOST\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: cors\r\n",
        ),
        ("400", "\u{16}\u{3}\u{1}hello tls", ""),
        ("431", "GET / HTTP/1.1", &"X: y\r\n".repeat(65)),
    ] {
        let line = line.replace(" / ", &format!(" {GOOD} "));
        check_refused(status, &format!("{line}\r\n{headers}\r\n")).await;
    }
}

#[tokio::test]
async fn a_head_that_does_not_end_is_refused() {
    let start = format!("GET {GOOD} HTTP/1.1\r\nX: ");
    let filler = "y".repeat(8192 - start.len());
    check_refused("431", &(start + &filler)).await;
}

#[tokio::test]
async fn a_navigation_from_the_provider_is_let_in() {
    let loopback = bind().await;
    let headers = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n";
    let mut stream = connect(&loopback).await;
    let request = get(&loopback, GOOD, headers);
    // In two parts, as a slow network delivers it.
    let (first, second) = request.split_at(30);
    let browser = async {
        stream.write_all(first.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        tokio::task::yield_now().await;
        stream.write_all(second.as_bytes()).await.unwrap();
    };
    let (arrival, ()) = tokio::join!(loopback.wait(is_ours), browser);
    assert_eq!(arrival.unwrap().callback.state.as_deref(), Some("ours"));
}

#[tokio::test]
async fn twenty_wrong_states_end_the_wait_and_other_noise_does_not() {
    let loopback = bind().await;
    let noise = async {
        for _ in 0..30 {
            send(&loopback, &get(&loopback, "/favicon.ico", "")).await;
        }
        for _ in 0..20 {
            send(&loopback, &get(&loopback, "/callback?state=theirs", "")).await;
        }
    };
    let (waited, ()) = tokio::join!(loopback.wait(is_ours), noise);
    assert!(matches!(waited, Err(LoopbackError::Foreign)));
}

#[tokio::test]
async fn idle_connections_cannot_keep_the_browser_out() {
    let loopback = bind().await;
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(connect(&loopback).await);
    }
    let mut browser = connect(&loopback).await;
    let good = get(&loopback, GOOD, "");
    browser.write_all(good.as_bytes()).await.unwrap();
    // Time passes only while everything waits; thirteen rounds of patience are enough.
    tokio::time::pause();
    let limit = PATIENCE * 14;
    let arrival = tokio::time::timeout(limit, loopback.wait(is_ours)).await;
    assert!(arrival.unwrap().is_ok());
}

#[tokio::test]
async fn the_browser_is_sent_on_to_a_page_without_the_code() {
    for (ending, path, words) in [
        (Ending::SignedIn, "/done", "You are signed in"),
        (Ending::Failed, "/failed", "did not succeed"),
    ] {
        let loopback = bind().await;
        let (callback, page) = (get(&loopback, GOOD, ""), get(&loopback, path, ""));
        let again = callback.clone();
        let port = loopback.redirect().port().unwrap();
        let browser = async {
            let ask = async |request: String| {
                let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                stream.write_all(request.as_bytes()).await.unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await.unwrap();
                answer
            };
            (ask(callback).await, ask(again).await, ask(page).await)
        };
        let program = async {
            let arrival = loopback.wait(is_ours).await.unwrap();
            loopback.finish(arrival.browser, ending).await;
        };
        let ((), (sent_on, replayed, page)) = tokio::join!(program, browser);
        assert!(sent_on.starts_with("HTTP/1.1 303 See Other\r\n"));
        assert!(sent_on.contains(&format!("\r\nLocation: {path}\r\n")));
        assert!(replayed.starts_with("HTTP/1.1 404 "), "{replayed}");
        assert!(page.starts_with("HTTP/1.1 200 ") && page.contains(words));
        let closed = TcpStream::connect(("127.0.0.1", port)).await;
        assert!(closed.is_err());
    }
}

#[tokio::test]
async fn a_browser_that_does_not_fetch_the_page_is_not_waited_for() {
    let loopback = bind().await;
    let mut stream = connect(&loopback).await;
    let request = get(&loopback, GOOD, "");
    stream.write_all(request.as_bytes()).await.unwrap();
    let arrival = loopback.wait(is_ours).await.unwrap();
    tokio::time::pause();
    let finished = loopback.finish(arrival.browser, Ending::SignedIn);
    tokio::time::timeout(PAGE_PATIENCE * 2, finished)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_fixed_port_that_is_taken_is_an_error_and_not_another_port() {
    for host in ["127.0.0.1", "localhost"] {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = Loopback::bind(host, port).await.unwrap_err();
        assert!(matches!(error, LoopbackError::Taken { port: said, .. } if said == port));
        drop(taken);
        let bound = Loopback::bind(host, port).await.unwrap();
        let expected = format!("http://{host}:{port}/callback");
        assert_eq!(bound.redirect().as_str(), expected);
    }
}

#[tokio::test]
async fn localhost_is_bound_in_both_its_meanings() {
    let Ok(other) = std::net::TcpListener::bind("[::1]:0") else {
        // A machine without IPv6 has one meaning only.
        let loopback = Loopback::bind("localhost", 0).await.unwrap();
        assert_eq!(loopback.listeners.len(), 1);
        return;
    };
    let port = other.local_addr().unwrap().port();
    let error = Loopback::bind("localhost", port).await.unwrap_err();
    assert!(matches!(error, LoopbackError::Taken { .. }));
    drop(other);
    let loopback = Loopback::bind("localhost", port).await.unwrap();
    let mut stream = TcpStream::connect(("::1", port)).await.unwrap();
    let request = format!("GET {GOOD} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    loopback.wait(is_ours).await.unwrap();
}

#[tokio::test]
async fn no_other_host_is_bound() {
    for host in ["0.0.0.0", "::1", "example.com", ""] {
        let error = Loopback::bind(host, 0).await.unwrap_err();
        assert!(matches!(error, LoopbackError::Host));
    }
}
