//! What the strange server says, as it is on the wire. `@` stands for members that no revision knows,
//! `#` for a value that few readers keep as it is.

/// Members of no revision; a key that is spelled in an odd way, and one that imitates another.
const MEMBERS: &str =
    r#""x-future":#,"\u0078-\/odd" : [ ],"Content":{"name":"not a name","uri":"not:a-uri"}"#;
/// Numbers that no machine has, a character in many spellings, half a surrogate pair.
const VALUE: &str = "[10000000000000000000000,1e22,-0,0.10,1E+2,1e-400,123456789012345678901234567890,\
    \"\\u00e9\\/\\\"\\u0041\u{e9}\\ud83d\\ude00\u{1f600} \\ud800 \\u0000 \\u202e\u{2028}\u{7f}\",{\"\":{\"\":null}}]";
/// The same for what lists and questions show, where characters that cannot be seen are taken out.
const SHOWN: &str = "[10000000000000000000000,1e22,-0,0.10,1E+2,1e-400,\
    \"\\u00e9\\/\\\"\\u0041\u{e9}\\ud83d\\ude00\u{1f600}\",{\"\":{\"\":null}}]";

/// A text with what its placeholders stand for.
fn filled(text: &str, value: &str) -> String {
    text.replace('@', MEMBERS).replace('#', value)
}

/// How an answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As JSON with this status.
    Json(u16),
    /// As a stream of events.
    Events,
}

/// What a request is answered with.
#[derive(Debug, Clone)]
pub struct Answer {
    pub manner: Manner,
    /// Method and parameters of what is told before; `$` stands for the token of the request.
    pub told: Vec<(&'static str, String)>,
    /// `result` or `error`, and its value.
    pub outcome: (&'static str, String),
}

fn result(text: &str) -> Answer {
    Answer {
        manner: Manner::Json(200),
        told: Vec::new(),
        outcome: ("result", filled(text, VALUE)),
    }
}

fn error(status: u16, text: &str) -> Answer {
    Answer {
        manner: Manner::Json(status),
        told: Vec::new(),
        outcome: ("error", filled(text, VALUE)),
    }
}

fn events(text: &str, told: &[(&'static str, &str)]) -> Answer {
    let filled_in = |(method, params): &(&'static str, &str)| (*method, filled(params, VALUE));
    Answer {
        manner: Manner::Events,
        told: told.iter().map(filled_in).collect(),
        ..result(text)
    }
}

/// Results and errors of tools; the names are those of the tools.
const RESULTS: [(&str, &str); 16] = [
    (
        "plain",
        r#"{"content":[{"type":"text","text":"é\/","annotations":{@},@}],"isError":false,@}"#,
    ),
    (
        "kinds",
        r#"{"content":[{"type":"hologram","rays":#,@},{@},7,null,"text",[[]],{"type":"resource","resource":{"uri":"a:b","blob":"AA==","text":"both",@}},{"type":"resource_link","uri":"a:b","name":"n",@}],@}"#,
    ),
    (
        "array",
        r#"{"content":[],"structuredContent":[1e22,{@},#]}"#,
    ),
    (
        "scalar",
        r#"{"structuredContent":10000000000000000000000,"content":[]}"#,
    ),
    ("nothing", "{}"),
    ("bare", r#"{"structuredContent":{"n":1e400,@}}"#),
    (
        "failed",
        r#"{"isError":true,"content":[{"type":"text","text":"no"}],"errorCode":#}"#,
    ),
    (
        "lists",
        r#"{"tools":[{"name":"plain"}],"nextCursor":"7","content":null}"#,
    ),
    (
        "typed",
        r#"{"resultType":"complete","content":[],"_meta":{"a/b":#},"ttlMs":1e3,"cacheScope":"odd",@}"#,
    ),
    (
        "blanks",
        "{ \"content\" :\t[\n  {\"type\" : \"text\", \"text\":\"a\\nb\"} ] ,\r\n\"x\" : # }",
    ),
    (
        "twice",
        r#"{"content":[],"content":[{"type":"text","text":"second"}],"resultType":"complete"}"#,
    ),
    ("row", "[1,#]"),
    ("word", r#""\u0077ord""#),
    ("none", "null"),
    ("number", "1e400"),
    (
        "imitation",
        r#"{"content":[],"ResultType":"complete","_Meta":#,"_meta":{@}}"#,
    ),
];

const ERRORS: [(&str, u16, &str); 5] = [
    (
        "refused",
        200,
        r#"{"code":-31999,"message":"\u006eo\/","data":#,@}"#,
    ),
    (
        "refused_400",
        400,
        r#"{@,"code":-32602,"message":"bad","data":null}"#,
    ),
    (
        "refused_500",
        500,
        r#"{"message":"broken","code":1e2,"data":{@}}"#,
    ),
    ("lettered", 200, r#"{"code":"E42","message":7}"#),
    ("wordless", 200, "{ }"),
];

const PROGRESS: [(&str, &str); 3] = [
    (
        "notifications/progress",
        r#"{"progressToken":$,"progress":1e-1,"total":10000000000000000000000,"message":"\u00e9",@}"#,
    ),
    (
        "notifications/progress",
        r#"{@,"progress":"half","progressToken":$ , "_meta":{"a":#}}"#,
    ),
    (
        "notifications/progress",
        r#"{"progress":1,"progressToken":$}"#,
    ),
];
const LOGS: [(&str, &str); 2] = [
    (
        "notifications/message",
        r#"{"level":"error","logger":"\u0061","data":#,@}"#,
    ),
    (
        "notifications/message",
        r#"{"data":null,"level":"emergency","_meta":{@}}"#,
    ),
];
const UNKNOWN: [(&str, &str); 2] = [
    (
        "notifications/strange/thing",
        r#"{"name":"a","uri":"b:c","requestId":1,@}"#,
    ),
    ("strange", r#"{"_meta":{"x":#}}"#),
];

/// The answer to a call of a tool that asks for nothing.
pub fn tool(name: &str) -> Answer {
    if let Some((_, text)) = RESULTS.iter().find(|(known, _)| *known == name) {
        return result(text);
    }
    if let Some((_, status, text)) = ERRORS.iter().find(|(known, ..)| *known == name) {
        return error(*status, text);
    }
    match name {
        "progress" => events(r#"{"content":[],@}"#, &PROGRESS),
        "logs" => events(r#"{"content":[],@}"#, &LOGS),
        "unknown" => events(r#"{"content":[],@}"#, &UNKNOWN),
        "split" => events("{\"content\"\n:\n[ ],\"x\":\n#}", &[]),
        "deep" => result(&format!("{{\"x\":{}{}}}", "[".repeat(200), "]".repeat(200))),
        "large" => result(&format!(
            "{{\"content\":[{}]}}",
            vec!["#"; 3000].join(" , ")
        )),
        _ => result(r#"{"content":[]}"#),
    }
}

/// All tools that ask for nothing.
pub fn tools() -> Vec<&'static str> {
    let named = ["progress", "logs", "unknown", "split", "deep", "large"];
    let results = RESULTS.iter().map(|(name, _)| *name);
    let errors = ERRORS.iter().map(|(name, ..)| *name);
    results.chain(errors).chain(named).collect()
}

/// The answer to any other request than a call.
pub fn other(method: &str, asked: &str) -> Answer {
    match (method, asked) {
        ("prompts/get", _) => result(
            r#"{"messages":[{"role":"oracle","content":{"type":"hologram",@},@}],"description":"\u0064",@}"#,
        ),
        ("completion/complete", _) => result(
            r#"{"completion":{"values":["\u0061",7],"total":10000000000000000000000,"hasMore":"perhaps",@},@}"#,
        ),
        ("resources/read", "a:missing") => error(
            200,
            r#"{"code":-32002,"message":"no\/","data":{"uri":"a:missing",@},@}"#,
        ),
        ("resources/read", "a:missing-now") => error(
            200,
            r#"{"code":-32602,"message":"no\/","data":{"uri":"a:missing-now",@},@}"#,
        ),
        ("resources/read", _) => {
            result(r#"{"contents":[{"uri":"\u0061:1","text":"t","blob":7,@},#],@}"#)
        }
        _ => error(200, r#"{"code":-32601,"message":"unknown"}"#),
    }
}

/// The pages of a list.
pub fn list(method: &str) -> Vec<Vec<String>> {
    let shown = |text: &&str| filled(text, SHOWN);
    let all = |texts: &[&str]| vec![texts.iter().map(shown).collect::<Vec<_>>()];
    match method {
        "tools/list" => tool_list(),
        "prompts/list" => all(&[
            r#"{"arguments":[{"name":"a","required":"maybe",@}],@,"name":"prompt","icons":#}"#,
            r#"{ "name" : "\u0070lain" }"#,
        ]),
        "resources/list" => all(&[
            r#"{"uri":"a:1","name":"n","size":10000000000000000000000,"annotations":{"audience":#,@},@}"#,
            r#"{ "name":7, "uri":"a:\u0032\/" }"#,
            r#"{"uri":"a:missing"}"#,
            r#"{"uri":"a:missing-now"}"#,
        ]),
        "resources/templates/list" => {
            all(&[r#"{@,"uriTemplate":"a:t\/{x}","name":"t","_meta":#}"#])
        }
        _ => Vec::new(),
    }
}

/// The definitions of tools whose names are left out.
const TOOLS: [&str; 4] = [
    r#"{"name":"%","title":#,"inputSchema":{"type":"object","properties":{"name":{"type":"string","default":#}},"x":1e400},"outputSchema":true,"execution":{"taskSupport":"optional",@},"annotations":{"readOnlyHint":"no",@},@}"#,
    r#"{ "inputSchema" : { "type":"object" } , "description":"\u0064\t\/", "_meta":{"a/b":#}, "icons":[#] , "name" : "%" }"#,
    r#"{"inputSchema":{"$ref":"\u0023\/x"},"name":"%"}"#,
    r#"{"description":#,"name":"%",@,"inputSchema":7}"#,
];

/// Two pages; names of which hosts see another spelling are on the second.
fn tool_list() -> Vec<Vec<String>> {
    let definition =
        |(nth, name): (usize, &&str)| filled(TOOLS[nth % TOOLS.len()], SHOWN).replace('%', name);
    let first = tools().iter().enumerate().map(definition).collect();
    let odd = ["ask", "echo", "unasked", "\\u006fdd/näme.v2"];
    let second = odd.iter().enumerate().map(definition).collect();
    vec![first, second]
}

/// The parameters of a question, and its answer.
pub fn question() -> String {
    filled(
        r#"{"message":"\u0057ho?","requestedSchema":{"type":"object","properties":{},"x":#},"_meta":{"a/b":#},@}"#,
        SHOWN,
    )
}

/// What a host says to it.
pub fn reply() -> String {
    filled(
        r#"{"action":"accept","content":{"n":#,@},"_meta":{"b/c":1e400},@}"#,
        VALUE,
    )
}

/// Parameters beside those that a request must have.
pub fn params() -> String {
    filled("@", VALUE)
}

/// Arguments of a call.
pub fn arguments() -> String {
    filled(
        r#"{ "n" : # ,"\u0061rg":1.50,"name":"x","_meta":{},@}"#,
        VALUE,
    )
}

/// What is told on the server's own stream.
pub fn unasked() -> (&'static str, String) {
    ("notifications/strange/unasked", filled("{@}", VALUE))
}
