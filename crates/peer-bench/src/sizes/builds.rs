//! How many crates stand behind each client, how long a first build of a program that pays takes, and how large it is.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{COMMAND, COMMAND_PACKAGE, HERE, PROGRAMS, PROJECT, cargo, release, succeed};
use crate::Outcome;
use crate::bench::Bench;
use crate::report::{Goal, Section, Table, figure};

pub(crate) const TITLE: &str = "Crates, builds and binaries";

pub(crate) fn run(bench: &Bench) -> Outcome<Section> {
    let mut table = Table::new(["", "crates", "first build s", "binary MB"]);
    let mut section = Section::new(TITLE).prose(WHAT);
    let crates = [crates(PROJECT, "mpp-core")?, crates(PROJECT, "mpp-http")?];
    for (name, crates) in ["mpp-core", "mpp-http"].into_iter().zip(crates) {
        table.row([name.to_owned(), crates.to_string()]);
    }
    let mut builds = Vec::new();
    let mut sizes = Vec::new();
    for program in PROGRAMS {
        let crates = self::crates(HERE, program)?;
        // It takes minutes.
        let built = if bench.quick { None } else { Some(first_build(program)?.as_secs_f64()) };
        let size = megabytes(&release(HERE, program, program)?)?;
        let cells = [built.map_or_else(String::new, figure), figure(size)];
        table.row([program.to_owned(), crates.to_string()].into_iter().chain(cells));
        builds.extend(built);
        sizes.push(size);
    }
    if !bench.quick {
        let size = megabytes(&release(PROJECT, COMMAND_PACKAGE, COMMAND)?)?;
        let crates = self::crates(PROJECT, COMMAND_PACKAGE)?;
        table.row([COMMAND.to_owned(), crates.to_string(), String::new(), figure(size)]);
    }
    section = section.table(table);
    for (crates, (aim, limit)) in crates.into_iter().zip(TREES) {
        section = section.goal(Goal::at_most(aim, f64::from(crates), limit));
    }
    if let [ours, mpp] = *builds {
        section = section.goal(
            Goal::at_most("a first build takes a third of that with mpp", ours / mpp, 1.0 / 3.0)
                .against_it(FIRST),
        );
    }
    let ours = sizes.first().copied().unwrap_or(f64::NAN);
    Ok(section.goal(Goal::at_most("the program that pays takes at most 8 MB", ours, 8.0).against_it(SIZE)))
}

const TREES: [(&str, f64); 2] =
    [("mpp-core is at most 70 crates with all it stands on", 70.0), ("mpp-http is at most 160", 160.0)];

/// How many crates go into a package, it and all it stands on, without what only builds them.
fn crates(manifest: &str, package: &str) -> Outcome<u32> {
    let mut tree = cargo("tree", manifest);
    tree.args(["-e", "normal", "--prefix", "none", "--format", "{p}", "-p", package]);
    let tree = String::from_utf8(succeed(tree)?)?;
    // Name and version; what follows is a path, or says that it was there before.
    let crates: BTreeSet<(&str, &str)> = tree
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?))
        })
        .collect();
    Ok(crates.len().try_into()?)
}

/// What a debug build into an empty folder takes, once all sources are there.
fn first_build(package: &str) -> Outcome<Duration> {
    succeed(cargo("fetch", HERE))?;
    let program = std::env::current_exe()?;
    let folder = tempfile::tempdir_in(program.parent().ok_or("no folder")?)?;
    let mut build = cargo("build", HERE);
    build.args(["--offline", "--quiet", "--jobs", "2", "-p", package]).env("CARGO_TARGET_DIR", folder.path());
    let begun = Instant::now();
    succeed(build)?;
    Ok(begun.elapsed())
}

fn megabytes(file: &Path) -> Outcome<f64> {
    let kilobytes = u32::try_from(fs::metadata(file)?.len() / 1000)?;
    Ok(f64::from(kilobytes) / 1e3)
}

const FIRST: &str = "\
A first build is mostly of what HTTP and TLS take, which both programs stand on: tokio, hyper, HTTP/2, rustls and ring.";

const SIZE: &str = "\
These are builds of Cargo's own release profile. Of a program, most is HTTP, TLS and certificates, and the standard library. Thin
link-time optimisation and one codegen unit, which this project's own release profile has, make it smaller.";

const WHAT: &str = "\
Two programs do the least that pays for a page, one with mpp-http and one with mpp (features `client` and `tempo`). Crates are
those that go into a program, itself included, as `cargo tree` lists them. The first build is a debug build into an empty
folder, by two jobs, with all sources there; it was made once. Binaries are release builds, stripped. The command `grok-mpp`
is the whole of this project: gateway, sandbox, MCP server and SQLite included.";
