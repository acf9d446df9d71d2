use super::*;

fn batch(records: &[&str], head: Option<&str>) -> Batch {
    Batch {
        log_id: "a-log".into(),
        size: 9,
        from: 0,
        head: head.map(Into::into),
        records: records
            .iter()
            .zip(7..)
            .map(|(json, seq)| Spooled {
                seq,
                json: (*json).into(),
            })
            .collect(),
        is_full: false,
    }
}

fn shown(attributes: &[KeyValue]) -> Vec<String> {
    let value = |value: &AnyValue| match value.value.as_ref().unwrap() {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::ArrayValue(list) => format!("{} values", list.values.len()),
        Value::BoolValue(_)
        | Value::DoubleValue(_)
        | Value::KvlistValue(_)
        | Value::BytesValue(_)
        | Value::StringValueStrindex(_) => panic!("not part of the mapping"),
    };
    attributes
        .iter()
        .map(|attribute| {
            format!(
                "{}={}",
                attribute.key,
                value(attribute.value.as_ref().unwrap())
            )
        })
        .collect()
}

const REFUSED: &str = r#"{"id":"i","seq":7,"timestamp":"2026-11-21T10:00:00.250Z","kind":"refusal","request_id":"r","user_id":"a@b","subject":"s","roles":["x"],"agent_id":"host/1","server":"db","tool_name":"drop","method":"tools/call","tool_args":{"a":1e400},"decision":"deny","policy":"p","policy_digest":"sha256:00","reason":"denied","outcome":"denied","trace_id":"0af7651916cd43dd8448eb211c80319c"}"#;

#[test]
fn a_record_is_mapped_as_documented() {
    let request = request(&batch(&[REFUSED], Some("note")));
    let request = ExportLogsServiceRequest::decode(&*request).unwrap();
    let logs = &request.resource_logs[0];
    let about = shown(&logs.resource.as_ref().unwrap().attributes);
    assert!(about.contains(&"service.name=chaperone".to_owned()));
    assert!(about.contains(&"chaperone.audit.log_id=a-log".to_owned()));
    assert!(about.contains(&"chaperone.audit.checkpoint=note".to_owned()));
    let scope = logs.scope_logs[0].scope.as_ref().unwrap();
    assert_eq!((&*scope.name, &*scope.version), ("chaperone.audit", "1"));
    let record = &logs.scope_logs[0].log_records[0];
    assert_eq!(record.time_unix_nano, 1_795_255_200_250_000_000);
    assert_eq!(record.severity_text, "WARN");
    assert_eq!(record.event_name, "chaperone.audit.refusal");
    assert_eq!(record.trace_id.len(), 16);
    let body = record.body.as_ref().unwrap().value.as_ref().unwrap();
    assert_eq!(body, &Value::StringValue(REFUSED.to_owned()));
    let attributes = shown(&record.attributes);
    assert_eq!(
        attributes[..attributes.len() - 1],
        [
            "log.record.uid=i",
            "chaperone.audit.kind=refusal",
            "mcp.method.name=tools/call",
            "gen_ai.operation.name=execute_tool",
            "gen_ai.tool.name=drop",
            "user.id=s",
            "user.name=a@b",
            "chaperone.agent=host/1",
            "chaperone.server=db",
            "chaperone.request_id=r",
            "chaperone.decision=deny",
            "chaperone.policy.name=p",
            "chaperone.policy.digest=sha256:00",
            "chaperone.reason=denied",
            "chaperone.outcome=denied",
            "chaperone.audit.seq=7",
        ]
    );
    assert_eq!(record.attributes.last().unwrap().key, "user.roles");
}

#[test]
fn failures_say_what_kind_they_are_of() {
    let of = |more: &str| {
        let json = format!(r#"{{"kind":"outcome","method":"tools/call","outcome":"error"{more}}}"#);
        let request = request(&batch(&[&json], None));
        let request = ExportLogsServiceRequest::decode(&*request).unwrap();
        let record = request.resource_logs[0].scope_logs[0].log_records[0].clone();
        assert_eq!(record.severity_text, "ERROR");
        shown(&record.attributes)
    };
    assert!(of(r#","is_error":true"#).contains(&"error.type=tool_error".to_owned()));
    let coded = of(r#","rpc_error":-32602,"http_status":200,"duration_ms":5"#);
    for wanted in [
        "error.type=-32602",
        "rpc.response.status_code=-32602",
        "http.response.status_code=200",
        "chaperone.duration_ms=5",
    ] {
        assert!(coded.contains(&wanted.to_owned()), "{coded:?}");
    }
}

#[test]
fn a_partial_success_is_none() {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsPartialSuccess;
    let answer = |rejected_log_records| {
        let partial_success = Some(ExportLogsPartialSuccess {
            rejected_log_records,
            error_message: "no".to_owned(),
        });
        ExportLogsServiceResponse { partial_success }.encode_to_vec()
    };
    assert_eq!(judge(b""), Delivery::Taken);
    assert_eq!(judge(&answer(0)), Delivery::Taken);
    assert_eq!(
        judge(&answer(2)),
        Delivery::Refused("2 records refused: no".to_owned())
    );
}
