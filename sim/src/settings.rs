//! Settings: management servers in priorities, and how a group of agents communicates with them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use homing::settings::Settings;
use serde_json::{Value, json};

/// The address of the first server.
const FIRST: u32 = 0x0A00_0001;

/// Where the server of this number is; numbers count from 0.
pub fn address(number: usize) -> Ipv4Addr {
    Ipv4Addr::from(FIRST + u32::try_from(number).unwrap())
}

/// The number of the server at this address.
pub fn number(address: IpAddr) -> usize {
    match address {
        IpAddr::V4(address) if address.to_bits() >= FIRST => (address.to_bits() - FIRST) as usize,
        _ => panic!("no server has {address}"),
    }
}

/// A document with one list of servers for everything.
pub fn document(priorities: impl IntoIterator<Item = Vec<Value>>, communication: Value) -> Value {
    let priorities: Vec<_> = priorities.into_iter().map(|servers| json!({ "servers": servers })).collect();
    json!({
        "server_lists": [{ "name": "main", "priorities": priorities }],
        "group": { "name": "g", "communication": communication },
    })
}

pub fn parse(document: &Value) -> Arc<Settings> {
    Arc::new(document.to_string().parse().unwrap())
}
