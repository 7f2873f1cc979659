//! Any bytes as a stream of events: grok-mpp and the standard read the same events, wherever the stream is cut in pieces.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mpp_core_fuzz::events;
use sse::Events;

// It has no other way in than a whole paid call.
#[path = "../../crates/grok-mpp/src/sse.rs"]
mod sse;

fuzz_target!(|data: &[u8]| {
    let expected = events::read(data);
    assert_eq!(read(data.chunks(data.len().max(1))), expected);
    assert_eq!(read(data.chunks(1)), expected, "byte by byte");
    // Pieces of lengths that the data itself names.
    let mut lengths = data.iter().map(|byte| usize::from(byte % 8)).cycle();
    let mut rest = data;
    let pieces = std::iter::from_fn(|| {
        let (piece, left) = rest.split_at(lengths.next()?.min(rest.len()));
        rest = left;
        (!piece.is_empty() || !rest.is_empty()).then_some(piece)
    });
    // Data of nothing but multiples of eight would name no piece that has a length.
    if data.iter().any(|byte| byte % 8 != 0) {
        assert_eq!(read(pieces), expected, "in pieces");
    }
});

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let mut events = Events::default();
    let mut found = Vec::new();
    for piece in pieces {
        events.push(piece);
        found.extend(std::iter::from_fn(|| events.next()));
    }
    events.end();
    found.extend(std::iter::from_fn(|| events.next()));
    found
}
