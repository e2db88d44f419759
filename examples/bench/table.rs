//! The results as a table and as JSON.

use crate::measure::{Cost, Measured};
use serde_json::{Value, json};

type Figure = (&'static str, fn(&Cost) -> f64);

/// The figures of each process; the unit is part of the name.
const FIGURES: [Figure; 3] = [
    ("wall_s", |cost| cost.wall.as_secs_f64()),
    ("cpu_s", |cost| cost.cpu.as_secs_f64()),
    ("peak_mib", |cost| cost.peak as f64 / 1024.0 / 1024.0),
];

/// Median, minimum and maximum.
pub(crate) fn spread(measured: &Measured, figure: fn(&Cost) -> f64) -> [f64; 3] {
    let mut values: Vec<f64> = measured.costs.iter().map(figure).collect();
    values.sort_by(f64::total_cmp);
    match (values.first(), values.last()) {
        (Some(min), Some(max)) => [values[values.len() / 2], *min, *max],
        _ => [0.0; 3],
    }
}

/// Prints a table in Markdown; three numbers are median, minimum and maximum.
pub(crate) fn print(title: &str, rows: &[Measured]) {
    println!("\n### {title}\n");
    println!(
        "| what | wall s (min to max) | CPU s (min to max) | peak MiB (min to max) | requests | rows | bytes | fsyncs |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for row in rows {
        let figures = FIGURES.iter().zip([3, 3, 1]).map(|((_, figure), digits)| {
            let [median, min, max] = spread(row, *figure);
            format!("{median:.digits$} ({min:.digits$} to {max:.digits$})")
        });
        let counts = [row.requests, row.rows, row.bytes, row.fsyncs];
        let counts = counts.map(|count| count.map_or("".to_owned(), |count| count.to_string()));
        let cells: Vec<String> = figures.chain(counts).collect();
        println!("| {} | {} |", row.what, cells.join(" | "));
    }
}

/// The same results as JSON.
pub(crate) fn json(rows: &[Measured]) -> Vec<Value> {
    rows.iter().map(row_json).collect()
}

fn row_json(row: &Measured) -> Value {
    let mut object = json!({
        "what": row.what, "requests": row.requests, "rows": row.rows, "bytes": row.bytes, "fsyncs": row.fsyncs,
    });
    for (name, figure) in FIGURES {
        let [median, min, max] = spread(row, figure);
        object[name] = json!({"median": median, "min": min, "max": max});
    }
    object
}
