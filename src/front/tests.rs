//! A host and a scripted backend, in memory.

mod alone;
mod any;
mod bad;
mod calls;
mod ends;
mod faults;
mod opening;
mod progress;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::sync::oneshot;

use super::{Backend, Ended, LineLimit, Options, serve};
use crate::gateway::{Asides, Fault, Host};
use crate::stop::Tasks;
use crate::wire::{Notification, Raw};

const LINE_LIMIT: usize = 64 * 1024;

type Answering = Pin<Box<dyn Future<Output = Result<Raw, Fault>> + Send>>;
type Script = dyn Fn(Asked) -> Answering + Send + Sync;

/// A request as it reached the backend.
struct Asked {
    method: String,
    params: Raw,
    asides: Option<Asides>,
    agent: String,
    host: Host,
}

/// A backend that does what a test says.
#[derive(Clone)]
struct Scripted {
    script: Arc<Script>,
    welcomed: Arc<AtomicUsize>,
    told: Arc<Mutex<Vec<String>>>,
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}

impl Scripted {
    fn new<F>(script: impl Fn(Asked) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Raw, Fault>> + Send + 'static,
    {
        Self {
            script: Arc::new(move |asked| Box::pin(script(asked))),
            welcomed: Arc::default(),
            told: Arc::default(),
        }
    }

    /// Answers with the parameters.
    fn echo() -> Self {
        Self::new(|asked| async move { Ok(asked.params) })
    }

    /// Tells the host of changes with each call, and takes on every resource but one.
    fn talking() -> Self {
        Self::new(|asked| async move {
            match asked.method.as_str() {
                "resources/subscribe" if asked.params.get().contains("refused") => {
                    Err(Fault::Unavailable("refused".into()))
                }
                "tools/call" => {
                    let updated = |uri| Some(raw(format!(r#"{{"uri":"{uri}"}}"#)));
                    let host = asked.host;
                    host.tell("notifications/message", Some(raw("{}")));
                    host.tell("notifications/prompts/list_changed", None);
                    host.tell("notifications/tools/list_changed", None);
                    host.tell("notifications/resources/updated", updated("a:2"));
                    host.tell("notifications/resources/updated", updated("a:1"));
                    Ok(raw("{}"))
                }
                _ => Ok(raw("{}")),
            }
        })
    }

    /// Answers nothing; a request that is withdrawn drops its clone of the text.
    fn silent(held: Arc<str>) -> Self {
        Self::new(move |_| {
            let held = Arc::clone(&held);
            async move {
                std::future::pending::<()>().await;
                Err(Fault::Unavailable((*held).into()))
            }
        })
    }
}

impl Backend for Scripted {
    async fn welcome(&self, host: &Host) {
        self.welcomed.fetch_add(1, Ordering::Relaxed);
        // Requests do not wait for it.
        std::future::pending::<()>().await;
        host.tell("never", None);
    }

    fn told(&self, _: &Host, notice: Notification) {
        self.told.lock().unwrap().push(notice.method.into());
    }

    fn extensions(&self) -> Vec<(Box<str>, Raw)> {
        vec![("x.example/odd".into(), raw(r#"{"n":1e400}"#))]
    }

    async fn answer(
        &self,
        host: &Host,
        method: &str,
        params: &Raw,
        asides: Option<Asides>,
    ) -> Result<Raw, Fault> {
        (self.script)(Asked {
            method: method.to_owned(),
            params: params.clone(),
            asides,
            agent: host.agent().name.to_string(),
            host: host.clone(),
        })
        .await
    }
}

/// The host's end of a session.
struct Scene {
    to: DuplexStream,
    from: BufReader<DuplexStream>,
    ended: oneshot::Receiver<Ended<Scripted>>,
    tasks: Tasks,
}

impl Scene {
    /// A session whose backend is there at once.
    fn with(backend: Scripted) -> Self {
        Self::building(async { backend })
    }

    /// A session whose backend comes when it comes.
    fn building(backend: impl Future<Output = Scripted> + Send + 'static) -> Self {
        let (to, reader) = tokio::io::duplex(1024 * 1024);
        // Hardly room for what is said, so that much of it waits.
        let (writer, from) = tokio::io::duplex(1024);
        let (end, ended) = oneshot::channel();
        let tasks = Tasks::new();
        let line_limit = LineLimit::default();
        line_limit.set(LINE_LIMIT);
        let options = Options {
            line_limit,
            backend,
            tasks: tasks.child(),
        };
        tasks.spawn(async move {
            let _unwatched = end.send(serve(reader, writer, options).await);
        });
        Self {
            to,
            from: BufReader::new(from),
            ended,
            tasks,
        }
    }

    async fn say(&mut self, line: impl AsRef<[u8]>) {
        self.to.write_all(line.as_ref()).await.unwrap();
        self.to.write_all(b"\n").await.unwrap();
    }

    /// The next line as it is.
    async fn line(&mut self) -> String {
        let mut line = String::new();
        soon(self.from.read_line(&mut line)).await.unwrap();
        line
    }

    async fn hear(&mut self) -> Value {
        serde_json::from_str(&self.line().await).unwrap()
    }

    async fn ask(&mut self, line: impl AsRef<[u8]>) -> Value {
        self.say(line).await;
        self.hear().await
    }

    /// Holds that the session answers.
    async fn alive(&mut self) {
        let pong = self
            .ask(r#"{"jsonrpc":"2.0","id":"alive","method":"ping"}"#)
            .await;
        assert_eq!(pong, json!({"jsonrpc": "2.0", "id": "alive", "result": {}}));
    }

    /// Closes the host's end for writing; what it still hears, and how the session ended.
    async fn leave(self) -> (String, Ended<Scripted>) {
        let Self {
            to,
            mut from,
            ended,
            tasks,
        } = self;
        drop(to);
        let mut rest = String::new();
        let read = tokio::io::AsyncReadExt::read_to_string(&mut from, &mut rest);
        soon(read).await.unwrap();
        let ended = soon(ended).await.unwrap();
        assert!(tasks.finish(Duration::from_secs(1)).await, "a task is left");
        (rest, ended)
    }
}

/// Waits for what is bound to come; the clock is stopped, so that nothing comes by waiting.
async fn soon<T>(coming: impl Future<Output = T>) -> T {
    let coming = tokio::time::timeout(Duration::from_secs(5), coming);
    coming.await.expect("nothing comes")
}

/// Resolves when nobody has anything to do: only then does a clock that is stopped move.
async fn settled() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

fn request(id: &str, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

fn raw(text: impl AsRef<str>) -> Raw {
    Raw::parse(text.as_ref()).unwrap()
}
