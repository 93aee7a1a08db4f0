//! The settings of a chaos.

use std::sync::Arc;

use homing::settings::Settings;
use serde_json::json;

use crate::settings::{address, document, parse};

/// Priorities of these sizes.
const SHAPES: [&[usize]; 4] = [&[1], &[3], &[2, 2], &[1, 0, 12]];

/// The settings of this shape.
pub(super) fn settings(shape: u8, push: bool, named: bool) -> Arc<Settings> {
    let mut numbers = 0..;
    let mut server = |number: usize| {
        let id = format!("s{}", number + 1);
        let address = if named { format!("{id}.test") } else { address(number).to_string() };
        json!({ "id": id, "address": address })
    };
    let priorities = SHAPES[usize::from(shape) % SHAPES.len()]
        .iter()
        .map(|&size| numbers.by_ref().take(size).map(&mut server).collect());
    let mode = if push { "push" } else { "pull" };
    let mut document = document(priorities, json!({ "heartbeat_interval": "30s", "mode": mode }));
    document["group"]["reconnection"] = json!({ "keep_group": shape.is_multiple_of(2), "keep_mode": named });
    if usize::from(shape) / SHAPES.len() % 2 == 1 {
        // One has a name, one accepts anything, one has two ports.
        document["reference_servers"] = json!({ "servers": [
            { "address": "r.test" }, { "address": "10.99.0.1", "proof": "tcp" }, { "address": "r2.example", "ports": [1, 2] } ] });
        document["locations"] = json!([
            { "name": "Office", "when": ["internal", "internal_via_vpn"], "communication": {
                "heartbeat_interval": "20s", "upload_critical_immediately": false } },
            { "name": "Road", "when": ["external", "captive"], "communication": {
                "mode": "push", "learn_applications": true } } ]);
        document["site"] = json!({ "learn_applications": true });
    }
    parse(&document)
}
