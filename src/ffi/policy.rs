//! Certificate policies, for programs with a TLS stack of their own.

use std::ffi::c_char;

use rustls::pki_types::CertificateDer;

use super::boundary::{Place, free, reference, view};
use super::error::{homing_error, telling};
use super::settings::homing_settings;
use super::status::{Failed, HOMING_ERROR_RANGE, homing_status};
use super::text::{self, homing_text};
use super::verdict::homing_judgement;
use crate::client::read_policy;
use crate::settings::{CertificatePolicy, MAX_TEXT, Settings, SettingsError};
use crate::trust::{Policy, Time, Timestamp, check_certificate, check_chain};
use crate::types::Host;

/// A certificate policy with everything it names: roots, pins and revocation lists are read. It never changes: for new
/// files or settings prepare a new one, and let no TLS session that was made under the old one be resumed. Any thread may use it.
pub struct homing_policy {
    policy: Policy,
    remarks: Vec<String>,
}

/// One certificate of a chain. This struct never grows.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct homing_certificate {
    /// Its DER.
    pub data: *const u8,
    /// How many bytes: at most 1 MiB.
    pub len: usize,
}

/// The most certificates of one chain: several times what any server has a reason to send.
const MAX_CHAIN: usize = 64;

/// The largest certificate: sixteen times what fits into a handshake of most TLS stacks.
const MAX_CERTIFICATE: usize = 1024 * 1024;

impl homing_policy {
    fn read(policy: &CertificatePolicy, place: &str, time_s: i64) -> Result<Self, Failed> {
        let policy = read_policy(policy, place, Time::new(Timestamp(time_s)))?;
        let remarks = policy.remarks().iter().map(ToString::to_string).collect();
        Ok(Self { policy, remarks })
    }

    fn of(settings: &Settings, index: usize, time_s: i64) -> Result<Self, Failed> {
        let policies = settings.policies();
        let policy = policies.get(index).ok_or_else(|| {
            Failed::new(HOMING_ERROR_RANGE, format!("there are {} policies, and no {index}", policies.len()))
        })?;
        Self::read(policy, settings.policy_place(index), time_s)
    }
}

/// Prepares a policy of the settings and reads the files it names; relative paths are relative to the working folder of
/// the process. `index` is the `certificate_policy` of a `HOMING_ACTION_DIAL` or, for a reference server, of a
/// `HOMING_ACTION_PROBE`.
///
/// `time_s` is the wall clock, in seconds since 1970; what is remarked about dates depends on it, and nothing else. On success
/// `*out` is owned by the caller. Any thread; it waits for the disk.
///
/// Errors: `HOMING_ERROR_RANGE` for an index beyond the last; `HOMING_ERROR_FILE` and `HOMING_ERROR_CERTIFICATE`
/// with what is wrong with which file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_policy_prepare(
    settings: *const homing_settings,
    index: usize,
    time_s: i64,
    out: *mut *mut homing_policy,
    error: *mut *mut homing_error,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        telling(error, || {
            let out = Place::new(out, "out")?;
            let settings = &reference(settings, "settings")?.settings;
            out.give(homing_policy::of(settings, index, time_s)?);
            Ok(())
        })
    }
}

/// The same for a server: `index` is that of `homing_settings_server`. Where lists have different policies for it, that
/// of the first list which names it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_policy_prepare_for_server(
    settings: *const homing_settings,
    index: usize,
    time_s: i64,
    out: *mut *mut homing_policy,
    error: *mut *mut homing_error,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        telling(error, || {
            let out = Place::new(out, "out")?;
            let settings = &reference(settings, "settings")?.settings;
            let id = settings.servers().get(index);
            let mut servers = settings.lists().iter().flat_map(|list| list.servers());
            let Some((_, server)) = servers.find(|(_, server)| Some(&server.id) == id) else {
                let count = settings.servers().len();
                return Err(Failed::new(
                    HOMING_ERROR_RANGE,
                    format!("there are {count} servers, and no {index}"),
                ));
            };
            out.give(homing_policy::of(settings, server.policy.into(), time_s)?);
            Ok(())
        })
    }
}

/// Prepares a policy that stands alone: UTF-8 JSON of `len` bytes at `json`, as the value of `certificate` in a
/// settings document. The rest as in `homing_policy_prepare`.
///
/// Errors: `HOMING_ERROR_SETTINGS` with the first thing that is wrong and its place; `HOMING_ERROR_FILE`,
/// `HOMING_ERROR_CERTIFICATE`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_policy_parse(
    json: *const u8,
    len: usize,
    time_s: i64,
    out: *mut *mut homing_policy,
    error: *mut *mut homing_error,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        telling(error, || {
            let out = Place::new(out, "out")?;
            if len > MAX_TEXT {
                return Err(SettingsError::TooLarge { bytes: len }.into());
            }
            let policy = CertificatePolicy::parse(text::bytes(json, len, MAX_TEXT, "json")?)?;
            out.give(homing_policy::read(&policy, "the policy", time_s)?);
            Ok(())
        })
    }
}

/// How many things an administrator should know of the files of the policy, which is usable all the same: entries of
/// bundles that are odd, dates that are near or over, how many roots the system has. 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_policy_remark_count(policy: *const homing_policy) -> usize {
    // SAFETY: the caller's promise.
    unsafe { view(policy, 0, |policy| policy.remarks.len()) }
}

/// One of them, in words. No text for an index beyond the last. The view lives until the policy is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_policy_remark(policy: *const homing_policy, index: usize) -> homing_text {
    // SAFETY: the caller's promise.
    unsafe {
        view(policy, homing_text::NONE, |policy| {
            homing_text::of(policy.remarks.get(index).map(String::as_str))
        })
    }
}

/// Whether a server may be believed that presents `count` certificates at `chain`, its own first, when `name` was
/// dialled: a name or an address, NUL-terminated UTF-8. The `expected_name` of the policy takes its place.
///
/// `time_s` is the wall clock and `floor_s` the time it must be at least, both in seconds since 1970: certificates are compared with
/// the later of the two, and a wall clock that is more than a day below the floor is called wrong. A program keeps the greatest
/// `homing_judgement_not_before_s` it has seen, also over a restart, and gives that. 0 is fine: a floor before 2026
/// is the beginning of 2026, and so is one after 2099.
///
/// What is found out is written to `*out`, also when it is a rejection, and owned by the caller. That the server has the key of its certificate is not
/// seen here: the TLS stack has to verify the signature of the handshake. It reads no file and no clock. Any thread.
///
/// Errors: `HOMING_ERROR_RANGE` for a `name` that no server has, for more than 64 certificates, and for one of more
/// than 1 MiB. No certificate at all is a rejection.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_policy_check(
    policy: *const homing_policy,
    chain: *const homing_certificate,
    count: usize,
    name: *const c_char,
    time_s: i64,
    floor_s: i64,
    out: *mut *mut homing_judgement,
    error: *mut *mut homing_error,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        telling(error, || {
            let out = Place::new(out, "out")?;
            let policy = &reference(policy, "policy")?.policy;
            let name = text::required(name, "name")?;
            let name: Host =
                name.parse().map_err(|error| Failed::new(HOMING_ERROR_RANGE, format!("`name` {error}")))?;
            let chain = certificates(chain, count)?;
            let time = time(time_s, floor_s);
            out.give(homing_judgement::new(check_certificate(policy, &chain, &name, time), time));
            Ok(())
        })
    }
}

/// The same without a look at the name, which is left to the caller; only the `expected_name` of the policy is
/// compared. **Who calls this and compares no name believes anybody with a certificate.**
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_policy_check_chain(
    policy: *const homing_policy,
    chain: *const homing_certificate,
    count: usize,
    time_s: i64,
    floor_s: i64,
    out: *mut *mut homing_judgement,
    error: *mut *mut homing_error,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        telling(error, || {
            let out = Place::new(out, "out")?;
            let policy = &reference(policy, "policy")?.policy;
            let chain = certificates(chain, count)?;
            let time = time(time_s, floor_s);
            out.give(homing_judgement::new(check_chain(policy, &chain, time), time));
            Ok(())
        })
    }
}

fn time(time_s: i64, floor_s: i64) -> Time {
    Time::with_floor(Timestamp(time_s), Timestamp(floor_s))
}

/// # Safety
/// As for [`text::array`], and each entry as for [`text::bytes`].
unsafe fn certificates<'a>(
    chain: *const homing_certificate,
    count: usize,
) -> Result<Vec<CertificateDer<'a>>, Failed> {
    // SAFETY: the caller's promises, here and below.
    let chain: &[homing_certificate] = unsafe { text::array(chain, count, MAX_CHAIN, "chain") }?;
    let bytes =
        |it: &homing_certificate| unsafe { text::bytes(it.data, it.len, MAX_CERTIFICATE, "chain.data") };
    chain.iter().map(|it| bytes(it).map(CertificateDer::from)).collect()
}

/// Frees a policy. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_policy_free(policy: *mut homing_policy) {
    // SAFETY: the caller's promise.
    unsafe { free(policy) }
}
