//! What the usual test harness is told and says, for tests that go without it because they print a table.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

/// Those of `tests` that the command line asks for, by a part of their name, `--exact`, `--skip` and `--ignored`. With
/// `--list` they are named instead, and there is nothing to run.
pub fn select<T>(tests: impl IntoIterator<Item = T>, name: impl Fn(&T) -> &str) -> Option<Vec<T>> {
    let asked = Arguments::parse(std::env::args().skip(1));
    let tests: Vec<T> = tests.into_iter().filter(|test| asked.select(name(test))).collect();
    if asked.list {
        print(tests.iter().map(|test| format!("{}: test", name(test))));
        return None;
    }
    Some(tests)
}

/// Runs those of `tests` that the command line asks for, one after the other, below the `head` of the table they print.
/// One that panics has failed.
pub fn run<F: FnOnce()>(head: &str, tests: impl IntoIterator<Item = (&'static str, F)>) -> ExitCode {
    let Some(tests) = select(tests, |(name, _)| name) else { return ExitCode::SUCCESS };
    if !tests.is_empty() {
        print([head]);
    }
    let ended = tests.into_iter().map(|(_, test)| catch_unwind(AssertUnwindSafe(test)));
    let (passed, failed): (Vec<_>, Vec<_>) = ended.partition(Result::is_ok);
    end(passed.len(), failed.len())
}

/// The last line, and the exit code that goes with it.
pub fn end(passed: usize, failed: usize) -> ExitCode {
    print([format!("{passed} passed, {failed} failed")]);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Ends this process when whoever holds the pipe to its standard input does: for a test that starts itself again.
pub fn end_with_parent() {
    std::thread::spawn(|| {
        // However it ends, there is nobody left.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0)
    });
}

/// Prints lines to standard output.
#[expect(clippy::print_stdout, reason = "it is what a test says")]
pub fn print(lines: impl IntoIterator<Item = impl AsRef<str>>) {
    for line in lines {
        println!("{}", line.as_ref());
    }
}

/// What a test harness is told.
#[derive(Default)]
struct Arguments {
    filters: Vec<String>,
    skipped: Vec<String>,
    exact: bool,
    list: bool,
    /// Only what is marked as ignored, which is nothing.
    ignored: bool,
}

impl Arguments {
    fn parse(arguments: impl IntoIterator<Item = String>) -> Self {
        let mut read = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--exact" => read.exact = true,
                "--list" => read.list = true,
                "--ignored" => read.ignored = true,
                "--skip" => read.skipped.extend(arguments.next()),
                // Of the rest, which changes nothing here, these have a value.
                "--test-threads" | "--format" | "--color" | "--logfile" | "--shuffle-seed" | "-Z" => {
                    arguments.next();
                }
                flag => match flag.strip_prefix("--skip=") {
                    Some(skipped) => read.skipped.push(skipped.to_owned()),
                    None if flag.starts_with('-') => {}
                    None => read.filters.push(argument),
                },
            }
        }
        read
    }

    fn select(&self, name: &str) -> bool {
        let fits = |filter: &String| if self.exact { name == filter } else { name.contains(filter.as_str()) };
        let asked = self.filters.is_empty() || self.filters.iter().any(fits);
        asked && !self.ignored && !self.skipped.iter().any(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_chosen_as_the_usual_harness_does() {
        for (line, chosen) in [
            ("", "one two twofold"),
            ("two", "two twofold"),
            ("one fold", "one twofold"),
            ("--exact two", "two"),
            ("--skip two", "one"),
            ("--skip=fold two", "two"),
            ("--exact --skip two", "one twofold"),
            ("three", ""),
            ("--ignored", ""),
            ("--nocapture -q --include-ignored --color=never", "one two twofold"),
            ("--test-threads 1 --format terse -Z two one", "one"),
        ] {
            let asked = Arguments::parse(line.split_whitespace().map(str::to_owned));
            let names: Vec<_> =
                ["one", "two", "twofold"].into_iter().filter(|name| asked.select(name)).collect();
            assert_eq!(names.join(" "), chosen, "{line}");
        }
    }
}
