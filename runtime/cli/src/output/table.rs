//! Aligned columns.

use super::paint::Paint;

/// One cell: what is measured and how it is dressed.
pub struct Cell {
    text: String,
    dress: fn(Paint, &str) -> String,
    right: bool,
}

impl Cell {
    /// Plain text.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), dress: |_, text| text.to_owned(), right: false }
    }

    /// Text in a dress.
    pub fn dressed(text: impl Into<String>, dress: fn(Paint, &str) -> String) -> Self {
        Self { dress, ..Self::new(text) }
    }

    /// At the right edge of its column.
    pub fn right(text: impl Into<String>) -> Self {
        Self { right: true, ..Self::new(text) }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

/// Rows of cells under a heading.
pub struct Table {
    rows: Vec<Vec<Cell>>,
    indent: usize,
}

impl Table {
    /// Without a heading.
    pub fn plain(indent: usize) -> Self {
        Self { rows: Vec::new(), indent }
    }

    /// With a heading, which is there even when no row is.
    pub fn headed(heading: &[&str]) -> Self {
        let heading = heading.iter().map(|text| Cell::dressed(*text, Paint::dim)).collect();
        Self { rows: vec![heading], indent: 0 }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The text, one line a row, two spaces between columns, none at the ends of lines.
    pub fn render(&self, paint: Paint) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width =
            |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(cell_width).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let last = row.iter().rposition(|cell| !cell.text.is_empty());
            let mut line = " ".repeat(self.indent);
            for (column, (cell, width)) in
                row.iter().zip(&widths).enumerate().take_while(|(column, _)| Some(*column) <= last)
            {
                let space = " ".repeat(width - cell_width(cell));
                let dressed = (cell.dress)(paint, &cell.text);
                let gap = if column == 0 { "" } else { "  " };
                line.push_str(gap);
                match (cell.right, Some(column) == last) {
                    (true, _) => line.extend([space, dressed]),
                    (false, true) => line.push_str(&dressed),
                    (false, false) => line.extend([dressed, space]),
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

fn cell_width(cell: &Cell) -> usize {
    cell.text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_with_text() {
        let mut table = Table::headed(&["NAME", "SIZE", "NOTE"]);
        table.row(["a".into(), Cell::right("12"), "x".into()]);
        table.row(["long-name".into(), Cell::right("1234"), "".into()]);
        assert_eq!(table.render(Paint(false)), "NAME       SIZE  NOTE\na            12  x\nlong-name  1234\n");
    }

    #[test]
    fn colours_do_not_move_columns() {
        let mut table = Table::plain(2);
        table.row([Cell::dressed("ab", Paint::green), "c".into()]);
        table.row(["é".into(), "d".into()]);
        assert_eq!(table.render(Paint(true)), "  \x1b[32mab\x1b[0m  c\n  é   d\n");
    }
}
