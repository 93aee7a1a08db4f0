//! What a product says itself to the management server, and the answer.

use std::ffi::c_char;
use std::time::Duration;

use super::boundary::{Growing, Place, free, no_padding, read_sized, status, view};
use super::client::with;
use super::engine::{hear, homing_engine};
use super::error::{homing_error, telling};
use super::event::homing_event;
use super::handle::homing_client;
use super::options::homing_header;
use super::status::{
    Failed, HOMING_ERROR_CALL, HOMING_ERROR_CREDENTIAL, HOMING_ERROR_NO_ANSWER, HOMING_ERROR_RANGE,
    HOMING_ERROR_STOPPED, HOMING_ERROR_TOO_MANY, homing_status,
};
use super::text::{self, homing_bytes, homing_text};
use crate::engine::{Command, Event, Input};
use crate::types::{Call, CallAnswer, CallError, CallId, Repeat};

/// A server may have taken the call although no answer came, and must not take it again.
pub const HOMING_REPEAT_NEVER: i32 = 0;
/// The call does the same when it is made twice: after a failure it is made once more, to another server.
pub const HOMING_REPEAT_ONCE_ELSEWHERE: i32 = 1;

/// A request of the product's own to the management server in use. Zero everything, set `struct_size`, `method` and `path`, and
/// what applies. All of it is copied.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct homing_call {
    /// `sizeof(homing_call)`.
    pub struct_size: u64,
    /// `GET`, `POST`, `PUT` or `DELETE`, NUL-terminated.
    pub method: *const c_char,
    /// The path below `/homing/v1/call/`, with a query if there is one, NUL-terminated: at most 2,048 visible ASCII characters, relative,
    /// without empty parts, `.`, `..`, `%2e`, `%2f`, `%5c`, a backslash or `#`.
    pub path: *const c_char,
    /// Header fields, at most 64 and 8 KiB in all; NULL for none. Those that HTTP/1.1 or homing need themselves are refused.
    pub headers: *const homing_header,
    /// How many.
    pub header_count: usize,
    /// The body: at most 16 MiB; NULL for none.
    pub body: *const u8,
    /// Bytes of the body.
    pub body_len: usize,
    /// How long the call may take in milliseconds, the wait for a server included; 0: 30,000. At most a day.
    pub within_ms: u32,
    /// `HOMING_REPEAT_…`.
    pub repeat: i32,
}

const POINTER: usize = size_of::<*const u8>();
const _: () = assert!(no_padding(
    size_of::<homing_call>(),
    &[8, POINTER, POINTER, POINTER, POINTER, POINTER, POINTER, 4, 4]
));

// SAFETY: `repr(C)`, the size first, and all zero are NULL and 0.
unsafe impl Growing for homing_call {
    const LEAST: usize = 8 + 2 * POINTER;
}

/// Fields of a call.
const MOST_FIELDS: usize = 64;

/// What a server answered to a call. Any thread may read it.
pub struct homing_answer(CallAnswer);

/// Says something of the product's own to the management server in use, and waits for the answer; when there is no server, for one,
/// as long as the call may take. On success the caller owns `*out`: any answer is one, whatever its status, and the server is
/// not judged by it. The credentials go along as with a heartbeat. Redirects are not followed. At most 4 calls are under way at
/// once; 64 wait.
///
/// Errors: `HOMING_ERROR_CALL` when it cannot be made as it is, or a callback would wait; `HOMING_ERROR_CREDENTIAL` for a header field; `HOMING_ERROR_TOO_MANY`;
/// `HOMING_ERROR_NO_ANSWER`, when a server may have taken it all the same; `HOMING_ERROR_STOPPED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_client_call(
    client: *mut homing_client,
    call: *const homing_call,
    out: *mut *mut homing_answer,
    error: *mut *mut homing_error,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        telling(error, || {
            let out = Place::new(out, "out")?;
            let call = read_call(call)?;
            out.give(homing_answer(with(client, |client| Ok(client.call(call)?))?));
            Ok(())
        })
    }
}

/// The same without waiting, for callbacks too. `*number`, which may be NULL, names the call in the event that ends it,
/// `HOMING_EVENT_CALLED` or `HOMING_EVENT_CALL_FAILED`: `homing_event_call`.
///
/// Errors: `HOMING_ERROR_CALL`, `HOMING_ERROR_CREDENTIAL`, `HOMING_ERROR_TOO_MANY`, `HOMING_ERROR_STOPPED`. No event comes then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_client_begin_call(
    client: *mut homing_client,
    call: *const homing_call,
    number: *mut u64,
    error: *mut *mut homing_error,
) -> homing_status {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        telling(error, || {
            let number = Place::optional(number);
            let call = read_call(call)?;
            let id = with(client, |client| Ok(client.begin_call(call)?))?;
            if let Some(number) = number {
                number.write(id.0);
            }
            Ok(())
        })
    }
}

/// Which server answered.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_answer_server(answer: *const homing_answer) -> homing_text {
    // SAFETY: the caller's promise.
    unsafe { view(answer, homing_text::NONE, |answer| homing_text::new(answer.0.server.as_str())) }
}

/// The HTTP status of an answer; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_answer_http_status(answer: *const homing_answer) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { view(answer, 0, |answer| answer.0.status.into()) }
}

/// The body of an answer. The view lives until the answer is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_answer_body(answer: *const homing_answer) -> homing_bytes {
    // SAFETY: the caller's promise.
    unsafe { view(answer, homing_bytes::NONE, |answer| homing_bytes::new(&answer.0.body)) }
}

/// Frees an answer. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_answer_free(answer: *mut homing_answer) {
    // SAFETY: the caller's promise.
    unsafe { free(answer) }
}

/// The number of the call that has ended; 0 for other events.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_event_call(event: *const homing_event) -> u64 {
    let call = |event: &homing_event| {
        if let Event::Called { call, .. } | Event::CallFailed { call, .. } = event.told() {
            call.0
        } else {
            0
        }
    };
    // SAFETY: the caller's promise.
    unsafe { view(event, 0, call) }
}

/// Make a call of the product, named by the driver and never twice by the same number, to the server in use; when there is none,
/// to the next one. `within_ms` is how long it may take, the wait included; `repeat` is `HOMING_REPEAT_…`. It ends by `HOMING_EVENT_CALLED`
/// or `HOMING_EVENT_CALL_FAILED`; it has failed at once when 64 wait already, communication is off, or the engine stops.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn homing_engine_call(
    engine: *mut homing_engine,
    now_ns: u64,
    call: u64,
    within_ms: u64,
    repeat: i32,
) -> homing_status {
    // SAFETY: the caller's promise.
    unsafe {
        status(|| {
            let (call, within, repeat) =
                (CallId(call), Duration::from_millis(within_ms), read_repeat(repeat)?);
            hear(engine, now_ns, Input::Command(Command::Call { call, within, repeat }))
        })
    }
}

/// Whether a call may be made twice.
fn read_repeat(code: i32) -> Result<Repeat, Failed> {
    match code {
        HOMING_REPEAT_NEVER => Ok(Repeat::Never),
        HOMING_REPEAT_ONCE_ELSEWHERE => Ok(Repeat::OnceElsewhere),
        other => Err(Failed::new(HOMING_ERROR_RANGE, format!("`repeat` {other} is none of them"))),
    }
}

unsafe fn read_call(given: *const homing_call) -> Result<Call, Failed> {
    // SAFETY: the caller's promises, here and below.
    unsafe {
        let given = read_sized(given, "call")?;
        let path = text::required(given.path, "call.path")?;
        let mut call = match text::required(given.method, "call.method")? {
            "GET" => Call::get(path),
            "POST" => Call::post(path),
            "PUT" => Call::put(path),
            "DELETE" => Call::delete(path),
            _ => {
                return Err(Failed::new(HOMING_ERROR_CALL, "`call.method` is not GET, POST, PUT or DELETE"));
            }
        };
        let too_much = |failed: Failed| failed.too_much(HOMING_ERROR_CREDENTIAL);
        let headers = text::array(given.headers, given.header_count, MOST_FIELDS, "call.headers");
        for header in headers.map_err(too_much)? {
            let value = text::bytes(header.secret, header.secret_len, Call::MOST_FIELDS, "call.headers");
            let value = std::str::from_utf8(value.map_err(too_much)?);
            let value = value.map_err(|_| Failed::plain(HOMING_ERROR_CREDENTIAL))?;
            call = call.header(text::required(header.name, "call.headers")?, value);
        }
        let body = text::bytes(given.body, given.body_len, Call::MOST_BODY, "call.body")
            .map_err(|failed| failed.too_much(HOMING_ERROR_CALL))?;
        call = call.body(body);
        if given.within_ms > 0 {
            call = call.within(Duration::from_millis(given.within_ms.into()));
        }
        match read_repeat(given.repeat)? {
            Repeat::Never => Ok(call),
            Repeat::OnceElsewhere => Ok(call.once_elsewhere()),
        }
    }
}

impl From<CallError> for Failed {
    fn from(error: CallError) -> Self {
        let status = match error {
            CallError::Path { .. } | CallError::Body { .. } | CallError::InCallback => HOMING_ERROR_CALL,
            CallError::Header { .. } | CallError::Headers { .. } => HOMING_ERROR_CREDENTIAL,
            CallError::TooMany { .. } => HOMING_ERROR_TOO_MANY,
            CallError::Failed { .. } => HOMING_ERROR_NO_ANSWER,
            CallError::Ended => HOMING_ERROR_STOPPED,
        };
        Self::new(status, error)
    }
}
