//! A fortnight of a company that does not exist, the same every time.

use chaperone::audit::{Agent, Definitions, Event, OutcomeStatus};
use chaperone::name::ServerName;

use super::log::{Ask, Desk};

const HOUR: i64 = 3_600_000;
const DAYS: i64 = 14;

/// Person, roles, host, and the tools that each asks for, with a weight.
type Habit = (
    &'static str,
    &'static [&'static str],
    &'static str,
    &'static [(usize, usize)],
);

/// Server, tool, usual duration, failures in a thousand, arguments.
const TOOLS: [(&str, &str, u64, u64, &str); 13] = [
    (
        "database",
        "query_database",
        140,
        12,
        r#"{"sql":"SELECT region, sum(total) FROM orders GROUP BY region"}"#,
    ),
    ("database", "list_tables", 22, 2, "{}"),
    ("database", "describe_table", 31, 4, r#"{"table":"orders"}"#),
    ("database", "drop_table", 0, 0, r#"{"table":"orders_2024"}"#),
    (
        "deploy",
        "deploy_staging",
        5_200,
        45,
        r#"{"service":"checkout","version":"4.18.2"}"#,
    ),
    (
        "deploy",
        "list_releases",
        95,
        6,
        r#"{"service":"checkout"}"#,
    ),
    (
        "deploy",
        "deploy_production",
        0,
        0,
        r#"{"service":"checkout","version":"4.18.2"}"#,
    ),
    (
        "tickets",
        "search_tickets",
        260,
        9,
        r#"{"query":"refund not received","state":"open"}"#,
    ),
    (
        "tickets",
        "create_ticket",
        410,
        15,
        r#"{"title":"Invoice shows the wrong VAT number"}"#,
    ),
    ("wiki", "search", 85, 3, r#"{"query":"on-call handover"}"#),
    (
        "wiki",
        "read_page",
        48,
        3,
        r#"{"page":"Runbooks/Checkout"}"#,
    ),
    (
        "crm",
        "find_customer",
        1_350,
        85,
        r#"{"name":"Hoffmann & Søn"}"#,
    ),
    (
        "crm",
        "export_contacts",
        2_900,
        60,
        r#"{"segment":"renewal-q1"}"#,
    ),
];

const PEOPLE: [Habit; 6] = [
    (
        "alice.chen@example.com",
        &["data-analyst"],
        "claude-desktop/1.4.2",
        &[(0, 14), (1, 3), (2, 5), (9, 3), (3, 1)],
    ),
    (
        "ben.okafor@example.com",
        &["db-admin"],
        "vscode/1.109.0",
        &[(0, 8), (2, 6), (1, 2), (10, 4)],
    ),
    (
        "carla.moreno@example.com",
        &["devops"],
        "claude-code/2.1.7",
        &[(4, 5), (5, 8), (6, 1), (9, 3), (10, 5)],
    ),
    (
        "dmitri.weiss@example.com",
        &["support"],
        "claude-desktop/1.4.2",
        &[(7, 12), (8, 4), (11, 6), (9, 2)],
    ),
    (
        "erin.novak@example.com",
        &["support"],
        "cursor/2.3.1",
        &[(7, 6), (11, 7), (10, 3), (0, 1)],
    ),
    (
        "farid.haddad@example.com",
        &["data-analyst"],
        "claude-desktop/1.4.2",
        &[(0, 9), (1, 2), (7, 2)],
    ),
];

/// Numbers that look random and are not.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// From Monday, 2 November 2026, in Berlin.
pub async fn fortnight(desk: &mut Desk) {
    let mut dice = Dice(42);
    let start = desk.now();
    for day in 0..DAYS {
        let is_weekend = day % 7 >= 5;
        for hour in 7..20 {
            let calls = calls(&mut dice, hour, is_weekend);
            desk.wait_until(start + (day * 24 + hour) * HOUR);
            shift(desk, &mut dice, calls, day).await;
        }
        if day % 3 == 1 {
            desk.wait_until(start + (day * 24 + 23) * HOUR);
            let night = dice.below(5) + 2;
            person(desk, &mut dice, 1, night, day).await;
        }
        events(desk, day).await;
    }
}

/// How much is done in an hour of the day.
fn calls(dice: &mut Dice, hour: i64, is_weekend: bool) -> u64 {
    let usual = [2, 9, 22, 27, 24, 11, 16, 26, 24, 17, 9, 4, 2][usize::try_from(hour - 7).unwrap()];
    if is_weekend {
        dice.below(3)
    } else {
        usual / 2 + dice.below(usual)
    }
}

/// An hour, of one or two people.
async fn shift(desk: &mut Desk, dice: &mut Dice, calls: u64, day: i64) {
    let first = dice.below(6);
    let other = dice.below(6);
    person(desk, dice, first, calls * 2 / 3, day).await;
    person(desk, dice, other, calls / 3, day).await;
}

async fn person(desk: &mut Desk, dice: &mut Dice, who: u64, calls: u64, day: i64) {
    if calls == 0 {
        return;
    }
    let (name, roles, host, habit) = PEOPLE[usize::try_from(who).unwrap()];
    desk.sign_in(name, roles, host).await;
    for _ in 0..calls {
        desk.wait_until(desk.now() + i64::try_from(dice.below(60_000) + 8_000).unwrap());
        let tool = choice(dice, habit);
        one(desk, dice, tool).await;
    }
    // Once, an agent of Ben's goes through every table.
    if who == 1 && day == 9 {
        for _ in 0..74 {
            one(desk, dice, 2).await;
            desk.wait_until(desk.now() + 600);
        }
    }
    // In the second week support finds a new tool.
    if who == 4 && day >= 8 {
        one(desk, dice, 12).await;
    }
}

fn choice(dice: &mut Dice, habit: &[(usize, usize)]) -> usize {
    let all: usize = habit.iter().map(|(_, weight)| weight).sum();
    let mut left = usize::try_from(dice.below(u64::try_from(all).unwrap())).unwrap();
    for (tool, weight) in habit {
        if left < *weight {
            return *tool;
        }
        left -= weight;
    }
    habit[0].0
}

async fn one(desk: &Desk, dice: &mut Dice, tool: usize) {
    let (server, tool, usual, failing, arguments) = TOOLS[tool];
    // Mostly near the usual, sometimes far above it.
    let slow = if dice.below(20) == 0 { 4 } else { 1 };
    let duration = usual / 2 + dice.below(usual + 1) * slow;
    let status = match dice.below(1000) {
        n if n < failing => OutcomeStatus::Error,
        999 => OutcomeStatus::Unknown,
        _ => OutcomeStatus::Success,
    };
    let answer = match status {
        OutcomeStatus::Success => r#"{"content":[{"type":"text","text":"ok"}]}"#,
        OutcomeStatus::Error => {
            r#"{"content":[{"type":"text","text":"upstream timed out"}],"isError":true}"#
        }
        OutcomeStatus::Unknown => "the connection was lost before an answer came",
    };
    let ask = Ask {
        server,
        tool,
        arguments,
        took: i64::try_from(duration).unwrap(),
        status,
        answer,
    };
    desk.ask(&ask).await;
}

async fn events(desk: &Desk, day: i64) {
    if day == 4 {
        let server = ServerName::parse("crm").unwrap();
        let which = "export_contacts".into();
        let what = Definitions::Changed;
        desk.note(Event::Definitions {
            server,
            what,
            which,
        })
        .await;
    }
    if day == 0 || day == 7 {
        let (digest, file) = ("sha256:5f3c".into(), "mcp-policies.yaml".into());
        desk.note(Event::PolicyLoaded {
            digest,
            file,
            error: None,
        })
        .await;
    }
    let agent = std::sync::Arc::new(Agent {
        name: "claude-desktop/1.4.2".into(),
    });
    desk.note(Event::Started { agent }).await;
}
