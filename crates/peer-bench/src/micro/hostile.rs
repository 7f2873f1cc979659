//! Headers that make a careless parser go back and forth: what each parser takes for a byte, and whether it takes more for
//! each of a long header than of a short one.

use std::hint::black_box;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use mpp_core::Challenge;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;
use tokio::time::{Instant, timeout_at};

use crate::Outcome;
use crate::bench::{Bench, SCRIPTS};
use crate::report::{Goal, Section, Table, brief, figure};
use crate::turns::{done, in_turns};

/// How long the headers are, in bytes. There are servers that send 64 KiB and clients that take them.
const SIZES: [u32; 5] = [SHORT, 8 << 10, 16 << 10, 32 << 10, LONG];
const SHORT: u32 = 4 << 10;
const LONG: u32 = 64 << 10;

/// Adds a table of all parsers to the section.
pub(super) fn add(section: Section, bench: &Bench) -> Outcome<Section> {
    let (mut mppx, mut pympp) = (Command::new("node"), Command::new(bench.python()));
    mppx.arg("hostile.mjs").current_dir(bench.node_modules());
    pympp.arg(Path::new(SCRIPTS).join("hostile.py"));
    let others = bench.block_on(async { [published(mppx).await, published(pympp).await] });
    let mut table = Table::new([
        "header",
        "ours ns/B",
        "growth",
        "mpp ns/B",
        "growth",
        "mppx ns/B",
        "growth",
        "pympp ns/B",
        "growth",
    ]);
    let mut most = 0.0_f64;
    for (number, (name, shape)) in SHAPES.iter().enumerate() {
        let [ours, mpp] = in_process(shape, bench.times(50, 5));
        most = most.max(ours.growth);
        let of = |found: &Outcome<Vec<Found>>| found.as_ref().ok().and_then(|found| Speed::of(found, number));
        let [mppx, pympp] = others.each_ref().map(of);
        let speeds = [Some(ours), Some(mpp), mppx, pympp].map(Speed::cells);
        table.row([(*name).to_owned()].into_iter().chain(speeds.into_iter().flatten()));
    }
    let mut section = section.prose(HOSTILE).table(table);
    for error in others.into_iter().filter_map(Result::err) {
        section = section.prose(format!("A parser did not run: {}", brief(&error.to_string())));
    }
    Ok(section.goal(Goal::at_most("our parser's growth is at most 1.2 for every hostile header", most, 1.2)))
}

/// How fast a parser is with headers of one shape.
struct Speed {
    longest: u32,
    /// Nanoseconds for a byte of the longest header.
    byte: f64,
    /// How many times as long as a byte of the shortest.
    growth: f64,
}

impl Speed {
    /// Of the seconds for a short header and a long one.
    fn new(short: (u32, f64), long: (u32, f64)) -> Self {
        let [short_byte, byte] = [short, long].map(|(bytes, seconds)| seconds * 1e9 / f64::from(bytes));
        let growth = if long.0 > short.0 { byte / short_byte } else { f64::NAN };
        Speed { longest: long.0, byte, growth }
    }

    fn of(found: &[Found], shape: usize) -> Option<Self> {
        let mut found = found.iter().filter(|found| found.shape == shape);
        let short = found.next()?;
        let long = found.next_back().unwrap_or(short);
        Some(Speed::new((short.bytes, short.seconds), (long.bytes, long.seconds)))
    }

    fn cells(speed: Option<Self>) -> [String; 2] {
        let Some(Speed { longest, byte, growth }) = speed else { return Default::default() };
        let byte = match longest == LONG {
            true => figure(byte),
            false => format!("{} at {} KiB", figure(byte), longest >> 10),
        };
        [byte, figure(growth)]
    }
}

/// Ours and mpp: a long header, and as many bytes in short ones.
fn in_process(shape: &Shape, turns: usize) -> [Speed; 2] {
    let (long, short) = (shape(LONG), shape(SHORT));
    let ours = |field: &str| done(Challenge::parse_all([black_box(field)]));
    let mpp = |field: &str| done(mpp::parse_www_authenticate_all([black_box(field)]));
    let often = |parse: &dyn Fn(&str)| (0..LONG / SHORT).for_each(|_| parse(&short));
    let works: [&dyn Fn(); 4] = [&|| ours(&long), &|| often(&ours), &|| mpp(&long), &|| often(&mpp)];
    let [ours, ours_often, mpp, mpp_often] = in_turns(turns, 1, works).each().map(|took| took.median());
    let share = f64::from(SHORT) / f64::from(LONG);
    [(ours, ours_often), (mpp, mpp_often)]
        .map(|(once, often)| Speed::new((SHORT, often * share), (LONG, once)))
}

/// What a parser in a process of its own took.
struct Found {
    shape: usize,
    bytes: u32,
    seconds: f64,
}

impl Found {
    fn parse(line: &str) -> Option<Self> {
        let line: Value = serde_json::from_str(line).ok()?;
        let number = |name| line.get(name).and_then(Value::as_u64);
        Some(Found {
            shape: number("shape")?.try_into().ok()?,
            bytes: *SIZES.get(usize::try_from(number("size")?).ok()?)?,
            seconds: line.get("seconds")?.as_f64()?,
        })
    }
}

/// What a script found that measures a published parser; what it did not find within the time limit is left out.
async fn published(mut script: Command) -> Outcome<Vec<Found>> {
    let headers: Vec<Vec<String>> = SHAPES.iter().map(|(_, shape)| SIZES.map(shape).to_vec()).collect();
    let headers = serde_json::to_vec(&headers)?;
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let mut input = child.stdin.take().ok_or("no standard input")?;
    input.write_all(&headers).await?;
    drop(input);
    let mut lines = BufReader::new(child.stdout.take().ok_or("no standard output")?).lines();
    let (end, mut found) = (Instant::now() + LIMIT, Vec::new());
    while let Ok(Some(line)) = timeout_at(end, lines.next_line()).await.unwrap_or(Ok(None)) {
        found.push(Found::parse(&line).ok_or(line)?);
    }
    match found.is_empty() {
        true => Err("it measured nothing".into()),
        false => Ok(found),
    }
}

/// The scripts themselves give up a header that would take seconds.
const LIMIT: Duration = Duration::from_secs(60);

type Shape = fn(u32) -> String;

/// Of about the length that is asked for.
const SHAPES: [(&str, Shape); 7] = [
    ("escapes", |bytes| format!(r#"Payment description="{}""#, times(r"\u2615", bytes))),
    ("quotes without an end", |bytes| times("Payment id=\"", bytes)),
    ("schemes without parameters", |bytes| times("Payment a, ", bytes)),
    ("other schemes", |bytes| times("Payment a=b, c d=e, ", bytes)),
    ("commas", |bytes| format!("Payment {}", times("b ,", bytes))),
    ("spaces", |bytes| format!("Payment b{}", times(" ", bytes))),
    ("one long name", |bytes| format!("Payment {}", times("b", bytes))),
];

fn times(text: &str, bytes: u32) -> String {
    let bytes = usize::try_from(bytes).unwrap_or_default();
    text.repeat(bytes / text.len())
}

const HOSTILE: &str = "\
Headers made to send a parser back and forth, 64 KiB each: nanoseconds for a byte, and growth, which is how many times as
long a byte takes as one of a header of 4 KiB: 1 is linear, 16 quadratic. Ours and mpp ran in one process and in turns, mppx
and pympp each in one of their own, which gave up what would have taken seconds:";
