//! From bytes to the document: size, encoding, depth, version, shape. The first trouble is the error.
//!
//! The text is read twice. The first time only the header counts, so that a document of next year is
//! refused for its version, and a broken one for its syntax, before any field is judged.

use std::str;

use serde::Deserialize;
use serde_json::error::Category;

use super::document::{Document, Header};
use super::limits::{MAX_DEPTH, MAX_TEXT};
use super::value::{Object, quoted};
use super::{SettingsError, Source, Warning, WarningKind, field};
use crate::types::printable;

/// Unknown fields that are listed one by one; more would only fill a log.
const LISTED_UNKNOWN_FIELDS: usize = 32;

/// A line of a log; the texts of the libraries quote what they read, which may be long.
const PROBLEM_CHARACTERS: usize = 300;

/// Group settings that somebody might look for in a location.
const GROUP_ONLY: [&str; 3] =
    ["download_from_management_server", "accept_settings_over_http", "reconnection"];

/// Reads a document and, from a server, what is odd about it.
pub(super) fn read(bytes: &[u8], source: Source) -> Result<(Document, Vec<Warning>), SettingsError> {
    let text = decoded(bytes)?;
    check_depth(text)?;
    check_header(text)?;
    let mut unknown = Unknown::default();
    let document = shaped(text, &mut |path| unknown.add(path));
    if source == Source::Person
        && let Some(path) = unknown.listed.first()
    {
        // Before any other error: a misspelt name is often the reason for it.
        return Err(unknown_field(path));
    }
    Ok((document?, unknown.into_warnings()))
}

/// Reads one part of a document that stands alone, as a person wrote it.
pub(super) fn read_part<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, SettingsError> {
    let text = decoded(bytes)?;
    check_depth(text)?;
    let mut unknown = None;
    let part = shaped(text, &mut |path| _ = unknown.get_or_insert(path));
    match unknown {
        Some(path) => Err(unknown_field(&path)),
        None => part,
    }
}

fn decoded(bytes: &[u8]) -> Result<&str, SettingsError> {
    if bytes.len() > MAX_TEXT {
        return Err(SettingsError::TooLarge { bytes: bytes.len() });
    }
    if bytes.starts_with(&[0xff, 0xfe])
        || bytes.starts_with(&[0xfe, 0xff])
        || bytes.iter().take(2).any(|b| *b == 0)
    {
        return Err(SettingsError::Utf16);
    }
    let text = str::from_utf8(bytes).map_err(|error| SettingsError::NotUtf8 { at: error.valid_up_to() })?;
    // Editors on Windows write a byte order mark, which is not JSON.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() { Err(SettingsError::Empty) } else { Ok(text) }
}

fn check_depth(text: &str) -> Result<(), SettingsError> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (offset, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            let (line, column) = position(text.as_bytes(), offset);
            return Err(SettingsError::TooDeep { line, column });
        }
    }
    Ok(())
}

fn position(text: &[u8], offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    (line, column)
}

fn check_header(text: &str) -> Result<(), SettingsError> {
    let Header { version, requires } = shaped(text, &mut |_| {})?;
    if let Some(found) = version
        && found.as_u64() != Some(1)
    {
        return Err(SettingsError::Version { found: bounded(&found.to_string()) });
    }
    match requires.unwrap_or_default().first() {
        Some(name) => Err(SettingsError::Requirement { path: "requires[0]".to_owned(), name: quoted(name) }),
        None => Ok(()),
    }
}

/// Reads the text as one object of this shape and names each field that the shape does not know.
fn shaped<'de, T: Deserialize<'de>>(
    text: &'de str,
    on_unknown: &mut dyn FnMut(String),
) -> Result<T, SettingsError> {
    let mut json = serde_json::Deserializer::from_str(text);
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut json, &mut track);
    let shaped = serde_ignored::deserialize(tracked, |path| on_unknown(spelled(&path)));
    match shaped.and_then(|Object(value)| json.end().map(|()| value)) {
        Ok(value) => Ok(value),
        Err(error) => Err(explained(&error, track.path().to_string(), text)),
    }
}

fn explained(error: &serde_json::Error, path: String, text: &str) -> SettingsError {
    let source = text;
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let problem = text.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&text);
    match error.classify() {
        Category::Syntax | Category::Eof | Category::Io => {
            let detail = bounded(problem) + stumble(source, line, column);
            SettingsError::NotJson { line, column, detail }
        }
        Category::Data => {
            let path = if path == "." { "the settings".to_owned() } else { bounded(&path) };
            SettingsError::Value { path, problem: bounded(&in_words(problem)) }
        }
    }
}

/// What people write that JSON does not have, if that is where the text stopped being JSON.
fn stumble(text: &str, line: usize, column: usize) -> &'static str {
    let above: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    // Columns count bytes, from 1.
    let at = above + column.saturating_sub(1);
    let Some((before, found)) = text.as_bytes().split_at_checked(at) else { return "" };
    match found.first() {
        Some(b'/' | b'#') => "; JSON has no comments: remove this one",
        Some(b'}' | b']') if before.trim_ascii_end().ends_with(b",") => {
            "; remove the comma before this bracket"
        }
        Some(_) | None => "",
    }
}

/// The words of the JSON library, as a person who writes settings would say them.
fn in_words(problem: &str) -> String {
    let kinds = [
        ("invalid type: map", "an object `{ … }` stands here"),
        ("invalid type: sequence", "a list `[ … ]` stands here"),
        ("invalid type: null", "`null` stands here"),
    ];
    let problem =
        match kinds.iter().find_map(|(kind, said)| problem.strip_prefix(kind).map(|rest| (said, rest))) {
            Some((said, rest)) => format!("{said}{rest}"),
            None => problem.to_owned(),
        };
    match problem.strip_suffix("expected a sequence") {
        Some(rest) => format!("{rest}expected a list `[ … ]`"),
        None => problem,
    }
}

/// A path as errors write it: `locations[0].name`.
fn spelled(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}[{index}]", spelled(parent)),
        Path::Map { parent, key } => {
            let parent = spelled(parent);
            let dot = if parent.is_empty() { "" } else { "." };
            format!("{parent}{dot}{}", bounded(key))
        }
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => {
            spelled(parent)
        }
    }
}

fn unknown_field(path: &str) -> SettingsError {
    let path = path.to_owned();
    match path.rsplit_once('.') {
        Some((parent, name)) if parent.starts_with("locations[") && GROUP_ONLY.contains(&name) => {
            SettingsError::GroupOnly { path }
        }
        Some(_) | None => SettingsError::UnknownField { advice: field::advice(&path), path },
    }
}

fn bounded(text: &str) -> String {
    printable(text, PROBLEM_CHARACTERS)
}

#[derive(Default)]
struct Unknown {
    listed: Vec<String>,
    more: usize,
}

impl Unknown {
    fn add(&mut self, path: String) {
        if self.listed.len() < LISTED_UNKNOWN_FIELDS {
            self.listed.push(path);
        } else {
            self.more += 1;
        }
    }

    fn into_warnings(self) -> Vec<Warning> {
        let listed = self.listed.into_iter().map(|path| Warning { path, kind: WarningKind::UnknownField });
        let more = (self.more > 0).then(|| Warning {
            path: "the settings".to_owned(),
            kind: WarningKind::MoreUnknownFields(self.more),
        });
        listed.chain(more).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = r#"{ "server_lists": [ { "name": "main", "priorities": [ { "servers": [ { "address": "a" } ] } ] } ] }"#;

    fn warnings(text: &str) -> Vec<String> {
        let (_, warnings) = read(text.as_bytes(), Source::Server).unwrap();
        warnings.iter().map(Warning::to_string).collect()
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        assert!(read(format!("\u{feff}{MINIMAL}").as_bytes(), Source::Person).is_ok());
    }

    #[test]
    fn what_editors_and_people_do_to_a_file_is_told_with_what_to_do() {
        let utf16: Vec<u8> = "\u{feff}{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let other: Vec<u8> = "\u{feff}{}".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let unmarked: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for text in [utf16, other, unmarked] {
            assert_eq!(read(&text, Source::Person).unwrap_err(), SettingsError::Utf16);
        }
        for text in ["", " \n", "\u{feff}"] {
            assert_eq!(read(text.as_bytes(), Source::Person).unwrap_err(), SettingsError::Empty);
        }
        let comment = "; JSON has no comments: remove this one at line";
        for (text, expected) in [
            ("// mine\n{}".to_owned(), comment),
            (MINIMAL.replacen('{', "{ // the only list\n", 1), comment),
            (MINIMAL.replacen('{', "{\n    # the only list\n", 1), comment),
            (MINIMAL.replacen("\"name\"", "/* its name */ \"name\"", 1), comment),
            (MINIMAL.replacen("\"main\",", "\"main\", // mine\n", 1), comment),
            (MINIMAL.replacen('}', ",}", 1), "; remove the comma before this bracket at line"),
            (MINIMAL.replacen(']', ",]", 1), "; remove the comma before this bracket at line"),
            (MINIMAL.replacen("\"main\"", "\"http://\" x", 1), "expected `,` or `}` at line"),
            (
                r#"{ "server_lists": { "name": "main" } }"#.to_owned(),
                "server_lists: an object `{ … }` stands here, expected a list `[ … ]`",
            ),
            (
                r#"{ "server_lists": [ [] ] }"#.to_owned(),
                "server_lists[0]: a list `[ … ]` stands here, expected an object `{ … }`",
            ),
            (
                MINIMAL.replace("\"a\"", "\"a\", \"port\": 8443"),
                "servers[0].port: unknown field; did you mean `http_port` or `https_port`?",
            ),
            (
                MINIMAL.replacen('{', r#"{ "group": { "comunication": {} },"#, 1),
                "group.comunication: unknown field; did you mean `communication`?",
            ),
        ] {
            let error = read(text.as_bytes(), Source::Person).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn an_editor_may_be_told_of_the_schema() {
        let with = |value: &str| MINIMAL.replacen('{', &format!("{{ \"$schema\": {value},"), 1);
        for source in [Source::Person, Source::Server] {
            assert_eq!(read(with("\"docs/settings.schema.json\"").as_bytes(), source).unwrap().1, []);
            let error = read(with("7").as_bytes(), source).unwrap_err().to_string();
            assert!(error.starts_with("$schema: "), "{error}");
        }
    }

    #[test]
    fn a_server_may_send_fields_of_next_year() {
        let text = MINIMAL.replace("{ \"address\"", "{ \"colour\": [[1], {\"deep\": null}], \"address\"");
        let text = text.replacen('{', "{ \"flavour\": \"sweet\",", 1);
        assert_eq!(
            warnings(&text),
            [
                "flavour: unknown field, ignored; update the agent, or leave it out",
                "server_lists[0].priorities[0].servers[0].colour: unknown field, ignored; update the agent, or leave it \
                 out",
            ]
        );
        let error = read(text.as_bytes(), Source::Person).unwrap_err();
        assert!(matches!(error, SettingsError::UnknownField { path, .. } if path == "flavour"));
    }

    #[test]
    fn a_flood_of_unknown_fields_is_counted_and_not_listed() {
        let many: String = (0..1000).map(|number| format!("\"x{number}\": 0, ")).collect();
        let warnings = warnings(&MINIMAL.replacen('{', &format!("{{ {many}"), 1));
        assert_eq!(warnings.len(), LISTED_UNKNOWN_FIELDS + 1);
        assert_eq!(
            warnings.last().unwrap(),
            "the settings: 968 more unknown fields, ignored; update the agent, or leave them out"
        );
    }

    #[test]
    fn depth_is_counted_outside_of_strings_only() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(check_depth(&nested(MAX_DEPTH)), Ok(()));
        assert_eq!(check_depth(&format!("\"{}\\\"{}\"", nested(99), "[".repeat(99))), Ok(()));
        let side_by_side = "[]".repeat(1000);
        assert_eq!(check_depth(&side_by_side), Ok(()));
        let too_deep = format!("{{\n  \"x\": {}", "[".repeat(MAX_DEPTH));
        assert_eq!(
            check_depth(&too_deep),
            Err(SettingsError::TooDeep { line: 2, column: 8 + MAX_DEPTH - 1 })
        );
    }

    #[test]
    fn the_version_is_judged_before_anything_of_the_rest() {
        let error = read(br#"{ "server_lists": 5, "what": {}, "version": 2 }"#, Source::Server).unwrap_err();
        assert_eq!(error, SettingsError::Version { found: "2".to_owned() });
    }

    #[test]
    fn an_error_is_a_line_of_a_log_whatever_the_text_says() {
        let long = format!("{}\\n\\u001b[31m", "x".repeat(100_000));
        let texts = [
            MINIMAL.replace("\"a\"", &format!("\"{long}\"")),
            MINIMAL.replace("\"a\"", "5").replace("\"main\"", &format!("\"{long}\"")),
            MINIMAL.replacen('{', &format!("{{ \"{long}\": 0,"), 1),
            MINIMAL.replacen('{', &format!("{{ \"requires\": [\"{long}\"],"), 1),
            MINIMAL.replacen('{', &format!("{{ \"site\": \"{long}\","), 1),
        ];
        for text in texts {
            let error = read(text.as_bytes(), Source::Person).unwrap_err().to_string();
            assert!(error.len() < 1000, "{} bytes", error.len());
            assert!(!error.chars().any(char::is_control), "{error}");
        }
    }
}
