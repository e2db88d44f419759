//! How the story looks: chapters, sentences, commands as typed with their output, and a table. Colours only on a
//! terminal, and not with NO_COLOR.

use std::io::IsTerminal;

fn painted(code: &str, text: &str) -> String {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if wanted && std::io::stdout().is_terminal() {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// A chapter begins.
pub(crate) fn chapter(title: &str) {
    println!("\n{}\n", painted("1", &format!("== {title}")));
}

/// The teller speaks.
pub(crate) fn text(text: &str) {
    println!("{text}");
}

/// A claim that has been checked.
pub(crate) fn claim(claim: &str) {
    println!("{} {claim}", painted("32", "[checked]"));
}

/// A command as typed.
pub(crate) fn command(line: &str) {
    println!("\n  {}", painted("1;36", &format!("$ {line}")));
}

/// What a command said.
pub(crate) fn output(text: &str) {
    for line in text.lines() {
        println!("{}", format!("  {line}").trim_end());
    }
}

/// Rows under a header, in aligned columns.
pub(crate) fn table(rows: &[Vec<String>]) {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for (i, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(&widths);
        let line: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        let line = line.join("  ");
        let line = line.trim_end();
        println!(
            "  {}",
            if i == 0 {
                painted("1", line)
            } else {
                line.to_owned()
            }
        );
    }
}
