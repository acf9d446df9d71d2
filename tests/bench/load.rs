//! The load, and the report.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::direct::Direct;
use crate::measure::{Times, memory, processor, wake_ups};
use crate::server::TOOLS;
use crate::world::World;
use crate::world::host::Host;
use crate::world::parts::{Provider, Server};

/// What the load is measured with: everything is decided, nothing is refused.
pub const POLICY: &str =
    "version: \"1.0\"\npolicies:\n  - {name: \"open\", servers: [\"*\"], roles: [\"*\"]}\n";
const BIG: usize = 100_000;
const IN_FLIGHT: usize = 32;

/// How much is done.
#[derive(Clone, Copy)]
pub struct Size {
    blocks: usize,
    small: usize,
    big: usize,
    crowd: usize,
    starts: usize,
    idle: Duration,
}

/// For figures.
pub const FULL: Size = Size {
    blocks: 10,
    small: 200,
    big: 30,
    crowd: 3200,
    starts: 7,
    idle: Duration::from_secs(2),
};
/// To see that it works.
pub const BRIEF: Size = Size {
    blocks: 1,
    small: 10,
    big: 2,
    crowd: 64,
    starts: 1,
    idle: Duration::ZERO,
};

struct Bench {
    world: World,
    provider: Provider,
    servers: Vec<Server>,
    silent: Server,
    size: Size,
    report: String,
}

/// Does it all, and returns the report.
pub async fn run(size: Size) -> String {
    let mut world = World::new();
    world.keychain().await;
    let provider = world.provider(json!({})).await;
    provider.control("ttl", json!({"access": 3600})).await;
    let program = std::env::current_exe().expect("this program");
    let mut servers = Vec::new();
    for n in 0..10 {
        let mut command = world.command(&program);
        command.arg("serve");
        servers.push(world.server_of(command, &format!("s{n}"), &provider).await);
    }
    let mut command = world.command(&program);
    command.args(["serve", "silent"]);
    let silent = world.server_of(command, "silent", &provider).await;
    let mut bench = Bench {
        world,
        provider,
        servers,
        silent,
        size,
        report: String::new(),
    };
    bench.configure("process", 10, true);
    bench.world.sign_in("alice").await;
    for (durability, count) in [("process", 1), ("process", 10), ("strict", 10)] {
        bench.configure(durability, count, false);
        bench.measure(durability, count).await;
    }
    bench.one_silent().await;
    bench.report
}

impl Bench {
    fn configure(&self, durability: &str, count: usize, with_silent: bool) {
        let silent = with_silent.then_some(&self.silent);
        let servers: Vec<&Server> = self.servers.iter().take(count).chain(silent).collect();
        let audit = format!("[audit]\ndurability = \"{durability}\"\n");
        self.world.configure(&self.provider, &servers, &audit);
        self.world.write_policy(POLICY);
    }

    async fn measure(&mut self, durability: &str, count: usize) {
        let title = format!("\n{durability} durability, {count} servers of {TOOLS} tools");
        self.line(&title);
        self.starts(count).await;
        let mut host = self.host(count).await;
        let mut direct = Direct::connect(&self.servers[0].url).await;
        let pid = host.pid();
        let idle = memory(pid, "VmRSS");
        let woken = wake_ups(pid);
        tokio::time::sleep(self.size.idle).await;
        let woken = wake_ups(pid) - woken;
        self.line(&format!(
            "  idle                  {idle:8.1} MiB, {woken:.0} wake-ups in {:?}",
            self.size.idle
        ));
        self.in_turns("small call", 100, self.size.small, &mut host, &mut direct)
            .await;
        self.in_turns("100 KB call", BIG, self.size.big, &mut host, &mut direct)
            .await;
        self.crowd(&mut host).await;
        self.lists(&mut host, count).await;
        self.line(&format!(
            "  at peak               {:8.1} MiB",
            memory(pid, "VmHWM")
        ));
        host.close().await;
    }

    /// From the start of the process to the answers.
    async fn starts(&mut self, count: usize) {
        let (mut hello, mut list) = (Vec::new(), Vec::new());
        // The first one fills the cache.
        self.host(count).await.close().await;
        for _ in 0..self.size.starts {
            let begun = Instant::now();
            let mut host = self.world.host();
            host.initialize("2025-06-18").await;
            hello.push(begun.elapsed().as_secs_f64() * 1e3);
            let tools = host.tools().await.len();
            list.push(begun.elapsed().as_secs_f64() * 1e3);
            assert_eq!(tools, count * TOOLS + 4);
            host.close().await;
        }
        let (hello, list) = (Times::from_iter(hello), Times::from_iter(list));
        self.line(&format!(
            "  start to initialize   {:8.2} ms",
            hello.median()
        ));
        self.line(&format!("  start to tools/list   {:8.2} ms", list.median()));
    }

    async fn host(&self, count: usize) -> Host {
        let mut host = self.world.host();
        host.initialize("2025-06-18").await;
        while host.tools().await.len() < count * TOOLS + 4 {
            host.method("notifications/tools/list_changed").await;
        }
        host.call("s0__echo", json!({"text": "warm"})).await;
        host
    }

    async fn in_turns(
        &mut self,
        name: &str,
        bytes: usize,
        calls: usize,
        host: &mut Host,
        direct: &mut Direct,
    ) {
        let text = rows(bytes);
        let (mut ours, mut theirs) = (Times::default(), Times::default());
        let mut ratios = Vec::new();
        let spent = processor(host.pid());
        for _ in 0..self.size.blocks {
            let straight = straight(direct, &text, calls).await;
            let through = through(host, &text, calls).await;
            ratios.push(through.median() / straight.median());
            theirs.join(&straight);
            ours.join(&through);
        }
        let all = f64::from(u32::try_from(calls * self.size.blocks).expect("not that many"));
        let spent = (processor(host.pid()) - spent) / all;
        let ratio = Times::from_iter(ratios).median();
        self.line(&format!(
            "  {name:<21} {:8.0} us p50, {:.0} p99; direct {:.0} p50, {:.0} p99; ratio {ratio:.2}; {spent:.0} us of CPU",
            ours.median(),
            ours.percentile(0.99),
            theirs.median(),
            theirs.percentile(0.99),
        ));
    }

    async fn crowd(&mut self, host: &mut Host) {
        let calls = self.size.crowd;
        let begun = Instant::now();
        let each = async |_| {
            let mut direct = Direct::connect(&self.servers[0].url).await;
            straight(&mut direct, "x", calls / IN_FLIGHT).await
        };
        join_all((0..IN_FLIGHT).map(each)).await;
        let theirs = rate(calls, begun);
        let begun = Instant::now();
        let mut waiting = std::collections::VecDeque::new();
        for _ in 0..calls {
            if waiting.len() == IN_FLIGHT {
                answered(host, waiting.pop_front()).await;
            }
            waiting.push_back(host.send("tools/call", echo("x")).await);
        }
        for id in waiting {
            answered(host, Some(id)).await;
        }
        let ours = rate(calls, begun);
        let ratio = ours / theirs;
        self.line(&format!("  {IN_FLIGHT} in flight          {ours:8.0} calls/s; direct {theirs:.0}; ratio {ratio:.2}"));
    }

    async fn lists(&mut self, host: &mut Host, count: usize) {
        let mut times = Times::default();
        for _ in 0..self.size.small {
            let begun = Instant::now();
            host.result("tools/list", json!({})).await;
            times.add(begun.elapsed());
        }
        let tools = count * TOOLS;
        self.line(&format!(
            "  list of {tools:<3} tools     {:8.0} us p50",
            times.median()
        ));
    }

    /// The healthy, while one says nothing.
    async fn one_silent(&mut self) {
        self.line("\none of ten servers silent, process durability");
        let mut medians = Vec::new();
        for (name, with_silent) in [("ten healthy", false), ("nine and a silent one", true)] {
            self.configure("process", if with_silent { 9 } else { 10 }, with_silent);
            let count = if with_silent { 9 } else { 10 };
            let mut first = Vec::new();
            for _ in 0..self.size.starts {
                self.world.forget_catalog();
                let begun = Instant::now();
                let mut host = self.world.host();
                host.initialize("2025-06-18").await;
                while host.tools().await.len() < count * TOOLS + 4 {
                    host.method("notifications/tools/list_changed").await;
                }
                first.push(begun.elapsed().as_secs_f64() * 1e3);
                host.close().await;
            }
            let first = Times::from_iter(first).median();
            medians.push(first);
            let mut host = self.host(count).await;
            let calls = through(&mut host, "x", self.size.small * self.size.blocks).await;
            host.close().await;
            self.line(&format!(
                "  {name:<21} {first:8.1} ms to the first list; small call {:.0} us p50, {:.0} p99",
                calls.median(),
                calls.percentile(0.99)
            ));
        }
        self.line(&format!(
            "  ratio of first lists  {:8.2}",
            medians[1] / medians[0]
        ));
    }

    fn line(&mut self, text: &str) {
        // Writing to a string does not fail.
        let _written = writeln!(self.report, "{text}");
    }
}

/// Text such as tools give back: rows of a table.
fn rows(bytes: usize) -> String {
    let rows = (0..).map(|n| format!("{n};order {};2026-11-21;shipped to Lisbon\n", n * 37 % 1001));
    let mut text = String::with_capacity(bytes + 64);
    for row in rows {
        text.push_str(&row);
        if text.len() >= bytes {
            break;
        }
    }
    text.truncate(bytes);
    text
}

fn echo(text: &str) -> Value {
    json!({"name": "s0__echo", "arguments": {"text": text}})
}

async fn answered(host: &mut Host, id: Option<u64>) {
    let answer = host.answer(id.expect("a request")).await;
    assert!(answer["result"].get("isError").is_none(), "{answer}");
}

async fn through(host: &mut Host, text: &str, calls: usize) -> Times {
    let params = echo(text);
    let mut times = Times::default();
    for _ in 0..calls {
        let begun = Instant::now();
        let length = host.raw_result("tools/call", &params).await;
        times.add(begun.elapsed());
        assert!(length >= text.len());
    }
    times
}

async fn straight(direct: &mut Direct, text: &str, calls: usize) -> Times {
    let params = json!({"name": "echo", "arguments": {"text": text}});
    let message =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string();
    let mut times = Times::default();
    for _ in 0..calls {
        let begun = Instant::now();
        assert!(direct.call(&message).await > text.len());
        times.add(begun.elapsed());
    }
    times
}

fn rate(calls: usize, begun: Instant) -> f64 {
    f64::from(u32::try_from(calls).expect("not that many")) / begun.elapsed().as_secs_f64()
}
