//! Slow readers and writers that follow the grammars rule by rule, for the fuzz targets to compare mpp-core with. They
//! share no code with it and know no better than the documents they cite.
//!
//! Run a target from the project's root, for a minute:
//!
//!     cargo +nightly fuzz run challenge -- -max_total_time=60

#![forbid(unsafe_code)]

pub mod header;
pub mod json;
pub mod rlp;
pub mod time;
