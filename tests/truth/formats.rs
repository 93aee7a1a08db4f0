//! The pages that others write programs from: files and the wire.

use crate::page::Page;
use crate::page::Words::{Code, Other, Test};

const LAYOUT: &str = "the_files_are_laid_out_as_their_page_says";

#[test]
fn the_files_of_an_outbox_are_as_their_page_says() {
    Page::read("docs/outbox-format.md").goes_by(&[
        Test(
            "private to the user of the process (0700, files 0600)",
            "a_folder_that_others_can_write_to_is_refused_and_used_when_that_is_mended",
        ),
        Code("At most {store/outbox/recovery.MOST_ASIDE} older ones are kept"),
        Test("openings of the folder (8 hexadecimal digits)", LAYOUT),
        Test("drawn at that opening (16 digits)", LAYOUT),
        Test("of the lane in that opening (8 digits)", LAYOUT),
        // A segment.
        Test(
            "| 0 | 8 | `HOMINGOB` | | 8 | 4 | version: 1 | | 12 | 4 | 0 | | 16 | 8 | the series, as in the name | | 24 | 8 | the \
             number of the first entry | | 32 | 4 | 0 | | 36 | 4 | CRC-32 of bytes 0 to 35 | | 40 | | entries",
            LAYOUT,
        ),
        Code("| {store/outbox/file.HEADER} | | entries, one behind the other |"),
        Test("| 0 | 4 | CRC-32 of bytes 4 to 31, begun with the salt | | 4 | 4 | bytes of the body, at most", LAYOUT),
        Code("bytes of the body, at most {store/outbox/entry.MAX_BODY}"),
        Test(
            "| 8 | 8 | number; the numbers of one series follow each other | | 16 | 8 | seconds since 1970 when it was \
             submitted | | 24 | 1 | kind: 1 risk found, 2 cookie found, 3 intrusion, 4 system change, 5 status, 6 log, 7 \
             application | | 25 | 3 | 0 | | 28 | 4 | CRC-32 of the number (8 bytes) and the body, begun with the salt |",
            LAYOUT,
        ),
        Code("| {store/outbox/entry.HEADER} | | the body |"),
        Code("once it has {store/outbox/file.MOST_BYTES MiB} MiB, or a sixteenth of its lane"),
        // The head.
        Test(
            "| 0 | 8 | `HOMINGOH` | | 8 | 4 | version: 1 | | 12 | 4 | how often the folder was opened | | 16 | 8 | how many \
             records follow | | 24 | 24 each | lane (1 critical, 2 status, 3 log, 4 applications), series, the last number \
             that is done with; 8 bytes each | | | 4 | CRC-32 of all before it |",
            LAYOUT,
        ),
        Code("| {store/outbox/head.FRONT} | {store/outbox/head.ENTRY} each | lane"),
        // What was learned.
        Test(
            "| 0 | 8 | `HOMINGOL` | | 8 | 8 | version: 1 | | 16 | 16 | a random key | | 32 | 8 each | SipHash-2-4 under that \
             key of the body of each application that was reported, oldest first | | | 4 | CRC-32 of all before it |",
            LAYOUT,
        ),
        Code("once in {store/outbox/learned.PACE} s at most"),
        Code("has as many files as its bytes have blocks of {store/outbox/lane/files.BLOCK KiB} KiB, {store/outbox/lane/files.FEW_FILES} at least"),
        Code("After {store/outbox/lane/sending.PATIENCE} s its reports count as damaged"),
        Code("After {store/outbox/home.MOST_FAILED words} failures the file is given up"),
        Test("The first 12 bytes and the check sum", "a_file_of_next_year_is_set_aside_whole_and_told"),
        Other("queue-file 2.0"),
        Other("okaywal 0.3"),
        Other("last released in 2023"),
    ]);
}

#[test]
fn the_description_of_the_wire_for_machines_has_the_numbers_of_the_code() {
    Page::read("docs/openapi.yaml").goes_by(&[
        Other("openapi: 3.1.0"),
        Other("Plain HTTP/1.1"),
        Other("MIT OR Apache-2.0"),
        Code(r#"default: "{settings/list.DEFAULT_HTTPS_PORT plain}" description:"#),
        Code(
            "{settings/list.DEFAULT_HTTPS_PORT plain} for https and {settings/list.DEFAULT_HTTP_PORT plain} for http",
        ),
        Test(r#"pattern: "^[!-~]{1,128}$""#, "an_agent_id_is_visible_ascii_of_bounded_length"),
        Test(
            r#"A quoted text of at most 64 bytes, quotes included. schema: type: string pattern: '^"[!#-\[\]-~]{1,62}"$'"#,
            "every_attempt_of_a_search_has_its_key_whatever_the_server",
        ),
        Other("Two requests with one key are one"),
        Other(r#"pattern: "^[0-9a-f]{16}$" example: 9c3f0a61d2e47b15"#),
        Other(r#"pattern: "^[0-9]{1,20}-[0-9]{1,20}$" example: 17-18"#),
        Other(r#"'"critical-9c3f0a61d2e47b15-11-12"'"#),
        Test(
            r#"at most 64 bytes, quotes included. schema: type: string pattern: '^"[!#-\[\]-~]{1,62}"$' example: '"critical"#,
            "an_upload_names_its_reports_by_series_and_number",
        ),
        Test(r#"has taken for good. required: true schema: type: string pattern: "^[0-9]{1,20}$""#, "only_an_acknowledgement_settles"),
        Other(r#"'"5f0e7a31c2d94b68-3"'"#),
        Other(r#"pattern: "^[!-~]{1,256}$" example: 5f0e7a31-16"#),
        Other(r#"enum: ["wait=0", "wait=1"] example: wait=0"#),
        Other("the example server waits a minute at most"),
        Other(r#""204": description: Nothing is told here"#),
        Code("asked again after {schedule.push_retry h an} hour"),
        Other(r#"pattern: "^[0-9]{1,9}$" example: "300""#),
        Code("Names are UTF-8 of 1 to {types/identity.LONGEST} bytes"),
        Code("description: | 1 to {types/identity.LONGEST} bytes of UTF-8"),
        Code("those of ASCII may have {types/identity.LONGEST}, others have 64 characters here"),
        Other(r#"anyOf: - pattern: "^([!-$&-~]|%2[05]){1,256}$" - pattern: "^([!-$&-~]|%2[05]|%C2%[AB]"#),
        Other("minLength: 1 maxLength: 768 "),
        Other("One of the two fields makes an answer"),
        Test(r#"pattern: "^[0-9a-f]{64}$" example: c2b0dab654c72131048706eef4a69a42c3ed4f7108ba3933be1a4843a0e86f04"#, "an_instance_tells_machines_and_agents_apart_and_shows_neither"),
        Code("The agent does so within {attachment.register_gap s} s"),
        Other(r#"within 10 s. schema: type: string enum: ["1"] Homing-Duplicate"#),
        Other(r#"is used on more than one machine. schema: type: string enum: ["1"]"#),
        Other("RFC 9110, section 13.1.2"),
        Other("RFC 9110, section 8.8.3"),
        Code("at most {limits.body_bytes MiB} MiB, in whatever form the product has"),
        Other("A server takes at least 1 MiB."),
        Other("the example server takes 1 MiB"),
        Test(
            "sends nothing as large for an hour",
            "a_size_is_held_back_from_its_server_until_it_shrinks_or_an_hour_has_passed",
        ),
        Code("at a random instant, within {attachment.drain_most s} s at most"),
        Code("it stops trying for {attachment.rejected_first min} min and more"),
        Code(
            "between {attachment.throttle_least s} s and {attachment.throttle_most h} h and stays away",
        ),
        Code("429 without it means {attachment.throttle_default s} s;"),
        Code("asks again after {attachment.recheck_least s} to {attachment.recheck_most s} s;"),
        Code("within {attachment.thirds_window min} min make the server down"),
        Code("visible ASCII, at most {limits.tag_bytes} bytes"),
        Code("minLength: 2 maxLength: {limits.tag_bytes} "),
        Other("schema: type: string minLength: 3 responses:"),
        Other(r#""204": description: The heartbeat counts"#),
    ]);
}
