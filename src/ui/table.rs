//! Columns of text, as wide as what is in them.

use console::measure_text_width;

/// Rows under a heading, two blanks between columns, none at a line's end.
pub fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    let heading = heading.map(str::to_owned);
    let all = || std::iter::once(&heading).chain(rows);
    let mut widths = [0; N];
    for row in all() {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(measure_text_width(cell));
        }
    }
    let line = |row: &[String; N]| {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - measure_text_width(cell))))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    all().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let rows = [
            ["alice".to_owned(), "ready".to_owned()],
            ["b".to_owned(), String::new()],
        ];
        assert_eq!(
            table(["USER", "STATE"], &rows),
            "USER   STATE\nalice  ready\nb"
        );
    }
}
