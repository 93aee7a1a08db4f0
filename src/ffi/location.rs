//! Where the machine is.

use super::boundary::{Growing, SizedPlace, no_padding, reference, status};
use super::proof::proof_code;
use super::snapshot::{homing_snapshot, milliseconds};
use super::status::homing_status;
use super::text::homing_text;
use crate::engine::LocationSnapshot;
use crate::settings::Situation;

/// The settings do not ask where the machine is.
pub const HOMING_SITUATION_NONE: i32 = 0;
/// Inside.
pub const HOMING_SITUATION_INTERNAL: i32 = 1;
/// Inside, but only by way of a tunnel.
pub const HOMING_SITUATION_INTERNAL_VIA_VPN: i32 = 2;
/// Outside.
pub const HOMING_SITUATION_EXTERNAL: i32 = 3;
/// Not known yet, or there is no network.
pub const HOMING_SITUATION_UNKNOWN: i32 = 4;
/// Behind a portal that answers for everybody.
pub const HOMING_SITUATION_CAPTIVE: i32 = 5;

/// Where the machine is. All views live until the snapshot is freed.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct homing_location {
    /// `sizeof(homing_location)`, set by the caller.
    pub struct_size: u64,
    /// `HOMING_SITUATION_…`; when it is `HOMING_SITUATION_NONE`, nothing else says anything.
    pub situation: i32,
    /// What the verdict rests on when it is inside: `HOMING_PROOF_…`, otherwise 0.
    pub proof: i32,
    /// The verdict and why in words, one line.
    pub detail: homing_text,
    /// The location whose settings are in force; none for the group's.
    pub name: homing_text,
    /// Whether the product has chosen that location itself: 0 or 1.
    pub is_chosen: u32,
    /// Whether the agent is attached to a management server, which is another matter: 0 or 1.
    pub is_attached: u32,
    /// How long the verdict has been so, in milliseconds.
    pub since_ms: i64,
    /// How long ago the management server was lost, in milliseconds; -1 when it was not.
    pub server_lost_ms: i64,
    /// Until the reference servers are asked again, in milliseconds; -1 when that is not planned.
    pub next_round_ms: i64,
}

const TEXT: usize = size_of::<homing_text>();
const _: () = assert!(no_padding(size_of::<homing_location>(), &[8, 4, 4, TEXT, TEXT, 4, 4, 8, 8, 8]));

// SAFETY: `repr(C)`, the size first, and all zero are numbers and views of nothing.
unsafe impl Growing for homing_location {
    const LEAST: usize = 16;
}

/// Writes where the machine is to `*location`, whose `struct_size` the caller has set. What the last round over the
/// reference servers heard stands in `homing_snapshot_json`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_snapshot_location(
    snapshot: *const homing_snapshot,
    location: *mut homing_location,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let place = SizedPlace::new(location, "location")?;
            place.write(&shown(reference(snapshot, "snapshot")?.location()));
            Ok(())
        })
    }
}

/// The name of a situation as settings and JSON have it: `internal_via_vpn`, …; nothing for a number that is none.
#[unsafe(no_mangle)]
pub extern "C" fn homing_situation_name(situation: i32) -> homing_text {
    homing_text::of(match situation {
        HOMING_SITUATION_INTERNAL => Some("internal"),
        HOMING_SITUATION_INTERNAL_VIA_VPN => Some("internal_via_vpn"),
        HOMING_SITUATION_EXTERNAL => Some("external"),
        HOMING_SITUATION_UNKNOWN => Some("unknown"),
        HOMING_SITUATION_CAPTIVE => Some("captive"),
        _ => None,
    })
}

fn shown(location: Option<&LocationSnapshot>) -> homing_location {
    let none = homing_location {
        struct_size: 0,
        situation: HOMING_SITUATION_NONE,
        proof: 0,
        detail: homing_text::NONE,
        name: homing_text::NONE,
        is_chosen: 0,
        is_attached: 0,
        since_ms: -1,
        server_lost_ms: -1,
        next_round_ms: -1,
    };
    let Some(location) = location else { return none };
    homing_location {
        situation: situation_code(location.situation),
        proof: location.proof.map_or(0, proof_code),
        detail: homing_text::new(&location.detail),
        name: homing_text::of(location.location.as_deref()),
        is_chosen: location.chosen.into(),
        is_attached: location.attached.is_some().into(),
        since_ms: milliseconds(Some(location.since)),
        server_lost_ms: milliseconds(location.server_lost),
        next_round_ms: milliseconds(location.next_round),
        ..none
    }
}

pub(super) const fn situation_code(value: Situation) -> i32 {
    match value {
        Situation::Internal => HOMING_SITUATION_INTERNAL,
        Situation::InternalViaVpn => HOMING_SITUATION_INTERNAL_VIA_VPN,
        Situation::External => HOMING_SITUATION_EXTERNAL,
        Situation::Unknown => HOMING_SITUATION_UNKNOWN,
        Situation::Captive => HOMING_SITUATION_CAPTIVE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_situation_has_the_name_that_the_settings_have() {
        for code in 1..=HOMING_SITUATION_CAPTIVE {
            let name = homing_situation_name(code);
            // SAFETY: the name is a constant.
            let name = unsafe { std::slice::from_raw_parts(name.data.cast(), name.len) };
            let situation: Situation =
                serde_json::from_str(&format!("\"{}\"", str::from_utf8(name).unwrap())).unwrap();
            assert_eq!(situation_code(situation), code);
        }
        assert!(homing_situation_name(HOMING_SITUATION_NONE).data.is_null());
        assert!(homing_situation_name(HOMING_SITUATION_CAPTIVE + 1).data.is_null());
    }
}
