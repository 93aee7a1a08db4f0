//! The documents of the documentation are read, and mean what the pages say.

use super::*;

/// The JSON blocks of the page, in order.
fn blocks() -> Vec<&'static str> {
    let page = include_str!("../../docs/settings.md");
    page.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn its_documents_are_read_without_a_word() {
    let blocks = blocks();
    assert_eq!(blocks.len(), 2);
    for block in blocks {
        let parsed = Settings::parse(block.as_bytes(), Source::Person).unwrap();
        assert_eq!(parsed.warnings, []);
    }
}

#[test]
fn its_full_document_has_every_field_there_is() {
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../../docs/settings.schema.json")).unwrap();
    let shapes = schema["$defs"].as_object().unwrap().values().chain([&schema]);
    let fields: Vec<&String> =
        shapes.filter_map(|shape| shape["properties"].as_object()).flat_map(serde_json::Map::keys).collect();
    assert!(fields.len() > 50, "{fields:?}");
    for field in fields {
        assert!(blocks()[1].contains(&format!("\"{field}\":")), "{field} is missing");
    }
}

#[test]
fn every_example_about_certificates_is_a_whole_document() {
    let page = include_str!("../../docs/certificates.md");
    let examples: Vec<&str> =
        page.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(examples.len() > 8, "{examples:?}");
    for example in examples {
        let settings: Result<Settings, _> = example.parse();
        assert!(settings.is_ok(), "{:?}: {example}", settings.err());
    }
}

#[test]
fn its_full_document_means_what_the_page_says() {
    let settings: Settings = blocks()[1].parse().unwrap();
    let office = settings.effective(Some("Office"));
    assert_eq!(office.server_list.value.name.as_deref(), Some("main"));
    assert_eq!(
        (office.heartbeat_interval.from, office.heartbeat_interval.value.as_secs()),
        (Level::Location, 60)
    );
    assert_eq!((office.enabled.from, office.enabled.value), (Level::Group, true));
    assert_eq!(settings.effective(Some("Road")).server_list.value.name.as_deref(), Some("road"));
    assert_eq!(settings.policies().len(), 4, "document, road, partner, files");
    let lints: Vec<String> = settings.lint().iter().map(ToString::to_string).collect();
    assert_eq!(lints.len(), 1, "{lints:#?}");
    assert!(lints[0].starts_with("server_lists[1].priorities[0].servers[1]: plain http"), "{lints:#?}");
}
