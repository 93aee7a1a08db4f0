//! Who uses the machine, and in which group it is or would be.

use std::ffi::c_char;
use std::sync::Arc;

use super::boundary::{Growing, no_padding, read_sized};
use super::status::{Failed, HOMING_ERROR_RANGE};
use super::text;
use crate::client::Builder;
use crate::types::{AccountMode, Identity, Name};

/// The agent has the settings of the user that is logged on.
pub const HOMING_ACCOUNT_USER: i32 = 1;
/// The agent has the settings of the machine, whoever is logged on.
pub const HOMING_ACCOUNT_COMPUTER: i32 = 2;

/// What is said of the machine when the agent registers; the server decides what it makes of it. Zero everything, set
/// `struct_size`, and what applies. Names are NUL-terminated UTF-8 of 1 to 256 bytes, without control characters and others that
/// are not seen; anything else is `HOMING_ERROR_RANGE`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct homing_identity {
    /// `sizeof(homing_identity)`.
    pub struct_size: u64,
    /// Who is logged on; NULL: no user is, or the product does not say.
    pub user: *const c_char,
    /// The group in which the machine is meant to be; NULL for none.
    pub preferred_group: *const c_char,
    /// The mode in which it is meant to be: `HOMING_ACCOUNT_…`; 0 for none.
    pub preferred_mode: i32,
    /// 0.
    pub reserved: u32,
}

const POINTER: usize = size_of::<*const u8>();
const _: () = assert!(no_padding(size_of::<homing_identity>(), &[8, POINTER, POINTER, 4, 4]));

// SAFETY: `repr(C)`, the size first, and all zero are NULL and 0.
unsafe impl Growing for homing_identity {
    const LEAST: usize = 8 + POINTER;
}

/// Bytes of what tells machines apart.
const MOST_MACHINE_ID: usize = 1024;

/// A client that registers with this, on the machine that these bytes name.
///
/// # Safety
/// As for [`read_identity`]; the bytes can be read.
pub(super) unsafe fn identified(
    mut builder: Builder,
    identity: *const homing_identity,
    (machine_id, len): (*const u8, usize),
) -> Result<Builder, Failed> {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        if let Some(identity) = read_identity(identity)? {
            builder = builder.identity(Arc::unwrap_or_clone(identity));
        }
        let machine = text::bytes(machine_id, len, MOST_MACHINE_ID, "options.machine_id")?;
        // A pointer says that there is one, however short it is.
        if machine_id.is_null() { Ok(builder) } else { Ok(builder.machine_id(machine)) }
    }
}

/// What the product says of the machine; `None` for NULL.
///
/// # Safety
/// `given` is NULL, or points to an identity whose texts are NULL or can be read.
pub(super) unsafe fn read_identity(given: *const homing_identity) -> Result<Option<Arc<Identity>>, Failed> {
    if given.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promises, here and below.
    unsafe {
        let given = read_sized(given, "identity")?;
        if given.reserved != 0 {
            return Err(Failed::new(HOMING_ERROR_RANGE, "`identity.reserved` is not 0"));
        }
        let identity = Identity::default()
            .with_user(read_name(given.user, "identity.user")?)
            .with_preferred_group(read_name(given.preferred_group, "identity.preferred_group")?)
            .with_preferred_mode(read_mode(given.preferred_mode, "identity.preferred_mode")?);
        Ok(Some(Arc::new(identity)))
    }
}

/// The name of a group or a user; `None` for NULL.
///
/// # Safety
/// The text is NULL or can be read.
pub(super) unsafe fn read_name(given: *const c_char, what: &str) -> Result<Option<Name>, Failed> {
    // SAFETY: the caller's promise.
    let name = unsafe { text::optional(given, what) }?;
    let refused = |error| Failed::new(HOMING_ERROR_RANGE, format!("`{what}`: {error}"));
    name.map(|name| name.parse().map_err(refused)).transpose()
}

pub(super) fn read_mode(code: i32, what: &str) -> Result<Option<AccountMode>, Failed> {
    match code {
        0 => Ok(None),
        HOMING_ACCOUNT_USER => Ok(Some(AccountMode::User)),
        HOMING_ACCOUNT_COMPUTER => Ok(Some(AccountMode::Computer)),
        other => Err(Failed::new(HOMING_ERROR_RANGE, format!("`{what}` {other} is no mode"))),
    }
}

pub(super) fn mode_code(mode: Option<AccountMode>) -> i32 {
    match mode {
        None => 0,
        Some(AccountMode::User) => HOMING_ACCOUNT_USER,
        Some(AccountMode::Computer) => HOMING_ACCOUNT_COMPUTER,
    }
}
