//! What a client is given when it starts.

use std::ffi::{c_char, c_void};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use super::address::homing_address;
use super::boundary::{Growing, no_padding, number, reference, status};
use super::consent::{HOMING_TAKES_NO_SETTINGS, HOMING_TAKES_SIGNED, HOMING_TAKES_VERIFIED, asked};
use super::event::homing_event;
use super::handle::homing_client;
use super::identity::{homing_identity, identified};
use super::outbox::of_folder;
use super::status::{Failed, HOMING_ERROR_CREDENTIAL, HOMING_ERROR_RANGE, HOMING_ERROR_ROUTE, homing_status};
use super::text::{self, homing_text};
use super::user_data::UserData;
use crate::client::{Asked, Builder, Client, Credentials, LogLevel, NewSocket, RouteChoice};
use crate::engine::Tuning;
use crate::net::Limits;
use crate::settings::Settings;
use crate::store::{MAX_VALUE, Store};
use crate::types::{Paths, PathsError};

/// Something failed that ought not to.
pub const HOMING_LOG_ERROR: i32 = 1;
/// Something works and should be looked at.
pub const HOMING_LOG_WARN: i32 = 2;
/// What an administrator may want to see.
pub const HOMING_LOG_INFO: i32 = 3;
/// What a developer may want to see.
pub const HOMING_LOG_DEBUG: i32 = 4;
/// Everything.
pub const HOMING_LOG_TRACE: i32 = 5;

/// The first exchange over verified TLS is about to begin.
pub const HOMING_ASKED_FIRST: i32 = 1;
/// A server answered 401 to the credentials there are.
pub const HOMING_ASKED_REFUSED: i32 = 2;

/// The most bytes of a status: a gigabyte in every heartbeat is a mistake.
pub(super) const MOST_STATUS: usize = 16 * 1024 * 1024;

/// A header field the agent shows servers. This struct never grows.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct homing_header {
    /// The name, NUL-terminated, such as `Authorization`.
    pub name: *const c_char,
    /// The value, `secret_len` bytes without line ends. It appears in no log, event or snapshot.
    pub secret: *const u8,
    /// Bytes of the value: at most 16 KiB, as are all names and values of a client together.
    pub secret_len: usize,
}

/// A place for a value that a store is asked for. It lives until the callback that was given it returns.
pub struct homing_value(Option<Vec<u8>>);

/// Gives the value that was asked for: `len` bytes at `data`, which are copied. At most 1,024 KiB. Only inside the
/// callback that was given the place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_value_set(
    value: *mut homing_value,
    data: *const u8,
    len: usize,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        status(|| {
            let data = text::bytes(data, len, MAX_VALUE, "data")?;
            reference(value.cast_const(), "value")?;
            (*value).0 = Some(data.to_vec());
            Ok(())
        })
    }
}

/// What a client is made of. Zero everything, set `struct_size` and `agent_id`, and what is to differ from the
/// default. Everything but `user_data` is copied.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct homing_options {
    /// `sizeof(homing_options)`.
    pub struct_size: u64,
    /// Who this agent is: 1 to 128 visible ASCII characters. Required; the same after every restart.
    pub agent_id: *const c_char,
    /// The constants of the rules as JSON; NULL for the defaults.
    pub tuning_json: *const c_char,
    /// How much a server may send, as JSON; NULL for the defaults.
    pub limits_json: *const c_char,
    /// The location to begin with; NULL for the group's settings. A name that the settings do not have is refused with
    /// `HOMING_ERROR_RANGE`.
    pub location: *const c_char,
    /// The folder in which the client keeps what must outlive the process; it is made if it is not there, and is for one
    /// client at a time. NULL: nothing does, unless `store_load` and `store_save` are given.
    pub state_folder: *const c_char,
    /// The name of the client's thread; NULL for `homing`.
    pub thread_name: *const c_char,
    /// Bytes of the stack of the client's thread, on which callbacks run: at least 256 KiB; 0 for 2 MiB. Less is
    /// `HOMING_ERROR_RANGE`.
    pub thread_stack_size: usize,
    /// What is said with the first heartbeats: `status_len` bytes of the product's own, at most 16 MiB.
    pub status: *const u8,
    /// Bytes of the status.
    pub status_len: usize,
    /// The ways to the servers, best first: `direct`, or a proxy as `http://[USER:PASSWORD@]HOST:PORT` with
    /// percent-encoding. NULL for direct alone.
    pub routes: *const *const c_char,
    /// How many ways: at most 8.
    pub route_count: usize,
    /// What the agent shows servers to be let in. It is sent over verified TLS only.
    pub headers: *const homing_header,
    /// How many fields: at most 16.
    pub header_count: usize,
    /// Fixes every random choice, for demonstrations and tests; NULL: the system chooses.
    pub seed: *const u64,
    /// The least important messages that `on_log` is given: `HOMING_LOG_…`; 0 means `HOMING_LOG_WARN`.
    pub log_level: i32,
    /// Zero.
    pub reserved: u32,
    /// Given to each callback as its first parameter.
    pub user_data: *mut c_void,
    /// Called once, after the last callback, on the client's thread; not when the start fails.
    pub drop_user_data: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    /// Called with each event, instead of `homing_client_next_event`. The event lives until it returns.
    pub on_event: Option<
        unsafe extern "C" fn(user_data: *mut c_void, client: *mut homing_client, event: *const homing_event),
    >,
    /// Called with each message for the log: `level` is `HOMING_LOG_…`, the view lives until it returns. Unlike the others it
    /// is called on any thread, also on several at once: the client's, those that look names up, and those inside a function
    /// of the client, `homing_client_start` and `homing_client_free` among them. It must not call functions of its client.
    pub on_log: Option<unsafe extern "C" fn(user_data: *mut c_void, level: i32, message: homing_text)>,
    /// Called with each new socket (on Windows a SOCKET) before it is connected to `address`: to mark it, to bind it,
    /// to exempt it from the product's own filter. It is non-blocking and must stay so. Returns 0, or an error number
    /// of the system when the socket is not to be used.
    pub on_socket: Option<
        unsafe extern "C" fn(user_data: *mut c_void, socket: i64, address: *const homing_address) -> i32,
    >,
    /// Called once on the client's thread, before anything else happens there.
    pub on_thread_start: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    /// Called just before a status is sent: the place to call `homing_client_set_status`.
    pub on_heartbeat: Option<unsafe extern "C" fn(user_data: *mut c_void, client: *mut homing_client)>,
    /// Called when credentials are needed: `asked` is `HOMING_ASKED_…`, `server` who refused the ones there are, if
    /// any. The place to call `homing_client_set_header`. Who needs time returns, and calls it later.
    pub on_credentials: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            client: *mut homing_client,
            asked: i32,
            server: homing_text,
        ),
    >,
    /// Loads a value by its name: gives it with `homing_value_set` and returns 0; gives nothing and returns 0 when
    /// there is none; or returns an error number of the system. Called inside and on the thread of
    /// `homing_client_start`, once for each name: there are nine, and later versions may have more. Needs `store_save`
    /// beside it; both replace `state_folder`.
    pub store_load: Option<
        unsafe extern "C" fn(user_data: *mut c_void, name: *const c_char, value: *mut homing_value) -> i32,
    >,
    /// Keeps a value by its name, in place of the one before. Returns 0, or an error number of the system. Called on a thread
    /// of its own, one value at a time, also while another callback runs: it may take its time, and heartbeats go on. It may
    /// call every function of the client, once `homing_client_start` has returned; `homing_client_free` returns at once there.
    pub store_save: Option<
        unsafe extern "C" fn(user_data: *mut c_void, name: *const c_char, data: *const u8, len: usize) -> i32,
    >,
    /// Asked about each settings document that `server` sends, with its entity tag and its `len` bytes at `data`, which live
    /// until it returns. Returns `HOMING_CONSENT_…`; another number refuses. Setting it takes settings from servers.
    pub on_settings: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            client: *mut homing_client,
            server: homing_text,
            tag: homing_text,
            data: *const u8,
            len: usize,
        ) -> i32,
    >,
    /// Ed25519 public keys of which one must have signed each settings document of a server, 32 bytes each, one after the
    /// other; NULL for none.
    pub settings_keys: *const u8,
    /// How many keys: at most 16.
    pub settings_key_count: usize,
    /// For whom signed settings must be, NUL-terminated; NULL for anyone.
    pub settings_audience: *const c_char,
    /// Where the files are that a server's settings may name by plain names, NUL-terminated; NULL: they may name none.
    pub settings_folder: *const c_char,
    /// `HOMING_TAKES_VERIFIED`: settings are taken from servers. `HOMING_TAKES_NO_SETTINGS`: only where there are keys or
    /// `on_settings`. `HOMING_TAKES_SIGNED` is that of the keys, and an error without.
    pub takes_settings: i32,
    /// 0.
    pub reserved_too: u32,
    /// The folder in which reports wait for a server; it is made if it is not there, and is for one client at a time. NULL:
    /// they wait in memory, and a durable submit is `HOMING_ERROR_NOT_DURABLE`.
    pub outbox_folder: *const c_char,
    /// Below which path of every server homing's own requests are; NULL: `/homing/v1`. It begins with `/` and does not end with it, and has at
    /// most 128 bytes; another one is refused with `HOMING_ERROR_RANGE`.
    pub path_prefix: *const c_char,
    /// The same for calls; NULL: `/call` below `path_prefix`. Homing's own requests must not be below it.
    pub call_prefix: *const c_char,
    /// What is said of the machine when the agent registers; NULL: it does not register.
    pub identity: *const homing_identity,
    /// What tells this machine from every other, `machine_id_len` bytes; a verified server is shown a hash of it
    /// (`Homing-Instance`), by which it sees that a disk was copied. NULL: the id of the system, if it has one.
    pub machine_id: *const u8,
    /// Bytes of it: at most 1,024. 0 with a pointer: nothing is shown.
    pub machine_id_len: usize,
}

const POINTER: usize = size_of::<*const u8>();
const _: () = assert!(no_padding(
    size_of::<homing_options>(),
    &[8, 14 * POINTER, 4, 4, 15 * POINTER, 4, 4, 6 * POINTER]
));

// SAFETY: `repr(C)`, the size first, pointers and sizes and two numbers side by side; zero is NULL and 0.
unsafe impl Growing for homing_options {
    const LEAST: usize = 8 + size_of::<usize>();
}

/// A description of the client that these options want. `handle` is what callbacks are given.
///
/// # Safety
/// The pointers of the options are NULL or can be read; the functions are what they are said to be.
pub(super) unsafe fn builder(
    settings: Arc<Settings>,
    options: &homing_options,
    data: &Arc<UserData>,
    handle: &Arc<homing_client>,
) -> Result<Builder, Failed> {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        let mut builder =
            Client::builder(settings, text::required(options.agent_id, "options.agent_id")?.parse()?);
        if let Some(json) = text::optional(options.tuning_json, "options.tuning_json")? {
            builder = builder.tuning(Tuning::parse(json.as_bytes())?);
        }
        if let Some(json) = text::optional(options.limits_json, "options.limits_json")? {
            builder = builder.limits(Limits::parse(json.as_bytes())?);
        }
        if let Some(location) = text::optional(options.location, "options.location")? {
            builder = builder.location(location);
        }
        if let Some(folder) = text::optional(options.state_folder, "options.state_folder")? {
            builder = builder.state_folder(folder);
        }
        if let Some(folder) = text::optional(options.outbox_folder, "options.outbox_folder")? {
            builder = builder.outbox(of_folder(folder));
        }
        builder = builder.paths(paths(options)?);
        if let Some(name) = text::optional(options.thread_name, "options.thread_name")? {
            builder = builder.thread_name(name);
        }
        builder =
            builder.status(text::bytes(options.status, options.status_len, MOST_STATUS, "options.status")?);
        let routes = choices(options.routes, options.route_count)?;
        if !routes.is_empty() {
            builder = builder.routes(routes);
        }
        builder = builder.credentials(credentials(options.headers, options.header_count, "options.headers")?);
        if let Some(seed) = number(options.seed) {
            builder = builder.seed(seed);
        }
        if options.thread_stack_size > 0 {
            builder = builder.stack_size(options.thread_stack_size);
        }
        builder = taken(builder, options)?;
        builder = identified(builder, options.identity, (options.machine_id, options.machine_id_len))?;
        hooks(builder, options, data, handle)
    }
}

/// Where the requests go.
unsafe fn paths(options: &homing_options) -> Result<Paths, Failed> {
    // SAFETY: the caller's promises, here and below.
    let (own, calls) = unsafe {
        let own = text::optional(options.path_prefix, "options.path_prefix")?;
        (own, text::optional(options.call_prefix, "options.call_prefix")?)
    };
    let failed = |error: PathsError| Failed::new(HOMING_ERROR_RANGE, error.to_string());
    let paths = own.map_or_else(|| Ok(Paths::default()), Paths::below).map_err(failed)?;
    calls.map_or_else(|| Ok(paths.clone()), |calls| paths.clone().with_calls(calls)).map_err(failed)
}

/// Which settings of servers are taken.
unsafe fn taken(mut builder: Builder, options: &homing_options) -> Result<Builder, Failed> {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        let most = MOST_KEYS * KEY;
        let len = options.settings_key_count.saturating_mul(KEY);
        let keys = text::bytes(options.settings_keys, len, most, "options.settings_keys")?;
        let audience = text::optional(options.settings_audience, "options.settings_audience")?;
        let keys: Vec<[u8; KEY]> = keys.chunks_exact(KEY).filter_map(|key| key.try_into().ok()).collect();
        match (options.takes_settings, keys.is_empty()) {
            (HOMING_TAKES_NO_SETTINGS, _) | (HOMING_TAKES_SIGNED, false) => {}
            (HOMING_TAKES_VERIFIED, _) => builder = builder.accept_settings(),
            (other, _) => {
                let problem = format!("`options.takes_settings` {other} is none of them, or has no keys");
                return Err(Failed::new(HOMING_ERROR_RANGE, problem));
            }
        }
        if !keys.is_empty() {
            builder = builder.settings_keys(keys, audience);
        }
        if let Some(folder) = text::optional(options.settings_folder, "options.settings_folder")? {
            builder = builder.settings_folder(folder);
        }
    }
    if options.reserved_too != 0 {
        return Err(Failed::new(HOMING_ERROR_RANGE, "`options.reserved_too` is not 0"));
    }
    Ok(builder)
}

/// Bytes of a key that signs settings.
const KEY: usize = 32;

/// The present one, the next, and a few of other sites.
const MOST_KEYS: usize = 16;

/// As many as a client takes.
pub(super) const MOST_ROUTES: usize = 8;

/// Credentials of these fields.
///
/// # Safety
/// `headers` is NULL, or so many fields whose pointers are NULL or can be read.
pub(super) unsafe fn credentials(
    headers: *const homing_header,
    count: usize,
    name: &str,
) -> Result<Credentials, Failed> {
    let mut credentials = Credentials::default();
    // SAFETY: the caller's promises, here and below.
    unsafe {
        let headers = text::array(headers, count, Credentials::MOST_FIELDS, name);
        for header in headers.map_err(|failed| failed.too_much(HOMING_ERROR_CREDENTIAL))? {
            let secret = text::bytes(header.secret, header.secret_len, Credentials::MOST_BYTES, name)
                .map_err(|failed| failed.too_much(HOMING_ERROR_CREDENTIAL))?;
            credentials.set(text::required(header.name, name)?, secret)?;
        }
    }
    Ok(credentials)
}

/// The application's functions, as the client calls them.
unsafe fn hooks(
    mut builder: Builder,
    options: &homing_options,
    data: &Arc<UserData>,
    handle: &Arc<homing_client>,
) -> Result<Builder, Failed> {
    let level = log_level(options.log_level)?;
    if options.reserved != 0 {
        return Err(Failed::new(HOMING_ERROR_RANGE, "`options.reserved` is not 0"));
    }
    // SAFETY, for all calls below: the functions are what the options say they are, and `data` lives as long as
    // whatever holds it.
    if let Some(on_event) = options.on_event {
        let (data, handle) = (Arc::clone(data), Arc::clone(handle));
        builder = builder.on_event(move |_, event| {
            let event = homing_event::new(event.clone());
            // SAFETY: see above.
            unsafe { on_event(data.get(), handle.pointer(), &event) }
        });
    }
    if let Some(on_log) = options.on_log {
        let data = Arc::clone(data);
        builder = builder.on_log(level, move |level, message| {
            // SAFETY: see above.
            unsafe { on_log(data.get(), level_code(level), homing_text::new(message)) }
        });
    }
    if let Some(on_socket) = options.on_socket {
        let data = Arc::clone(data);
        builder = builder.on_socket(move |socket, address: &SocketAddr| {
            // SAFETY: see above.
            match unsafe { on_socket(data.get(), descriptor(&socket), &homing_address::from(*address)) } {
                0 => Ok(()),
                error => Err(io::Error::from_raw_os_error(error)),
            }
        });
    }
    if let Some(on_thread_start) = options.on_thread_start {
        let data = Arc::clone(data);
        // SAFETY: see above.
        builder = builder.on_thread_start(move || unsafe { on_thread_start(data.get()) });
    }
    if let Some(on_heartbeat) = options.on_heartbeat {
        let (data, handle) = (Arc::clone(data), Arc::clone(handle));
        builder = builder.on_heartbeat(move || {
            // SAFETY: see above.
            unsafe { on_heartbeat(data.get(), handle.pointer()) }
            // It has set the status, or left it.
            None
        });
    }
    if let Some(on_credentials) = options.on_credentials {
        let (data, handle) = (Arc::clone(data), Arc::clone(handle));
        builder = builder.on_credentials(move |asked| {
            let (code, server) = match &asked {
                Asked::First => (HOMING_ASKED_FIRST, None),
                Asked::Refused { server } => (HOMING_ASKED_REFUSED, Some(server.as_str())),
            };
            // SAFETY: see above.
            unsafe { on_credentials(data.get(), handle.pointer(), code, homing_text::of(server)) }
            // It has set the fields, or left them.
            None
        });
    }
    builder = asked(builder, options.on_settings, data, handle);
    match (options.store_load, options.store_save) {
        (Some(load), Some(save)) => {
            builder = builder.store(Callbacks { data: Arc::clone(data), load, save });
        }
        (None, None) => {}
        (Some(_), None) | (None, Some(_)) => {
            return Err(Failed::null("options.store_load` or `options.store_save"));
        }
    }
    Ok(builder)
}

/// A store of the application's own.
struct Callbacks {
    data: Arc<UserData>,
    load: unsafe extern "C" fn(*mut c_void, *const c_char, *mut homing_value) -> i32,
    save: unsafe extern "C" fn(*mut c_void, *const c_char, *const u8, usize) -> i32,
}

impl Store for Callbacks {
    fn load(&mut self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let name = std::ffi::CString::new(name)?;
        let mut value = homing_value(None);
        // SAFETY: it is what the options say it is.
        match unsafe { (self.load)(self.data.get(), name.as_ptr(), &mut value) } {
            0 => Ok(value.0),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }

    fn save(&mut self, name: &str, value: &[u8]) -> io::Result<()> {
        let name = std::ffi::CString::new(name)?;
        // SAFETY: it is what the options say it is.
        match unsafe { (self.save)(self.data.get(), name.as_ptr(), value.as_ptr(), value.len()) } {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }
}

fn log_level(code: i32) -> Result<LogLevel, Failed> {
    Ok(match code {
        HOMING_LOG_ERROR => LogLevel::Error,
        0 | HOMING_LOG_WARN => LogLevel::Warn,
        HOMING_LOG_INFO => LogLevel::Info,
        HOMING_LOG_DEBUG => LogLevel::Debug,
        HOMING_LOG_TRACE => LogLevel::Trace,
        other => {
            let problem = format!("`options.log_level` {other} is no level");
            return Err(Failed::new(HOMING_ERROR_RANGE, problem));
        }
    })
}

const fn level_code(level: LogLevel) -> i32 {
    match level {
        LogLevel::Error => HOMING_LOG_ERROR,
        LogLevel::Warn => HOMING_LOG_WARN,
        LogLevel::Info => HOMING_LOG_INFO,
        LogLevel::Debug => HOMING_LOG_DEBUG,
        LogLevel::Trace => HOMING_LOG_TRACE,
    }
}

#[cfg(unix)]
fn descriptor(socket: &NewSocket<'_>) -> i64 {
    std::os::fd::AsRawFd::as_raw_fd(socket).into()
}

#[cfg(windows)]
fn descriptor(socket: &NewSocket<'_>) -> i64 {
    // A SOCKET is a small handle, never a pointer.
    std::os::windows::io::AsRawSocket::as_raw_socket(socket) as i64
}

/// The ways to the servers as C gives them.
///
/// # Safety
/// The texts can be read.
pub(super) unsafe fn choices(routes: *const *const c_char, count: usize) -> Result<Vec<RouteChoice>, Failed> {
    // SAFETY: the caller's promises, here and below.
    let routes = unsafe { text::array(routes, count, MOST_ROUTES, "routes") };
    let parse = |route: &*const c_char| -> Result<RouteChoice, Failed> {
        Ok(unsafe { text::required(*route, "routes") }?.parse()?)
    };
    routes.map_err(|failed| failed.too_much(HOMING_ERROR_ROUTE))?.iter().map(parse).collect()
}
