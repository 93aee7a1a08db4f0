//! The constants of the location's rules, each with the reason for it.

use super::durations::durations;

durations! { "location",
    /// Between two starts of a round: 120 pairs are asked within 6 s, and no firewall takes it for a scan of ports.
    pace: 50 ms,
    /// Between two starts when answers come faster than the pace: 128 refused ports take a quarter of a second.
    start_gap: 2 ms,
    /// How long one server and port has for its connection, and its handshake where one is asked for. A server
    /// inside is near; 1.5 s is a lost SYN and its repetition after 1 s.
    patience: 1_500 ms,
    /// Resolvers retry at 5 s; a second round seldom helps.
    name_limit: 5_000 ms,
    /// What has not been asked by then counts as silent, unless the list itself is longer.
    round_limit: 8_000 ms,
    /// How long the control has to be silent at least before a bare connection proves anything.
    control_least: 50 ms,
    /// From the first usable network to a location, whatever has been asked by then: eight seconds, less what a driver
    /// needs to learn that there is one.
    first_location: 7_500 ms,
    /// Between two rounds when nothing happens: what a quiet change inside costs at most.
    period: 600_000 ms,
    /// A network change is answered after this: addresses, routes and names come one by one.
    debounce: 1_000 ms,
    /// And within this of that, so that a building whose power comes back does not ask in one second.
    debounce_spread: 2_000 ms,
    /// After suspend the round begins within this.
    resume_spread: 5_000 ms,
    /// Between the starts of the three failing rounds that it takes to leave the inside on one network.
    confirm_step: 10_000 ms,
    /// Between two agreeing rounds of bare connections: a forger has to keep it up for that long.
    agree_step: 5_000 ms,
    /// Changes towards trust are counted over this.
    trust_window: 3_600_000 ms,
    /// After two of them the next waits for this since the last change: at most four changes in an hour.
    trust_pause: 1_800_000 ms,
    /// An exchange with the management server proves for this long at most, and never longer than the heartbeat interval: a
    /// machine may move without a sign.
    evidence: 600_000 ms,
    /// Before that it is asked again, so that a failing round and the two that confirm it end in time.
    evidence_asked: 530_000 ms,
    /// How long a location is held while nothing can be found out. Roaming between access points takes seconds; what
    /// breaks the names of a network must not keep a machine inside.
    hold: 60_000 ms,
}
