//! The constants of the attachment's rules, each with the reason for it.

use super::durations::durations;

durations! { "attachment",
    /// S: over how long a fleet spreads when connections in use are lost. 1 s suits some thousand agents on a
    /// server; a large fleet on few servers wants more: fleet size / (attempts a second the servers bear).
    spread: 1_000 ms,
    /// P: the mean wait between searches of a long outage. A minute is what an administrator waits before looking again.
    ceiling: 60_000 ms,
    /// Over how long the first search after a start is spread. A fleet that boots together sets it.
    startup_spread: 0 ms,
    /// The doubling of waits begins here, so that a second search is not a reflex.
    first_window: 2_000 ms,
    /// No wait between searches is shorter.
    shortest_wait: 1_000 ms,
    /// A connection that takes longer will not be usable.
    connect_limit: 10_000 ms,
    /// While another route is left, a route has this long to connect.
    route_limit: 3_000 ms,
    /// While another endpoint of the server is left, an address that was reached has this long for everything above TCP, or
    /// six times its connect time: four of them fit into an attempt.
    endpoint_limit: 5_000 ms,
    /// Nor will one whose handshake takes longer.
    tls_limit: 10_000 ms,
    /// A busy server may think for a while about the first exchange.
    exchange_limit: 15_000 ms,
    /// An event stream says hello at once; some proxies hold it back until it ends.
    hello_limit: 10_000 ms,
    /// A document of a mebibyte comes over a slow line within this.
    document_limit: 60_000 ms,
    /// All of it together, but for a document.
    attempt_limit: 20_000 ms,
    /// Resolvers retry at 5 s; a second round seldom helps.
    name_limit: 5_000 ms,
    /// An address of a name has this long before the next is started beside it (RFC 8305 recommends 250 ms).
    address_stagger: 250 ms,
    /// Start of the next server while nothing is known of this network.
    stagger_unknown: 250 ms,
    /// More starts a second than this would be a burst.
    stagger_least: 100 ms,
    /// Beyond this a slow link gains nothing from waiting.
    stagger_most: 2_000 ms,
    /// The same beside the server in use, which is slow rather than dead when it has always been slow.
    beside_most: 10_000 ms,
    /// Between two starts, even after a definite failure.
    start_gap: 10 ms,
    /// After progress, what is added to twice the connect time: a handshake and an answer need two round trips and some thought.
    progress_grace: 150 ms,
    /// How long the patient walk waits for a server, and how long progress stays fresh.
    patience: 1_500 ms,
    /// Wait before a lower priority is tried.
    crossing: 1_000 ms,
    /// How long a success of a lower priority is held while a better attempt still makes progress.
    reserve: 3_000 ms,
    /// Head start of the silent server's fresh link over another's success.
    second_opinion: 400 ms,
    /// At most one attempt per server in this time; also between two starts of a search that was refused twice.
    server_interval: 1_000 ms,
    /// Beyond the guard's limit a server is dialled once in this time: never none, so that no fault of ours lasts.
    guard_trickle: 60_000 ms,
    /// The guard counts attempts in this window.
    guard_window: 600_000 ms,
    /// Down's ceiling: twice that of searches, so that a search mostly meets servers worth trying.
    down_ceiling: 120_000 ms,
    /// Three thirds within this make a failure.
    thirds_window: 300_000 ms,
    /// Two limits passed within this are a quarantine.
    limit_window: 600_000 ms,
    /// Service of this length forgives one miss.
    forgive_step: 60_000 ms,
    /// Only service of this length forgives the last.
    forgive_all: 300_000 ms,
    /// A wrong certificate, or no manager at all: first time. Each × U(0.9, 0.98).
    quarantine_first: 30_000 ms,
    /// Second.
    quarantine_second: 60_000 ms,
    /// Third.
    quarantine_third: 120_000 ms,
    /// Fourth and later: long enough to spare a server, short enough to strand no agent behind a maintenance page.
    quarantine_last: 300_000 ms,
    /// A server that rejected this agent is left out.
    not_allowed: 600_000 ms,
    /// All of them: doubled each time up to `rejected_most`, each × U(0.5, 1.5).
    rejected_first: 600_000 ms,
    /// When an administrator has mended it, no agent should need more than an hour to notice.
    rejected_most: 3_600_000 ms,
    /// 429 without a usable `Retry-After`.
    throttle_default: 30_000 ms,
    /// `Retry-After: 0` is not an invitation to a loop.
    throttle_least: 1_000 ms,
    /// A server that asks for a day would have stranded the agent.
    throttle_most: 3_600_000 ms,
    /// Least spread over a floor, so that the throttled do not return as one.
    throttle_spread: 5_000 ms,
    /// An agent that delivered nothing for at least this long, and at least two intervals, looks for another server.
    unfed_least: 600_000 ms,
    /// With long intervals: the interval and this.
    unfed_beyond: 3_600_000 ms,
    /// Longest window over which a drained server is left.
    drain_most: 60_000 ms,
    /// Where every server drains: first look for one that does not, × U(0.5, 1.5). Doubles with each look.
    drain_look: 5_000 ms,
    /// Up to this.
    drain_look_most: 300_000 ms,
    /// A server that the settings no longer name is left within this while it answers: they reach a fleet in one second.
    settings_spread: 60_000 ms,
    /// New lists start at most one search in this time while no server is attached.
    settings_interval: 30_000 ms,
    /// S after the loss of a push stream, at least: the streams of a server are lost together.
    stream_spread: 5_000 ms,
    /// First look again after a server error: U(1, 3) s.
    recheck_least: 1_000 ms,
    /// Its upper end.
    recheck_most: 3_000 ms,
    /// First probe of a better server, × U(0.5, 1.5).
    probe_first: 30_000 ms,
    /// Slowest cadence of probes, × U(0.5, 1.5): with the two below it bounds the way back by 390 s.
    probe_slowest: 120_000 ms,
    /// A server that answered is probed again after U(20, 30) s.
    proving_least: 20_000 ms,
    /// Its upper end.
    proving_most: 30_000 ms,
    /// How long a better server must have answered.
    dwell: 60_000 ms,
    /// How long the agent's own server of the same priority must have answered: there is less to gain.
    home_dwell: 120_000 ms,
    /// The dwell before failback grows to this, that before going home to twice as much.
    dwell_most: 3_600_000 ms,
    /// A throttled probe doubles its cadence up to this.
    probe_throttled: 1_800_000 ms,
    /// The move to a better priority is spread over this.
    failback_spread: 120_000 ms,
    /// Mean of the exponential delay before moving home within a priority.
    home_delay: 900_000 ms,
    /// Lost again within this after failback: the dwell grows. A stay of this length sets it back. An hour holds the slowest
    /// beats, so that a server that takes attaches and fails beats is found out.
    probation: 3_600_000 ms,
    /// Involuntary moves are counted over this.
    moves_window: 120_000 ms,
    /// The third is preceded by up to this, the fourth by 4 times, the fifth by 15 times.
    moves_pause: 2_000 ms,
    /// What first bytes are taken to need before any was measured.
    first_byte_unknown: 250 ms,
    /// Added to four times the mean.
    silence_margin: 1_000 ms,
    /// Silence shorter than this says nothing.
    silence_least: 2_000 ms,
    /// Silence longer than this is not borne.
    silence_most: 10_000 ms,
    /// A network change, or a resume, lets a waiting agent try within this.
    rearm_spread: 5_000 ms,
    /// At most once in this: links flap.
    rearm_interval: 30_000 ms,
    /// Between two registrations: a product that tells each change of its user, and a server that asks for one with each
    /// heartbeat, cost a request each.
    register_gap: 10_000 ms,
    /// Tries of a registration that fails are never further apart: nothing an agent lives by depends on it, and a fleet
    /// whose servers cannot register it spares them.
    register_ceiling: 600_000 ms,
    /// A server that registers no agents is asked again after this, × U(0.9, 1.1): it may have been upgraded.
    register_declined: 3_600_000 ms,
    /// A connection that was made for a call waits this long for the next one.
    call_keep_alive: 10_000 ms,
    /// A connection is kept only when the next exchange is due within this; most middleboxes keep idle ones for longer.
    keep_alive: 60_000 ms,
    /// Addresses a name had longer ago are not believed.
    last_good_age: 604_800_000 ms,
    /// A kept connection is as old as this, or up to `link_age_most`, when its name is looked up again before it is used:
    /// within the hour in which an administrator waits for a moved name to be followed, and spread, so that a fleet that
    /// connected together does not ask together.
    link_age_least: 1_500_000 ms,
    /// Its upper end.
    link_age_most: 2_100_000 ms,
}
