//! Foreign text made fit to print.
//!
//! Names and messages come from panels and stores and may hold anything. What reaches a
//! terminal passes through here, so that it can neither move the cursor, nor break the line,
//! nor turn the reading direction.

use std::collections::BTreeSet;

/// What is printed for a name without any characters.
const UNNAMED: &str = "(unnamed)";

/// A foreign string on one line, without characters that act on a terminal, at most
/// `max_characters` long; what is cut off is told by a final `…`.
///
/// Such characters are shown as `\u{1b}`. Text that needs no change is left as it is,
/// whatever its script.
pub fn one_line(text: &str, max_characters: usize) -> String {
    let mut shown = String::new();
    let mut room = max_characters;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let escaped = if acts_on_a_terminal(character) {
            character.escape_default().to_string()
        } else {
            character.to_string()
        };
        let length = escaped.chars().count();
        let rest_is_empty = characters.as_str().is_empty();
        if length > room || (length == room && !rest_is_empty) {
            shown.push('…');
            break;
        }
        room -= length;
        shown.push_str(&escaped);
    }
    shown
}

/// Foreign text without the words in it that could be credentials: tokens, signatures, keys.
///
/// An answer may repeat what it was asked with. Words of letters, digits, `_`, `-`, `+`, `=` and
/// `%` go when they are as long as a credential and hold a digit, or are longer than any word
/// of a message.
pub fn without_credentials(text: &str) -> String {
    const SHORTEST_CREDENTIAL: usize = 24;
    const LONGEST_WORD: usize = 40;
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-+=%".contains(c);
    let mut shown = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (word, after) = rest.split_at(rest.find(|c| !is_part(c)).unwrap_or(rest.len()));
        let has_digit = word.contains(|c: char| c.is_ascii_digit());
        if word.len() > LONGEST_WORD || (word.len() >= SHORTEST_CREDENTIAL && has_digit) {
            shown.push('…');
        } else {
            shown.push_str(word);
        }
        let (between, next) = after.split_at(after.find(is_part).unwrap_or(after.len()));
        shown.push_str(between);
        rest = next;
    }
    shown
}

/// A foreign name as [`one_line`], with a word in the place of an empty one.
pub fn shown_name(name: &str, max_characters: usize) -> String {
    if name.trim().is_empty() {
        UNNAMED.to_owned()
    } else {
        one_line(name, max_characters)
    }
}

/// Some of the names that there are, the likeliest for a word that fits none of them first, each fit
/// to be shown and cut to `max_characters`; and how many more there are.
pub fn likeliest<'n>(
    word: &str,
    names: impl IntoIterator<Item = &'n str>,
    most: usize,
    max_characters: usize,
) -> (Vec<String>, usize) {
    let lowered = word.to_lowercase();
    let names: BTreeSet<&str> = names.into_iter().collect();
    let mut likely: Vec<(f64, &str)> = names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&lowered, &name.to_lowercase()), name))
        .collect();
    likely.sort_by(|a, b| b.0.total_cmp(&a.0));
    let more = likely.len().saturating_sub(most);
    let told = likely.into_iter().take(most);
    let told = told.map(|(_, name)| shown_name(name, max_characters));
    (told.collect(), more)
}

/// Whether a character does something to a terminal or to the text around it instead of being
/// seen: control characters, line separators, direction overrides and invisible format
/// characters. The joiners and selectors that emoji and many scripts need are not among them.
pub fn acts_on_a_terminal(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn characters_that_act_are_shown_escaped() {
        for (hostile, shown) in [
            ("a\nb", r"a\nb"),
            ("a\r\tb", r"a\r\tb"),
            ("\u{1b}[2J", r"\u{1b}[2J"),
            ("\u{9b}31m", r"\u{9b}31m"),
            ("nul\0", r"nul\u{0}"),
            ("abc\u{202e}gpj.exe", r"abc\u{202e}gpj.exe"),
            ("\u{2066}x\u{2069}", r"\u{2066}x\u{2069}"),
            ("a\u{2028}b", r"a\u{2028}b"),
            ("\u{200b}", r"\u{200b}"),
        ] {
            assert_eq!(one_line(hostile, 80), shown);
        }
    }

    #[test]
    fn names_of_any_script_stay_as_they_are() {
        for name in [
            "it's \"fine\" \\o/",
            "zażółć gęślą",
            "ประเทศไทย",
            "हिन्दी",
            "👨\u{200d}👩\u{200d}👧 ⚔\u{fe0f} 🏳\u{fe0f}\u{200d}🌈",
            "日本語サーバー",
        ] {
            assert_eq!(one_line(name, 80), name);
        }
    }

    #[test]
    fn what_could_be_a_credential_is_left_out_and_the_rest_stays() {
        for (text, shown) in [
            ("", ""),
            (
                "The requested backup was not found.",
                "The requested backup was not found.",
            ),
            (
                "TwoFactorAuthRequiredException: 2FA",
                "TwoFactorAuthRequiredException: 2FA",
            ),
            (
                "GET /download/backup?token=eyJ0eXAi.eyJpc3MiOiJodHRwczovL3BhbmVsIn0.c2lnbmF0dXJl0 é",
                "GET /download/backup?token=eyJ0eXAi.….c2lnbmF0dXJl0 é",
            ),
            (
                "key ptlc_abcdefghijABCDEFGHIJabcdefghijABCDEFGHIJabc refused",
                "key … refused",
            ),
            (
                "X-Amz-Signature=1f0b8a2f6b7b0c0f9f8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a",
                "…",
            ),
        ] {
            assert_eq!(without_credentials(text), shown);
        }
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        assert_eq!(one_line("abcdef", 6), "abcdef");
        assert_eq!(one_line("abcdefg", 6), "abcde…");
        assert_eq!(one_line("abc\u{1b}", 6), "abc…");
        assert_eq!(one_line(&"x".repeat(10_240), 40).chars().count(), 40);
    }

    #[test]
    fn an_empty_name_is_said_to_be_one() {
        assert_eq!(shown_name("  ", 10), "(unnamed)");
        assert_eq!(shown_name("lobby", 10), "lobby");
    }

    proptest! {
        #[test]
        fn no_text_whatsoever_acts_on_a_terminal_or_outgrows_its_room(
            text in ".{0,60}|\\PC*|[\\p{C}\\p{Z}]{0,40}",
            room in 1_usize..50,
        ) {
            let shown = one_line(&text, room);
            prop_assert!(!shown.chars().any(acts_on_a_terminal));
            prop_assert!(shown.chars().count() <= room);
        }
    }
}
