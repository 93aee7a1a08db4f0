//! Certificate policies by way of C, for programs with a TLS stack of their own.
#![allow(unsafe_code, reason = "the functions are those of C")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests and their helpers may fail like tests")]

use std::ffi::{CString, c_char};
use std::ptr;

use homing::ffi::*;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use serde_json::json;
use tempfile::TempDir;

/// 2027-01-15.
const NOW: i64 = 1_800_000_000;

/// An authority in a folder, and certificates it has issued.
struct Company {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Company {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.not_after = date_time_ymd(2027, 2, 1);
        params.distinguished_name.push(DnType::CommonName, "authority");
        let key = KeyPair::generate().unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    fn policy(&self) -> String {
        json!({ "roots": [{ "bundle": self.folder.path().join("ca.pem") }] }).to_string()
    }

    fn server(&self, name: &str, until: i32) -> Vec<u8> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(until, 1, 1));
        params.distinguished_name.push(DnType::CommonName, "server");
        params.signed_by(&KeyPair::generate().unwrap(), &self.issuer).unwrap().der().to_vec()
    }
}

fn text(view: homing_text) -> Option<String> {
    // SAFETY: a view of what lives.
    let bytes =
        (!view.data.is_null()).then(|| unsafe { std::slice::from_raw_parts(view.data.cast(), view.len) });
    bytes.map(|bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap())
}

/// What a function made, or its status and what it said.
fn made<T>(
    call: impl FnOnce(*mut *mut T, *mut *mut homing_error) -> homing_status,
) -> Result<*mut T, (homing_status, String)> {
    let (mut out, mut error) = (ptr::null_mut(), ptr::null_mut());
    match call(&raw mut out, &raw mut error) {
        HOMING_OK => Ok(out),
        status => {
            // SAFETY: it was just made.
            let said = text(unsafe { homing_error_message(error) }).unwrap();
            unsafe { homing_error_free(error) };
            Err((status, said))
        }
    }
}

fn parsed(json: &str) -> Result<*mut homing_policy, (homing_status, String)> {
    // SAFETY: the text lives until the function returns.
    made(|out, error| unsafe { homing_policy_parse(json.as_ptr(), json.len(), NOW, out, error) })
}

/// What a judgement says: reject, cause, class, proof, text, advice.
type Notice = (i32, i32, i32, i32, Option<String>, Option<String>);

fn told(judgement: *mut homing_judgement) -> Notice {
    // SAFETY: it lives until it is freed at the end.
    unsafe {
        let told = (
            homing_judgement_reject(judgement),
            homing_judgement_cause(judgement),
            homing_judgement_class(judgement),
            homing_judgement_proof(judgement),
            text(homing_judgement_text(judgement)),
            text(homing_judgement_advice(judgement)),
        );
        homing_judgement_free(judgement);
        told
    }
}

fn check(policy: *const homing_policy, chain: &[Vec<u8>], name: &str) -> *mut homing_judgement {
    check_at(policy, chain, name, NOW, 0)
}

fn check_at(
    policy: *const homing_policy,
    chain: &[Vec<u8>],
    name: &str,
    time_s: i64,
    floor_s: i64,
) -> *mut homing_judgement {
    let chain: Vec<homing_certificate> =
        chain.iter().map(|it| homing_certificate { data: it.as_ptr(), len: it.len() }).collect();
    let name = CString::new(name).unwrap();
    let name: *const c_char = name.as_ptr();
    // SAFETY: all of it lives until the function returns.
    made(|out, error| unsafe {
        homing_policy_check(policy, chain.as_ptr(), chain.len(), name, time_s, floor_s, out, error)
    })
    .unwrap()
}

#[test]
fn a_chain_is_judged_as_in_rust() {
    let company = Company::new();
    let policy = parsed(&company.policy()).unwrap();
    let good = company.server("mgmt.example", 2100);
    let accepted = check(policy, std::slice::from_ref(&good), "mgmt.example");
    // SAFETY: it lives.
    let dates = unsafe { (homing_judgement_not_before_s(accepted), homing_judgement_not_after_s(accepted)) };
    assert_eq!(dates, (1_577_836_800, 4_102_444_800));
    assert_eq!(told(accepted), (0, 0, 0, HOMING_PROOF_TLS, None, None));

    let expired = company.server("mgmt.example", 2021);
    let (reject, cause, class, proof, words, advice) = told(check(policy, &[expired], "other.example"));
    assert_eq!((reject, cause), (HOMING_REJECT_EXPIRED, HOMING_CAUSE_CERTIFICATE_EXPIRED));
    assert_eq!((class, proof), (HOMING_CLASS_CERTIFICATE, 0));
    assert_eq!(
        words.unwrap(),
        "CN=server: expired 2021-01-01T00:00:00Z, now is 2027-01-15T08:00:00Z; and CN=server: not for other.example; its names: mgmt.example"
    );
    let advice = advice.unwrap();
    assert!(advice.starts_with("renew the certificate") && advice.contains("`expected_name`"), "{advice}");

    let stranger = Company::new().server("mgmt.example", 2100);
    assert_eq!(told(check(policy, &[stranger], "mgmt.example")).0, HOMING_REJECT_OTHER_KEY);
    assert_eq!(told(check(policy, &[], "mgmt.example")).0, HOMING_REJECT_NO_CERTIFICATE);
    assert_eq!(told(check(policy, &[b"garbage".to_vec()], "mgmt.example")).0, HOMING_REJECT_MALFORMED);

    // Without a look at the name, which the other function has.
    let chain = homing_certificate { data: good.as_ptr(), len: good.len() };
    // SAFETY: all of it lives until the function returns.
    let any_name = made(|out, error| unsafe {
        homing_policy_check_chain(policy, &raw const chain, 1, NOW, 0, out, error)
    });
    assert_eq!(told(any_name.unwrap()).0, 0);
    assert_eq!(told(check(policy, &[good], "other.example")).0, HOMING_REJECT_WRONG_NAME);
    // SAFETY: nobody uses it any more.
    unsafe { homing_policy_free(policy) };
}

#[test]
fn a_clock_that_went_back_is_told_by_the_floor_of_earlier_chains() {
    let company = Company::new();
    let policy = parsed(&company.policy()).unwrap();
    let chain = [company.server("mgmt.example", 2030)];
    // The wall clock of 1970, and the floor: that of homing, of 2028, of 2031, and those that nobody can have seen.
    for (floor_s, reject) in [
        (0, 0),
        (1_830_000_000, 0),
        (1_930_000_000, HOMING_REJECT_EXPIRED),
        (i64::MAX, 0),
        (i64::MIN, 0),
        (-1, 0),
    ] {
        assert_eq!(told(check_at(policy, &chain, "mgmt.example", 0, floor_s)).0, reject, "{floor_s}");
    }
    let words = told(check_at(policy, &chain, "mgmt.example", 0, 1_930_000_000)).4.unwrap();
    let clock =
        "now is at least 2031-02-27T23:06:40Z; the clock says 1970-01-01T00:00:00Z, 22337 days behind";
    assert!(words.ends_with(clock), "{words}");
    // SAFETY: nobody uses it any more.
    unsafe { homing_policy_free(policy) };
}

#[test]
fn what_is_odd_about_the_files_of_a_policy_can_be_read() {
    let policy = parsed(&Company::new().policy()).unwrap();
    // SAFETY: it lives until it is freed.
    unsafe {
        assert_eq!(homing_policy_remark_count(policy), 1);
        let remark = text(homing_policy_remark(policy, 0)).unwrap();
        assert!(remark.ends_with("certificate 1 (CN=authority) expires 2027-02-01T00:00:00Z"), "{remark}");
        assert_eq!(text(homing_policy_remark(policy, 1)), None);
        homing_policy_free(policy);
    }
}

#[test]
fn a_pin_that_was_found_is_told_with_its_state() {
    let company = Company::new();
    let server = company.server("mgmt.example", 2100);
    let pin = homing::trust::Description::of(&server.clone().into()).unwrap().pin;
    let policy =
        parsed(&json!({ "pin_only": true, "pins": [{ "sha256": pin, "state": "next" }] }).to_string());
    let policy = policy.unwrap();
    let judgement = check(policy, &[server], "whoever.example");
    // SAFETY: both live until they are freed.
    unsafe {
        assert_eq!(homing_judgement_pin(judgement), HOMING_PIN_NEXT);
        assert_eq!(homing_judgement_not_after_s(judgement), -1);
        assert_eq!(told(judgement).3, HOMING_PROOF_PIN);
        homing_policy_free(policy);
    }
}

#[test]
fn settings_have_a_policy_for_each_server() {
    let company = Company::new();
    let certificate: serde_json::Value = serde_json::from_str(&company.policy()).unwrap();
    let settings = json!({ "server_lists": [{ "name": "a", "priorities": [{ "servers": [
        { "address": "public.example" },
        { "address": "mgmt.example", "certificate": certificate },
        { "address": "lost.example", "certificate": { "roots": [{ "bundle": "/nowhere/ca.pem" }] } },
    ] }] }] })
    .to_string();
    let parse = |out, error| unsafe {
        homing_settings_parse(settings.as_ptr(), settings.len(), HOMING_SOURCE_PERSON, out, error)
    };
    let settings = made(parse).unwrap();
    let chain = [company.server("mgmt.example", 2100)];
    for (server, reject) in [(0, HOMING_REJECT_UNKNOWN_ISSUER), (1, 0)] {
        // SAFETY: the settings live.
        let of_server =
            made(|out, error| unsafe { homing_policy_prepare_for_server(settings, server, NOW, out, error) });
        // Here each server has a policy of its own, in the order of the servers.
        let of_index = made(|out, error| unsafe { homing_policy_prepare(settings, server, NOW, out, error) });
        for policy in [of_server.unwrap(), of_index.unwrap()] {
            assert_eq!(told(check(policy, &chain, "mgmt.example")).0, reject);
            // SAFETY: nobody uses it any more.
            unsafe { homing_policy_free(policy) };
        }
    }
    // SAFETY: the settings live until they are freed.
    let failed = made(|out, error| unsafe { homing_policy_prepare_for_server(settings, 2, NOW, out, error) });
    let (status, said) = failed.unwrap_err();
    assert_eq!(status, HOMING_ERROR_FILE);
    assert!(
        said.starts_with("server_lists[0].priorities[0].servers[2].certificate.roots[0].bundle: cannot read /nowhere/ca.pem"),
        "{said}"
    );
    unsafe { homing_settings_free(settings) };
}

#[test]
fn a_policy_that_cannot_be_used_is_told_with_its_place() {
    let company = Company::new();
    let empty = company.folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    for (json, status, words) in [
        ("{".to_owned(), HOMING_ERROR_SETTINGS, "line 1"),
        (r#"{ "roots": [] }"#.to_owned(), HOMING_ERROR_SETTINGS, "roots: "),
        (r#"{ "rots": [] }"#.to_owned(), HOMING_ERROR_SETTINGS, "rots"),
        (r#"{ "pins": [{ "sha256": "AA==" }] }"#.to_owned(), HOMING_ERROR_SETTINGS, "pins[0].sha256"),
        (
            json!({ "roots": [{ "bundle": empty }] }).to_string(),
            HOMING_ERROR_CERTIFICATE,
            "it holds no certificate",
        ),
    ] {
        let (found, said) = parsed(&json).unwrap_err();
        assert_eq!(found, status, "{said}");
        assert!(said.contains(words), "{said}");
    }
}
