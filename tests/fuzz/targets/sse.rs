//! Events are those of the standard, in whatever pieces a connection comes, and bounded.

#![no_main]

use chaperone::fuzzing::Events;
use chaperone_fuzz::events::Stream;
use chaperone_fuzz::pieces::Input;
use libfuzzer_sys::fuzz_target;

/// Where a connection breaks and is taken up again.
const BREAK: u8 = 0x1e;

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::of(data) else { return };
    let limit = usize::from(input.number) + 1;
    let (mut events, mut bounded) = (Events::new(1 << 30), Events::new(limit));
    let mut stream = Stream::default();
    for bytes in input.bytes.split(|byte| *byte == BREAK) {
        let expected = stream.hear(bytes);
        let heard = events.hear(&input.cut(bytes));
        assert_eq!(heard.events, expected.events);
        assert!(!heard.too_large);
        assert_eq!(events.last_id(), stream.last_id.as_deref());
        assert_eq!(events.retry(), stream.retry);

        let heard = bounded.hear(&input.cut(bytes));
        assert!(heard.events.iter().all(|data| data.len() <= limit));
        if heard.too_large {
            assert!(expected.largest > limit, "{} {limit}", expected.largest);
            assert!(expected.events.starts_with(&heard.events));
        } else {
            assert_eq!(heard.events, expected.events);
        }
    }
});
