//! The pages about limits, settings and what an integrator asks.

use crate::page::Page;
use crate::page::Words::{Code, Other, Test};

#[test]
fn what_is_bounded_is_bounded_by_the_code() {
    Page::read("SECURITY.md").goes_by(&[
        Test("there are seven files of it", "the_page_names_each_file_of_unsafe_code"),
        Other("Until 1.0 only the newest release"),
        Code("how long to wait ({attachment.throttle_least s} s to {attachment.throttle_most h} h)"),
        Test(
            "for a week at which address a name last worked",
            "names_that_no_longer_resolve_lead_where_they_led",
        ),
        Code("never older than {location.evidence min words} minutes"),
        Test("1,000 of the engine", "no_network_makes_a_machine_inside_that_may_not"),
        Test("and 10 of real interfaces", "no_network_of_real_interfaces_makes_a_machine_inside_that_may_not"),
        Other("20,000 and 200 in `.ci/campaign location`"),
        Code(
            "its roots ({client/system_roots.MOST_BYTES MiB} MiB in all, and the first {client/system_roots.MOST_FILES} files",
        ),
        Other("with mode 0700"),
        Test("of at most 1.5 of 10", "the_unit_is_one_that_systemd_understands"),
        // What one server may send.
        Code("{limits.head_bytes KiB} KiB (`head_bytes`)"),
        Code("{limits.head_fields} (`head_fields`); never more than {net/head.FIELDS} are parsed"),
        Code("{limits.interim_answers} (`interim_answers`)"),
        Code("{limits.body_bytes MiB} MiB (`body_bytes`)"),
        Code("{limits.tag_bytes} bytes (`tag_bytes`)"),
        Code("{limits.drip_bytes} bytes (`drip_bytes`) in every {limits.drip_window s} s (`drip_window`)"),
        Code("| framing of a chunked body | {net/body.FRAMING_FACTOR} times the body's bound |"),
        Other("| TLS handshake message; certificate chain included | 64 KiB, by rustls |"),
        Code(
            "| a whole TLS handshake | {net/records.HANDSHAKE_BYTES KiB} KiB, and {net/records.RECORDS} \
             records |",
        ),
        Code("in the middle of one | {net/records.BYTES KiB} KiB, and {net/records.RECORDS} records |"),
        Code(
            "| {net/link.READS} reads of {net/tls.CHUNK KiB} KiB; of {net/tls.TLS_CHUNK KiB} KiB over \
             TLS |",
        ),
        Code("| {types/failure.NOTE} characters of a failure"),
        Code("| {attachment.throttle_least s} s to {attachment.throttle_most h} h are honoured |"),
        Code("is left within {attachment.drain_most s} s at most, and then left alone for {attachment.drain_most s} s to {attachment.throttle_most h} h"),
        // What one server may take in time.
        Code("| look-up of its name | {attachment.name_limit s} s; counted"),
        Code("holds one of {net/look_ups.THREADS} helper threads"),
        Code(
            "| {attachment.connect_limit s} s over all addresses; {engine/io.MAX_ADDRESSES} addresses of a name are dialled, \
             {net/look_ups.ADDRESSES} are kept of an answer |",
        ),
        Code("| TLS handshake | {attachment.tls_limit s} s |"),
        Code("| first exchange of an attempt | {attachment.exchange_limit s} s |"),
        Code("| a whole attempt | {attachment.attempt_limit s} s |"),
        Code("| {attachment.silence_least s} to {attachment.silence_most s} s, then a second opinion"),
        Code(
            "| {attachment.quarantine_last min} min; {attachment.not_allowed min} min; a refusal by all of them \
             {attachment.rejected_most h} h, × at most 1.5 |",
        ),
        // What all of them together may cost.
        Code("| attempts under way in a search | {engine/attachment/race.MOST_IN_FLIGHT} |"),
        Code(
            "| connections in {attachment.guard_window min} min | {engine/guard.DIALS}, and \
             {engine/guard.DIALS_FOR_EACH} for each server; beyond that one attempt {attachment.guard_trickle min a} minute to each server, by every endpoint it has |",
        ),
        Code(
            "| answers held until the engine says which of them counts | \
             {client/driver/answers.MOST}, with {client/driver/answers.BODIES MiB} MiB of bodies or the newest;",
        ),
        Code(
            "| {client/credentials.MOST_FIELDS} fields, {client/credentials.MOST_BYTES KiB} KiB; a name and a password for a \
             proxy {net/proxy.LONGEST_CREDENTIAL} bytes each |",
        ),
        Code("| TLS sessions kept | of {trust/verification_cache.MOST_KNOWN} servers"),
        Code("| events that wait for the program | {client/events.CAPACITY};"),
        Code("to store; {net/look_ups.THREADS} short-lived ones for names"),
        Code("| {store.MAX_VALUE KiB} KiB under a name of at most {store.MAX_NAME} bytes;"),
        Code("once the file has {store/outbox/lane/files.WORTH_REMOVING KiB} KiB and nothing in it waits"),
        Test("private (0700, files 0600), one outbox", "a_folder_that_others_can_write_to_is_refused_and_used_when_that_is_mended"),
        Code(
            "(`Limits`), {store/outbox/entry.HEADER} bytes for each report included; a report has \
             {store/outbox/entry.MAX_BODY KiB} KiB at most",
        ),
        Code(
            "a block of {store/outbox/lane/files.BLOCK KiB} KiB for each file, of which it has as many as its bytes have blocks, \
             {store/outbox/lane/files.FEW_FILES} at least",
        ),
        Code("| applications remembered as reported | {store/outbox/account.APPLICATIONS} |"),
        // What settings may say.
        Code("| text | {settings/limits.MAX_TEXT MiB} MiB of UTF-8; nesting of {settings/limits.MAX_DEPTH} |"),
        Code("| server lists, locations | {settings/resolve.MAX_LISTS} each |"),
        Code("| server lists, locations | {settings/resolve.MAX_LOCATIONS} each |"),
        Code("| 1 to {settings/resolve.MAX_SERVERS}; {settings/resolve.MAX_PRIORITIES} |"),
        Code(
            "| {settings/value.MAX_REFERENCE_SERVERS} ({settings/resolve/location.DEFAULT_REFERENCE_SERVERS} unless the document says \
             more); {settings/resolve/location.MAX_PORTS} |",
        ),
        Code("| {settings/resolve/certificate.MAX_FILES} each; {settings/resolve/certificate.MAX_PINS} |"),
        Code(
            "| 1 to {settings/value.NAME_CHARACTERS} characters, all of them seen; \
             {settings/value.DESCRIPTION_CHARACTERS} characters; {settings/value.PATH_BYTES} bytes |",
        ),
        Code("| 0 to {settings/value.MAX_WEIGHT}; 1 to 65,535 |"),
        Code(
            "| {settings/value.SHORTEST_HEARTBEAT s} s to {settings/value.LONGEST_HEARTBEAT h} h; \
             {settings/value.SHORTEST_WINDOW s} s to {settings/value.LONGEST_WINDOW h} h |",
        ),
        Code("| {client/prepare.MAX_FILE MiB} MiB; {client/prepare.MAX_REVOCATIONS MiB} MiB |"),
        Code(
            "| {settings/read.LISTED_UNKNOWN_FIELDS}; a quoted text is cut at \
             {settings/read.PROBLEM_CHARACTERS} characters |",
        ),
    ]);
}

#[test]
fn settings_are_read_as_their_page_says() {
    Page::read("docs/settings.md").goes_by(&[
        Test(
            "The exit status is 0, 1 when there are warnings, 2 when no agent would start",
            "each_kind_of_finding_has_its_place_and_its_exit_status",
        ),
        Other("Two servers, equally good"),
        Other("`Main` and `main` are two names"),
        Code("over HTTPS on port {settings/list.DEFAULT_HTTPS_PORT}"),
        Code("a heartbeat every {settings/effective.DEFAULT_HEARTBEAT min words} minutes"),
        Code(
            "at most {settings/limits.MAX_TEXT MiB} MiB, nested at most {settings/limits.MAX_DEPTH} levels \
             deep",
        ),
        Code("At most {settings/read.LISTED_UNKNOWN_FIELDS} are listed one by one"),
        Code("Names are 1 to {settings/value.NAME_CHARACTERS} characters"),
        Code("A path is 1 to {settings/value.PATH_BYTES} bytes"),
        Code("1 to {settings/resolve.MAX_LISTS} lists with 1 to {settings/resolve.MAX_SERVERS} servers"),
        Code("in order; at most {settings/resolve.MAX_LOCATIONS},"),
        Code("| at most {settings/value.DESCRIPTION_CHARACTERS} characters |"),
        Code("| at most {settings/resolve.MAX_PRIORITIES} | must be written |"),
        Test("| 1 to 65535 | 443 |", "the_ranges_and_defaults_of_settings_are_those_in_force"),
        Test("| 1 to 65535 | 8014 |", "the_ranges_and_defaults_of_settings_are_those_in_force"),
        Code("0 to {settings/value.MAX_WEIGHT} | 1 |"),
        Test("plain HTTP on port 8014", "the_ranges_and_defaults_of_settings_are_those_in_force"),
        Code("whom to believe, 1 to {settings/resolve/certificate.MAX_FILES} of:"),
        Code("known public keys, at most {settings/resolve/certificate.MAX_PINS},"),
        Other("in Base64 (44 characters)"),
        Code("(PEM or DER), at most {settings/resolve/certificate.MAX_FILES}"),
        Code(
            "and the root, 0 to {settings/value.MAX_CHAIN_DEPTH} | no limit but \
             {settings/value.MAX_CHAIN_DEPTH words} |",
        ),
        Code(
            "mentioned, 0 to {settings/value.MAX_WARNING_DAYS} | \
             {settings/certificate.EXPIRY_WARNING_DAYS} |",
        ),
        Code(
            "| the longest time between two heartbeats | {settings/value.SHORTEST_HEARTBEAT s} s to \
             {settings/value.LONGEST_HEARTBEAT h} h |",
        ),
        Code(
            "| over how long | {settings/value.SHORTEST_WINDOW s} s to {settings/value.LONGEST_WINDOW \
             h} h |",
        ),
        Code(
            "| how many may be written | 1 to {settings/value.MAX_REFERENCE_SERVERS} | {settings/resolve/location.DEFAULT_REFERENCE_SERVERS} |",
        ),
        Code("1 to {settings/resolve/location.MAX_PORTS} ports, each once"),
        Code("| a heartbeat below {settings/lint.SHORT_HEARTBEAT s} s | a minute or more |"),
        Code(
            "asked on port {settings/reference_lint.FTP_DATA} | port 21: nobody listens on \
             {settings/reference_lint.FTP_DATA} |",
        ),
        Test(
            "(192.168.0.0/16, 10.0.0.0/24, 10.0.1.0/24, 10.1.1.0/24, 172.16.0.0/24)",
            "the_page_names_the_networks_of_homes",
        ),
        Code("| more than {settings/reference_lint.ROUND_PAIRS} pairs of reference server and port |"),
        Code("may outlast the {location.round_limit s} s within which"),
    ]);
}

#[test]
fn an_integrator_is_told_the_numbers_of_the_code() {
    Page::read("docs/embedding.md").goes_by(&[
        Code("at most {net/look_ups.THREADS} in the process, shared by all clients"),
        Code("{net/look_ups.PLACES Words} names are looked up at once"),
        Code("a look-up that has taken {net/look_ups.HUNG s} s makes room for the next"),
        Code("With {net/look_ups.THREADS} left behind, names wait"),
        Code("takes longer than {platform/callback.LONG s words} seconds is logged"),
        Code(
            "is {client/builder.STACK_SIZE MiB} MiB unless the options say otherwise, and at least \
             {client/start_error.LEAST_STACK_SIZE KiB} KiB",
        ),
        Test("at least 128 KiB of stack left", "a_caller_needs_no_more_stack_than_is_promised"),
        Other("(measured: 48 KiB are enough"),
        Code("Look-up threads have {net/look_ups.STACK_SIZE MiB} MiB too"),
        Test(
            "the next one is less than a minute away",
            "a_kept_link_serves_all_beats_and_a_distant_one_is_closed",
        ),
        Code("does a round every {location.period min words} minutes"),
        Test(
            "an engine about 3 KiB for eight servers",
            "an_engine_is_small_and_steady_beats_allocate_nothing",
        ),
        Code("({limits.body_bytes MiB} MiB of body by default)"),
        Code("by {client/events.CAPACITY} events and {client/events.BODIES MiB} MiB of bodies"),
        Other("4, 1, 16 and 4 MiB for critical reports"),
        Test("told you at 90 %", "the_ladder_tells_each_step_once_until_the_lane_was_relieved"),
        Code("above {store/outbox/entry.MAX_BODY KiB} KiB"),
        Code("{store/outbox/home.PATIENCE} s after the last try at the earliest"),
        Code("waits at most {store/outbox.HELD_UP s} s for the disk"),
        Other("On Linux 4.14 and later"),
        Code("at most {store.MAX_MEMORY KiB} KiB and in practice below 2 KiB"),
        Code("and at most {client/documents.PLACES words} settings documents"),
        Test("(0700, file 0600,", "what_it_makes_is_private"),
        Test(
            "written about once a day",
            "a_quiet_agent_writes_once_a_day_so_that_a_good_address_does_not_grow_old",
        ),
        Code("within the grace and {client/worker.PATIENCE s words} second more"),
        Other("tested under Wine 8:"),
    ]);
    Page::read("docs/architecture.md").goes_by(&[
        Test("more than a minute away", "a_kept_link_serves_all_beats_and_a_distant_one_is_closed"),
        Code("at most {net/look_ups.THREADS} in the process, shared by all clients"),
    ]);
    Page::read("docs/glossary.md").goes_by(&[]);
    Page::read("docs/events.md").goes_by(&[]);
    Page::read("docs/c-api.md").goes_by(&[
        Test("3.67 MB (wanted: 2.8)", "the_pages_agree_about_the_size_of_the_libraries"),
        Test("3.51 MB (wanted: 2.2)", "the_pages_agree_about_the_size_of_the_libraries"),
        Other("40 MB with its symbols"),
        Other("can have 0.1 and 0.2 side by side"),
        Other("from version 1 on for a year at least"),
    ]);
}

#[test]
fn the_readme_has_the_numbers_of_the_code() {
    Page::read("README.md").goes_by(&[
        Other("a fleet that arrives in one second after an outage"),
        Code("at once return within {attachment.spread s a} second"),
        Test(
            "is 0, 1 when there are warnings, and 2 when no agent would start",
            "each_kind_of_finding_has_its_place_and_its_exit_status",
        ),
        Code("at most {net/look_ups.THREADS} in the process while names are looked up"),
        Other("Apache License 2.0"),
    ]);
}

#[test]
fn certificates_are_judged_within_the_numbers_of_their_page() {
    Page::read("docs/certificates.md").goes_by(&[
        Other("TLS 1.2 at least (`tls13_only` for 1.3 alone)"),
        Code(
            "RSA keys below {trust/certificate.LEAST_RSA plain} bits, curves below \
             {trust/certificate.LEAST_CURVE} bits",
        ),
        Other("larger than 64 KiB together, there is no connection"),
        Other("Step 2 is done by webpki"),
        Test(
            "the certificates of two servers, which end at different times",
            "two_servers_that_expired_at_different_times_show_a_wrong_clock_and_one_does_not",
        ),
        Other("distribute the settings. 2. When every"),
        Other("the new key. 3. The new one"),
        Test(
            "1 when it is rejected, and 2 when it was not seen",
            "what_cannot_be_seen_is_neither_believed_nor_rejected",
        ),
        Code("a PEM file of at most {client/prepare.MAX_FILE MiB} MiB"),
        Test("dates at most once a day after that", "what_ends_while_a_policy_is_in_force_is_told_then"),
        Other("step 3 comes first"),
        Other("(RFC 5280 6.1.1)"),
        Code("At most {client/prepare.MAX_REVOCATIONS MiB} MiB a file"),
        Other("(RFC 5280 6.3.3)"),
        Other("makes version 2 when"),
        Test("at the start and then at most once a day", "what_ends_while_a_policy_is_in_force_is_told_then"),
        Code("(at most every {client/reread.PACE s} s; by date"),
        Test("more than a day below its", "a_clock_below_the_floor_is_wrong_after_a_day"),
        Test(
            "a *floor*: 2026-01-01, when this version was made",
            "a_floor_lies_in_the_years_that_the_pages_name",
        ),
        Other("that wakes in 1970"),
        Test("never lies beyond 2100", "a_floor_lies_in_the_years_that_the_pages_name"),
        Test(
            "by more than a day (or are all",
            "a_certificate_is_evidence_about_the_clock_a_day_beyond_its_dates",
        ),
        Test(
            "more than a day below the floor, the clock is wrong",
            "a_clock_below_the_floor_is_wrong_after_a_day",
        ),
    ]);
}

#[test]
fn the_documentation_in_the_code_has_its_numbers() {
    Page::read("src/lib.rs").goes_by(&[]);
    Page::read("src/engine/mod.rs")
        .goes_by(&[Other("Two or three rounds settle everything"), Other("The methods are of four kinds")]);
    Page::read("src/ffi/mod.rs").goes_by(&[]);
    Page::read("src/settings/mod.rs").goes_by(&[]);
    Page::read("src/store/mod.rs").goes_by(&[
        Test(
            "so a quiet agent writes once a day",
            "a_quiet_agent_writes_once_a_day_so_that_a_good_address_does_not_grow_old",
        ),
        Code("The largest value, in bytes: {store.MAX_VALUE KiB} KiB"),
        Code("The largest memory, in bytes: {store.MAX_MEMORY KiB} KiB"),
        Code("within the grace and {client/writer.LINGER s words} second more"),
    ]);
    Page::read("src/trust/mod.rs").goes_by(&[]);
    Page::read("src/types/mod.rs").goes_by(&[]);
    Page::read("src/client/mod.rs").goes_by(&[
        Code("takes more than {platform/callback.LONG s words} seconds is logged"),
        Test(
            "about once a day, on a thread",
            "a_quiet_agent_writes_once_a_day_so_that_a_good_address_does_not_grow_old",
        ),
        Code("that ends after {client/writer.LINGER s a} second"),
    ]);
    Page::read("src/client/handle.rs").goes_by(&[
        Code("At most {engine/attachment/calls.MOST_UNDER_WAY} calls are under way at once"),
        Code("At most {engine/session/announced.LONGEST_TAG} bytes; an empty or longer tag"),
        Code("and says so, {attachment.register_gap s} s after the last registration"),
        Test(
            "twenty requests in four seconds make about five heartbeats",
            "twenty_requests_in_four_seconds_are_about_five_heartbeats_and_the_last_is_told",
        ),
        Code("At most {client/events.CAPACITY} events wait"),
        Code("at most {client/events.BODIES MiB} MiB wait"),
        Code("larger ones than {client/driver/answers.BODIES MiB} MiB in all"),
        Code("when there is no way, or more than {client/routes.MOST_ROUTES}."),
        Code("at most {client/ending.HELD_UP s words} seconds beyond the first grace"),
        Code(
            "waited for {client/ending.HELD_UP s words} seconds and {client/ending.HELD_UP s words} \
             seconds have passed",
        ),
    ]);
    Page::read("src/client/builder.rs").goes_by(&[
        Code("the {client/builder.STACK_SIZE MiB} MiB and more of other threads"),
        Code("At least 1 and at most {client/routes.MOST_ROUTES}."),
        Code(
            "Default {client/builder.STACK_SIZE MiB} MiB; at least {client/start_error.LEAST_STACK_SIZE \
             KiB} KiB,",
        ),
    ]);
}

#[test]
fn the_header_has_the_numbers_of_the_code() {
    Page::read("include/homing.hpp").goes_by(&[Code("0: {types/call.WITHIN s} s.")]);
    Page::read("include/homing_policy.hpp").goes_by(&[Other("in seconds since 1970")]);
    Page::read("include/homing.h").goes_by(&[
        Test("at most 2,048 visible ASCII characters", "a_path_means_the_same_to_everybody_or_is_refused"),
        Other("%2e, %2f, %5c, a backslash or #"),
        Code("at most {ffi/call.MOST_FIELDS} and {types/call.MOST_FIELDS KiB} KiB in all"),
        Code("The body: at most {types/call.MOST_BODY MiB} MiB"),
        Other("0: 30,000. At most a day"),
        Code("NUL-terminated UTF-8 of 1 to {types/identity.LONGEST} bytes, without control"),
        Code("Bytes of it: at most {ffi/identity.MOST_MACHINE_ID}. 0 with a pointer"),
        Code("and says so, {attachment.register_gap s} s after the last"),
        Code("At most {engine/attachment/calls.MOST_UNDER_WAY} calls are under way at once; {engine/attachment/calls.MOST_WAITING} wait"),
        Code("failed at once when {engine/attachment/calls.MOST_WAITING} wait already"),
        Test(
            "90 % of the bytes of a lane are in use",
            "the_ladder_tells_each_step_once_until_the_lane_was_relieved",
        ),
        Test(
            "Less than 80 % are in use again",
            "the_ladder_tells_each_step_once_until_the_lane_was_relieved",
        ),
        Other("4 KiB to 4 GiB; 0 for the default: 4, 1, 16 and 4 MiB"),
        Other("0 for the default: 30 days, 1 day, 7 days, 30 days"),
        Code("len bytes at body, at most {store/outbox/entry.MAX_BODY KiB} KiB"),
        Code("waits for that, {store/outbox.HELD_UP s} s at most"),
        Code("A lone report above {store/outbox/too_large.NEVER_TOO_LARGE KiB} KiB is dropped by this"),
        Code("and has at most {types/paths.MOST} bytes; another one is refused"),
        Code("refused alone {store/outbox/suspect.ENOUGH} times in a row may be at fault itself"),
        Code("a homing_outbox_take within {store/outbox/suspect.AT_ONCE} s gives the ones behind it"),
        Test("32 for each report included", "the_body_has_each_report_behind_its_number_kind_and_length"),
        Other("On the wire it is 16 hexadecimal digits"),
        Test("at least 128 KiB of stack left", "a_caller_needs_no_more_stack_than_is_promised"),
        Code("UTF-8, at most {engine/session/announced.LONGEST_TAG} bytes."),
        Other("major << 16 | minor << 8 | patch"),
        Other("such as 0.1.0"),
        Code("1 to {types/id.LONGEST} visible ASCII characters"),
        Other("has the first four bytes"),
        Other("4 or 6."),
        Other("0 to 65535, in the order of this machine"),
        Code("at json, at most {settings/limits.MAX_TEXT MiB} MiB"),
        Code("Only a regular file is read, of at most {settings/limits.MAX_TEXT MiB} MiB"),
        Other(r#"{"value": "5m", "from": "group"}"#),
        Code("Too many attempts in {attachment.guard_window min words} minutes"),
        Code("moved often within {attachment.moves_window min words} minutes"),
        Test(
            "for a day, or on several networks",
            "what_lasts_a_day_or_follows_to_another_network_is_no_portal",
        ),
        Test(
            "until it is smaller or an hour has passed",
            "a_size_is_held_back_from_its_server_until_it_shrinks_or_an_hour_has_passed",
        ),
        Code("at most {client/credentials.MOST_BYTES KiB} KiB, as are all names and values"),
        Code(
            "at least {client/start_error.LEAST_STACK_SIZE KiB} KiB; 0 for {client/builder.STACK_SIZE MiB} \
             MiB",
        ),
        Code("status_len bytes of the product's own, at most {ffi/options.MOST_STATUS MiB} MiB"),
        Code("len bytes of the product's own, at most {ffi/options.MOST_STATUS MiB} MiB"),
        Code("How many keys: at most {ffi/options.MOST_KEYS}."),
        Code("settings document of a server, {ffi/options.KEY} bytes each"),
        Code("count of them, 1 to {client/routes.MOST_ROUTES}, in the order"),
        Code("count of them, at most {ffi/options.MOST_ROUTES}, in the order"),
        Code("must not name another proxy for {attachment.attempt_limit s} s after"),
        Code("How many ways: at most {client/routes.MOST_ROUTES}."),
        Code("How many ways: at most {ffi/options.MOST_ROUTES}."),
        Code("How many fields: at most {client/credentials.MOST_FIELDS}."),
        Code("which are copied. At most {store.MAX_VALUE KiB} KiB."),
        Other("within timeout_ms, at most 49 days"),
        Code("At most {client/events.CAPACITY} events wait"),
        Test(
            "twenty requests in four seconds make about five heartbeats",
            "twenty_requests_in_four_seconds_are_about_five_heartbeats_and_the_last_is_told",
        ),
        Other("at most 65535; for the event only"),
        Code("NUL-terminated UTF-8 of at most {ffi/outcome.LONGEST} bytes"),
        Other("proxies are 0 to 255."),
        Code("How many: at most {engine/io.MAX_ADDRESSES}."),
        Code("Bytes of it; at most {store.MAX_MEMORY KiB} KiB."),
        Other("of the driver's, 0 to 255;"),
        Code("JSON of at most {store.MAX_MEMORY KiB} KiB"),
        Code("what is beyond the first {net/look_ups.ADDRESSES} is not read"),
        Code("is NUL-terminated UTF-8, at most {ffi/outcome.LONGEST} bytes"),
        Other("in seconds since 1970"),
        Code("How many bytes: at most {ffi/policy.MAX_CERTIFICATE MiB} MiB"),
        Other("more than a day below the floor"),
        Test(
            "a floor before 2026 is the beginning of 2026, and so is one after 2099",
            "a_floor_lies_in_the_years_that_the_pages_name",
        ),
        Code(
            "for more than {ffi/policy.MAX_CHAIN} certificates, and for one of more than \
             {ffi/policy.MAX_CERTIFICATE MiB} MiB",
        ),
    ]);
}
