//! rsyslog, as a receiver of messages over TLS.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::process::Child;
use tokio::time::{interval, timeout};

use super::{PATIENCE, World};

/// How it knows senders.
#[derive(Debug, Clone, Copy)]
pub enum Asks {
    /// Not at all.
    Nothing,
    /// By a certificate of the authority `clients`.
    Certificate,
}

/// A daemon of a world's own, with the certificate `server` of the directory that it lies in. What it
/// has received it has written before it reads on.
pub struct Rsyslog {
    place: PathBuf,
    program: PathBuf,
    driver: &'static str,
    asks: Asks,
    /// Where it listens, the same after each start.
    pub port: u16,
    runs: usize,
    child: Option<Child>,
}

impl Rsyslog {
    /// Whatever it is doing.
    pub const KILL: Signal = Signal::KILL;
    /// As systems do.
    pub const TERMINATE: Signal = Signal::TERM;

    /// Starts it with one of its TLS drivers: `ossl` (OpenSSL) or `gtls` (`GnuTLS`).
    pub async fn start(world: &World, pki: &Path, driver: &'static str, asks: Asks) -> Self {
        let place = world.home().join(driver);
        fs::create_dir_all(&place).expect("a directory");
        for name in ["server.pem", "server.key", "clients.pem"] {
            fs::copy(pki.join(name), place.join(name)).expect("a certificate");
        }
        // A copy: some systems confine the installed one to its usual files.
        let program = world.home().join("bin/rsyslogd");
        let installed = ["/usr/sbin/rsyslogd", "/usr/bin/rsyslogd", "/sbin/rsyslogd"];
        let installed = installed.iter().find(|path| Path::new(path).exists());
        let installed = installed.expect("rsyslogd: run tests/run --install");
        fs::copy(installed, &program).expect("a copy of rsyslogd");
        let mut daemon = Self {
            place,
            program,
            driver,
            asks,
            port: 0,
            runs: 0,
            child: None,
        };
        daemon.run(world).await;
        daemon
    }

    /// Starts it again where it was.
    pub async fn run(&mut self, world: &World) {
        self.runs += 1;
        let file = self.place.join("rsyslog.conf");
        fs::write(&file, self.settings()).expect("a configuration");
        let mut command = world.command(&self.program);
        command.arg("-n").arg("-f").arg(file);
        command.arg("-i").arg(self.place.join("pid"));
        let log = fs::File::create(self.place.join("log")).expect("a log file");
        command.stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().expect("rsyslogd starts"));
        let listening = timeout(PATIENCE, self.listening()).await;
        self.port = listening.unwrap_or_else(|_| panic!("rsyslogd did not start: {}", self.log()));
    }

    /// Waits until it listens. It tells of a port that it chose, and not of one that it was given.
    async fn listening(&self) -> u16 {
        let mut pace = interval(Duration::from_millis(20));
        loop {
            pace.tick().await;
            let told = fs::read_to_string(self.place.join("port")).unwrap_or_default();
            if let Ok(port) = told.trim().parse()
                && TcpStream::connect((Ipv4Addr::LOCALHOST, port))
                    .await
                    .is_ok()
            {
                return port;
            }
        }
    }

    /// Ends it, and waits until it is gone.
    pub async fn end(&mut self, signal: Signal) {
        let mut child = self.child.take().expect("a daemon that runs");
        let pid = child
            .id()
            .and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
        kill_process(pid.expect("its number"), signal).expect("a daemon that runs");
        let ended = timeout(PATIENCE, child.wait()).await;
        ended.expect("its end in time").expect("its end");
    }

    /// What it complained of.
    pub fn log(&self) -> String {
        fs::read_to_string(self.place.join("log")).unwrap_or_default()
    }

    /// What it has received, in order, as it understood it.
    pub fn received(&self) -> Vec<Value> {
        let files = (1..=self.runs).map(|run| self.place.join(format!("received.{run}")));
        let texts = files.filter_map(|file| fs::read_to_string(file).ok());
        let lines = texts.flat_map(|text| {
            // A daemon that was killed may leave half a line.
            let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
            let values = whole.lines().map(|line| {
                let mut value: Value =
                    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
                let element = value["element"].as_str().expect("structured data");
                value["element"] = serde_json::from_str(element).expect("JSON");
                value
            });
            values.collect::<Vec<Value>>()
        });
        lines.collect()
    }

    fn settings(&self) -> String {
        let place = self.place.display();
        let (driver, port, run) = (self.driver, self.port, self.runs);
        let asks = match self.asks {
            Asks::Nothing => "anon",
            Asks::Certificate => "x509/certvalid",
        };
        let property = |name: &str, of: &str| {
            format!("property(outname=\"{name}\" name=\"{of}\" format=\"jsonf\")\n")
        };
        let fields = [
            ("pri", "pri"),
            ("time", "timestamp\" dateFormat=\"rfc3339"),
            ("host", "hostname"),
            ("app", "app-name"),
            ("process", "procid"),
            ("kind", "msgid"),
            ("text", "msg"),
        ];
        let fields: String = fields.map(|(name, of)| property(name, of)).concat();
        format!(
            r#"
global(workDirectory="{place}" maxMessageSize="256k" defaultNetstreamDriver="{driver}"
       defaultNetstreamDriverCAFile="{place}/clients.pem"
       defaultNetstreamDriverCertFile="{place}/server.pem"
       defaultNetstreamDriverKeyFile="{place}/server.key")
main_queue(queue.type="direct")
module(load="mmpstrucdata")
module(load="imtcp" streamDriver.name="{driver}" streamDriver.mode="1" streamDriver.authMode="{asks}")
template(name="line" type="list" option.jsonf="on") {{
{fields}property(outname="element" name="$!rfc5424-sd" format="jsonf")
}}
ruleset(name="keep") {{
  action(type="mmpstrucdata")
  action(type="omfile" file="{place}/received.{run}" template="line" ioBufferSize="1m")
}}
input(type="imtcp" address="127.0.0.1" port="{port}" listenPortFileName="{place}/port" ruleset="keep")
"#
        )
    }
}
