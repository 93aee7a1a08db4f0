//! When in a period it is this agent's turn: a hash of its id, so that a fleet spreads evenly over the period.

use std::hash::Hasher;
use std::time::Duration;

use siphasher::sip::SipHasher24;

use super::attachment::balance::KEY;
use crate::types::AgentId;

/// How far into a period of this length.
pub(super) fn phase(agent: &AgentId, period: Duration) -> Duration {
    let mut hasher = SipHasher24::new_with_key(&KEY);
    hasher.write(agent.as_str().as_bytes());
    let nanos = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(((u128::from(hasher.finish()) * u128::from(nanos)) >> 64) as u64)
}
