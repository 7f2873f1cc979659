//! How long a program takes to start and end.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{COMMAND, COMMAND_PACKAGE, HERE, PROGRAMS, PROJECT, release};
use crate::Outcome;
use crate::bench::Bench;
use crate::report::{Section, Table, figure};
use crate::turns::in_turns;

pub(crate) const TITLE: &str = "Starting";

pub(crate) fn run(bench: &Bench) -> Outcome<Section> {
    let [ours, mpp] = PROGRAMS.map(|program| release(HERE, program, program));
    let (ours, mpp) = (ours?, mpp?);
    let command = release(PROJECT, COMMAND_PACKAGE, COMMAND)?;
    let mppx = bench.node_modules().join("node_modules/.bin/mppx");
    let programs = [ours, mpp, command, mppx];
    programs.iter().try_for_each(|program| help(program))?;
    let [ours, mpp, command, mppx] = programs.each_ref();
    let again = |program: &Path| drop(help(program));
    let works: [&dyn Fn(); 4] = [&|| again(ours), &|| again(mpp), &|| again(command), &|| again(mppx)];
    let turns = in_turns(bench.times(40, 5), 1, works);
    let mut table = Table::new(["program", "ms", "spread", "ratio to the first", "spread"]);
    let names = [PROGRAMS[0], PROGRAMS[1], COMMAND, "mppx (npm)"];
    for ((name, took), ratio) in names.into_iter().zip(turns.each()).zip(turns.ratios()) {
        let took = took.scaled(1e3);
        let cells = [figure(took.median()), took.spread(), figure(ratio.median()), ratio.spread()];
        table.row([name.to_owned()].into_iter().chain(cells));
    }
    Ok(Section::new(TITLE).prose(WHAT).table(table))
}

/// Runs a program for its help alone.
fn help(program: &Path) -> Outcome<()> {
    let mut command = Command::new(program);
    command.arg("--help").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.status()?.success() {
        true => Ok(()),
        false => Err(format!("{} has no help", program.display()).into()),
    }
}

const WHAT: &str = "\
From the call to the end of `--help`, in turns. The first two are the programs that do the least; `grok-mpp` and `mppx` are
commands.";
