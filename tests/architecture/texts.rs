//! What others wrote is shown escaped: a path is the text that is most easily forgotten.

use std::fs;
use std::path::Path;

use super::reading::collect;

#[test]
fn no_path_is_shown_as_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    ["src", "examples/agent", "examples/check", "examples/inspect", "examples/probe"]
        .iter()
        .for_each(|folder| collect(&root.join(folder), &mut sources));
    let mut shown = 0;
    for path in sources.iter().filter(|path| !path.ends_with("store/faults.rs")) {
        for line in fs::read_to_string(path).unwrap().lines() {
            let escaped = !line.contains(".display()") || line.contains("Printable(");
            assert!(escaped, "{}: write `Printable(….display())`: {line}", path.display());
            shown += usize::from(line.contains("Printable("));
        }
    }
    assert!(shown > 20, "{shown}");
}
