//! `docs/tuning.md`: every constant with its default, its range and its reason. `HOMING_BLESS=1 cargo test` writes it anew.

use std::fmt::Write as _;
use std::path::Path;

use super::{Span, Tuning, attachment, location, network, range, schedule, trial};

const BEGINNING: &str = "\
# Tuning

The constants of the rules ([rules.md](rules.md)), for programs that change them: `Builder::tuning`, `tuning_json` in C, and
`--tuning FILE` of the example agent. They are not part of the settings document. One object for each part, durations as
text; a name that is not listed here is an error, and so is a value out of its range:

```json
{ \"attachment\": { \"spread\": \"5s\" }, \"time_scale\": 0.1 }
```

`time_scale` (0.01 to 1, default 1) multiplies every duration of tuning and settings, for demonstrations. Change the rest with care: the
rules were simulated with these values.
";

fn page() -> String {
    let mut page = BEGINNING.to_owned();
    let reasons = network::Tuning::reasons().chain(attachment::Tuning::reasons());
    let reasons = reasons.chain(location::Tuning::reasons()).chain(schedule::Tuning::reasons());
    let reasons = reasons.chain(trial::Tuning::reasons());
    let mut tuning = Tuning::default();
    let mut part = "";
    for ((path, value), reason) in tuning.durations().zip(reasons) {
        let (of, name) = path.split_once('.').unwrap();
        if of != part {
            part = of;
            let _ = write!(page, "\n## `{part}`\n\n| name | default | range | why |\n|---|---|---|---|\n");
        }
        let (default, (_, range)) = (Span(*value), range(path));
        let _ = writeln!(page, "| `{name}` | {default} | {range} | {} |", reason.trim());
    }
    page
}

#[test]
fn the_page_has_every_constant_of_the_rules() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tuning.md");
    let page = page();
    if std::env::var_os("HOMING_BLESS").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    assert!(
        std::fs::read_to_string(&file).unwrap() == page,
        "docs/tuning.md is out of date; run `HOMING_BLESS=1 cargo test`"
    );
    assert_eq!(page.matches("\n| `").count(), Tuning::default().durations().count());
}
