use std::sync::Arc;

use crate::audit::Event;
use crate::audit::tests::kit::{Desk, call, outcome, person};
use crate::config::Durability::Process;
use crate::login::Session;
use crate::name::ServerName;

use super::cursor::Cursor;
use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A log with some calls, and a directory that gets it.
struct Scene {
    desk: Desk,
    courier: Courier,
    directory: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        Self::with(SpoolLimit::default()).await
    }

    async fn with(spool: SpoolLimit) -> Self {
        let desk = Desk::new();
        let settings = desk.settings(Process);
        let (clock, secrets) = (Arc::clone(&settings.clock), Arc::clone(&settings.secrets));
        let audit = Audit::open(settings);
        let generation = audit.begin_session(&person()).await.unwrap();
        for _ in 0..300 {
            let (permit, call) = call("query_database", generation);
            let (_, receipt) = audit.admit(permit, call).await.unwrap();
            audit.settle(receipt, outcome()).await.unwrap();
        }
        audit.close().await;
        let audit = desk.audit(Process);
        let (paths, tasks) = (desk.paths(), Tasks::new());
        let network = crate::config::NetworkConfig::default();
        let session = Session::new(
            None,
            &network,
            Vec::new(),
            &paths,
            Arc::clone(&clock),
            &tasks,
            Arc::clone(&secrets),
        );
        let directory = tempfile::tempdir().unwrap();
        let sink = SinkConfig {
            name: ServerName::parse("archive").unwrap(),
            way: SinkWay::Directory(directory.path().to_owned()),
        };
        let courier = Courier::new(Setup {
            sinks: vec![sink],
            witnesses: Vec::new(),
            paths,
            audit,
            session,
            http: None,
            secrets,
            retention: 90 * DAY,
            spool,
            clock,
            tasks,
        });
        Self {
            desk,
            courier,
            directory,
        }
    }

    async fn send(&self) {
        let sink = &self.courier.sinks()[0];
        assert_eq!(self.courier.send_now(sink, |_| ()).await, Ended::Done);
    }

    /// How many records have lost their content, after a round of pruning.
    async fn pruned(&self) -> i64 {
        self.courier.prune(&mut 0).await;
        let sql = "SELECT count(*) FROM record WHERE body IS NULL";
        let connection = self.desk.connection();
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

#[tokio::test]
async fn what_is_old_and_has_been_sent_is_pruned_unless_it_is_held() {
    let scene = Scene::new().await;
    scene.desk.clock().advance(100 * DAY);
    assert_eq!(scene.pruned().await, 0, "nobody has it yet");
    scene.send().await;
    assert!(scene.courier.hold(true).await.unwrap());
    assert_eq!(scene.pruned().await, 0, "it is held");
    assert!(scene.courier.hold(false).await.unwrap());
    // All but the first, which says where the key is.
    assert_eq!(scene.pruned().await, 601);
    scene.send().await;
    let lag = &scene.courier.lags()[0];
    assert_eq!((lag.waiting, lag.problem.as_deref()), (0, None));
    // A sink that comes later gets what is left.
    std::fs::remove_file(scene.desk.paths().sync_dir().join("archive.json")).unwrap();
    let left = scene.courier.lags()[0].waiting;
    assert!((1..100).contains(&left), "{left}");
    scene.send().await;
    assert_eq!(scene.courier.lags()[0].waiting, 0);
}

#[tokio::test]
async fn what_is_young_keeps_its_content() {
    let scene = Scene::new().await;
    scene.send().await;
    scene.desk.clock().advance(80 * DAY);
    assert_eq!(scene.pruned().await, 0);
}

#[tokio::test]
async fn a_log_that_is_shorter_than_what_was_sent_is_not_sent_on() {
    let scene = Scene::new().await;
    scene.send().await;
    let file = scene.desk.paths().sync_dir().join("archive.json");
    let mut cursor = Cursor::load(&file).unwrap().unwrap();
    cursor.next += 1000;
    cursor.store(&file).unwrap();
    let sink = &scene.courier.sinks()[0];
    let ended = scene.courier.send_now(sink, |_| ()).await;
    assert!(
        matches!(&ended, Ended::Failed(why) if why.contains("an older copy")),
        "{ended:?}"
    );
    // A cursor of another log says nothing of this one.
    cursor.log_id = "another".into();
    cursor.store(&file).unwrap();
    scene.send().await;
    assert!(scene.directory.path().read_dir().unwrap().next().is_some());
}

/// The records that a directory got, in the order of its segments.
fn arrived(place: &std::path::Path) -> Vec<String> {
    let log = place.read_dir().unwrap().next().unwrap().unwrap().path();
    let files = log.read_dir().unwrap().map(|file| file.unwrap().path());
    let mut segments: Vec<_> = files
        .filter(|file| file.extension().is_some_and(|end| end == "jsonl"))
        .collect();
    segments.sort();
    let texts = segments
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap());
    let texts = texts.collect::<String>();
    texts.lines().map(str::to_owned).collect()
}

/// Time passes as soon as nothing else happens.
#[tokio::test(start_paused = true)]
async fn five_hours_without_a_receiver_lose_nothing() {
    let scene = Scene::new().await;
    let place = scene.directory.path().to_owned();
    std::fs::remove_dir(&place).unwrap();
    std::fs::write(&place, "in the way").unwrap();
    scene.courier.start();
    for _ in 0..5 {
        scene
            .courier
            .0
            .audit
            .record(Event::Hold { on: true })
            .await
            .unwrap();
        scene.desk.clock().advance(DAY / 24);
        tokio::time::sleep(DAY / 24).await;
        let lag = &scene.courier.lags()[0];
        assert!(lag.problem.is_some() && lag.waiting > 600, "{lag:?}");
    }
    std::fs::remove_file(&place).unwrap();
    std::fs::create_dir(&place).unwrap();
    // A pause is five minutes at most; the newest records have to be a minute old.
    let mut rounds = 0;
    while scene.courier.lags()[0].waiting > 0 {
        scene.desk.clock().advance(Duration::from_secs(60));
        tokio::time::sleep(Duration::from_secs(60)).await;
        rounds += 1;
        assert!(rounds < 30, "{:?}", scene.courier.lags());
    }
    let log = scene.desk.read();
    let numbers = arrived(&place).into_iter().map(|record| {
        let record: serde_json::Value = serde_json::from_str(&record).unwrap();
        record["seq"].as_u64().unwrap()
    });
    let size = u64::try_from(log.records.len()).unwrap();
    assert_eq!(numbers.collect::<Vec<_>>(), (0..size).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn what_has_waited_too_long_holds_calls_back_until_it_is_sent() {
    let scene = Scene::new().await;
    let second = Duration::from_secs(1);
    assert_eq!(scene.courier.overdue().await, None);
    scene.desk.clock().advance(31 * DAY);
    // What was seen is believed for a while; then it is looked again, as long as calls come.
    assert_eq!(scene.courier.overdue().await, None);
    let mut calls = 0;
    let overdue = loop {
        if let Some(overdue) = scene.courier.overdue().await {
            break overdue;
        }
        calls += 1;
        assert!(calls < 15);
        tokio::time::sleep(second).await;
    };
    assert!(calls > 5, "{calls}");
    assert_eq!((&*overdue.sink, overdue.records), ("archive", 602));
    let text = overdue.to_string();
    assert!(text.starts_with("602 records ("), "{text}");
    assert!(
        text.contains("wait for the sink \"archive\" since 20"),
        "{text}"
    );
    assert!(text.ends_with("1 GiB and 30 days are the most"), "{text}");
    assert!(scene.courier.lags()[0].over_limit);
    scene.send().await;
    assert_eq!(scene.courier.overdue().await, None);
    assert!(!scene.courier.lags()[0].over_limit);
    // After a pause the first call waits for a look.
    scene
        .courier
        .0
        .audit
        .record(Event::Heartbeat)
        .await
        .unwrap();
    scene.desk.clock().advance(31 * DAY);
    tokio::time::sleep(30 * second).await;
    let overdue = scene.courier.overdue().await.unwrap();
    assert_eq!(overdue.records, 1);
}

#[tokio::test]
async fn what_is_too_much_holds_calls_back_whatever_its_age() {
    let limit = SpoolLimit {
        bytes: 100_000,
        ..SpoolLimit::default()
    };
    let scene = Scene::with(limit).await;
    let overdue = scene.courier.overdue().await.unwrap();
    let exact = "SELECT sum(length(body)) FROM record";
    let connection = scene.desk.connection();
    let exact: i64 = connection.query_row(exact, [], |row| row.get(0)).unwrap();
    let exact = exact.unsigned_abs();
    assert!(
        overdue.bytes.abs_diff(exact) < exact / 20,
        "{overdue:?} {exact}"
    );
    scene.send().await;
    assert_eq!(scene.courier.overdue().await, None);
}
