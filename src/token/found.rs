//! What the bytes of a journal are, beside the stored tokens.

use super::model::TokenFile;

/// What a journal found on disk is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Newer tokens: they are activated.
    Newer,
    /// Anything else that may be an answer of AWeber's, and the only live token: it is kept.
    Answer,
    /// Reserved space, or the rehearsal of the present tokens: it is removed.
    Nothing,
}

/// Pure: decides what the bytes of a journal are, beside the stored ones.
pub(crate) fn classify(journal: &[u8], present: Option<&[u8]>) -> Found {
    // After a power cut reserved space may come back as zeros.
    let is_reserved = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0;
    let end = journal.iter().rposition(|byte| !is_reserved(byte));
    let Some(end) = end else {
        return Found::Nothing;
    };
    let content = &journal[..=end];
    let stored = present.and_then(|present| TokenFile::parse(present).ok());
    match TokenFile::parse(content) {
        Ok(new)
            if stored
                .as_ref()
                .is_none_or(|old| new.generation > old.generation) =>
        {
            Found::Newer
        }
        // Behind a command they may be formatted in another way.
        Ok(new) if stored.is_some_and(|old| old.is_same(&new)) => Found::Nothing,
        _ if present.is_some_and(|present| is_rehearsal(content, present)) => Found::Nothing,
        _ => Found::Answer,
    }
}

/// Whether all that is there is also in the present tokens, at the same offset; the rest may have come back as zeros.
fn is_rehearsal(content: &[u8], present: &[u8]) -> bool {
    let is_known = |(found, known): (&u8, &u8)| *found == *known || *found == 0;
    content.len() <= present.len() && content.iter().zip(present).all(is_known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(generation: u64, refresh_token: &str) -> Vec<u8> {
        format!(
            r#"{{"version":1,"generation":{generation},"client_id":"c","refresh_token":"{refresh_token}"}}"#
        )
        .into_bytes()
    }

    #[test]
    fn only_reserved_space_and_our_own_rehearsal_are_removed() {
        let present = tokens(4, "RT-4");
        let padded = |bytes: &[u8]| [bytes, b"    "].concat();
        for (what, journal, found) in [
            ("empty", vec![], Found::Nothing),
            ("blanks", padded(b""), Found::Nothing),
            ("zeros", vec![0; 70], Found::Nothing),
            ("a rehearsal", present.clone(), Found::Nothing),
            ("half a rehearsal", present[..30].to_vec(), Found::Nothing),
            (
                "a rehearsal whose beginning was not written",
                [&[0; 30], &present[30..]].concat(),
                Found::Nothing,
            ),
            (
                "newer tokens whose beginning was not written",
                [&[0; 30], &tokens(5, "RT-5")[30..]].concat(),
                Found::Answer,
            ),
            ("newer tokens", padded(&tokens(5, "RT-5")), Found::Newer),
            (
                "an answer in reserved space",
                padded(b"<html>"),
                Found::Answer,
            ),
            (
                "an answer cut to length",
                b"<html>RT-5".to_vec(),
                Found::Answer,
            ),
            (
                "an answer without a client",
                br#"{"refresh_token":"RT-5"}"#.to_vec(),
                Found::Answer,
            ),
            (
                "half of newer tokens",
                tokens(5, "RT-5")[..40].to_vec(),
                Found::Answer,
            ),
            (
                "other tokens of the same generation",
                tokens(4, "RT-5"),
                Found::Answer,
            ),
        ] {
            assert_eq!(classify(&journal, Some(&present)), found, "{what}");
        }
        assert_eq!(classify(&present, None), Found::Newer);
        assert_eq!(classify(b"{", None), Found::Answer);
    }
}
