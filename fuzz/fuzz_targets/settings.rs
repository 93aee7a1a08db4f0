//! Any bytes as a settings document: an error with words, or settings of which every question can be asked.
#![no_main]

use homing::settings::{Settings, Source};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let person = read(text, Source::Person);
    let server = read(text, Source::Server);
    // What a person may write, a server may send, and it means the same.
    if let Some(person) = person {
        assert_eq!(Some(person), server);
    }
});

fn read(text: &[u8], source: Source) -> Option<Settings> {
    let parsed = match Settings::parse(text, source) {
        Ok(parsed) => parsed,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return None;
        }
    };
    let settings = parsed.settings;
    for warning in &parsed.warnings {
        assert!(!warning.to_string().is_empty());
    }
    for lint in settings.lint() {
        assert!(!lint.to_string().is_empty());
    }
    let locations = settings.locations().map(|name| Some(&**name));
    for location in locations.chain([None, Some("nowhere")]) {
        for (_, server) in settings.effective(location).server_list.value.servers() {
            assert!(settings.servers().contains(&server.id), "a server nobody wrote");
            assert!(usize::from(server.policy) < settings.policies().len(), "a policy nobody wrote");
        }
    }
    for index in 0..settings.policies().len() {
        assert!(!settings.policy_place(index).is_empty());
    }
    Some(settings)
}
