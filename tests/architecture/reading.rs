//! What the sources say, read as tokens: comments and strings do not count, the insides of macros do. What stands under
//! `#[cfg(test)]` is not shipped and is not looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// Where the sources of the library are, and those of the simulation.
pub const LIBRARY: &str = "src";
pub const SIMULATION: &str = "sim/src";

/// Every source file of one of them: its path from the root, with slashes, and its text.
pub fn sources(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    collect(&root.join(folder), &mut paths);
    assert!(paths.len() >= 10, "these are not the sources: {paths:?}");
    let read = |path: &PathBuf| {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        (name, fs::read_to_string(path).unwrap())
    };
    paths.iter().map(read).collect()
}

/// The sources below a folder.
pub fn collect(folder: &Path, sources: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(path);
        }
    }
}

/// The files behind `#[cfg(test)] mod name;` in a file, without the ending.
pub fn test_files(name: &str, walk: &Walk) -> Vec<String> {
    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
    let inside =
        if name.ends_with("/mod.rs") { folder.to_owned() } else { name.trim_end_matches(".rs").to_owned() };
    let tests = walk.test_modules.iter();
    tests.flat_map(|test| [format!("{inside}/{test}.rs"), format!("{inside}/{test}/")]).collect()
}

/// The sources that are shipped, read.
pub fn shipped(folder: &str) -> Vec<(String, String, Walk)> {
    let mut found = Vec::new();
    let mut tests = Vec::new();
    for (name, source) in sources(folder) {
        let tokens: TokenStream = source.parse().unwrap();
        let mut walk = Walk::default();
        walk.items(&tokens);
        walk.level(tokens, &module_of(&name));
        tests.extend(test_files(&name, &walk));
        found.push((name, source, walk));
    }
    found.retain(|(name, _, _)| !tests.iter().any(|test: &String| name.starts_with(test.as_str())));
    found
}

/// The module a file is: `src/engine/race.rs` is `engine::race`; the root of the crate is empty.
pub fn module_of(name: &str) -> Vec<String> {
    let inner = name.trim_start_matches("sim/").trim_start_matches("src/").trim_end_matches(".rs");
    let inner = inner.strip_suffix("/mod").unwrap_or(inner);
    if inner == "lib" { Vec::new() } else { inner.split('/').map(str::to_owned).collect() }
}

/// One path as it stands in the source.
pub struct Mention {
    pub line: usize,
    path: Vec<String>,
    /// Inside a `use`: names nothing that another `use` of the file brought in by chance.
    import: bool,
    /// What a `pub use` names for others.
    pub passed_on: Option<String>,
}

impl Mention {
    /// The path with the file's own aliases undone.
    pub fn resolved(&self, aliases: &BTreeMap<String, Vec<String>>) -> Vec<String> {
        let mut path = self.path.clone();
        // More links than a chain of aliases in one file ever has.
        for _ in 0..8 {
            let Some(target) = path.first().and_then(|first| aliases.get(first)) else { break };
            if self.import && *target == path || target.first() == path.first() {
                break;
            }
            path = [target.as_slice(), &path[1..]].concat();
        }
        path
    }
}

/// Collects the paths of one file.
#[derive(Default)]
pub struct Walk {
    pub mentions: Vec<Mention>,
    pub aliases: BTreeMap<String, Vec<String>>,
    pub test_modules: Vec<String>,
    /// Functions with their first and last lines.
    pub functions: Vec<(String, usize, usize)>,
    /// What the file itself defines at its top level.
    pub items: BTreeSet<String>,
    /// Lines of items that are there for tests alone.
    pub test_lines: usize,
    /// Words that stand alone somewhere, and in no `use`.
    pub words: BTreeSet<String>,
    /// Whether the `use` that is read is for others.
    is_public: bool,
}

impl Walk {
    /// One level of braces; `module` is where it stands.
    pub fn level(&mut self, tokens: TokenStream, module: &[String]) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            if let Some(end) = self.test_item(&tokens, at) {
                at = end;
                continue;
            }
            match &tokens[at] {
                TokenTree::Ident(word) if word == "mod" => {
                    if let [TokenTree::Ident(name), TokenTree::Group(body), ..] = &tokens[at + 1..] {
                        self.level(body.stream(), &[module, &[name.to_string()]].concat());
                        at += 2;
                    }
                }
                TokenTree::Ident(word) if word == "fn" => self.function(&tokens, at),
                TokenTree::Ident(word) if word == "use" => {
                    self.is_public = is_public(&tokens[..at]);
                    at = self.tree(&tokens, at + 1, &[], module);
                    continue;
                }
                TokenTree::Ident(_) => {
                    at = self.path(&tokens, at, module);
                    continue;
                }
                TokenTree::Group(group) => self.level(group.stream(), module),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            at += 1;
        }
    }

    /// The function that begins here, if it has a body.
    fn function(&mut self, tokens: &[TokenTree], at: usize) {
        let Some(TokenTree::Ident(name)) = tokens.get(at + 1) else { return };
        let body = tokens[at..].iter().find(|token| match token {
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            TokenTree::Punct(punct) => punct.as_char() == ';',
            TokenTree::Ident(_) | TokenTree::Literal(_) => false,
        });
        if let Some(TokenTree::Group(body)) = body {
            let (first, last) = (tokens[at].span().start().line, body.span_close().end().line);
            self.functions.push((name.to_string(), first, last));
        }
    }

    /// What a file defines: the word after `struct`, `fn` and the like, outside of every bracket.
    pub fn items(&mut self, tokens: &TokenStream) {
        const KINDS: &[&str] =
            &["struct", "enum", "trait", "union", "fn", "const", "static", "type", "mod", "macro_rules"];
        let words: Vec<String> = tokens.clone().into_iter().map(|token| token.to_string()).collect();
        for pair in words.windows(2).filter(|pair| KINDS.contains(&pair[0].as_str())) {
            self.items.insert(pair[1].clone());
        }
    }

    /// The end of an item under `#[cfg(test)]` that begins here.
    fn test_item(&mut self, tokens: &[TokenTree], at: usize) -> Option<usize> {
        let (TokenTree::Punct(hash), TokenTree::Group(attribute)) = (tokens.get(at)?, tokens.get(at + 1)?)
        else {
            return None;
        };
        if hash.as_char() != '#' || !is_test(attribute) {
            return None;
        }
        let rest = &tokens[at + 2..];
        let ends = |token: &TokenTree| match token {
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            TokenTree::Punct(punct) => punct.as_char() == ';',
            TokenTree::Ident(_) | TokenTree::Literal(_) => false,
        };
        let length = rest.iter().position(ends).map_or(rest.len(), |position| position + 1);
        let words: Vec<String> = rest[..length].iter().map(ToString::to_string).collect();
        if let Some(position) = words.iter().position(|word| word == "mod")
            && words.last().is_some_and(|last| last == ";")
        {
            self.test_modules.extend(words.get(position + 1).cloned());
        }
        if let Some(last) = rest[..length].last() {
            self.test_lines += last.span().end().line + 1 - hash.span().start().line;
        }
        Some(at + 2 + length)
    }

    /// A path in an expression, a type or a macro. Returns where it ends.
    fn path(&mut self, tokens: &[TokenTree], mut at: usize, module: &[String]) -> usize {
        let line = tokens[at].span().start().line;
        let mut path = Vec::new();
        while let Some(TokenTree::Ident(word)) = tokens.get(at) {
            path.push(word.to_string());
            at += 1;
            if !is_double_colon(tokens, at) || !matches!(tokens.get(at + 2), Some(TokenTree::Ident(_))) {
                break;
            }
            at += 2;
        }
        self.words.extend(path.first().cloned());
        // A word alone was brought in by a `use`, which is looked at by itself.
        if path.len() > 1 {
            self.mentions.push(Mention {
                line,
                path: absolute(path, module),
                import: false,
                passed_on: None,
            });
        }
        at
    }

    /// One branch of a `use`. Returns where it ends.
    fn tree(&mut self, tokens: &[TokenTree], mut at: usize, prefix: &[String], module: &[String]) -> usize {
        let mut path = prefix.to_vec();
        let mut line = 0;
        let mut alias = None;
        while let Some(token) = tokens.get(at) {
            line = token.span().start().line;
            match token {
                TokenTree::Ident(word) if word == "as" => {
                    alias = tokens.get(at + 1).map(ToString::to_string);
                    at += 1;
                }
                TokenTree::Ident(word) => path.push(word.to_string()),
                TokenTree::Group(group) => {
                    let branches: Vec<TokenTree> = group.stream().into_iter().collect();
                    let mut branch = 0;
                    while branch < branches.len() {
                        branch = self.tree(&branches, branch, &path, module) + 1;
                    }
                    return at + 1;
                }
                TokenTree::Punct(punct) if matches!(punct.as_char(), ';' | ',') => break,
                TokenTree::Punct(punct) if punct.as_char() == '*' => path.push("*".to_owned()),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            at += 1;
        }
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        if let Some(last) = path.last().cloned() {
            let path = absolute(path, module);
            let passed_on = self.is_public.then(|| alias.clone().unwrap_or_else(|| last.clone()));
            if last != "*" {
                self.aliases.insert(alias.unwrap_or(last), path.clone());
            }
            self.mentions.push(Mention { line, path, import: true, passed_on });
        }
        at
    }
}

/// `self` and `super` undone: such a path begins with `crate`.
fn absolute(path: Vec<String>, module: &[String]) -> Vec<String> {
    let mut here = module.to_vec();
    let mut rest = path.as_slice();
    match rest.first().map(String::as_str) {
        Some("self") => rest = &rest[1..],
        Some("super") => {
            while rest.first().is_some_and(|word| word == "super") {
                here.pop();
                rest = &rest[1..];
            }
        }
        _ => return path,
    }
    [&["crate".to_owned()], here.as_slice(), rest].concat()
}

/// Whether what follows is `pub`, or `pub(…)`.
fn is_public(before: &[TokenTree]) -> bool {
    match before {
        [.., TokenTree::Ident(word)] => word == "pub",
        [.., TokenTree::Ident(word), TokenTree::Group(reach)] => {
            word == "pub" && reach.delimiter() == Delimiter::Parenthesis
        }
        _ => false,
    }
}

fn is_double_colon(tokens: &[TokenTree], at: usize) -> bool {
    let colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
    colon(at) && colon(at + 1)
}

/// `cfg(test)` or `cfg(all(test, …))`.
fn is_test(attribute: &Group) -> bool {
    let text: String = attribute.stream().to_string().split_whitespace().collect();
    text == "cfg(test)" || text.starts_with("cfg(all(test,")
}
