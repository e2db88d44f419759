//! What the demo prints: headings, text, commands with their output, and a table. Colour only on a terminal and only
//! without NO_COLOR.

use std::io::IsTerminal;

fn coloured(code: &str, text: &str) -> String {
    let allowed = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if allowed && std::io::stdout().is_terminal() {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

pub(crate) fn heading(title: &str) {
    println!("\n{}\n", coloured("1", &format!("== {title}")));
}

pub(crate) fn text(text: &str) {
    println!("{text}");
}

/// A claim that has been checked.
pub(crate) fn checked(claim: &str) {
    println!("{} {claim}", coloured("32", "[checked]"));
}

/// A command as typed.
pub(crate) fn command(line: &str) {
    println!("\n  {}", coloured("1;36", &format!("$ {line}")));
}

pub(crate) fn command_output(text: &str) {
    for line in text.lines() {
        println!("{}", format!("  {line}").trim_end());
    }
}

/// Rows in aligned columns; the first row is the header.
pub(crate) fn table(rows: &[Vec<String>]) {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for (i, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(&widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        let line = cells.join("  ");
        let line = line.trim_end();
        if i == 0 {
            println!("  {}", coloured("1", line));
        } else {
            println!("  {line}");
        }
    }
}
