//! Texts that others wrote, as people may be shown them.
//!
//! A certificate, an answer, a page, the name of a file: any of them can hold characters that are not seen, that end a line,
//! or that turn the order of the letters around. Printed as they are, they make a log or a terminal say what was never said.
//! So such a text is escaped where it enters: from then on it is an ordinary text, in every message, event and JSON alike.

use std::fmt::{self, Display, Write as _};

/// Displays a text with every character escaped that is not seen or that changes how others are seen.
///
/// Escaped are control characters (C0, DEL, C1), format characters (bidirectional controls, zero-width characters, tags), line and paragraph
/// separators and whatever else Unicode lets a program ignore: as `\n`, `\r`, `\t`, else as `\u{202e}`. Everything else stays, in
/// every script. A text that was escaped once stays as it is.
///
/// ```
/// use homing::types::Printable;
///
/// assert_eq!(Printable("invoice\u{202e}fdp.exe").to_string(), r"invoice\u{202e}fdp.exe");
/// assert_eq!(Printable("größer, 更大").to_string(), "größer, 更大");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Printable<T>(pub T);

impl<T: Display> Display for Printable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

/// The same, of at most `most` characters; what is cut ends with `…`, which is one of them. No escape is cut in the middle.
pub(crate) fn printable(text: impl Display, most: usize) -> String {
    let mut page = Bounded { text: String::new(), left: most, last: None };
    // It ends with an error when there is too much.
    if write!(page, "{text}").is_err() {
        page.text.truncate(page.last.unwrap_or_default());
        page.text.push('…');
    }
    page.text
}

/// Whether nothing is seen of this character, or it changes how others are seen.
pub(crate) fn is_unseen(character: char) -> bool {
    // The general categories Cc, Cf, Zl and Zp, and what is `Default_Ignorable_Code_Point`.
    matches!(character,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}'
        | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}'
        | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((place, character)) = rest.char_indices().find(|(_, character)| is_unseen(*character))
        {
            let (seen, after) = rest.split_at(place);
            self.0.write_str(seen)?;
            write!(self.0, "{}", character.escape_default())?;
            rest = after.get(character.len_utf8()..).unwrap_or_default();
        }
        self.0.write_str(rest)
    }
}

struct Bounded {
    text: String,
    /// Characters for which there is room.
    left: usize,
    /// Where the text ends when a last character is needed to say that it is cut.
    last: Option<usize>,
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            let is_unseen = is_unseen(character);
            let width = if is_unseen { character.escape_default().count() } else { 1 };
            if self.left > 0 {
                // There is room for the mark behind what was written so far.
                self.last = Some(self.text.len());
            }
            self.left = self.left.checked_sub(width).ok_or(fmt::Error)?;
            if is_unseen {
                self.text.extend(character.escape_default());
            } else {
                self.text.push(character);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_escaped_and_everything_else_stays() {
        for (text, shown) in [
            ("a\u{202e}b\u{202c}", r"a\u{202e}b\u{202c}"),
            ("a\u{2066}b\u{2069}\u{200f}\u{61c}", r"a\u{2066}b\u{2069}\u{200f}\u{61c}"),
            ("one\u{2028}two\u{2029}three", r"one\u{2028}two\u{2029}three"),
            ("one\r\ntwo\tthree\u{b}", r"one\r\ntwo\tthree\u{b}"),
            (
                "\u{200b}\u{200c}\u{200d}\u{feff}\u{2060}\u{ad}",
                r"\u{200b}\u{200c}\u{200d}\u{feff}\u{2060}\u{ad}",
            ),
            ("\u{7f}\u{80}\u{85}\u{9b}31m", r"\u{7f}\u{80}\u{85}\u{9b}31m"),
            ("\u{1b}[2J\0", r"\u{1b}[2J\u{0}"),
            ("\u{e0041}\u{fe0f}\u{3164}\u{180e}", r"\u{e0041}\u{fe0f}\u{3164}\u{180e}"),
            (r"C:\new ’quoted’ “text”", r"C:\new ’quoted’ “text”"),
            ("größer, 更大, גדול, \u{65}\u{301}, 🙂, क्षेत्र", "größer, 更大, גדול, \u{65}\u{301}, 🙂, क्षेत्र"),
            ("", ""),
        ] {
            assert_eq!(Printable(text).to_string(), shown);
            assert_eq!(Printable(shown).to_string(), shown, "once more");
            assert_eq!(printable(text, 1000), shown);
        }
    }

    #[test]
    fn no_escape_is_cut_and_the_mark_has_its_place() {
        let text = "abc\u{202e}def";
        let all = Printable(text).to_string();
        for most in 0..=all.len() + 1 {
            let cut = printable(text, most);
            let expected = match most {
                0..=3 => format!("{}…", &"abc"[..most.saturating_sub(1)]),
                4..=11 => "abc…".to_owned(),
                12..=13 => format!(r"abc\u{{202e}}{}…", &"def"[..most - 12]),
                _ => all.clone(),
            };
            assert_eq!(cut, expected, "{most}");
        }
        assert_eq!(printable("x".repeat(5000), 200).chars().count(), 200);
    }
}
