//! Slow readers and writers that follow the grammars rule by rule, for the fuzz targets to compare the crates with. They
//! share no code with them and know no better than the documents they cite.

#![forbid(unsafe_code)]

pub mod accept;
pub mod base64;
pub mod charge;
pub mod credential;
pub mod events;
pub mod form;
pub mod header;
pub mod json;
pub mod key;
pub mod keystore;
pub mod payments;
pub mod rlp;
pub mod text;
pub mod time;
pub mod words;
