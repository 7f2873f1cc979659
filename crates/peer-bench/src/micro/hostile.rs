//! Headers that make a careless parser go back and forth: what each parser takes for a byte, and whether a long header takes
//! more for each than short ones.

use std::hint::black_box;
use std::io::Write as _;
use std::process::{Command, Stdio};

use mpp_core::Challenge;
use serde_json::{Value, json};

use super::turns::{done, in_turns};
use crate::Outcome;
use crate::bench::Bench;
use crate::report::{Goal, Section, Table, figure};

/// As long as a server makes a header that most clients still take.
const LONG: usize = 64 * 1024;
const SHORT: usize = 4 * 1024;

/// Adds the table to the section.
pub(super) fn add(section: Section, bench: &Bench) -> Outcome<Section> {
    let turns = bench.times(50, 10);
    let scripts = [("node", bench.node_script(SCRIPT)?), ];
    todo!()
}
