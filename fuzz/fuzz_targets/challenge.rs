//! Any fields, one a line: mpp-core and the grammar agree on every challenge, and a challenge is read back as written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mpp_core::Challenge;
use mpp_core_fuzz::header;

fuzz_target!(|data: &[u8]| {
    let fields: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let found = Challenge::parse_all(&fields);
    let expected = header::challenges(&fields);
    assert_eq!(found.len(), expected.len(), "{found:#?} against {expected:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.as_ref().ok().map(header::Challenge::from), expected, "{found:#?}");
        if let Ok(challenge) = found {
            assert_eq!(Challenge::parse_all([challenge.encode()]), [Ok(challenge.clone())]);
        }
    }
});
