//! The pages about the rules of the engine.

use crate::page::Page;
use crate::page::Words::{Code, Other, Test};

#[test]
fn the_rules_are_those_of_the_engine() {
    Page::read("docs/rules.md").goes_by(&[
        Code("begin {attachment.register_gap s} s apart at least"),
        Test(
            "tried again after 1–3 s, and then after waits that double to about 10 min",
            "what_fails_is_told_tried_again_ever_later_and_changes_nothing_else",
        ),
        Test(
            "end the wait after a 401, and so does another server",
            "refused_credentials_are_not_waited_for_once_there_are_others",
        ),
        Code("no such request is asked again after about {attachment.register_declined h an} hour"),
        // What a failure costs.
        Code("nobody answered for {attachment.connect_limit s} s"),
        Code("looks again after {network.recheck s} s, doubling to {network.recheck_ceiling s} s"),
        Code("the last good address first (for {attachment.last_good_age days} days)"),
        Code(
            "left out for {attachment.quarantine_first s} s, {attachment.quarantine_second min}, \
             {attachment.quarantine_third min}, then {attachment.quarantine_last min} min",
        ),
        Code("a third; three within {attachment.thirds_window min} min are down"),
        Code(
            "attached: the same server again after {attachment.recheck_least \
             s}–{attachment.recheck_most s} s",
        ),
        Code(
            "left out for as long as asked ({attachment.throttle_least s} s to \
             {attachment.throttle_most h} h)",
        ),
        Code("left out for {attachment.not_allowed min} min |"),
        Code(
            "waits {attachment.rejected_first min} min, doubling to {attachment.rejected_most h} h; new \
             credentials",
        ),
        Test(
            "until the status is smaller or an hour has passed",
            "a_size_is_held_back_from_its_server_until_it_shrinks_or_an_hour_has_passed",
        ),
        Code("else the same server again after {attachment.recheck_least s}–{attachment.recheck_most s} s"),
        Code("no first byte within {attachment.silence_least s}–{attachment.silence_most s} s"),
        Code("a third; twice in {attachment.limit_window min} min, left out"),
        Code("looks again after {attachment.drain_look s}, 10, 20, … {attachment.drain_look_most s} s"),
        Code("*Down* lasts {attachment.shortest_wait s}–3 s at first"),
        Code("doubles with every failure to about {attachment.down_ceiling min} min"),
        // The search.
        Code("(after {attachment.stagger_unknown ms} ms, or twice the connect time of this network)"),
        Code("a lower priority after {attachment.crossing s} s"),
        Code("At most {engine/attachment/race.MOST_IN_FLIGHT words} attempts run at once"),
        Test(
            "that lives answers within 1.5 s, the search ends",
            "one_black_hole_in_each_priority_ahead_costs_a_second_each_and_the_reserve",
        ),
        Code("usually take ({attachment.stagger_least ms} ms to {attachment.beside_most s} s)"),
        Code(
            "at most {engine/guard.DIALS} + {engine/guard.DIALS_FOR_EACH} N times in any \
             {attachment.guard_window min words} minutes",
        ),
        Code("beyond that each once {attachment.guard_trickle min a} minute"),
        Code("new lists begin at most one search in {attachment.settings_interval s} s"),
        // Listening.
        Code("No `hello` within {attachment.hello_limit s} s: something holds it back"),
        Code("*Long polls* of at most {schedule.poll_wait s} s, {schedule.poll_gap s} s apart or more. The stream is tried again after a day."),
        Code("where {engine/session/ladder.TROUBLES words} connections in a row were of no use for {schedule.push_lasting s} s, or the server offers none. Tried again after {schedule.push_retry h} h, then ever less often, up to a day"),
        Code("asked to say something every {schedule.push_silence s} s. After {schedule.push_calm h} h without a loss it may be silent for half as long again, up to {schedule.push_silence_most min} min"),
        Code("below {schedule.push_silence_least s} s heartbeats alone serve"),
        Code("is not tried again for {schedule.push_died days} days, nor is one of four fifths of its length"),
        // Reports.
        Code("those that follow within {schedule.upload_gap s} s leave together"),
        Code("over one of its own, which is then kept for {schedule.upload_linger s} s"),
        Code("it begins a search, once in {schedule.upload_search s} s at most"),
        Code("A batch has at most {engine/attachment/backlogs.FIRST_BATCH KiB} KiB at first. It doubles with each success, up to {engine/attachment/backlogs.LARGEST_BATCH MiB} MiB"),
        Code("after {engine/attachment/backlogs.IN_A_ROW words} batches in a row another lane"),
        Code("below {engine/attachment/backlogs.FIRST_BATCH KiB} KiB it grows fourfold"),
        Test("has no more than that, 1 s later", "a_server_that_takes_one_of_each_batch_is_given_no_more_and_not_without_a_pause"),
        Test("and halves after a `413`", "a_batch_that_is_too_large_is_halved_until_it_fits_and_grows_again"),
        Code("after {engine/attachment/backlogs.UNPACED words} batches of {engine/attachment/backlogs.FIRST_BATCH KiB} KiB one in {schedule.upload_pace s} s"),
        Code("from a random moment within {schedule.upload_spread s} s"),
        Test(
            "Critical reports are tried again after 1, 2, 4, … 60 s × U(1, 1.5)",
            "a_server_that_takes_no_reports_keeps_the_agent_and_is_asked_ever_less",
        ),
        // Waiting.
        Test(
            "1 + U(0, 2) s, 1 + U(0, 4) s, doubling to about a minute",
            "waits_double_to_the_ceiling_and_are_drawn_around_it_for_ever",
        ),
        Code(
            "U(0, *spread*), {attachment.spread s} s by default; a lost event stream within \
             {attachment.stream_spread s} s",
        ),
        Code("once a heartbeat was delivered {attachment.forgive_all min words} minutes after attaching"),
        Other(
            "With these defaults 100,000 agents in push mode that lose their only server at once make \
             47,000 connections in the busiest second, and with S = 30 s 4,100",
        ),
        Test(
            "A fleet that boots together connects in one second, unless `startup_spread` is set",
            "a_start_of_the_whole_fleet_is_one_attempt_each",
        ),
        Other("20,000 agents on servers that take 2,000 a second want 10 s"),
        // An agent that delivers nothing.
        Code("({attachment.unfed_least min} min, or two intervals, but at most one interval and {attachment.unfed_beyond h an} hour)"),
        Code("is remembered for {engine/networks.MOST words} networks"),
        // A connection that is kept.
        Code("Heartbeats that are at most {attachment.keep_alive s} s apart use one connection"),
        Code("After {attachment.link_age_least min} to {attachment.link_age_most min} min, drawn"),
        Code("({attachment.route_limit s} s to connect, {attachment.endpoint_limit s} s for the rest)"),
        Code("heartbeats more than {attachment.keep_alive s} s apart"),
        // The way back.
        Code(
            "after about {attachment.probe_first s} s, 60 s, then every {attachment.probe_slowest min} \
             min",
        ),
        Code(
            "One that answered is probed every {attachment.proving_least s}–{attachment.proving_most s} \
             s",
        ),
        Code(
            "at least {engine/attachment/failback.PROOFS words} good answers over at least \
             {attachment.dwell s} s",
        ),
        Code("at a random instant within {attachment.failback_spread min} min"),
        Test(
            "at most 390 s after the return of its own server",
            "back_on_the_best_priority_within_390_seconds_of_its_return",
        ),
        Test(
            "and 750 s after the return of any other of up to 32",
            "any_server_of_a_better_priority_is_used_within_750_seconds_of_its_return",
        ),
        Test("down to every half hour", "a_probe_obeys_every_floor"),
        Test(
            "is on probation for an hour",
            "a_better_server_that_flaps_moves_the_agent_twice_an_hour_at_most",
        ),
        Test(
            "it comes back to no better server for an hour, and that has to answer for 4, then 16, then \
             60 min first",
            "a_server_lost_soon_after_the_return_is_believed_more_slowly_each_time",
        ),
        Test(
            "An hour's stay sets this back",
            "a_server_lost_soon_after_the_return_is_believed_more_slowly_each_time",
        ),
        Code(
            "goes home after that has answered for {attachment.home_dwell min} min, and a random wait \
             of {attachment.home_delay min} min on average",
        ),
        Test(
            "is left at a random instant within a minute while it answers",
            "agents_leave_a_server_that_the_settings_no_longer_name_within_a_minute_and_spread",
        ),
        // After a restart.
        Test("(set back, before 2026, ten years on)", "an_unbelievable_clock_deducts_nothing"),
        Test(
            "once a day when all is well",
            "a_quiet_agent_writes_once_a_day_so_that_a_good_address_does_not_grow_old",
        ),
        Test(
            "about ten times in an outage of any length",
            "a_laptop_without_a_network_writes_ten_times_and_no_more",
        ),
        // Somebody else answers.
        Code(
            "is followed by the next after {network.captive_first s}, 10, 20, {network.captive_ceiling \
             s} s × U(0.5, 1.5), after {network.captive_soon min words} minutes each \
             {network.captive_late s} s",
        ),
        // Settings on trial.
        Code("the known good ones answer for {trial.budget_least min} min, {engine/trial.SEARCHES words} searches through the new ones"),
        Code("the same after {trial.budget_most min} min"),
        Code("what is spent of the budget is stored every {trial.budget_step s} s"),
        // Heartbeats.
        Test(
            "every 0.96 T, at a place φ that depends on the agent's id alone, ±2 %",
            "no_gap_between_heartbeats_is_longer_than_the_interval",
        ),
        Code(
            "one within {schedule.resume_spread s} s (or T/30), after a network change one within \
             {schedule.network_spread s} s",
        ),
        // Promises.
        Test(
            "no server is left untried for more than 15 min",
            "an_agent_delivers_as_long_as_one_server_is_well",
        ),
        Test(
            "moves an agent four times in the first hour and twice in any later one. An hour without a \
             move",
            "a_server_that_flaps_in_any_pattern_moves_the_agent_twice_an_hour_at_most",
        ),
        // Tuning.
        Test("`spread` 0–30 s; `ceiling` 1–600 s", "errors_say_where"),
        Test("(0.01–1) multiplies every duration", "errors_say_where"),
        Code("| {attachment.name_limit s}s | a look-up of the server's name"),
        Code("| {attachment.connect_limit s}s | a connection, over all addresses"),
        Code("| {attachment.route_limit s}s | the same while another route is left"),
        Code("| {attachment.endpoint_limit s}s, or six connect times"),
        Test("or six connect times if that is longer", "a_far_address_has_six_connect_times"),
        Test(
            "to the next address, of the other family first, then to the next route: four endpoints at most",
            "no_more_than_four_are_reached_and_each_route_is_among_them",
        ),
        Code("within the {attachment.attempt_limit s} s of the attempt"),
        Code("one has {attachment.endpoint_limit s} s, or six times"),
        Code("| {attachment.tls_limit s}s | the TLS handshake"),
        Code("| {attachment.hello_limit s}s | `hello` on an event stream"),
        Code("| {attachment.exchange_limit s}s | an exchange, from the request"),
        Code("| {attachment.attempt_limit s}s | an attempt, from its start"),
        Code("| {attachment.silence_least s}s, {attachment.silence_most s}s | the first byte"),
        Test(
            "the first byte from the server in use: four times the mean",
            "patience_follows_the_last_ten_answers_within_bounds",
        ),
        Code("`attachment.silence_margin` ({attachment.silence_margin s}s), within these"),
        Test("| 16384 | bytes of a head", "every_limit_of_the_table_can_be_set_and_has_its_default"),
        Code("| {limits.head_fields} | fields of an answer"),
        Code("| {limits.interim_answers} | 1xx before the answer"),
        Test("| 1048576 | bytes of a body", "every_limit_of_the_table_can_be_set_and_has_its_default"),
        Code("of its framing {net/body.FRAMING_FACTOR} times as many"),
        Code("| {limits.tag_bytes} | bytes of an entity tag"),
        Test(
            "| 5s, 1280 | bytes that an answer that has begun",
            "every_limit_of_the_table_can_be_set_and_has_its_default",
        ),
    ]);
}

#[test]
fn the_fleet_of_the_rules_is_the_one_that_was_measured() {
    let rules = include_str!("../../docs/rules.md");
    let measured = include_str!("../../docs/performance.md");
    for (rounded, figure) in
        [("make 47,000 connections", "**46.9 %** of the fleet"), ("S = 30 s 4,100", "| 4.1 %;")]
    {
        let rules = rules.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(rules.contains(rounded) && measured.contains(figure), "{rounded} is {figure}");
    }
}

#[test]
fn the_location_is_judged_as_its_page_says() {
    Page::read("docs/location.md").goes_by(&[
        Code("and no older than {location.evidence min words} minutes, was made on this network"),
        Code("With heartbeats more than {location.evidence min words} minutes apart"),
        Test(
            "asks the management server again about nine minutes after the last exchange",
            "an_old_exchange_is_renewed_by_a_handshake_and_nobody_else_is_asked",
        ),
        Code("is taken to be inside for at most {location.evidence min words} minutes"),
        Code(
            "a start every {location.pace ms} ms, at most {engine/location/round.MOST_IN_FLIGHT} \
             sockets at once, {location.patience s} s for each",
        ),
        Code("Names are looked up beside it, for at most {location.name_limit s} s"),
        Other("(0.0.0.0, a multicast address)"),
        Code("A list of up to {settings/reference_lint.ROUND_PAIRS} pairs"),
        Test(
            "is through within 7.5 s, and says what a patient walk over it would have said whenever \
             answers come within 1.5 s: 100,000 random lists",
            "a_round_ends_where_the_patient_walk_would",
        ),
        Code("A longer list takes {location.pace ms} ms for each pair and {location.patience s} s"),
        Code("from what has answered within {location.round_limit s} s"),
        Code(
            "made at the start, {location.debounce s} to 3 s after a network change, within \
             {location.resume_spread s} s after suspend",
        ),
        Code("every {location.period min words} minutes at a phase of the agent's own"),
        Other("192.0.2.1 and 2001:db8::1 (reserved for documentation"),
        Code("has been silent for at least {location.control_least ms} ms and twice as long"),
        Test(
            "within 8 s of a usable network",
            "a_location_is_given_within_eight_seconds_of_a_usable_network",
        ),
        Code("two with `tcp`, at least {location.agree_step s} s apart"),
        Code(
            "else {engine/location/damping.FAILING_ROUNDS words} that fail, begun \
             {location.confirm_step s} s apart",
        ),
        Test(
            "a third change towards trust within an hour, on one network | waits until half an hour",
            "two_changes_towards_trust_on_one_network_make_the_third_wait_and_another_network_does_not",
        ),
        Test("the verdict is held for a minute", "without_a_network_the_location_is_held_for_a_minute"),
        Other("The exit code is 0 inside, 1 outside, 2 unknown (no network, or nobody to ask), 3 when"),
        Test(
            "when two servers, or one and the control, show it",
            "a_redirect_of_one_server_is_a_suspicion_of_two_a_portal_and_nobody_is_charged",
        ),
        Code(
            "The next looks come after {network.captive_first s}, 10, 20 and then each \
             {network.captive_ceiling s} s (each times 0.5 to 1.5), for {network.captive_soon min \
             words} minutes",
        ),
        Test(
            "What lasts a day, or ten minutes on two networks, is no portal",
            "what_lasts_a_day_or_follows_to_another_network_is_no_portal",
        ),
    ]);
}

#[test]
fn the_wire_is_spoken_as_its_page_says() {
    Page::read("docs/wire.md").goes_by(&[
        Other("section 8.8.3"),
        Other("must treat two requests with one key as one"),
        Test("16 hexadecimal digits: in which opening", "an_upload_names_its_reports_by_series_and_number"),
        Code("alone and larger than {store/outbox/too_large.NEVER_TOO_LARGE KiB} KiB is given up"),
        Code("that is refused alone {store/outbox/suspect.ENOUGH} times in a row"),
        Code("says `Homing-Register: 1`: at most once in {attachment.register_gap s} s"),
        Code("A *name* is 1 to {types/identity.LONGEST} bytes of UTF-8"),
        Test(
            "404, 405, 406, 409, 410, 412, 413, 415, 416, 422 and 501: the server registers no agents",
            "only_an_answer_that_decides_something_is_a_success",
        ),
        Code("asked again after about {attachment.register_declined h} h"),
        Test(
            "After any other failure, 401 included, the agent tries again after 1 to 3 s",
            "what_fails_is_told_tried_again_ever_later_and_changes_nothing_else",
        ),
        Code("up to about {attachment.register_ceiling min} min"),
        Code("At most {engine/attachment/calls.MOST_UNDER_WAY} are under way at once"),
        Code("that are kept for {attachment.call_keep_alive s} s for the next one"),
        Test(
            "404, 405, 406, 409, 410, 412, 415, 416, 422 and 501: the server takes none of that lane",
            "only_an_acknowledgement_settles",
        ),
        Test(
            "at most 64 bytes); the same for all attaches",
            "every_attempt_of_a_search_has_its_key_whatever_the_server",
        ),
        Code("at most {limits.tag_bytes} bytes |"),
        Code("({limits.body_bytes MiB} MiB unless the program says otherwise)"),
        Code(
            "left out for {attachment.not_allowed min} min | asks the others; when every server has \
             rejected it, it stops trying for {attachment.rejected_first min} min, growing to \
             {attachment.rejected_most h} h",
        ),
        Code(
            "left alone for the time asked, {attachment.throttle_least s} s to \
             {attachment.throttle_most h} h (429 without a time: {attachment.throttle_default s} s), \
             plus up to a quarter more (at least up to {attachment.throttle_spread s} s)",
        ),
        Code("delivered nothing for {attachment.unfed_least min} min or two intervals"),
        Code("three within {attachment.thirds_window min} min make it down"),
        Code("asks again after {attachment.recheck_least s} to {attachment.recheck_most s} s"),
        Test(
            "for an hour nothing as large is sent there",
            "a_size_is_held_back_from_its_server_until_it_shrinks_or_an_hour_has_passed",
        ),
        Code(
            "quarantined: {attachment.quarantine_first s} s, {attachment.quarantine_second min}, \
             {attachment.quarantine_third min}, {attachment.quarantine_last min} min",
        ),
        Code("twice in {attachment.limit_window min} min quarantines it"),
        Code(
            "about four times the usual time ({attachment.silence_least s} to {attachment.silence_most \
             s} s)",
        ),
        Code("(at most {attachment.drain_most s} s), makes the new connection first"),
        Code("looks again after {attachment.drain_look s}, 10, 20, … {attachment.drain_look_most s} s"),
        Code(
            "at most {client/credentials.MOST_FIELDS}, with at most {client/credentials.MOST_BYTES KiB} \
             KiB together",
        ),
        Other("many servers and gateways take 8 KiB of one field"),
        Code("due within {attachment.keep_alive s} s, else the agent closes them"),
        Other("TLS 1.2 and 1.3"),
        Test(
            "open ways to port 443 only. For servers with other ports, 8014 for instance",
            "the_ranges_and_defaults_of_settings_are_those_in_force",
        ),
        Code("| head of an answer (status line and fields) | {limits.head_bytes KiB} KiB |"),
        Code("| fields of an answer | {limits.head_fields} |"),
        Code("| interim answers (1xx) before the answer | {limits.interim_answers} |"),
        Code("| body of an answer | {limits.body_bytes MiB} MiB |"),
        Code("| {limits.drip_bytes} bytes in every {limits.drip_window s} s |"),
        Code("| TLS handshake | {attachment.tls_limit s} s |"),
        Code("| first exchange of an attempt | {attachment.exchange_limit s} s |"),
        Code(
            "| a whole attempt, from the dial to the end of the answer | {attachment.attempt_limit s} s \
             |",
        ),
        Other("body of a request, as the example server takes it | 1 MiB"),
        // Events.
        Other("(WHATWG, section 9.2)"),
        Code("within that time (at most {schedule.within_most h an} hour), so that a fleet does not come in one second"),
        Code("the name, at most {net/protocol/homing/events.LONGEST_NAME} bytes; then lines of the product's"),
        Code("the name, at most {net/protocol/homing/events.LONGEST_NAME} bytes; then the bytes in Base64"),
        Test(
            "nothing came for 1.1 times that and 5 s more",
            "a_limit_of_idle_connections_is_learnt_and_then_nothing_is_lost",
        ),
        Other("An `id` names one event for ever"),
        Code("has at most {net/event_stream.LONGEST_ID} visible ASCII characters"),
        Code("is among the last {client/driver/event_ids.IDS} of this server"),
        Code("when no `hello` comes within {attachment.hello_limit s} s the agent polls instead, each poll at least {schedule.poll_gap s} s after the one before"),
        Code("the agent asks again after {schedule.push_retry h} h"),
        Code("a stream of more than {net/event_stream.LINES} lines, or of {net/event_stream.EVENTS} times that many bytes, in 10 s is ended"),
    ]);
}
