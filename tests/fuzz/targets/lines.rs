//! Lines are those of the whole input, in whatever pieces it comes.

#![no_main]

use chaperone_fuzz::pieces::Input;
use libfuzzer_sys::fuzz_target;

/// Limits around the length of the lines that are tried.
const LIMITS: [usize; 4] = [0, 7, 64, 1 << 20];

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::of(data) else { return };
    for limit in LIMITS {
        let limit = limit + usize::from(input.number);
        let found = chaperone::fuzzing::lines(&input.cut(input.bytes), limit);
        let expected: Vec<_> = input
            .bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| line.len() > limit || !line.trim_ascii().is_empty())
            .map(|line| (line.len() <= limit).then(|| line.to_vec()))
            .collect();
        assert_eq!(found, expected, "{limit}");
    }
});
