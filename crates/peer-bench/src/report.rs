//! What was found, as Markdown: sections of fixed prose, tables of figures, and goals that the figures are held against.

use std::fmt::{self, Display, Formatter};

/// All of `BENCHMARKS.md`.
pub(crate) struct Report {
    /// Machine, versions and date: pairs of a name and what it is.
    pub(crate) host: Vec<(&'static str, String)>,
    pub(crate) sections: Vec<Section>,
}

/// One comparison.
pub(crate) struct Section {
    title: &'static str,
    parts: Vec<Block>,
    goals: Vec<Goal>,
}

enum Block {
    Prose(String),
    Table(Table),
}

/// Figures in rows.
pub(crate) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

/// What was aimed at.
pub(crate) struct Goal {
    /// What is to be, as "ours is the fastest".
    pub(crate) aim: &'static str,
    /// What was found.
    pub(crate) found: String,
    pub(crate) met: bool,
    /// Why it is out of reach, where it is.
    why: &'static str,
}

impl Section {
    pub(crate) fn new(title: &'static str) -> Self {
        Section { title, parts: Vec::new(), goals: Vec::new() }
    }

    /// One without figures, because of this error.
    pub(crate) fn failed(title: &'static str, error: &str) -> Self {
        let failed = Goal::new("this part runs", brief(error), false);
        Section::new(title).goal(failed)
    }

    /// A paragraph, unless it is empty. Words that hold for every run; figures are in tables.
    pub(crate) fn prose(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        if !text.is_empty() {
            self.parts.push(Block::Prose(text));
        }
        self
    }

    pub(crate) fn table(mut self, table: Table) -> Self {
        self.parts.push(Block::Table(table));
        self
    }

    pub(crate) fn goal(mut self, goal: Goal) -> Self {
        self.goals.push(goal);
        self
    }
}

impl Table {
    pub(crate) fn new(head: impl IntoIterator<Item = &'static str>) -> Self {
        Table { head: head.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row; cells that are missing at its end stay empty.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl Goal {
    pub(crate) fn new(aim: &'static str, found: String, met: bool) -> Self {
        Goal { aim, found, met, why: "" }
    }

    /// What stands in the way of it, in words that hold for every run; shown if it is not met.
    pub(crate) fn against_it(mut self, why: &'static str) -> Self {
        self.why = why;
        self
    }

    /// `value` is to be no more than `limit`.
    pub(crate) fn at_most(aim: &'static str, value: f64, limit: f64) -> Self {
        Goal::new(aim, figure(value), value <= limit)
    }

    /// `value` is to be no less than `limit`.
    pub(crate) fn at_least(aim: &'static str, value: f64, limit: f64) -> Self {
        Goal::new(aim, figure(value), value >= limit)
    }
}

/// A number with three significant digits, and whole from a hundred on.
pub(crate) fn figure(value: f64) -> String {
    let digits = match value.abs() {
        size if !size.is_finite() => return "–".to_owned(),
        0.0 => 0,
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.9995 => 2,
        size if size >= 0.09995 => 3,
        _ => 4,
    };
    format!("{value:.digits$}")
}

/// An error's text on one line, cut short.
pub(crate) fn brief(error: &str) -> String {
    let line = error.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST_ERROR) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// Characters of an error that are shown.
const LONGEST_ERROR: usize = 160;

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Benchmarks\n\n{PREFACE}\n")?;
        let mut host = Table::new(["", ""]);
        for (name, what) in &self.host {
            host.row([(*name).to_owned(), what.clone()]);
        }
        writeln!(f, "{host}")?;
        let goals =
            || self.sections.iter().flat_map(|section| section.goals.iter().map(move |goal| (section, goal)));
        let met = goals().filter(|(_, goal)| goal.met).count();
        writeln!(f, "## Goals\n\n{met} of {} are met.\n", goals().count())?;
        let mut table = Table::new(["part", "goal", "found", "met"]);
        for (section, goal) in goals() {
            table.row([section.title.to_owned()].into_iter().chain(goal.cells()));
        }
        write!(f, "{table}")?;
        self.sections.iter().try_for_each(|section| write!(f, "\n{section}"))
    }
}

impl Display for Section {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "## {}", self.title)?;
        for part in &self.parts {
            match part {
                Block::Prose(text) => writeln!(f, "\n{text}")?,
                Block::Table(table) => write!(f, "\n{table}")?,
            }
        }
        if self.goals.is_empty() {
            return Ok(());
        }
        let mut goals = Table::new(["goal", "found", "met"]);
        self.goals.iter().for_each(|goal| goals.row(goal.cells()));
        write!(f, "\n{goals}")?;
        let missed = self.goals.iter().filter(|goal| !goal.met && !goal.why.is_empty());
        let mut reasons: Vec<_> = missed.map(|goal| goal.why).collect();
        reasons.dedup();
        reasons.iter().try_for_each(|why| writeln!(f, "\n{why}"))
    }
}

impl Goal {
    fn cells(&self) -> [String; 3] {
        let met = if self.met { "yes" } else { "**no**" };
        [self.aim.to_owned(), self.found.clone(), met.to_owned()]
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "| {} |", self.head.join(" | "))?;
        writeln!(f, "|{}", "---|".repeat(self.head.len()))?;
        for row in &self.rows {
            let cells = row.iter().map(|cell| cell.replace('|', "\\|"));
            let cells =
                cells.chain(std::iter::repeat_n(String::new(), self.head.len().saturating_sub(row.len())));
            writeln!(f, "| {} |", cells.collect::<Vec<_>>().join(" | "))?;
        }
        Ok(())
    }
}

const PREFACE: &str = "\
This project beside the published implementations of MPP, on the same work, on one machine, in one run. The command that
made every figure and this file is

```sh
cargo run --release --manifest-path crates/peer-bench/Cargo.toml
```";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_significant_digits() {
        for (value, text) in [
            (1234.5, "1234"),
            (99.96, "100"),
            (12.345, "12.3"),
            (9.999, "10.0"),
            (1.0, "1.00"),
            (0.3333, "0.333"),
            (0.0123, "0.0123"),
            (0.0, "0"),
            (f64::NAN, "–"),
        ] {
            assert_eq!(figure(value), text);
        }
    }

    #[test]
    fn a_goal_is_met_by_the_figure_alone() {
        assert!(Goal::at_most("a", 0.5, 0.5).met && !Goal::at_most("a", 0.51, 0.5).met);
        assert!(Goal::at_least("a", 2.0, 2.0).met && !Goal::at_least("a", 1.9, 2.0).met);
        // What could not be measured meets nothing.
        assert!(!Goal::at_most("a", f64::NAN, 1.0).met && !Goal::at_least("a", f64::NAN, 1.0).met);
    }

    #[test]
    fn a_cell_breaks_no_row() {
        let mut table = Table::new(["a", "b"]);
        table.row(["x|y".to_owned()]);
        assert_eq!(table.to_string(), "| a | b |\n|---|---|\n| x\\|y |  |\n");
        assert_eq!(brief("one\n  two"), "one two");
        assert_eq!(brief(&"é".repeat(200)).chars().count(), LONGEST_ERROR + 1);
    }
}
