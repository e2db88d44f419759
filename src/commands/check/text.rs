//! The result as text, 80 columns wide.

use super::finding::{Finding, Findings, Verdict};
use super::judgement::{Effect, Judgement};
use super::outcome::Outcome;

/// The width of a line, characters.
const WIDTH: usize = 80;

/// Where the text of a line begins.
const INDENT: usize = 24;

/// Renders the result; `verbose`: also what is as expected.
pub(super) fn render(outcome: &Outcome, verbose: bool) -> String {
    let mut text = String::new();
    section(&mut text, "SET-UP", &outcome.setup, verbose);
    section(&mut text, "CONNECTION", &outcome.connection, verbose);
    assumptions(&mut text, outcome, verbose);
    text += "NEXT\n";
    for line in outcome.next() {
        text += &wrapped("  ", 2, &line);
    }
    text
}

fn section(text: &mut String, title: &str, findings: &Findings, verbose: bool) {
    if findings.0.is_empty() {
        return;
    }
    *text += &format!("{title}\n");
    for finding in &findings.0 {
        *text += &line(finding, verbose);
    }
    text.push('\n');
}

fn line(finding: &Finding, verbose: bool) -> String {
    let verdict = &finding.verdict;
    let tag = match verdict {
        Verdict::Good(_) => "ok",
        Verdict::Note(_) => "note",
        Verdict::Warning(..) => "warning",
        Verdict::Failed(_) => "FAILED",
    };
    let begin = format!("  {tag:<8}{:<14}", finding.id);
    let mut text = wrapped(&begin, INDENT, &verdict.text());
    if let (Verdict::Failed(error), true) = (verdict, verbose) {
        let code = error.exit().code();
        text += &wrapped(&blank(), INDENT, &format!("exit code {code}"));
    }
    if let Some(next) = verdict.next() {
        text += &wrapped(&blank(), INDENT, &format!("next: {next}"));
    }
    text
}

fn assumptions(text: &mut String, outcome: &Outcome, verbose: bool) {
    let judgements = &outcome.judgements;
    if judgements.is_empty() {
        return;
    }
    let about = outcome.list.as_deref().unwrap_or_default();
    *text += &wrapped("ASSUMPTIONS", 0, &format!(" about AWeber, {about}"));
    let count =
        |effect: fn(&Effect) -> bool| judgements.iter().filter(|j| effect(&j.effect)).count();
    let expected = count(|effect| *effect == Effect::AsExpected);
    let unseen = count(|effect| *effect == Effect::Unseen);
    let unseen = match unseen {
        0 => String::new(),
        n => format!("; {n} not shown by this account (-v names them)"),
    };
    let of = judgements.len();
    *text += &wrapped(
        &format!("  {:<8}", "ok"),
        INDENT,
        &format!("{expected} of {of} as expected{unseen}"),
    );
    for judgement in judgements {
        if judgement.effect.is_odd() || verbose {
            *text += &judgement_lines(judgement);
        }
    }
    text.push('\n');
}

fn judgement_lines(judgement: &Judgement) -> String {
    let tag = match judgement.effect {
        Effect::AsExpected => "ok",
        Effect::Unseen => "-",
        Effect::Fine(_) => "fine",
        Effect::Costs(_) => "costs",
        Effect::Risk(_) => "RISK",
    };
    let begin = format!("  {tag:<8}{:<14}", judgement.id);
    // A long name has the first line for itself.
    let (mut text, begin) = match !begin.ends_with(' ') {
        true => (format!("{}\n", begin.trim_end()), blank()),
        false => (String::new(), begin),
    };
    text += &wrapped(&begin, INDENT, &format!("expected: {}", judgement.expected));
    text += &wrapped(&blank(), INDENT, &format!("seen: {}", judgement.seen));
    let explanation = judgement.effect.explanation();
    if !explanation.is_empty() {
        text += &wrapped(&blank(), INDENT, &format!("so: {explanation}"));
    }
    text
}

fn blank() -> String {
    " ".repeat(INDENT)
}

/// `begin` and `text`, broken between words; further lines are indented. A word that is too long, such as a path, stays
/// whole.
fn wrapped(begin: &str, indent: usize, text: &str) -> String {
    let mut out = begin.to_owned();
    let mut column = begin.chars().count();
    let mut is_first = true;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if !is_first && column + 1 + length > WIDTH {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            column = indent;
        } else if !is_first || !begin.ends_with(' ') {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
        is_first = false;
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words_and_paths_stay_whole() {
        let path = format!("/srv/{}", "x".repeat(90));
        let text = wrapped(
            "  ok      state         ",
            INDENT,
            &format!("{} {path} end", "word ".repeat(20)),
        );
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("  ok      state         word word"));
        assert!(
            lines
                .iter()
                .all(|line| line.chars().count() <= WIDTH || line.trim() == path)
        );
        assert!(lines[1..].iter().all(|line| line.starts_with(&blank())));
        assert!(text.ends_with(" end\n"));
    }
}
