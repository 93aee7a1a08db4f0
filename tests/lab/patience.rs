//! How long peers may take, and how long tests wait: a slow machine must look like no slow server.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

/// Longer than anything here takes, also on a machine that is ten times slower; only a test that fails waits for it.
pub(crate) const BOUND: Duration = Duration::from_secs(300);

/// How long a peer may take, in milliseconds, as in earnest. The time scale of a test does not reach these.
const PATIENCE: &[(&str, &[(&str, f64)])] = &[
    (
        "attachment",
        &[
            ("connect_limit", 10_000.0),
            ("route_limit", 3_000.0),
            ("endpoint_limit", 5_000.0),
            ("tls_limit", 10_000.0),
            ("exchange_limit", 15_000.0),
            ("attempt_limit", 20_000.0),
            ("name_limit", 5_000.0),
            ("address_stagger", 250.0),
            ("stagger_unknown", 250.0),
            ("stagger_least", 100.0),
            ("stagger_most", 2_000.0),
            ("beside_most", 10_000.0),
            ("progress_grace", 150.0),
            ("patience", 1_500.0),
            ("crossing", 1_000.0),
            ("reserve", 3_000.0),
            ("second_opinion", 400.0),
            ("first_byte_unknown", 250.0),
            ("silence_margin", 1_000.0),
            ("silence_least", 2_000.0),
            ("silence_most", 10_000.0),
        ],
    ),
    (
        "location",
        &[
            ("patience", 1_500.0),
            ("name_limit", 5_000.0),
            ("round_limit", 8_000.0),
            ("first_location", 7_500.0),
        ],
    ),
];

/// Constants with which everything that recurs takes `time_scale` of its time in earnest, and a peer may take `patience` times as
/// long as in earnest.
pub(crate) fn tuning(time_scale: f64, patience: f64) -> Value {
    let part = |durations: &[(&str, f64)]| -> Map<String, Value> {
        let text = |milliseconds: f64| json!(format!("{:.0}ms", milliseconds * patience / time_scale));
        durations.iter().map(|&(name, milliseconds)| (name.to_owned(), text(milliseconds))).collect()
    };
    let mut tuning: Map<String, Value> =
        PATIENCE.iter().map(|(name, durations)| ((*name).to_owned(), part(durations).into())).collect();
    tuning.insert("time_scale".to_owned(), json!(time_scale));
    tuning.into()
}

/// What comes of itself a moment after something else: looked for again and again. Panics when it does not come.
pub(crate) fn soon<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let end = Instant::now() + BOUND;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}
