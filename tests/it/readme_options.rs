//! `docs/options.md` from its marker on is generated from the program's help.

use crate::support::docs::{COMMANDS, OPTIONS, help, split_options};
use std::fmt::Write as _;

/// A section of a help text: its title, and the entries in it.
type Section = (String, Vec<Entry>);

/// An option or argument as the help describes it.
#[derive(Debug, Default, PartialEq)]
struct Entry {
    name: String,
    variable: String,
    default: String,
    meaning: String,
}

impl Entry {
    /// Takes in a paragraph of the description.
    fn add(&mut self, paragraph: &str) {
        let bracketed = |begins: &str| paragraph.strip_prefix(begins)?.strip_suffix(']');
        if let Some(variable) = bracketed("[env: ") {
            self.variable = format!("`{variable}`");
        } else if let Some(default) = bracketed("[default: ") {
            self.default = format!("`{default}`");
        } else if let Some(values) = bracketed("[possible values: ") {
            self.say(&format!("Values: {values}"));
        } else if let Some(values) = paragraph.strip_prefix("Possible values: - ") {
            let value = |text: &str| match text.split_once(':') {
                Some((name, meaning)) => format!("`{name}` ({})", meaning.trim()),
                None => panic!("a value without a meaning: {text}"),
            };
            let values: Vec<String> = values.split(" - ").map(value).collect();
            self.say(&format!("Values: {}", values.join(", ")));
        } else if let Some((before, rest)) = paragraph.split_once(" [default: ") {
            let (default, after) = rest.split_once(']').unwrap();
            self.default = default.to_owned();
            self.say(&format!("{before}{after}"));
        } else {
            self.say(paragraph);
        }
    }

    fn say(&mut self, text: &str) {
        let end = if self.meaning.is_empty() { "" } else { ". " };
        self.meaning += &format!("{end}{text}");
    }
}

/// Splits the help of a command into its description, its usage, and its sections of entries.
fn parse(help: &str) -> (String, String, Vec<Section>) {
    let (description, rest) = help.split_once("\n\nUsage: ").unwrap();
    let (usage, rest) = rest.split_once('\n').unwrap();
    let (rest, _) = rest.split_once("\nExit codes:").unwrap();
    let mut sections: Vec<Section> = Vec::new();
    let mut paragraph = String::new();
    for line in rest.lines().chain([""]) {
        let indented = line.len() - line.trim_start().len();
        let last = |sections: &mut Vec<Section>, text: &str| {
            sections.last_mut().unwrap().1.last_mut().unwrap().add(text);
        };
        let starts_anew = paragraph.starts_with('[');
        if !paragraph.is_empty() && (line.is_empty() || indented < 10 || starts_anew) {
            last(&mut sections, paragraph.trim_end());
            paragraph.clear();
        }
        match indented {
            _ if line.is_empty() => {}
            0 => sections.push((line.trim_end_matches(':').to_owned(), Vec::new())),
            1..10 => sections.last_mut().unwrap().1.push(Entry {
                name: line.trim().replace(['<', '>'], "").replace("...", ""),
                ..Entry::default()
            }),
            _ => paragraph += &format!("{} ", line.trim()),
        }
    }
    for (_, entries) in &mut sections {
        entries.retain(|entry| !entry.name.contains("--help"));
    }
    (description.to_owned(), usage.to_owned(), sections)
}

fn table(entries: &[Entry]) -> String {
    let mut text =
        "| option | variable | default | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    for entry in entries {
        let cells = [
            format!("`{}`", entry.name),
            entry.variable.clone(),
            entry.default.clone(),
            entry.meaning.replace('*', "\\*"),
        ];
        writeln!(
            text,
            "| {} |",
            cells.map(|cell| cell.replace('|', "\\|")).join(" | ")
        )
        .unwrap();
    }
    text
}

/// Renders all commands, then the sections that they share.
fn render() -> String {
    let mut text = String::new();
    let mut shared: Vec<Section> = Vec::new();
    for command in COMMANDS {
        let (description, usage, sections) = parse(&help(command));
        write!(text, "## aweber-sync {command}\n\n{description}\n\n").unwrap();
        let mut also = Vec::new();
        let mut own = Vec::new();
        for (title, entries) in sections {
            if title == "Options" || title == "Arguments" {
                own.extend(entries);
                continue;
            }
            also.push(format!(
                "[{}](#{})",
                title.to_lowercase(),
                title.to_lowercase().replace(' ', "-")
            ));
            match shared.iter().find(|(known, _)| *known == title) {
                Some((_, known)) => assert_eq!(*known, entries, "{command}: {title}"),
                None => shared.push((title, entries)),
            }
        }
        let also = also.join(" and ");
        let table = if own.is_empty() {
            String::new()
        } else {
            format!("\n{}", table(&own))
        };
        writeln!(text, "Usage: `{usage}`, also with the {also}.\n{table}").unwrap();
    }
    for (title, entries) in shared {
        writeln!(text, "## {title}\n\n{}", table(&entries)).unwrap();
    }
    text.trim_end().to_owned() + "\n"
}

#[test]
fn options_md_is_what_the_program_says() {
    let wanted = render();
    let (_, generated) = split_options();
    if generated != wanted {
        let whole = OPTIONS.strip_suffix(generated).unwrap().to_owned() + &wanted;
        let file = concat!(env!("CARGO_TARGET_TMPDIR"), "/options.md");
        std::fs::write(file, whole).unwrap();
        panic!("docs/options.md is to be what {file} is; its generated part:\n{wanted}");
    }
}
