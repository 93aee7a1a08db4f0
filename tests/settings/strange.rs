//! Documents that nobody would write.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// What holds of all settings, however they came about.
fn check(settings: &Settings) -> Result<(), TestCaseError> {
    let names: Vec<Option<&str>> = settings.locations().map(|name| Some(&**name)).chain([None]).collect();
    let in_force = names.iter().map(|name| settings.effective(*name).server_list.value);
    for list in settings.lists().iter().cloned().chain(in_force) {
        let mut ids: Vec<&str> = list.servers().map(|(_, server)| server.id.as_str()).collect();
        let written = ids.len();
        ids.sort_unstable();
        ids.dedup();
        prop_assert_eq!(ids.len(), written, "a server stands in a list once");
        for (_, server) in list.servers() {
            prop_assert_ne!(server.port, 0);
            prop_assert!(usize::from(server.policy) < settings.policies().len());
            prop_assert!(settings.servers().contains(&server.id));
        }
    }
    prop_assert!(!settings.servers().is_empty());
    for policy in settings.policies() {
        let believes_nobody = policy.roots.is_empty();
        prop_assert_eq!(believes_nobody, policy.pin_only || policy.danger_no_verification);
        prop_assert!(!policy.pin_only || policy.has_usable_pin());
    }
    for lint in settings.lint() {
        prop_assert!(!lint.to_string().is_empty());
    }
    Ok(())
}

fn full() -> Value {
    let page = include_str!("../../docs/settings.md");
    let text = page.split("```json\n").nth(2).and_then(|rest| rest.split("```").next()).unwrap();
    serde_json::from_str(text).unwrap()
}

/// Every place of the document, as a JSON pointer.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    if let Value::Array(values) = value {
        for (index, value) in values.iter().enumerate() {
            places(value, &format!("{at}/{index}"), found);
        }
    }
    if let Value::Object(fields) = value {
        for (name, value) in fields {
            places(value, &format!("{at}/{name}"), found);
        }
    }
}

/// Something that stands somewhere in a document, or might.
fn anything() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "",
        "a.example",
        "10.1.0.5",
        "::1",
        "::1%eth0",
        "main",
        "road",
        "http",
        "https",
        "push",
        "tcp",
        "pin",
        "public",
        "revoked",
        "300s",
        "0s",
        "\u{0}",
        "ü",
        "external",
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(vec![0, 1, 2, 443, 65535, 65536]).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    let mut names = Vec::new();
    places(&full(), "", &mut names);
    let names: Vec<String> =
        names.iter().filter_map(|place| place.rsplit_once('/')).map(|(_, name)| name.to_owned()).collect();
    leaf.prop_recursive(5, 32, 4, move |inner| {
        let name = prop::sample::select(names.clone());
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// The full document with some of its places overwritten.
fn distorted() -> impl Strategy<Value = Value> {
    let mut found = Vec::new();
    places(&full(), "", &mut found);
    prop::collection::vec((prop::sample::select(found), anything()), 0..4).prop_map(|changes| {
        let mut document = full();
        for (place, value) in changes {
            if let Some(place) = document.pointer_mut(&place) {
                *place = value;
            }
        }
        document
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn arbitrary_bytes_are_judged_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for source in [Source::Person, Source::Server] {
            if let Ok(parsed) = Settings::parse(&bytes, source) {
                check(&parsed.settings)?;
            }
        }
    }

    #[test]
    fn arbitrary_documents_are_judged_without_a_panic(document in anything()) {
        let document = json!({ "server_lists": document.clone(), "group": document }).to_string();
        if let Ok(parsed) = Settings::parse(document.as_bytes(), Source::Server) {
            check(&parsed.settings)?;
        }
    }

    #[test]
    fn what_a_person_may_write_a_server_may_send(document in distorted()) {
        let text = document.to_string();
        let strict = Settings::parse(text.as_bytes(), Source::Person);
        let lenient = Settings::parse(text.as_bytes(), Source::Server);
        if let Ok(strict) = strict {
            check(&strict.settings)?;
            prop_assert_eq!(Ok(strict), lenient);
        } else if let Ok(lenient) = lenient {
            check(&lenient.settings)?;
            prop_assert!(!lenient.warnings.is_empty(), "{}", text);
        }
    }

    #[test]
    fn a_text_cut_anywhere_is_no_json(cut in 1_usize..2_000) {
        let text = full().to_string();
        let cut = cut.min(text.len() - 1);
        let error = Settings::parse(&text.as_bytes()[..cut], Source::Person).unwrap_err();
        prop_assert!(error.to_string().starts_with("the settings are not JSON"), "{}", error);
    }
}
