//! What servers with sessions ask in the middle of a call.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use super::fake::*;
use crate::upstream::{Along, Asides, Notice, Question, UpstreamError};
use crate::wire::{Abilities, Raw};

const ASK: &str = r#"data: {"jsonrpc":"2.0","id":"q1","method":"elicitation/create","params":{"message":"Who?"}}"#;

/// A server that asks, and answers the call when somebody says so.
fn asking(more: &str, goes: &Arc<Notify>) -> impl Fn(&Seen) -> Option<Reply> + use<> {
    let (first, goes) = (format!("{ASK}\n\n{more}"), Arc::clone(goes));
    move |seen| {
        (seen.method() == "tools/call").then(|| {
            let mut reply = stream(&first);
            reply.push(Step::Await(Arc::clone(&goes)));
            reply.push(Step::Send(event(seen, r#"{"content":[]}"#).into()));
            closed(reply)
        })
    }
}

fn able(world: &World) -> Along {
    let abilities = Abilities::of(&Raw::parse(r#"{"elicitation":{}}"#).unwrap());
    world.upstream.serve(&abilities);
    Along {
        abilities,
        ..Along::default()
    }
}

async fn asked(world: &mut World) -> Question {
    loop {
        if let Notice::Asked(_, question) = world.notice().await {
            return question;
        }
    }
}

/// What the server got in answer to its question.
async fn replies(fake: &Fake) -> String {
    let got = fake
        .wait_until(|seen| seen.body.contains(r#""id":"q1""#))
        .await;
    got.body
}

#[tokio::test]
async fn a_question_is_put_and_its_answer_passed_on_as_it_is() {
    let goes = Arc::new(Notify::new());
    let fake = Fake::start(asking("", &goes)).await;
    let mut world = World::of(&fake);
    let along = able(&world);
    let upstream = world.upstream.clone();
    let calling = upstream.send(call(), None, along);
    let answering = async {
        let question = asked(&mut world).await;
        assert_eq!(&*question.method, "elicitation/create");
        assert_eq!(
            question.params.as_ref().unwrap().get(),
            r#"{"message":"Who?"}"#
        );
        question.answer(Ok(Raw::parse(r#"{"n":1e400}"#).unwrap()));
        let reply = replies(&fake).await;
        goes.notify_one();
        reply
    };
    let (answer, reply) = tokio::join!(calling, answering);
    assert!(answer.outcome.unwrap().is_ok());
    assert_eq!(reply, r#"{"jsonrpc":"2.0","id":"q1","result":{"n":1e400}}"#);
    let hello = fake.of("initialize").pop().unwrap();
    assert!(hello.body.contains(r#""capabilities":{"elicitation":{}}"#));
}

#[tokio::test]
async fn whoever_follows_the_request_hears_its_question() {
    let goes = Arc::new(Notify::new());
    let fake = Fake::start(asking("", &goes)).await;
    let world = World::of(&fake);
    let (asked, mut questions) = mpsc::unbounded_channel();
    let (told, _hears) = Asides::new(None);
    let along = Along {
        asides: Some(told.asking(asked)),
        ..able(&world)
    };
    let answering = async {
        // Dropped, it is answered with an error.
        drop(questions.recv().await.unwrap());
        let reply = replies(&fake).await;
        goes.notify_one();
        reply
    };
    let (answer, reply) = tokio::join!(world.upstream.send(call(), None, along), answering);
    assert!(answer.outcome.unwrap().is_ok());
    assert!(reply.contains(r#""id":"q1","error""#), "{reply}");
}

#[tokio::test]
async fn a_question_that_is_withdrawn_is_answered_no_more() {
    let goes = Arc::new(Notify::new());
    let withdrawn = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":\"q1\"}}\n\n";
    // Once it is open; events that come together are heard one after the other.
    let fake = Fake::start(asking("", &goes)).await;
    let mut world = World::of(&fake);
    let along = able(&world);
    let upstream = world.upstream.clone();
    let answering = async {
        let question = asked(&mut world).await;
        goes.notify_one();
        question
    };
    let (answer, mut question) = tokio::join!(upstream.send(call(), None, along), answering);
    assert!(answer.outcome.is_ok());
    let fake_stream = Fake::start(move |seen| {
        (seen.method() == "tools/call").then(|| {
            let text = format!("{ASK}\n\n{withdrawn}{}", event(seen, "{}"));
            closed(stream(&text))
        })
    })
    .await;
    let mut other = World::of(&fake_stream);
    let along = able(&other);
    assert!(
        other
            .upstream
            .send(call(), None, along)
            .await
            .outcome
            .is_ok()
    );
    let mut gone = asked(&mut other).await;
    gone.withdrawn().await;
    assert!(gone.is_withdrawn() && !question.is_withdrawn());
    // The end of the session ends what is open in it.
    world.upstream.close().await;
    question.withdrawn().await;
}

#[tokio::test]
async fn a_server_that_waits_for_a_person_is_not_silent() {
    let goes = Arc::new(Notify::new());
    let fake = Fake::start(asking("", &goes)).await;
    let mut short = config(fake.address);
    short.call_timeout = Duration::from_millis(300);
    let mut world = World::with(short, []);
    let along = able(&world);
    let upstream = world.upstream.clone();
    let sent = upstream.send(call(), None, along);
    let answering = async {
        let question = asked(&mut world).await;
        // Longer than the server itself would have; somebody thinks.
        tokio::time::sleep(Duration::from_millis(700)).await;
        question.answer(Err(Raw::empty_object()));
        replies(&fake).await;
    };
    let (answer, ()) = tokio::join!(sent, answering);
    // From then on it is the server's time again.
    let error = answer.outcome.unwrap_err();
    assert!(matches!(error, UpstreamError::Silent(_)), "{error}");
}

#[tokio::test]
async fn a_server_that_asks_for_ever_gets_no_more_answers() {
    let goes = Arc::new(Notify::new());
    // A thousand questions, each once the one before it has been answered.
    let fake = Fake::start(move |seen| {
        if seen.method() != "tools/call" {
            if seen.body.contains(r#""id":"q"#) {
                goes.notify_one();
            }
            return None;
        }
        let mut reply = stream("");
        for nth in 0..1000 {
            let ask = ASK.replace("q1", &format!("q{nth}"));
            reply.push(Step::Send(format!("{ask}\n\n").into()));
            reply.push(Step::Await(Arc::clone(&goes)));
        }
        reply.push(Step::Send(event(seen, "{}").into()));
        Some(closed(reply))
    })
    .await;
    let mut world = World::of(&fake);
    let along = able(&world);
    let upstream = world.upstream.clone();
    let mut put = 0;
    let answering = async {
        loop {
            asked(&mut world).await.answer(Ok(Raw::empty_object()));
            put += 1;
        }
    };
    let answer = tokio::select! {
        answer = upstream.send(call(), None, along) => answer,
        () = answering => unreachable!(),
    };
    assert!(answer.outcome.unwrap().is_ok());
    assert_eq!(put, 100);
    let replies = fake.seen();
    let refused = replies.iter().filter(|seen| seen.body.contains("-32601"));
    assert_eq!(refused.count(), 900);
}

#[tokio::test]
async fn what_the_host_cannot_do_is_not_put_to_it() {
    let goes = Arc::new(Notify::new());
    let fake = Fake::start(asking("", &goes)).await;
    let world = World::of(&fake);
    let answering = async {
        let reply = replies(&fake).await;
        goes.notify_one();
        reply
    };
    let (answer, reply) = tokio::join!(
        world.upstream.send(call(), None, Along::default()),
        answering
    );
    assert!(answer.outcome.is_ok());
    assert!(reply.contains("-32601"), "{reply}");
    // A host that turns out to be able to is told of in a session of its own.
    let along = able(&world);
    goes.notify_one();
    world.upstream.send(call(), None, along).await;
    assert_eq!(fake.of("initialize").len(), 2);
}
