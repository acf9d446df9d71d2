//! The order of the measurements, and the report.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::header;
use axum::routing::post;
use chaperone::audit::Prune;
use chaperone::clock::Timestamp;
use chaperone::config::Durability;
use chaperone::stop::Tasks;
use chaperone::sync::Ended;
use rusqlite::Connection;

use crate::log::Log;
use crate::measure::Times;
use crate::program::{Again, run as program};

/// How much is done.
#[derive(Clone, Copy)]
pub struct Size {
    /// How many records the log gets.
    pub records: usize,
    /// How many calls each of the others is measured with.
    pub calls: usize,
}

/// A few records in one transaction, as the program prunes; and as many pages as it reclaims.
const RECORDS: usize = 100;
const PAGES: u32 = 32;
const GRACE: Duration = Duration::from_secs(10);

struct Bench {
    home: tempfile::TempDir,
    collector: String,
    size: Size,
    report: String,
}

/// Does it all, and returns the report.
pub async fn run(size: Size) -> String {
    let mut bench = Bench {
        home: tempfile::tempdir().expect("a directory"),
        collector: collector(),
        size,
        report: String::new(),
    };
    bench.grow().await;
    bench.read();
    bench.line("\na call, two records each (us)");
    for durability in [Durability::Process, Durability::Strict] {
        bench.alone(durability).await;
        bench.verifying(durability).await;
        bench.sending(durability).await;
    }
    bench.send_everything().await;
    for durability in [Durability::Process, Durability::Strict] {
        bench.pruning(durability).await;
    }
    bench.prune_the_rest().await;
    let verified = program(bench.home(), &["audit", "verify"]);
    assert!(matches!(verified.code, Some(0 | 7)), "{:?}", verified.code);
    bench.report
}

/// A collector that takes whatever comes, on a thread of its own.
fn collector() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    listener.set_nonblocking(true).expect("a socket");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(async {
            let kind = [(header::CONTENT_TYPE, "application/x-protobuf")];
            let taken = post(async move |_body: axum::body::Bytes| (kind, ""));
            let router = Router::new().route("/v1/logs", taken);
            let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
            axum::serve(listener, router).await.expect("a collector");
        });
    });
    format!("http://{address}/v1/logs")
}

impl Bench {
    fn home(&self) -> &Path {
        self.home.path()
    }

    async fn grow(&mut self) {
        let log = Log::open(self.home(), Durability::Process).await;
        let part = self.size.records / 20;
        let mut rates = Vec::new();
        for _ in 0..20 {
            let begun = Instant::now();
            for _ in 0..part / 2 {
                log.call().await;
            }
            rates.push(number(part) / begun.elapsed().as_secs_f64());
        }
        log.audit.close().await;
        let (first, last) = (rates[0], rates[19]);
        let (records, bytes) = (self.records(), self.bytes());
        self.line(&format!("a log of {records} records, process durability"));
        self.line(&format!("  first {part:<8}        {first:9.0} records/s"));
        self.line(&format!(
            "  last {part:<8}         {last:9.0} records/s; ratio {:.2}",
            last / first
        ));
        let each = bytes / number(records);
        self.line(&format!(
            "  size                  {bytes:9.0} bytes, {each:.0} a record"
        ));
    }

    fn read(&mut self) {
        let report = self.home().join("report.html");
        let report = report.to_str().expect("UTF-8").to_owned();
        for arguments in [
            &["audit", "verify"][..],
            &["audit", "list"],
            &["audit", "list", "--all", "--json"],
            &["audit", "stats"],
            &["audit", "report", "-o", &report],
        ] {
            let ran = program(self.home(), arguments);
            assert!(
                matches!(ran.code, Some(0 | 7)),
                "{arguments:?}: {:?}",
                ran.code
            );
            let what = arguments[..arguments.len().min(4)]
                .join(" ")
                .replace(&report, "");
            let rate = number(self.records()) / ran.seconds;
            self.line(&format!(
                "  {what:<25} {:8.3} s, {rate:.0} records/s, {:.1} MiB at peak",
                ran.seconds, ran.peak
            ));
        }
    }

    async fn alone(&mut self, durability: Durability) {
        let log = Log::open(self.home(), durability).await;
        let times = log.calls(self.size.calls).await;
        self.times(durability, "with nothing else", &times);
        log.audit.close().await;
    }

    async fn verifying(&mut self, durability: Durability) {
        let log = Log::open(self.home(), durability).await;
        let verifier = Again::begin(self.home(), &["audit", "verify"]);
        let times = log.calls(self.size.calls).await;
        let runs = verifier.end();
        self.times(durability, &format!("while verified ({runs})"), &times);
        log.audit.close().await;
    }

    async fn sending(&mut self, durability: Durability) {
        let log = Log::open(self.home(), durability).await;
        let tasks = Tasks::new();
        let courier = log.courier(&self.collector, Duration::MAX, &tasks);
        let before = courier.lags()[0].sent;
        courier.start();
        let times = log.calls(self.size.calls).await;
        let ended = tasks.finish(GRACE).await;
        assert!(ended, "the courier does not end");
        let sent = courier.lags()[0].sent - before;
        self.times(durability, &format!("while {sent} are sent"), &times);
        log.audit.close().await;
    }

    /// As if nothing had been sent yet.
    async fn send_everything(&mut self) {
        let log = Log::open(self.home(), Durability::Process).await;
        let tasks = Tasks::new();
        let courier = log.courier(&self.collector, Duration::MAX, &tasks);
        let cursor = log.paths.sync_dir().join("siem.json");
        std::fs::remove_file(cursor).expect("a cursor");
        let looks: Times = (0..20)
            .map(|_| {
                let begun = Instant::now();
                assert_eq!(courier.lags().len(), 1);
                begun.elapsed().as_secs_f64() * 1e6
            })
            .collect();
        let begun = Instant::now();
        let ended = courier.send_now(&courier.sinks()[0], |_| ()).await;
        assert_eq!(ended, Ended::Done);
        let sent = courier.lags()[0].sent;
        let seconds = begun.elapsed().as_secs_f64();
        log.audit.close().await;
        self.line(&format!(
            "\na look at what waits     {:8.0} us p50",
            looks.median()
        ));
        let sent = f64::from(u32::try_from(sent).expect("not that many"));
        self.line(&format!(
            "sending alone            {:8.0} records/s\n",
            sent / seconds
        ));
    }

    async fn pruning(&mut self, durability: Durability) {
        let log = Log::open(self.home(), durability).await;
        let tasks = Tasks::new();
        let courier = log.courier(&self.collector, Duration::ZERO, &tasks);
        let before = self.pruned();
        courier.start();
        let times = log.calls(self.size.calls).await;
        let ended = tasks.finish(GRACE).await;
        assert!(ended, "the courier does not end");
        let pruned = self.pruned() - before;
        self.times(durability, &format!("while {pruned} are pruned"), &times);
        log.audit.close().await;
    }

    /// Step by step, to see how long calls might have to wait for one.
    async fn prune_the_rest(&mut self) {
        let before = self.bytes();
        let log = Log::open(self.home(), Durability::Strict).await;
        let (mut from, mut steps) = (0, Times::default());
        loop {
            let what = Prune {
                from,
                until: u64::MAX,
                before: Timestamp::from_millis(i64::MAX),
                most: RECORDS,
            };
            let begun = Instant::now();
            let pruned = log.audit.prune(what).await.expect("a step");
            steps.add(begun.elapsed());
            if pruned.next <= from {
                break;
            }
            from = pruned.next;
        }
        self.step(&format!("pruning {RECORDS} records"), &steps);
        let mut steps = Times::default();
        loop {
            let begun = Instant::now();
            let left = log.audit.reclaim(PAGES).await.expect("a step");
            steps.add(begun.elapsed());
            if left == 0 {
                break;
            }
        }
        self.step(&format!("reclaiming {PAGES} pages"), &steps);
        // The file shrinks when the write-ahead log is carried over, at the latest when all have gone.
        log.audit.close().await;
        let (after, records) = (self.bytes(), self.records());
        assert!(after < before, "{after} {before}");
        let each = after / number(records);
        self.line(&format!(
            "size of the pruned log   {after:9.0} bytes, {each:.0} a record"
        ));
    }

    fn step(&mut self, name: &str, steps: &Times) {
        let text = format!(
            "{name:<24} {:8.0} us p50, {:.0} p99, {:.0} at most (strict)",
            steps.median(),
            steps.percentile(0.99),
            steps.percentile(1.0)
        );
        self.line(&text);
    }

    fn times(&mut self, durability: Durability, beside: &str, times: &Times) {
        let durability = match durability {
            Durability::Strict => "strict",
            Durability::Process => "process",
        };
        let text = format!(
            "  {durability:<7} {beside:<26} {:8.0} p50, {:.0} p99, {:.0} at most",
            times.median(),
            times.percentile(0.99),
            times.percentile(1.0)
        );
        self.line(&text);
    }

    fn records(&self) -> usize {
        self.ask("SELECT max(seq) + 1 FROM record")
    }

    fn pruned(&self) -> usize {
        self.ask("SELECT count(*) FROM record WHERE body IS NULL")
    }

    fn ask(&self, sql: &str) -> usize {
        let connection = Connection::open(self.home().join("data/audit.db")).expect("a log");
        let answer = connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        usize::try_from(answer.expect("an answer")).expect("a number")
    }

    /// The size of the database, everything carried over.
    fn bytes(&self) -> f64 {
        let connection = Connection::open(self.home().join("data/audit.db")).expect("a log");
        let until = Instant::now() + GRACE;
        // Whoever else carries over, as a log that was closed may still do, is not waited for by SQLite.
        while carry_over(&connection) != 0 {
            assert!(Instant::now() < until, "somebody is still there");
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(connection);
        let meta = std::fs::metadata(self.home().join("data/audit.db")).expect("a log");
        number(usize::try_from(meta.len()).expect("a size"))
    }

    fn line(&mut self, text: &str) {
        // Writing to a string does not fail.
        let _written = writeln!(self.report, "{text}");
    }
}

/// Other than 0 where others were in the way.
fn carry_over(connection: &Connection) -> i64 {
    let carried = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
    carried.expect("an answer")
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "figures for people"
)]
fn number(count: usize) -> f64 {
    count as f64
}
