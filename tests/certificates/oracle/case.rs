//! One situation, and what has to come out of it.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex};

use super::rule::Rule;
use crate::forge::{Key, Kind};
use crate::world::World;

/// What has to come out of a case.
pub(super) struct Case {
    pub(super) label: String,
    pub(super) world: World,
    /// The name of the reason, or `accepted`.
    pub(super) reason: &'static str,
    /// What the reason names, and a piece of the advice.
    pub(super) named: String,
    pub(super) advice: &'static str,
    /// Why OpenSSL says otherwise, if it does.
    pub(super) rule: Option<Rule>,
    /// What the advice leads to.
    pub(super) cured: Option<World>,
}

pub(super) fn right(label: String, world: World) -> Case {
    Case { label, world, reason: "accepted", named: String::new(), advice: "", rule: None, cured: None }
}

/// Keys are made once for each kind and use: the larger ones take their time.
pub(super) fn key(kind: Kind, number: usize) -> Key {
    static KEYS: LazyLock<Mutex<BTreeMap<(Kind, usize), Key>>> = LazyLock::new(Mutex::default);
    let mut keys = KEYS.lock().unwrap();
    keys.entry((kind, number)).or_insert_with(|| Key::new(kind)).clone()
}
