//! The crate as its callers see it, in one binary. `walk` is the story to read first.

#![expect(clippy::indexing_slicing, reason = "a test may panic")]

mod access_key;
mod captures;
mod conversation;
mod exchange;
mod headers;
mod hostile;
mod payee;
mod properties;
mod pushed;
mod raw;
mod refund;
mod secrets;
mod sponsor;
mod support;
mod values;
mod vectors;
mod walk;
