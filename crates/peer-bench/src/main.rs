//! This project beside the published MPP implementations, on the same work, the same machine and in the same run.
//!
//!     cargo run --release --manifest-path crates/peer-bench/Cargo.toml
//!
//! sets the peers up below this crate's target folder, runs all parts and writes `BENCHMARKS.md` at the top of the
//! repository. It needs Linux, Node 20 with npm, Python 3.10 with venv, and the registries of the three languages.
//!
//! `--quick` measures a few repetitions only. Parts that are named (`… -- distant`) run alone. Both print what they find,
//! and write nothing.

mod bench;
mod clients;
mod host;
mod micro;
mod report;
mod servers;
mod sizes;
mod stats;
mod turns;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;

use crate::bench::Bench;
use crate::report::{Report, Section};

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// One comparison.
struct Part {
    /// What it is called at the command line.
    name: &'static str,
    /// The heading in the report, also of a part that failed.
    title: &'static str,
    run: fn(&Bench) -> Outcome<Section>,
}

/// In the order of the report.
const PARTS: &[Part] = &[
    Part { name: "loopback", title: clients::LOOPBACK, run: clients::loopback },
    Part { name: "distant", title: clients::DISTANT, run: clients::distant },
    Part { name: "crowd", title: clients::CROWD, run: clients::crowd },
    Part { name: "outage", title: clients::OUTAGE, run: clients::outage },
    Part { name: "micro", title: micro::TITLE, run: micro::run },
    Part { name: "builds", title: sizes::builds::TITLE, run: sizes::builds::run },
    Part { name: "start", title: sizes::start::TITLE, run: sizes::start::run },
    Part { name: "memory", title: sizes::memory::TITLE, run: sizes::memory::run },
    Part { name: "servers", title: servers::TITLE, run: servers::run },
];

const REPORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../BENCHMARKS.md");

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // A shop is this program, started again.
    match servers::serve(&arguments).unwrap_or_else(|| run(arguments.into_iter())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: impl Iterator<Item = String>) -> Outcome<()> {
    let (flags, names): (Vec<_>, Vec<_>) = arguments.partition(|argument| argument.starts_with('-'));
    let known = |name: &String| PARTS.iter().any(|part| part.name == name);
    let unknown = flags.iter().find(|flag| *flag != "--quick").or(names.iter().find(|name| !known(name)));
    if let Some(unknown) = unknown {
        let parts: Vec<_> = PARTS.iter().map(|part| part.name).collect();
        return Err(format!("{unknown}: there are --quick and the parts {}", parts.join(", ")).into());
    }
    let bench = Bench::new(!flags.is_empty())?;
    let asked = |part: &&Part| names.is_empty() || names.iter().any(|name| name == part.name);
    let sections = PARTS.iter().filter(asked).map(|part| measure(part, &bench)).collect();
    let report = Report { host: host::describe(), sections };
    if flags.is_empty() && names.is_empty() {
        std::fs::write(Path::new(REPORT), report.to_string())?;
        eprintln!("wrote BENCHMARKS.md");
    } else {
        print(&report);
    }
    Ok(())
}

/// A part that fails, or whose nodes or servers do, is reported as failed, and the others still run.
fn measure(part: &Part, bench: &Bench) -> Section {
    eprintln!("{} …", part.name);
    let begun = std::time::Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| (part.run)(bench)));
    eprintln!("{} took {:.0} s", part.name, begun.elapsed().as_secs_f64());
    match outcome {
        Ok(Ok(section)) => section,
        Ok(Err(error)) => Section::failed(part.title, &error.to_string()),
        Err(panic) => {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            Section::failed(part.title, said.or(panic.downcast_ref().copied()).unwrap_or("it panicked"))
        }
    }
}

#[expect(clippy::print_stdout, reason = "the report is the result")]
fn print(report: &Report) {
    println!("{report}");
}
