//! A table: cells in, lines of aligned columns out, at most as wide as there is room.

use pulldown_cmark::Alignment;

use super::text::{BOLD, FAINT, Line, PLAIN, Span, columns, columns_of, letters, wrap};

/// Rows of cells, the header first.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) alignments: Vec<Alignment>,
    pub(super) rows: Vec<Vec<Vec<Span>>>,
}

impl Table {
    /// Lines of at most `width` columns; longer ones where there is no room for columns at all.
    pub(super) fn lines(&self, width: usize) -> Vec<Line> {
        let Some(widths) = self.widths(width) else { return self.bare() };
        let mut lines = Vec::new();
        for (number, row) in self.rows.iter().enumerate() {
            let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| wrap(cell, *width)).collect();
            for line in 0..cells.iter().map(Vec::len).max().unwrap_or_default() {
                lines.push(self.line(&cells, line, &widths));
            }
            if number == 0 {
                let rules = widths.iter().map(|width| RULE.repeat(*width)).collect::<Vec<_>>();
                lines.push(rules.join(GAP).chars().map(|letter| (letter, FAINT)).collect());
            }
        }
        lines
    }

    /// One line of a row.
    fn line(&self, cells: &[Vec<Line>], number: usize, widths: &[usize]) -> Line {
        let mut line = Line::new();
        for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
            let text = cell.get(number).cloned().unwrap_or_default();
            let room = width.saturating_sub(columns(&text));
            let before = match self.alignments.get(column) {
                Some(Alignment::Right) => room,
                Some(Alignment::Center) => room.div_euclid(2),
                _ => 0,
            };
            let spaces = |count| std::iter::repeat_n((' ', PLAIN), count);
            line.extend(spaces(before));
            line.extend(text);
            line.extend(spaces(room.saturating_sub(before)));
            line.extend(GAP.chars().map(|letter| (letter, PLAIN)));
        }
        while line.pop_if(|(letter, _)| *letter == ' ').is_some() {}
        line
    }

    /// What its widest cell needs for each column, or less where that is too much; nothing if that would be too little.
    fn widths(&self, width: usize) -> Option<Vec<usize>> {
        let count = self.rows.iter().map(Vec::len).max()?;
        let room = width.checked_sub(GAP.len().checked_mul(count.checked_sub(1)?)?)?;
        if room < count.checked_mul(MIN_COLUMN)? {
            return None;
        }
        let needed = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| columns_of(cell)).max().unwrap_or_default().clamp(1, width)
        };
        let mut widths: Vec<usize> = (0..count).map(needed).collect();
        while widths.iter().sum::<usize>() > room {
            *widths.iter_mut().max()? -= 1;
        }
        Some(widths)
    }

    fn bare(&self) -> Vec<Line> {
        let bar = [Span::new(" | ", FAINT)];
        let rows = self.rows.iter().map(|row| row.iter().map(|cell| letters(cell).collect::<Line>()));
        rows.map(|row| row.collect::<Vec<_>>().join(&*letters(&bar).collect::<Line>())).collect()
    }
}

/// How a header's letters look.
pub(super) const HEADER: anstyle::Style = BOLD;

const GAP: &str = "  ";
const RULE: &str = "─";
/// Fewest columns that a cell can be read in.
const MIN_COLUMN: usize = 6;
