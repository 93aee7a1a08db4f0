//! Lines for people: as wide as a terminal, in colour where that helps, and without a panic when the reader goes away.

use std::io::{self, IsTerminal, Write};
use std::process;
use std::sync::OnceLock;

/// No line is longer, unless a single word is.
pub(crate) const COLUMNS: usize = 100;

/// Prints like `println!`. When nothing reads any more, as behind `| head`, the program has done its work and ends.
macro_rules! say {
    () => { $crate::terminal::write("\n") };
    ($($text:tt)*) => { $crate::terminal::write(&format!("{}\n", format_args!($($text)*))) };
}
pub(crate) use say;

/// Writes this to standard output at once.
pub(crate) fn write(text: &str) {
    let mut output = io::stdout().lock();
    if let Err(error) = output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        process::exit(i32::from(error.kind() != io::ErrorKind::BrokenPipe));
    }
}

/// Prints a page whose lines may be longer than a terminal is wide; what belongs to a line is indented below it.
#[allow(dead_code, reason = "not every program has one")]
pub(crate) fn page(text: &str) {
    for line in text.lines() {
        let words = line.trim_start();
        let indent = line.len() - words.len();
        say!("{}{}", &line[..indent], wrapped(words, indent + 4).trim_end());
    }
}

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "not every program needs each")]
pub(crate) enum Tone {
    Plain,
    Good,
    Bad,
    Warning,
    Heading,
}

/// The text in the colour of its tone, where standard output is a terminal and `NO_COLOR` is not set.
pub(crate) fn painted(text: &str, tone: Tone) -> String {
    static COLOUR: OnceLock<bool> = OnceLock::new();
    let wanted =
        || io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let code = match tone {
        Tone::Plain => return text.to_owned(),
        Tone::Good => "32",
        Tone::Bad => "31",
        Tone::Warning => "33",
        Tone::Heading => "1",
    };
    if *COLOUR.get_or_init(wanted) { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// The text in lines of at most [`COLUMNS`], broken between words. The first line begins `column` columns to the right,
/// where something stands already; the others are indented by as much.
pub(crate) fn wrapped(text: &str, column: usize) -> String {
    let column = column.min(COLUMNS / 2);
    let (mut lines, mut at) = (String::new(), column);
    for word in text.split(' ') {
        let length = word.chars().count();
        if at > column && at + 1 + length > COLUMNS {
            lines.truncate(lines.trim_end_matches(' ').len());
            lines.push('\n');
            lines.push_str(&" ".repeat(column));
            at = column;
        } else if at > column {
            lines.push(' ');
            at += 1;
        }
        lines.push_str(word);
        at += length;
    }
    lines
}
