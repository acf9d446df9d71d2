//! A server that says what no revision knows: what comes of it is the same, byte for byte, straight and
//! through the program, for hosts and servers that keep sessions and for those that do not.
//!
//! What differs on purpose is named here: exposed names, the members and codes in which two revisions
//! differ, and line breaks between JSON tokens, which no line can hold.

#[path = "strange/answers.rs"]
mod answers;
#[path = "strange/compare.rs"]
mod compare;
#[path = "strange/server.rs"]
mod server;
#[path = "strange/text.rs"]
mod text;
#[path = "strange/ways.rs"]
mod ways;

use serde_json::json;

use self::answers::Answer;
use self::compare::{assert_outcome, assert_seen};
use self::server::{Era, Strange};
use self::text::{items, member, members, replaced, string};
use self::ways::{Direct, Through};
use crate::world::World;
use crate::world::parts::{Provider, Server};

const POLICY: &str = r#"
version: "1.0"
policies:
  - name: "all"
    servers: ["*"]
    roles: ["*"]
"#;

/// Somebody who may use the strange server.
struct Stage {
    world: World,
    server: Strange,
    _provider: Provider,
}

impl Stage {
    async fn of(era: Era) -> Self {
        let mut world = World::new();
        world.keychain().await;
        let provider = world.provider(json!({})).await;
        let server = Strange::start(era).await;
        provider.add_resource(&server.url).await;
        let configured = Server::new(server.url.clone(), "strange");
        world.configure(&provider, &[&configured], "");
        world.write_policy(POLICY);
        let (page, output) = world.sign_in("alice").await;
        assert_eq!(
            (page.status, output.status.code()),
            (200, Some(0)),
            "{output:?}"
        );
        Self {
            world,
            server,
            _provider: provider,
        }
    }

    /// A host that has seen the tools, and a client of the server itself.
    async fn ways(&self, era: Era) -> (Direct<'_>, Through) {
        let direct = Direct::open(&self.server).await;
        let mut through = Through::open(&self.world, era).await;
        loop {
            let params = through.params("", "");
            let (_, list) = through.ask("tools/list", &params).await;
            if list.contains("strange__plain") {
                return (direct, through);
            }
            through.changed().await;
        }
    }
}

#[tokio::test]
async fn what_a_strange_server_with_sessions_says_arrives_untouched() {
    everything(Era::Sessions).await;
}

#[tokio::test]
async fn what_a_strange_server_without_sessions_says_arrives_untouched() {
    everything(Era::Alone).await;
}

async fn everything(server: Era) {
    let stage = Stage::of(server).await;
    // The first host sees lists of the server, the second those of the disk.
    for host in [Era::Sessions, Era::Alone] {
        let (direct, mut through) = stage.ways(host).await;
        lists(&direct, &mut through).await;
        for tool in answers::tools() {
            call(&stage, &direct, &mut through, tool).await;
        }
        for (method, names) in OTHERS {
            other(&stage, &direct, &mut through, method, names).await;
        }
        own_tool(&stage, &direct, &mut through).await;
        question(&stage, &mut through).await;
        if (server, host) == (Era::Sessions, Era::Sessions) {
            unasked(&mut through).await;
        }
        through.close().await;
    }
}

async fn lists(direct: &Direct<'_>, through: &mut Through) {
    for (method, key, named) in [
        ("tools/list", "tools", true),
        ("prompts/list", "prompts", true),
        ("resources/list", "resources", false),
        ("resources/templates/list", "resourceTemplates", false),
    ] {
        let mut offered = Vec::new();
        for cursor in ["", r#""cursor":"2""#]
            .iter()
            .take(answers::list(method).len())
        {
            let page = direct.ask(method, &direct.params(cursor, "")).await;
            offered.extend(items(&member(&page.outcome.1, key).expect("a list")));
        }
        let params = through.params("", "");
        let (_, list) = through.ask(method, &params).await;
        let mut shown = items(&member(&list, key).expect("a list"));
        shown.retain(|item| !item.contains("\"chaperone__"));
        assert_eq!(offered.len(), shown.len(), "{method}: {list}");
        for (offered, shown) in offered.iter().zip(&shown) {
            let expected = if named {
                renamed(offered, shown)
            } else {
                offered.clone()
            };
            assert_eq!(&expected, shown, "{method}");
        }
    }
}

/// The definition under the name that hosts see.
fn renamed(offered: &str, shown: &str) -> String {
    let name = |text: &str| string(&member(text, "name").expect("a name"));
    let (own, exposed) = (name(offered), name(shown));
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if own.chars().all(plain) {
        assert_eq!(exposed, format!("strange__{own}"));
    }
    assert!(
        exposed.starts_with("strange__") && exposed.chars().all(plain),
        "{exposed}"
    );
    replaced(offered, "name", &format!("\"{exposed}\""))
}

const TOKEN: &str = r#""a\/b":[1e400],"progressToken":"\u0074\/1""#;

async fn call(stage: &Stage, direct: &Direct<'_>, through: &mut Through, tool: &str) {
    let Answer { told, .. } = answers::tool(tool);
    let rest = format!(
        r#""arguments" : {},{}"#,
        answers::arguments(),
        answers::params()
    );
    let own = format!(r#""name":"{tool}",{rest}"#);
    let straight = direct.ask("tools/call", &direct.params(&own, TOKEN)).await;
    let sent = stage.server.seen("tools/call");
    let exposed = format!(r#""name":"strange__{tool}",{rest}"#);
    let params = through.params(&exposed, TOKEN);
    let outcome = through.ask("tools/call", &params).await;
    assert_seen(stage.server.era, &sent, &stage.server.seen("tools/call"));
    assert_outcome(
        "tools/call",
        stage.server.era,
        through.era,
        &straight,
        &outcome,
    );
    assert_eq!(straight.told.len(), told.len(), "{tool}");
    let mut told = through.told(told.len()).await;
    // Progress and what is for everybody go different ways.
    told.sort();
    let mut wanted = straight.told;
    wanted.sort();
    assert_eq!(told, wanted, "{tool}");
}

/// Requests other than calls: what they name straight and through the program.
const OTHERS: [(&str, [&str; 2]); 6] = [
    (
        "prompts/get",
        [r#""name":"prompt""#, r#""name":"strange__prompt""#],
    ),
    ("resources/read", [r#""uri":"\u0061:1""#; 2]),
    ("resources/read", [r#""uri":"a:missing""#; 2]),
    ("resources/read", [r#""uri":"a:missing-now""#; 2]),
    (
        "completion/complete",
        [
            r#""ref":{"x":1e400,"type":"ref\/prompt","name":"prompt"}"#,
            r#""ref":{"x":1e400,"type":"ref\/prompt","name":"strange__prompt"}"#,
        ],
    ),
    (
        "completion/complete",
        [r#""ref":{"type":"ref/resource" , "uri":"\u0061:t\/{x}","x":[]}"#; 2],
    ),
];

async fn other(
    stage: &Stage,
    direct: &Direct<'_>,
    through: &mut Through,
    method: &str,
    [own, exposed]: [&str; 2],
) {
    for meta in ["", r#""a\/b":[1e400]"#] {
        let rest = format!(
            r#""arguments":{},{}"#,
            answers::arguments(),
            answers::params()
        );
        let straight = direct.params(&format!("{own},{rest}"), meta);
        let straight = direct.ask(method, &straight).await;
        let sent = stage.server.seen(method);
        let params = through.params(&format!("{exposed},{rest}"), meta);
        let outcome = through.ask(method, &params).await;
        assert_seen(stage.server.era, &sent, &stage.server.seen(method));
        assert_outcome(method, stage.server.era, through.era, &straight, &outcome);
    }
}

/// A call through the tool that hosts use which do not know the name.
async fn own_tool(stage: &Stage, direct: &Direct<'_>, through: &mut Through) {
    let arguments = answers::arguments();
    let own = format!(r#""name":"plain","arguments":{arguments}"#);
    let straight = direct.ask("tools/call", &direct.params(&own, "")).await;
    let inner = format!(r#"{{"name":"strange__plain","arguments":{arguments}}}"#);
    let own = format!(r#""name":"chaperone__call_tool","arguments":{inner}"#);
    let params = through.params(&own, "");
    let outcome = through.ask("tools/call", &params).await;
    let seen = member(&stage.server.seen("tools/call"), "arguments");
    assert_eq!(seen.as_deref(), Some(&*arguments));
    assert_outcome(
        "tools/call",
        stage.server.era,
        through.era,
        &straight,
        &outcome,
    );
}

/// What the server asks, and what the host says to it.
async fn question(stage: &Stage, through: &mut Through) {
    let (asked, reply) = (answers::question(), answers::reply());
    let call = r#""name":"strange__ask","arguments":{}"#;
    let params = through.params(call, "");
    if through.era == Era::Sessions {
        let call = through.send("tools/call", &params).await;
        let (id, question) = through.question().await;
        assert_eq!(question, asked);
        let answer = format!(r#"{{"x":1e400,"result":{reply},"jsonrpc":"2.0","id":{id}}}"#);
        through.write(&answer).await;
        through.outcome(&call).await;
    } else {
        let (_, result) = through.ask("tools/call", &params).await;
        let requests = member(&result, "inputRequests").expect("questions");
        let requests = members(&requests).expect("a map");
        let (key, request) = requests.first().expect("one");
        assert_eq!(member(request, "params"), Some(asked));
        let given = member(&result, "requestState").expect("a state");
        let again = format!(r#"{call},"requestState":{given},"inputResponses":{{{key}:{reply}}}"#);
        let params = through.params(&again, "");
        through.ask("tools/call", &params).await;
    }
    assert_eq!(stage.server.replied(), reply);
}

/// What is told on the server's own stream.
async fn unasked(through: &mut Through) {
    let params = through.params(r#""name":"strange__unasked""#, "");
    through.ask("tools/call", &params).await;
    let (method, params) = answers::unasked();
    assert_eq!(through.told(1).await, [(method.to_owned(), params)]);
}
