//! What include/homing.h declares, read from its text.

use std::path::Path;

/// A parameter of a function or a member of a struct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// The type as it is written, `const homing_client *`; of an array the type of its elements; `function` of a callback.
    pub kind: String,
    pub name: String,
}

#[derive(Clone, Debug)]
pub struct Function {
    pub returns: String,
    pub name: String,
    pub parameters: Vec<Declaration>,
}

#[derive(Clone, Debug)]
pub struct Struct {
    pub name: String,
    pub members: Vec<Declaration>,
}

#[derive(Debug)]
pub struct Header {
    pub text: String,
    pub functions: Vec<Function>,
    pub structs: Vec<Struct>,
}

impl Header {
    /// The one of this repository.
    pub fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/homing.h");
        let text = std::fs::read_to_string(path).unwrap();
        let (mut functions, mut structs) = (Vec::new(), Vec::new());
        for statement in statements(&text) {
            if let Some(body) = statement.strip_prefix("typedef struct { ") {
                structs.push(a_struct(body));
            } else if !statement.starts_with("typedef ") {
                functions.push(function(&statement));
            }
        }
        Self { text, functions, structs }
    }

    pub fn find_struct(&self, name: &str) -> Option<&Struct> {
        self.structs.iter().find(|it| it.name == name)
    }
}

/// Everything that ends with a semicolon outside of braces, on one line with single spaces.
fn statements(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let (mut statement, mut depth) = (String::new(), 0);
    for line in text.lines() {
        let code = line.split("//").next().unwrap_or_default();
        if code.starts_with('#') || code.contains("extern \"C\"") || (code.trim() == "}" && depth == 0) {
            continue;
        }
        for character in code.chars().chain(['\n']) {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if character == ';' && depth == 0 {
                let words: Vec<_> = statement.split_whitespace().collect();
                all.push(words.join(" "));
                statement.clear();
            } else {
                statement.push(character);
            }
        }
    }
    assert_eq!((statement.trim(), depth), ("", 0), "the header ends in the middle");
    all
}

fn function(statement: &str) -> Function {
    let (front, rest) = statement.split_once('(').unwrap_or_else(|| panic!("what is `{statement}`?"));
    let front = declaration(front);
    let parameters = match rest.strip_suffix(')').unwrap().trim() {
        "void" => Vec::new(),
        list => list.split(',').map(declaration).collect(),
    };
    Function { returns: front.kind, name: front.name, parameters }
}

fn a_struct(body: &str) -> Struct {
    let (members, name) = body.rsplit_once('}').unwrap();
    let members = members.split(';').map(str::trim).filter(|member| !member.is_empty());
    Struct { name: name.trim().to_owned(), members: members.map(declaration).collect() }
}

fn declaration(text: &str) -> Declaration {
    let text = text.trim();
    if let Some((front, _)) = text.split_once(")(") {
        let (_, name) = front.rsplit_once('*').unwrap();
        return Declaration { kind: "function".to_owned(), name: name.to_owned() };
    }
    let text = text.split('[').next().unwrap();
    let end = text.rfind(|character: char| !character.is_alphanumeric() && character != '_').unwrap();
    let (kind, name) = text.split_at(end + 1);
    Declaration { kind: kind.trim().to_owned(), name: name.to_owned() }
}
