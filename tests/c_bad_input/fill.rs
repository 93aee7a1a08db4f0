//! What each parameter and each member is given: something right, and everything wrong that can be thought of.
//!
//! There is no default. A parameter that stands in no table here ends the test.

use crate::header::{Declaration, Header, Struct};

/// One thing to try. `expected` is a status; of a function that returns none, anything but `OK` means that it has
/// nothing to tell.
#[derive(Clone, Debug)]
pub struct Try {
    pub what: String,
    /// An expression in C.
    pub value: String,
    pub expected: &'static str,
    /// Members beside the one that is tried, and what they have to be for it to count.
    pub beside: &'static [(&'static str, &'static str)],
}

/// A right value, and what else to try.
#[derive(Clone, Debug)]
pub struct Fill {
    pub right: String,
    pub tries: Vec<Try>,
}

pub const OK: &str = "HOMING_OK";
const NULL: &str = "HOMING_ERROR_NULL";
const UTF8: &str = "HOMING_ERROR_UTF8";
const RANGE: &str = "HOMING_ERROR_RANGE";
const SIZE: &str = "HOMING_ERROR_STRUCT_SIZE";
const SETTINGS: &str = "HOMING_ERROR_SETTINGS";
const TUNING: &str = "HOMING_ERROR_TUNING";
const AGENT_ID: &str = "HOMING_ERROR_AGENT_ID";
const FILE: &str = "HOMING_ERROR_FILE";
const CERTIFICATE: &str = "HOMING_ERROR_CERTIFICATE";
const CREDENTIAL: &str = "HOMING_ERROR_CREDENTIAL";
const ROUTE: &str = "HOMING_ERROR_ROUTE";
const MEMORY: &str = "HOMING_ERROR_MEMORY";
const CALL: &str = "HOMING_ERROR_CALL";
const SYSTEM: &str = "HOMING_ERROR_SYSTEM";

/// More than any limit, and a length no object has.
const MOST: &str = "SIZE_MAX";

impl Fill {
    fn right(value: &str) -> Self {
        Self { right: value.to_owned(), tries: Vec::new() }
    }

    fn and(mut self, value: &str, expected: &'static str) -> Self {
        self.tries.push(Try { what: value.to_owned(), value: value.to_owned(), expected, beside: &[] });
        self
    }

    fn beside(mut self, members: &'static [(&'static str, &'static str)]) -> Self {
        self.tries.iter_mut().for_each(|it| it.beside = members);
        self
    }

    fn all(mut self, values: &[&str], expected: &'static str) -> Self {
        for value in values {
            self = self.and(value, expected);
        }
        self
    }
}

fn text(right: &str, null: &'static str) -> Fill {
    Fill::right(right).and("NULL", null).and(r#""\xff\xfe""#, UTF8).and(r#""a\xc3""#, UTF8)
}

/// Whatever its bits are, it is right: a moment, or a name that may name nothing.
fn any_word() -> Fill {
    Fill::right("1").all(&["0", "UINT64_MAX"], OK)
}

/// One of the constants that begin with these words, and numbers around them.
fn one_of(header: &Header, right: &str, words: &str) -> Fill {
    let numbers = header.text.lines().filter_map(|line| line.strip_prefix("#define ")?.strip_prefix(words));
    let numbers: Vec<i32> = numbers
        .map(|rest| rest.split_whitespace().nth(1).unwrap().trim_matches(['(', ')']).parse().unwrap())
        .collect();
    let (least, most) = (numbers.iter().min().unwrap() - 1, numbers.iter().max().unwrap() + 1);
    Fill::right(right).all(&[&*least.to_string(), &*most.to_string(), "INT32_MIN", "INT32_MAX"], RANGE)
}

fn pointer(right: &str, null: &'static str) -> Fill {
    Fill::right(right).and("NULL", null).and(&format!("unaligned({right})"), NULL)
}

/// What a parameter of a function, or a member of a struct, is given.
pub fn fill(owner: &str, it: &Declaration, header: &Header) -> Fill {
    let mut fill = special(owner, &it.name, header).or_else(|| by_kind(it, header)).unwrap_or_else(|| {
        panic!(
            "{owner}: nobody has thought of `{} {}`: put it into the tables of this test",
            it.kind, it.name
        )
    });
    if (owner, &*it.name) == ("homing_engine_resolved", "addresses") {
        fill.right = "addresses(64)".to_owned();
        // A look-up gives no ports.
        fill.tries.iter_mut().filter(|it| it.what.starts_with("port")).for_each(|it| it.expected = OK);
    }
    fill
}

fn by_kind(it: &Declaration, header: &Header) -> Option<Fill> {
    let noun =
        it.kind.trim_start_matches("const ").strip_prefix("homing_").and_then(|rest| rest.strip_suffix(" *"));
    let kind = it.kind.trim_start_matches("const ").trim_end_matches(" *");
    if let Some(it) = header.find_struct(kind).filter(|_| noun.is_some()) {
        return Some(structure(it, header));
    }
    if let Some(noun) = noun {
        return Some(pointer(&format!("world->{noun}"), NULL));
    }
    Some(match (&*it.kind, &*it.name) {
        ("uint64_t", "now_ns" | "query" | "link" | "probe" | "exchange" | "version" | "grace_ms") => {
            any_word()
        }
        ("size_t", "index") => Fill::right("0").all(&[MOST, "1000"], RANGE),
        ("uint32_t", "grace_ms") => Fill::right("0").all(&["1", "UINT32_MAX"], OK),
        _ => return None,
    })
}

fn special(owner: &str, name: &str, header: &Header) -> Option<Fill> {
    functions(owner, name, header)
        .or_else(|| options(owner, name))
        .or_else(|| engine_options(owner, name))
        .or_else(|| small_structs(owner, name, header))
        .or_else(|| identities(owner, name, header))
}

fn functions(owner: &str, name: &str, header: &Header) -> Option<Fill> {
    Some(match (owner, name) {
        ("homing_status_text", "status") => {
            Fill::right("HOMING_ERROR_NULL").all(&["1", "-1000", "INT32_MIN"], RANGE)
        }
        ("homing_reason_text", "reason") => one_of(header, "HOMING_REASON_START", "HOMING_REASON_"),
        ("homing_state_name", "state") => one_of(header, "HOMING_STATE_STOPPED", "HOMING_STATE_"),

        ("homing_settings_parse", "json") => pointer_to_bytes("bytes(world->json, world->json_len)"),
        ("homing_settings_parse", "len") => {
            Fill::right("world->json_len").all(&["0", "1", MOST, "SETTINGS_MOST + 1"], SETTINGS)
        }
        ("homing_settings_parse", "source") => one_of(header, "HOMING_SOURCE_SERVER", "HOMING_SOURCE_"),
        ("homing_settings_read", "path") => text("world->path", NULL)
            .all(&[r#""""#, r#""/dev/null/nothing""#, r#""/""#], FILE)
            .and(r#""/dev/null""#, FILE)
            .and("long_text(100000)", FILE),
        (
            "homing_settings_effective" | "homing_client_set_location" | "homing_engine_set_location",
            "location",
        ) => text(r#""Office""#, OK).all(&[r#""""#, r#""nowhere""#, "long_text(100000)"], OK),

        ("homing_client_confirm_policy" | "homing_engine_confirm_policy", "tag") => {
            text(r#""\"1\"""#, NULL).all(&[r#""""#, "long_text(100000)"], OK)
        }
        ("homing_client_decide_settings", "tag") => {
            text(r#""\"1\"""#, NULL).all(&[r#""""#, "long_text(100000)"], OK)
        }
        ("homing_client_decide_settings", "consent") => {
            one_of(header, "HOMING_CONSENT_ACCEPT", "HOMING_CONSENT_")
        }
        ("homing_engine_try", "digest") => digest(),
        ("homing_engine_try", "tag") => text(r#""\"1\"""#, OK).all(&[r#""""#, "long_text(100000)"], OK),
        ("homing_engine_try", "serial") => optional_number(),
        ("homing_engine_try", "given") => Fill::right("1").and("0", OK).all(&["2", "-1", "INT32_MAX"], RANGE),
        ("homing_engine_renew", "old") => Fill::right("0").all(&["1", "UINT32_MAX"], OK),
        ("homing_client_next_event", "timeout_ms") => {
            Fill::right("0").and("world->stopped ? UINT32_MAX : 1", OK)
        }
        // One at work has not ended, however often it is asked.
        ("homing_client_join", "timeout_ms") => Fill::right("world->stopped ? 60000 : 0").and("1", OK),
        ("homing_client_set_status", "data") => pointer_to_bytes(r#"bytes("well", 4)"#),
        ("homing_client_set_status", "len") => {
            Fill::right("4").and("0", OK).all(&[MOST, "STATUS_MOST + 1"], RANGE)
        }
        ("homing_client_set_header" | "homing_client_remove_header", "name") => {
            let fill = text(r#""X-Secret""#, NULL);
            let (wrong, expected) = if owner == "homing_client_set_header" {
                (&[r#""""#, r#""a b""#, r#""Host""#, r#""a\nb""#, "long_text(100000)"][..], CREDENTIAL)
            } else {
                (&[r#""""#, r#""a b""#, "long_text(100000)"][..], OK)
            };
            fill.all(wrong, expected)
        }
        ("homing_client_set_header", "secret") => pointer_to_bytes(r#"bytes("pass", 4)"#)
            .all(&[r#"bytes("a\r\nb", 4)"#, r#"bytes("a\0bc", 4)"#], CREDENTIAL),
        ("homing_client_set_header", "secret_len") => {
            Fill::right("4").and("0", OK).all(&[MOST, "SECRET_MOST + 1"], CREDENTIAL)
        }
        ("homing_client_set_routes", "routes") => options("homing_options", "routes")?,
        ("homing_client_set_routes", "count") => Fill::right("1").all(&["0", MOST, "9"], ROUTE),
        ("homing_engine_set_routes", "routes") => engine_options("homing_engine_options", "routes")?,
        ("homing_engine_set_routes", "count") => Fill::right("1").and("0", OK).all(&[MOST, "9"], ROUTE),
        ("homing_client_set_headers", "count") => {
            Fill::right("1").and("0", OK).all(&[MOST, "17"], CREDENTIAL)
        }

        // What is beyond the 64th is not read, however many there are said to be.
        ("homing_engine_resolved", "count") => Fill::right("1").all(&["0", "64", "65", MOST], OK),
        ("homing_situation_name", "situation") => {
            one_of(header, "HOMING_SITUATION_INTERNAL", "HOMING_SITUATION_")
        }
        ("homing_engine_connected" | "homing_engine_probed", "medium") => {
            one_of(header, "HOMING_MEDIUM_DIRECT", "HOMING_MEDIUM_")
        }
        ("homing_engine_secured" | "homing_engine_probed", "proof") => {
            one_of(header, "HOMING_PROOF_TLS", "HOMING_PROOF_")
        }
        ("homing_engine_on_network", "network") => optional_number(),
        ("homing_engine_secured", "valid_for_ms") => any_word(),
        ("homing_engine_network_changed", "change") => {
            one_of(header, "HOMING_NETWORK_CHANGED", "HOMING_NETWORK_")
        }
        ("homing_engine_notice", "kind") => one_of(header, "HOMING_NEWS_SETTINGS", "HOMING_NEWS_")
            .all(&["HOMING_NEWS_KEEP_ALIVE", "HOMING_NEWS_POLICY", "HOMING_NEWS_CONTENT"], OK)
            .all(&["HOMING_NEWS_COMMAND", "HOMING_NEWS_DRAIN"], OK),
        ("homing_engine_notice", "about") => {
            text(r#""tag""#, NULL).and("long_text(1025)", RANGE).all(&["long_text(1024)", r#""""#], OK)
        }
        ("homing_engine_notice", "within_ms") => any_word(),

        ("homing_policy_parse", "json") => pointer_to_bytes(&policy(r#"{"roots":["public"]}"#))
            .all(&[&policy(r#"{"roots":["nobody"]}"#), &policy(r#"{"r00ts":["public"]}"#)], SETTINGS)
            .and(&policy(r#"{"roots":[{"bundle":"/dev/null/nothing"}]}"#), FILE)
            .and(&policy(r#"{"roots":[{"bundle":"/dev/null"}]}"#), FILE)
            .and(&policy(r#"{"roots":[{"bundle":"/proc/version"}]}"#), CERTIFICATE),
        ("homing_policy_parse", "len") => {
            Fill::right(POLICY_SIZE).all(&["0", "1", MOST, "SETTINGS_MOST + 1"], SETTINGS)
        }
        (_, "time_s" | "floor_s") => {
            Fill::right("1800000000").all(&["0", "-1", "INT64_MIN", "INT64_MAX", "4294967296"], OK)
        }
        ("homing_policy_check" | "homing_policy_check_chain", "count") => {
            Fill::right("1").and("0", OK).all(&[MOST, "65"], RANGE)
        }
        ("homing_policy_check", "name") => text(r#""mgmt.example""#, NULL)
            .all(
                &[r#""""#, r#""a b""#, r#""a.example:1""#, r#""https://a.example""#, "long_text(100000)"],
                RANGE,
            )
            .all(&[r#""10.1.0.5""#, r#""[2001:db8::1]""#], OK),

        ("homing_outbox_submit" | "homing_client_submit", "kind") => {
            one_of(header, "HOMING_REPORT_LOG", "HOMING_REPORT_")
        }
        ("homing_outbox_submit" | "homing_client_submit", "durability") => {
            one_of(header, "HOMING_DURABILITY_BUFFERED", "HOMING_DURABILITY_")
                .and("HOMING_DURABILITY_DURABLE", "HOMING_ERROR_NOT_DURABLE")
        }
        ("homing_outbox_submit" | "homing_client_submit", "body") => pointer_to_bytes(r#"bytes("seen", 4)"#),
        ("homing_outbox_submit" | "homing_client_submit", "len") => {
            Fill::right("4").and("0", OK).all(&[MOST, "REPORT_MOST + 1"], RANGE)
        }
        ("homing_engine_call", "call" | "within_ms") => any_word(),
        ("homing_engine_call", "repeat") => one_of(header, "HOMING_REPEAT_NEVER", "HOMING_REPEAT_"),
        (_, "lane") => one_of(header, "HOMING_LANE_LOG", "HOMING_LANE_"),
        ("homing_outbox_take", "at_most") => Fill::right("65536").all(&["0", "1", "UINT64_MAX"], OK),
        ("homing_outbox_learn_applications", "enabled") => Fill::right("1").all(&["0", "UINT32_MAX"], OK),
        (_, "up_to") => any_word(),
        ("homing_engine_waiting", "reports" | "bytes") => any_word(),

        ("homing_value_set", "data") => pointer_to_bytes(r#"bytes("kept", 4)"#),
        ("homing_value_set", "len") => Fill::right("4").and("0", OK).all(&[MOST, "VALUE_MOST + 1"], RANGE),
        _ => return None,
    })
}

fn options(owner: &str, name: &str) -> Option<Fill> {
    if owner != "homing_options" {
        return None;
    }
    Some(match name {
        "agent_id" => agent_id(),
        "tuning_json" => json(),
        "limits_json" => json().and(r#""{\"head_bytes\":1}""#, TUNING),
        "location" => text(r#""Office""#, OK).all(&[r#""""#, r#""nowhere""#], RANGE),
        "state_folder" => text("NULL", OK).all(&[r#""""#, r#""/dev/null/nothing""#, "long_text(100000)"], OK),
        "thread_name" => text(r#""agent""#, OK).all(&[r#""""#, "long_text(100000)"], OK),
        // No system has so much.
        "thread_stack_size" => Fill::right("0")
            .and("256 * 1024", OK)
            .all(&["1", "1000", "256 * 1024 - 1"], RANGE)
            .all(&[MOST, "SIZE_MAX - 4095", "(size_t)1 << 60"], SYSTEM),
        "status" => pointer_to_bytes(r#"bytes("well", 4)"#),
        "status_len" => Fill::right("4").and("0", OK).all(&[MOST, "STATUS_MOST + 1"], RANGE),
        "routes" => pointer("routes(\"direct\")", NULL)
            .and("routes(NULL)", NULL)
            .and(r#"routes("\xff")"#, UTF8)
            .all(&[r#"routes("")"#, r#"routes("nonsense")"#, r#"routes("http://a:b")"#], ROUTE),
        "route_count" => Fill::right("1").and("0", OK).all(&[MOST, "9"], ROUTE),
        "header_count" => Fill::right("1").and("0", OK).all(&[MOST, "17"], CREDENTIAL),
        "seed" => optional_number(),
        // 0 is the default.
        "log_level" => Fill::right("HOMING_LOG_TRACE")
            .and("0", OK)
            .all(&["-1", "HOMING_LOG_TRACE + 1", "INT32_MAX"], RANGE),
        "reserved" => Fill::right("0").all(&["1", "UINT32_MAX"], RANGE),
        "user_data" => Fill::right("&world->told").and("NULL", OK),
        "drop_user_data" => Fill::right("on_drop").and("NULL", OK),
        "on_event" => Fill::right("NULL").and("on_event", OK),
        "on_log" => Fill::right("NULL").and("on_log", OK),
        "on_socket" => Fill::right("NULL").and("on_socket", OK),
        "on_thread_start" => Fill::right("NULL").and("on_thread_start", OK),
        "on_heartbeat" => Fill::right("NULL").and("on_heartbeat", OK),
        "on_credentials" => Fill::right("NULL").and("on_credentials", OK),
        "on_settings" => Fill::right("NULL").and("on_settings", OK),
        "settings_keys" => pointer_to_bytes(r#"bytes("0123456789abcdef0123456789abcdef", 32)"#),
        "settings_key_count" => Fill::right("1").and("0", OK).all(&[MOST, "17"], RANGE),
        "settings_audience" => text(r#""acme""#, OK).all(&[r#""""#, "long_text(100000)"], OK),
        "settings_folder" => {
            text("NULL", OK).all(&[r#""""#, r#""/dev/null/nothing""#, "long_text(100000)"], OK)
        }
        "takes_settings" => Fill::right("HOMING_TAKES_NO_SETTINGS")
            .all(&["HOMING_TAKES_VERIFIED"], OK)
            .all(&["-1", "3", "INT32_MIN"], RANGE),
        "outbox_folder" => {
            text("NULL", OK).all(&[r#""""#, r#""/dev/null/nothing""#, "long_text(100000)"], OK)
        }
        "path_prefix" => text("NULL", OK)
            .all(&[r#""""#, r#""vendor""#, r#""/vendor/""#, r#""/a/../b""#, "long_text(100000)"], RANGE),
        "call_prefix" => {
            text("NULL", OK).all(&[r#""""#, r#""/homing/v1""#, r#""/homing""#, "long_text(100000)"], RANGE)
        }
        "reserved_too" => Fill::right("0").all(&["1", "UINT32_MAX"], RANGE),
        // One without the other.
        "store_load" => Fill::right("store_load").and("NULL", NULL),
        "store_save" => Fill::right("store_save").and("NULL", NULL),
        _ => return None,
    })
}

fn engine_options(owner: &str, name: &str) -> Option<Fill> {
    if owner != "homing_engine_options" {
        return None;
    }
    Some(match name {
        "agent_id" => agent_id(),
        "tuning_json" => json(),
        "memory" => pointer_to_bytes(r#"bytes("{}", 2)"#)
            .all(&[r#"bytes("]]", 2)"#, r#"bytes("\xff\xff", 2)"#], MEMORY),
        "memory_len" => {
            Fill::right("2").and("0", OK).and("1", MEMORY).all(&[MOST, "MEMORY_MOST + 1"], MEMORY)
        }
        "away_ms" => optional_number(),
        "seed" => optional_number(),
        "routes" => pointer("numbers(1, HOMING_ROUTE_DIRECT)", NULL)
            .all(&["numbers(1, -2)", "numbers(1, 256)", "numbers(1, INT32_MAX)"], ROUTE)
            .and("numbers(1, 255)", OK),
        "route_count" => Fill::right("1").and("0", OK).all(&[MOST, "9"], ROUTE),
        "settings_digest" => digest(),
        "given_digest" | "settings_tag" => text(r#""\"1\"""#, OK).all(&[r#""""#, "long_text(100000)"], OK),
        "takes_settings" => Fill::right("HOMING_TAKES_NO_SETTINGS")
            .all(&["HOMING_TAKES_VERIFIED", "HOMING_TAKES_SIGNED"], OK)
            .all(&["-1", "3", "INT32_MIN"], RANGE),
        "reserved" => Fill::right("0").all(&["1", "UINT32_MAX"], RANGE),
        _ => return None,
    })
}

/// Who uses the machine, and what a server makes of it.
fn identities(owner: &str, name: &str, header: &Header) -> Option<Fill> {
    let named = || text(r#""alice""#, OK).all(&[r#""""#, r#""a\nb""#, "long_text(257)"], RANGE);
    let mode = || {
        Fill::right("HOMING_ACCOUNT_USER")
            .all(&["0", "HOMING_ACCOUNT_COMPUTER"], OK)
            .all(&["-1", "3", "INT32_MIN", "INT32_MAX"], RANGE)
    };
    Some(match (owner, name) {
        ("homing_options" | "homing_engine_options", "identity") => {
            let mut fill = structure(header.find_struct("homing_identity")?, header);
            // A product need not say who uses the machine.
            fill.tries.iter_mut().filter(|it| it.what == "NULL").for_each(|it| it.expected = OK);
            fill
        }
        ("homing_identity", "user" | "preferred_group") => named().and("long_text(256)", OK),
        ("homing_identity", "preferred_mode") | ("homing_outcome", "account_mode") => mode(),
        ("homing_identity", "reserved") => Fill::right("0").all(&["1", "UINT32_MAX"], RANGE),
        ("homing_client_user_changed" | "homing_engine_user_changed", "user")
        | ("homing_outcome", "group") => named(),
        ("homing_outcome", "registers") => Fill::right("1").all(&["0", "UINT32_MAX"], OK),
        ("homing_outcome", "duplicate") => any_word(),
        ("homing_options", "machine_id") => pointer_to_bytes(r#"bytes("serial", 6)"#),
        ("homing_options", "machine_id_len") => Fill::right("6").and("0", OK).all(&[MOST, "1025"], RANGE),
        _ => return None,
    })
}

/// What names settings in the memory; NULL for none.
fn digest() -> Fill {
    text(r#""0123456789abcdef""#, OK).all(&[r#""""#, r#""a b""#, "long_text(100000)"], RANGE)
}

fn small_structs(owner: &str, name: &str, header: &Header) -> Option<Fill> {
    const SUCCESS: &[(&str, &str)] = &[("verdict", "HOMING_VERDICT_SUCCESS")];
    Some(match (owner, name) {
        ("homing_address", "ip") => Fill::right("{127, 0, 0, 1}"),
        ("homing_address", "family") => Fill::right("4").and("6", OK).all(&["0", "5", "UINT32_MAX"], RANGE),
        ("homing_address", "port") => Fill::right("443").and("0", OK).all(&["65536", "UINT32_MAX"], RANGE),
        ("homing_address", "scope_id") => Fill::right("0").and("UINT32_MAX", OK),
        ("homing_header", "name") => text(r#""X-Secret""#, NULL)
            .all(&[r#""""#, r#""a b""#, r#""Host""#, "long_text(100000)"], CREDENTIAL),
        ("homing_header", "secret") => {
            pointer_to_bytes(r#"bytes("pass", 4)"#).and(r#"bytes("a\r\nb", 4)"#, CREDENTIAL)
        }
        ("homing_header", "secret_len") => {
            Fill::right("4").and("0", OK).all(&[MOST, "SECRET_MOST + 1"], CREDENTIAL)
        }
        // Whatever the bytes are, it is a judgement.
        ("homing_certificate", "data") => pointer_to_bytes(r#"bytes("cert", 4)"#),
        ("homing_certificate", "len") => {
            Fill::right("4").and("0", OK).all(&[MOST, "CERTIFICATE_MOST + 1"], RANGE)
        }
        ("homing_failure", "cause") => one_of(header, "HOMING_CAUSE_THROTTLED", "HOMING_CAUSE_"),
        ("homing_failure" | "homing_outcome", "status") => {
            Fill::right("503").all(&["0", "65535"], OK).all(&["65536", "UINT32_MAX"], RANGE)
        }
        ("homing_failure", "retry_after_ms") => optional_number(),
        ("homing_failure", "note") => text(r#""a note""#, OK).all(&[r#""""#, "long_text(100000)"], OK),
        ("homing_failure", "judgement") => {
            Fill::right("NULL").and("world->judgement", OK).and("unaligned(world->judgement)", NULL)
        }
        ("homing_outcome", "verdict") => one_of(header, "HOMING_VERDICT_FAILED", "HOMING_VERDICT_")
            .all(&["HOMING_VERDICT_SUCCESS", "HOMING_VERDICT_DECLINED"], OK),
        ("homing_outcome", "settings_tag" | "policy_tag") => text("NULL", OK)
            .and("long_text(1025)", RANGE)
            .all(&["long_text(1024)", r#""""#], OK)
            .beside(SUCCESS),
        ("homing_outcome", "drain_ms") => optional_number(),
        ("homing_outcome", "events" | "acknowledged" | "unacknowledged") => any_word(),
        ("homing_call", "method") => text(r#""POST""#, NULL).all(&[r#""""#, r#""get""#, r#""PATCH""#], CALL),
        ("homing_call", "path") => text(r#""a/b?c=d""#, NULL)
            .all(
                &[r#""""#, r#""/a""#, r#""a/../b""#, r#""a%2fb""#, r#""a\r\nb: c""#, "long_text(2049)"],
                CALL,
            )
            .and("long_text(2048)", OK),
        ("homing_call", "header_count") => Fill::right("1").and("0", OK).all(&[MOST, "65"], CREDENTIAL),
        ("homing_call", "body") => pointer_to_bytes(r#"bytes("said", 4)"#),
        ("homing_call", "body_len") => Fill::right("4").and("0", OK).all(&[MOST, "STATUS_MOST + 1"], CALL),
        ("homing_call", "within_ms") => Fill::right("20000").all(&["0", "UINT32_MAX"], OK),
        ("homing_call", "repeat") => one_of(header, "HOMING_REPEAT_NEVER", "HOMING_REPEAT_"),
        ("homing_outbox_options", "folder") => {
            text("NULL", OK).all(&[r#""""#, r#""/dev/null/nothing""#, "long_text(100000)"], OK)
        }
        ("homing_outbox_options", "bytes" | "age_s") => {
            Fill::right("{0}").all(&["{1, 2, 3, 4}", "{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}"], OK)
        }
        _ => return None,
    })
}

fn agent_id() -> Fill {
    text(r#""agent-1""#, NULL)
        .all(&[r#""""#, "long_text(129)", r#""a b""#, r#""a\n""#, r#""\xc3\xa4""#], AGENT_ID)
        .and("long_text(128)", OK)
}

fn json() -> Fill {
    text("NULL", OK).all(&[r#""""#, r#""{""#, r#""[]""#, r#""{\"unknown\":1}""#], TUNING).and(r#""{}""#, OK)
}

/// A number that may be missing, and needs no alignment.
fn optional_number() -> Fill {
    Fill::right("word(1000)").all(&["NULL", "word(0)", "word(UINT64_MAX)", "unaligned_word(7)"], OK)
}

/// Bytes beside a length that is not 0; they need no alignment.
fn pointer_to_bytes(right: &str) -> Fill {
    Fill::right(right).and("NULL", NULL)
}

/// How long every policy here is, so that one length is right for all.
const POLICY_SIZE: &str = "50";

fn policy(json: &str) -> String {
    let text = format!("{json:<50}").replace('"', "\\\"");
    format!(r#"bytes("{text}", {POLICY_SIZE})"#)
}

/// A pointer to a struct that comes in: NULL, of every wrong size, and each of its members in turn. One that grows is
/// copied and needs no alignment.
fn structure(it: &Struct, header: &Header) -> Fill {
    let grows = it.members.first().is_some_and(|first| first.name == "struct_size");
    let whole = format!("sizeof({})", it.name);
    let value = |size: &str, said: &str, changed: &[(&str, &str)]| {
        format!("exactly(&{}, {size})", literal(it, said, changed, header))
    };
    let right = value(&whole, &whole, &[]);
    let mut fill = Fill::right(&right);
    let mut add = |what: String, value: String, expected, beside| {
        fill.tries.push(Try { what, value, expected, beside })
    };
    add("NULL".to_owned(), "NULL".to_owned(), NULL, &[]);
    if !grows {
        add("unaligned".to_owned(), format!("unaligned({right})"), NULL, &[]);
    } else {
        for (size, said) in WRONG_SIZES {
            let said = said.replace("WHOLE", &whole);
            add(format!("struct_size {said}"), value(&size.replace("WHOLE", &whole), &said, &[]), SIZE, &[]);
        }
    }
    for member in it.members.iter().skip(usize::from(grows)) {
        for wrong in self::fill(&it.name, member, header).tries {
            let mut changed = vec![(&*member.name, &*wrong.value)];
            changed.extend(wrong.beside);
            add(
                format!("{} {}", member.name, wrong.what),
                value(&whole, &whole, &changed),
                wrong.expected,
                &[],
            );
        }
    }
    fill
}

/// How many bytes there are, and what `struct_size` says.
pub const WRONG_SIZES: [(&str, &str); 5] = [
    ("sizeof(size_t)", "0"),
    ("sizeof(size_t)", "sizeof(size_t)"),
    ("sizeof(size_t)", "1"),
    ("WHOLE", "WHOLE + 1"),
    ("WHOLE", "SIZE_MAX"),
];

fn literal(it: &Struct, said: &str, changed: &[(&str, &str)], header: &Header) -> String {
    let members: Vec<_> = it
        .members
        .iter()
        .map(|member| {
            let changed = changed.iter().find(|(name, _)| *name == member.name);
            let value = match changed {
                Some((_, value)) => (*value).to_owned(),
                None if member.name == "struct_size" => said.to_owned(),
                None => fill(&it.name, member, header).right,
            };
            format!(".{} = {value}", member.name)
        })
        .collect();
    format!("({}){{{}}}", it.name, members.join(", "))
}
