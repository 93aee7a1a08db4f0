// homing.h - made by tests/header.rs from src/ffi. Do not edit.
//
// homing keeps an endpoint agent attached to the right management server.
//
// There are two ways to use it. A homing_client has a thread of its own, sockets, TLS and HTTP, and tells what happens
// by callback or on demand: what most programs want. A homing_engine decides and does nothing else: no thread, no
// clock, no socket; a product that owns its event loop drives it.
//
// Names. Functions are homing_<noun>_<verb>, constants HOMING_<NOUN>_<WORD>. Units stand in names: _ms is
// milliseconds, _ns nanoseconds.
//
// Status. A function that can fail returns a homing_status: 0 (HOMING_OK) when it worked, a negative HOMING_ERROR_...
// when not. The numbers of all constants keep their meaning for ever, and new ones are added: ignore events and actions
// you do not know, and treat every negative status as a failure. Outputs are written only on success. Nothing to tell is
// no failure: the output is then NULL, 0, or a view of nothing.
// Functions whose failures are worth a sentence take a homing_error **error, which may be NULL; it is written only on
// failure.
//
// Handles. Types without visible members are handles. A handle that was written to an out parameter belongs to the
// caller, who frees it exactly once with the function of its noun; homing_..._free(NULL) does nothing. Handles are never
// shared between processes.
//
// Parameters. What comes in is checked: NULL, alignment, range, UTF-8, length. What cannot be checked is the caller's
// promise: that a pointer points to what its type says, that a text without a length ends with NUL, that a handle was not
// freed. What comes in is copied, unless said otherwise: it may go away when the function returns. Enumerations are plain
// integers. A text that comes in is NUL-terminated UTF-8, except where a length stands beside it.
//
// Views. homing_text and homing_bytes are pointer and length, point into memory of homing, and are NOT
// NUL-terminated: print with "%.*s", (int)text.len, text.data. How long they live is said where they are given out.
//
// Structs with struct_size grow: later versions append members, and nothing else ever changes. Set all of it to zero, then
// struct_size to sizeof it. Zero is the default of every member. A program that was compiled against an older header
// runs with a newer library; one that was compiled against a newer header than the library it meets gets
// HOMING_ERROR_STRUCT_SIZE. Structs without struct_size never change.
//
// Threads. Handles that never change (settings, policies, judgements, events, snapshots, strings, errors) may be read by any number of threads
// at once. A client may be used by any number of threads at once, also from its own callbacks. An engine belongs to one
// thread at a time. Freeing a handle while another thread uses it is a fault of the caller. A thread that calls homing
// has at least 128 KiB of stack left.
//
// Callbacks. The first parameter is always the user_data of the options. Callbacks run on the client's thread, one at a
// time, with no lock held, and may call every function of the client, homing_client_stop and homing_client_free too.
// There are three exceptions: store_load is called inside homing_client_start, and on_log on any thread, also on several at
// once; neither may use the client. store_save is called on a thread of its own, one value at a time, also while another
// callback runs. While one of the others runs, its client does nothing else; other clients are not affected. A
// callback must return: one that throws or jumps out is not supported. drop_user_data is called exactly once, after the
// last callback, on the client's thread; when a start failed it is not called, and user_data is still the caller's. On the
// client's thread signals are blocked, and a process that is started there inherits that.
//
// Faults. No panic leaves homing. Should one happen inside a function, the function returns HOMING_ERROR_INTERNAL (or, if it
// returns no status, what it returns for NULL), and Rust writes a line about it to the standard error output. A client or an
// engine is poisoned then: it answers HOMING_ERROR_POISONED and can only be freed; the thread of the client goes on until that.
// The program goes on. When memory runs out, the process is ended, as Rust does.
//
// Process. homing changes nothing process-wide: no signal handler, no locale, no environment, no global logger. A client
// belongs to the process that started it. In a child, after fork or daemon, every function of a client of the parent
// returns HOMING_ERROR_FORKED at once, homing_client_lost_events and homing_client_lost_bodies return 0 and homing_client_free does nothing; the
// parent notices nothing of it. All other handles are memory, and work in a child. A child that was made inside a callback
// must not return from it. The shared library is never unloaded: dlclose leaves it in memory.

#ifndef HOMING_H
#define HOMING_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// ------------------------------------------------------------------------------------------------
// Handles.

// Text that was made for the caller, who owns it. Any thread may read it.
typedef struct homing_string homing_string;

// Why a call failed, for a log or a person: where, what, and what to do.
//
// Functions that can fail in ways worth a sentence take a homing_error **error. It may be NULL. When the
// call fails, and only then, it is set to an error that the caller owns. Any thread may read it.
typedef struct homing_error homing_error;

// A settings document that was understood. It never changes; any number of threads, clients and engines may
// use one at the same time. Clients and engines keep what they need: it may be freed once they were made.
typedef struct homing_settings homing_settings;

// A picture of an engine at one moment. It never changes; any thread may read it.
typedef struct homing_snapshot homing_snapshot;

// The oldest reports of a lane, ready to be sent. It never changes, and belongs to the caller.
typedef struct homing_batch homing_batch;

// Reports that wait for a server. Any thread may use it; it is freed once, by homing_outbox_free, when no thread does any
// more.
//
// It belongs to the process that opened it. In a child of that process, after fork or daemon, every function of the outbox
// returns HOMING_ERROR_FORKED at once, and homing_outbox_free does nothing.
typedef struct homing_outbox homing_outbox;

// Something the application may want to know. It never changes; any thread may read it.
//
// An event that was pulled is owned by the caller, and freed by homing_event_free. One that a callback is
// given belongs to homing and lives until the callback returns. All views live as long as their event. What a
// kind of event does not have is NULL, 0 or -1, as is everything of an event that is NULL.
typedef struct homing_event homing_event;

// A place for a value that a store is asked for. It lives until the callback that was given it returns.
typedef struct homing_value homing_value;

// An agent at work, on a thread of its own. Any number of threads may use one, and its callbacks.
//
// It belongs to the process that started it. In a child of that process, after fork or daemon, every function of the
// client returns HOMING_ERROR_FORKED at once and touches nothing that the two share.
typedef struct homing_client homing_client;

// What a server answered to a call. Any thread may read it.
typedef struct homing_answer homing_answer;

// Every decision homing makes, and nothing else: no clock, no thread, no socket.
//
// The driver says what happened (homing_engine_connected, ...), drains homing_engine_next_action and
// homing_engine_next_event until they have nothing, does what they ask for, and comes back with
// homing_engine_timeout at the time that homing_engine_deadline names. Everything may be drained in any order and
// late. Inputs that name something the engine has given up are ignored, and counted in the snapshot.
//
// Times named now_ns are nanoseconds on a clock that is never set, of the driver's choice of origin; where the
// system has one, a clock that runs through suspend (CLOCK_BOOTTIME). An earlier time than the last counts as the last.
//
// An engine belongs to one thread at a time; where two use it at once, one gets HOMING_ERROR_BUSY. It never blocks.
typedef struct homing_engine homing_engine;

// Whether a chain is believed; if not, why and what to do. It never changes; any thread may read it.
typedef struct homing_judgement homing_judgement;

// A certificate policy with everything it names: roots, pins and revocation lists are read. It never changes: for new
// files or settings prepare a new one, and let no TLS session that was made under the old one be resumed. Any thread may use it.
typedef struct homing_policy homing_policy;

// ------------------------------------------------------------------------------------------------
// Text and bytes across the boundary.

// A view of UTF-8 text that homing owns: not NUL-terminated, print it with %.*s.
//
// data is NULL where there is no text, and not NULL where there is an empty one. How long the view
// lives is said where it is given out.
typedef struct {
    // The first byte, or NULL.
    const char *data;
    // How many bytes.
    size_t len;
} homing_text;

// A view of bytes that homing owns. data is NULL where there are none.
typedef struct {
    // The first byte, or NULL.
    const uint8_t *data;
    // How many.
    size_t len;
} homing_bytes;

// ------------------------------------------------------------------------------------------------
// Which homing this is.

// The version of the header, and of the library it was made with. Before version 1, a change of the second
// number may break programs; from version 1 on, only a change of the first.
#define HOMING_VERSION_MAJOR 0

// See HOMING_VERSION_MAJOR.
#define HOMING_VERSION_MINOR 1

// See HOMING_VERSION_MAJOR.
#define HOMING_VERSION_PATCH 0

// The three in one number: major << 16 | minor << 8 | patch.
#define HOMING_VERSION 256

// The version of the library the program runs with, as HOMING_VERSION is that of the header it was compiled with.
//
// Any thread.
uint32_t homing_version(void);

// The same as text, such as 0.1.0, living for ever.
//
// Any thread.
homing_text homing_version_text(void);

// ------------------------------------------------------------------------------------------------
// What functions return.

// It worked.
#define HOMING_OK 0

// A pointer that must not be NULL is NULL, or is not aligned for its type.
#define HOMING_ERROR_NULL (-1)

// A text is not UTF-8.
#define HOMING_ERROR_UTF8 (-2)

// A number, a length or a text is outside of what is allowed.
#define HOMING_ERROR_RANGE (-3)

// struct_size is too small to be right, or larger than this library knows: then the program was compiled
// against a newer homing than the one it runs with.
#define HOMING_ERROR_STRUCT_SIZE (-4)

// The settings document cannot be used; the error's message says where and what.
#define HOMING_ERROR_SETTINGS (-5)

// The tuning, or the limits, cannot be used.
#define HOMING_ERROR_TUNING (-6)

// The text cannot be an agent id: 1 to 128 visible ASCII characters.
#define HOMING_ERROR_AGENT_ID (-7)

// A file cannot be read: the settings, or one that they name.
#define HOMING_ERROR_FILE (-8)

// A certificate policy of the settings cannot be enforced.
#define HOMING_ERROR_CERTIFICATE (-9)

// A header field cannot be sent.
#define HOMING_ERROR_CREDENTIAL (-10)

// A route is none, or there are too many.
#define HOMING_ERROR_ROUTE (-11)

// What an earlier engine remembered cannot be read.
#define HOMING_ERROR_MEMORY (-12)

// The system gave no thread, no descriptor or no randomness.
#define HOMING_ERROR_SYSTEM (-13)

// The client has stopped, and every event was fetched.
#define HOMING_ERROR_STOPPED (-14)

// Another thread is inside a function of this handle, which belongs to one thread at a time.
#define HOMING_ERROR_BUSY (-15)

// A fault of homing was caught while this handle was in use. It can only be freed. Please report it.
#define HOMING_ERROR_POISONED (-16)

// A fault of homing was caught. Please report it.
#define HOMING_ERROR_INTERNAL (-17)

// It has not come in time.
#define HOMING_ERROR_TIMEOUT (-18)

// The client was started by a parent of this process, before fork or daemon. Only the parent can use it; start
// another one here.
#define HOMING_ERROR_FORKED (-19)

// The lane of the outbox is full, and drops nothing to make room: the report was not taken.
#define HOMING_ERROR_FULL (-20)

// The report was taken and will be sent, but waits in memory only: it is lost if the process ends before that.
#define HOMING_ERROR_NOT_DURABLE (-21)

// The report was not taken: a callback must not wait for the disk, applications are not learned, or this one was reported
// before.
#define HOMING_ERROR_NOT_TAKEN (-22)

// The call was not made: its method, path or body is not allowed, or a callback would wait for it.
#define HOMING_ERROR_CALL (-23)

// So many calls wait or are under way already that no more are taken.
#define HOMING_ERROR_TOO_MANY (-24)

// No answer came to the call. A server may have taken it all the same.
#define HOMING_ERROR_NO_ANSWER (-25)

// What a function returns: HOMING_OK, or one of the negative numbers HOMING_ERROR_....
typedef int32_t homing_status;

// What a status means, in a sentence that lives for ever. data is NULL for a number this version does not know.
//
// Any thread.
homing_text homing_status_text(homing_status status);

// ------------------------------------------------------------------------------------------------
// Text that the caller owns.

// The text. The view lives until the string is freed. NULL gives no text.
homing_text homing_string_text(const homing_string *string);

// Frees a string. NULL is fine.
void homing_string_free(homing_string *string);

// ------------------------------------------------------------------------------------------------
// The sentence that goes with a failed call.

// The status the failed call returned. 0 for NULL.
homing_status homing_error_status(const homing_error *error);

// The sentence: UTF-8, lower case, no full stop. The view lives until the error is freed.
homing_text homing_error_message(const homing_error *error);

// Frees an error. NULL is fine.
void homing_error_free(homing_error *error);

// ------------------------------------------------------------------------------------------------
// Internet addresses.

// How many addresses an action names at most.
#define HOMING_ADDRESSES_MAX 16

// An internet address and a port. This struct never grows.
typedef struct {
    // The address in network order. An IPv4 address has the first four bytes; the others are zero.
    uint8_t ip[16];
    // 4 or 6.
    uint32_t family;
    // 0 to 65535, in the order of this machine.
    uint32_t port;
    // The scope of an IPv6 link-local address; otherwise 0.
    uint32_t scope_id;
} homing_address;

// ------------------------------------------------------------------------------------------------
// Settings: parsed once, valid for ever.

// The text was written by a person: an unknown field is a misspelt one, and an error.
#define HOMING_SOURCE_PERSON 0

// The text came from a server: an unknown field is one of next year, and a warning.
#define HOMING_SOURCE_SERVER 1

// Reads a settings document: UTF-8 JSON of len bytes at json, at most 1 MiB, not NUL-terminated.
//
// source is HOMING_SOURCE_.... On success *out is owned by the caller. Any thread.
//
// Errors: HOMING_ERROR_SETTINGS with the first thing that is wrong and its place; text that is not UTF-8 is one.
homing_status homing_settings_parse(const uint8_t *json,
                                    size_t len,
                                    int32_t source,
                                    homing_settings **out,
                                    homing_error **error);

// Reads the settings document in a file that a person wrote. path is NUL-terminated UTF-8; a relative one
// is relative to the working folder of the process.
//
// On success *out is owned by the caller. Any thread; it waits for the disk. Only a regular file is read, of at most 1 MiB.
//
// Errors: HOMING_ERROR_FILE, HOMING_ERROR_SETTINGS.
homing_status homing_settings_read(const char *path,
                                   homing_settings **out,
                                   homing_error **error);

// How many things in the text were ignored or merged. 0 for NULL.
size_t homing_settings_warning_count(const homing_settings *settings);

// One of them: where and what. No text for an index beyond the last. The view lives until the settings are freed.
homing_text homing_settings_warning(const homing_settings *settings,
                                    size_t index);

// How many things are allowed but hardly meant. 0 for NULL.
size_t homing_settings_lint_count(const homing_settings *settings);

// One of them: where, what, and what to do about it. No text for an index beyond the last. The view lives until
// the settings are freed.
homing_text homing_settings_lint(const homing_settings *settings,
                                 size_t index);

// How many fields ask for something that this version does not do. A client tells each as
// HOMING_EVENT_SETTINGS_WARNING when it puts the settings in force. 0 for NULL.
size_t homing_settings_not_enforced_count(const homing_settings *settings);

// One of them: where, and what happens instead. No text for an index beyond the last. The view lives until the settings
// are freed.
homing_text homing_settings_not_enforced(const homing_settings *settings,
                                         size_t index);

// How many servers the document names, each counted once. 0 for NULL.
size_t homing_settings_server_count(const homing_settings *settings);

// The id of one of them, in the order of the file. No text for an index beyond the last. The view lives until
// the settings are freed.
homing_text homing_settings_server(const homing_settings *settings,
                                   size_t index);

// How many locations the document names. 0 for NULL.
size_t homing_settings_location_count(const homing_settings *settings);

// The name of one of them, in the order of the file. No text for an index beyond the last. The view lives until
// the settings are freed.
homing_text homing_settings_location(const homing_settings *settings,
                                     size_t index);

// What is in force in a location, as JSON: each value with the level it came from
// ("heartbeat_interval": {"value": "5m", "from": "group"}).
//
// location is NUL-terminated UTF-8; NULL, and a name that is no location, mean the group. On success the
// caller owns *out. Any thread.
homing_status homing_settings_effective(const homing_settings *settings,
                                        const char *location,
                                        homing_string **out);

// The same settings with communication switched off for the group and every location: the reference servers find out
// where the machine is, and no management server is asked. For tools that answer this one question. The caller owns *out;
// settings stay as they are.
homing_status homing_settings_reference_servers_only(const homing_settings *settings,
                                                     homing_settings **out);

// Frees settings. NULL is fine.
void homing_settings_free(homing_settings *settings);

// ------------------------------------------------------------------------------------------------
// States and reasons as numbers, and what the numbers mean.

// Made, and not yet begun.
#define HOMING_STATE_STARTING 1

// Searching, and attached to nobody.
#define HOMING_STATE_SEARCHING 2

// Attached to a server.
#define HOMING_STATE_ATTACHED 3

// Attached to nobody; the next search begins later.
#define HOMING_STATE_WAITING 4

// Attached to nobody, because this machine has no network.
#define HOMING_STATE_NO_NETWORK 5

// Attached to no server, because every server has rejected this agent.
#define HOMING_STATE_REJECTED 6

// Communication is switched off in the settings.
#define HOMING_STATE_DISABLED 7

// Finishing what is under way.
#define HOMING_STATE_STOPPING 8

// Stopped for good.
#define HOMING_STATE_STOPPED 9

// Attached to nobody, because somebody else answers in place of the servers.
#define HOMING_STATE_CAPTIVE 10

// Attached to no server, and no proxy leads to one.
#define HOMING_STATE_NO_WAY 11

// The engine has just been made.
#define HOMING_REASON_START 1

// The application asked.
#define HOMING_REASON_ASKED 2

// The settings changed.
#define HOMING_REASON_NEW_SETTINGS 3

// The application gave other credentials.
#define HOMING_REASON_NEW_CREDENTIALS 4

// The server in use failed.
#define HOMING_REASON_SERVER_FAILED 5

// The server in use makes no progress; others are tried beside it.
#define HOMING_REASON_SERVER_SLOW 6

// The server in use is silent; a second opinion is sought.
#define HOMING_REASON_SERVER_SILENT 7

// The server in use asked to be left.
#define HOMING_REASON_SERVER_DRAINING 8

// The server in use asks for more patience than there is.
#define HOMING_REASON_SERVER_THROTTLED 9

// An exchange with a better server, or the agent's own, succeeded.
#define HOMING_REASON_BETTER_SERVER 10

// Another server answered in its place.
#define HOMING_REASON_OTHER_SERVER_ANSWERED 11

// Every server of the list failed.
#define HOMING_REASON_ALL_FAILED 12

// Nobody answers: it may be the network.
#define HOMING_REASON_NETWORK_SUSPECT 13

// This machine has no usable network.
#define HOMING_REASON_NO_NETWORK 14

// The network changed, or came back.
#define HOMING_REASON_NETWORK_CHANGED 15

// The machine was suspended and runs again.
#define HOMING_REASON_RESUMED 16

// Every server has rejected this agent.
#define HOMING_REASON_REJECTED 17

// Every server asks for patience or may not be used now.
#define HOMING_REASON_NOTHING_AVAILABLE 18

// The waiting time is over.
#define HOMING_REASON_WAIT_OVER 19

// Too many attempts in ten minutes; the servers are spared.
#define HOMING_REASON_TOO_MANY_ATTEMPTS 20

// The agent moved often within two minutes, and calms down.
#define HOMING_REASON_MOVED_OFTEN 21

// Communication is switched off in the settings.
#define HOMING_REASON_DISABLED 22

// The application stops the agent.
#define HOMING_REASON_STOPPING 23

// The certificates of several servers are outside their validity, or the clock is known to be wrong.
#define HOMING_REASON_CLOCK_WRONG 24

// Something answers in place of the servers for a day, or on several networks: somebody is in between, or the authority
// was changed.
#define HOMING_REASON_INTERCEPTED 25

// Something seems to answer in place of the servers: one server, or the control of the location, shows it.
#define HOMING_REASON_CAPTIVE_SUSPECTED 26

// Something answers in place of the servers, as several of them show: a captive portal, perhaps.
#define HOMING_REASON_CAPTIVE_PORTAL 27

// No heartbeat has been delivered for too long, whatever the server in use says.
#define HOMING_REASON_UNFED 28

// Every proxy failed or refused the way; the words of the servers say how.
#define HOMING_REASON_NO_WAY 29

// A critical report waits, and no server is attached.
#define HOMING_REASON_REPORT_WAITS 33

// The program gave other ways to the servers.
#define HOMING_REASON_ROUTES_CHANGED 34

// No name resolves: the name service does not answer.
#define HOMING_REASON_NO_NAMES 30

// This machine does not let connections out: its packet filter, or the program's socket hook.
#define HOMING_REASON_HELD_BACK 31

// This machine is out of sockets, ports or memory.
#define HOMING_REASON_OUT_OF_RESOURCES 32

// By an answer that does not end.
#define HOMING_RUNG_STREAM 1

// By answers that end with the first event.
#define HOMING_RUNG_POLL 2

// Not at all: heartbeats carry the news.
#define HOMING_RUNG_PULL 3

// What a reason means, in words that live for ever: the server in use failed. data is NULL for a number this
// version does not know.
//
// Any thread.
homing_text homing_reason_text(int32_t reason);

// The name of a state, as JSON has it, living for ever: no_network. data is NULL for a number this version
// does not know.
//
// Any thread.
homing_text homing_state_name(int32_t state);

// ------------------------------------------------------------------------------------------------
// Failures: what a driver reports, and what an event tells.

// Connection refused, or the network said that the host cannot be reached.
#define HOMING_CLASS_REFUSED 1

// Nothing answered.
#define HOMING_CLASS_NO_ANSWER 2

// This machine has no way to anybody.
#define HOMING_CLASS_LOCAL_NETWORK 3

// The name did not resolve.
#define HOMING_CLASS_NAME 4

// The server did not prove that it is the server.
#define HOMING_CLASS_CERTIFICATE 5

// The server says that it has a fault.
#define HOMING_CLASS_SERVER_ERROR 6

// The server asks for patience.
#define HOMING_CLASS_THROTTLED 7

// The server rejected this agent.
#define HOMING_CLASS_NOT_ALLOWED 8

// The connection stands and nothing comes.
#define HOMING_CLASS_SILENT 9

// Something answers, but it is not a management server.
#define HOMING_CLASS_WRONG_SERVER 10

// The connection broke in the middle.
#define HOMING_CLASS_BROKEN 11

// The server went beyond a limit of size or time.
#define HOMING_CLASS_LIMIT 12

// The proxy failed, not the server.
#define HOMING_CLASS_PROXY 13

// The server asks to be left.
#define HOMING_CLASS_DRAINING 14

// The server closed a connection on which nothing was under way.
#define HOMING_CLASS_CLOSED_IDLE 15

// What was sent is larger than the server takes.
#define HOMING_CLASS_TOO_LARGE 16

// The server did not understand the request.
#define HOMING_CLASS_MISUNDERSTOOD 17

// The host answered with a reset: nothing listens on that port.
#define HOMING_CAUSE_CONNECTION_REFUSED 1

// A router answered that the host cannot be reached (ICMP).
#define HOMING_CAUSE_HOST_UNREACHABLE 2

// No answer to the connection attempt within its limit.
#define HOMING_CAUSE_CONNECT_TIMEOUT 3

// No answer yet when the place was needed for another server.
#define HOMING_CAUSE_EVICTED 4

// This machine has no route, or no usable interface.
#define HOMING_CAUSE_NO_ROUTE 5

// The system ran out of sockets, ports or memory for them.
#define HOMING_CAUSE_OUT_OF_RESOURCES 6

// The program's own socket hook did not let the socket be used.
#define HOMING_CAUSE_SOCKET_REFUSED 7

// No name resolves: the name service is dead or out of reach.
#define HOMING_CAUSE_NAME_SERVICE_DEAD 8

// The name does not exist.
#define HOMING_CAUSE_NAME_NOT_FOUND 9

// The name service answered with an error.
#define HOMING_CAUSE_NAME_SERVER_FAILED 10

// The name service did not answer within the limit.
#define HOMING_CAUSE_NAME_TIMEOUT 11

// The certificate has expired.
#define HOMING_CAUSE_CERTIFICATE_EXPIRED 12

// The certificate is not valid yet.
#define HOMING_CAUSE_CERTIFICATE_NOT_YET_VALID 13

// Nobody the policy trusts has issued it.
#define HOMING_CAUSE_UNKNOWN_ISSUER 14

// It is for another name.
#define HOMING_CAUSE_WRONG_NAME 15

// It has been revoked.
#define HOMING_CAUSE_REVOKED 16

// It is none of the pinned keys.
#define HOMING_CAUSE_PIN_MISMATCH 17

// It is unusable for another reason.
#define HOMING_CAUSE_BAD_CERTIFICATE 18

// A 5xx answer without a usable Retry-After.
#define HOMING_CAUSE_SERVER_ERROR 19

// 429, or 503 with a Retry-After.
#define HOMING_CAUSE_THROTTLED 20

// 401, or 403 with a field whose name begins with Homing-.
#define HOMING_CAUSE_NOT_ALLOWED 21

// A TLS alert about our own certificate.
#define HOMING_CAUSE_CLIENT_CERTIFICATE_REFUSED 22

// No first byte of an answer within the limit.
#define HOMING_CAUSE_NO_FIRST_BYTE 23

// A status no management server gives to this request: 1xx, 3xx, 404, 410, 403 without a Homing- field, or a 2xx without them.
#define HOMING_CAUSE_NOT_A_MANAGER 24

// What came back is not HTTP.
#define HOMING_CAUSE_NOT_HTTP 25

// The connection was reset.
#define HOMING_CAUSE_RESET 26

// The connection was closed before the answer was complete.
#define HOMING_CAUSE_TRUNCATED 27

// A TLS error or alert that concerns no certificate.
#define HOMING_CAUSE_TLS_FAILED 28

// The TLS handshake took too long.
#define HOMING_CAUSE_TLS_TIMEOUT 29

// The exchange took too long.
#define HOMING_CAUSE_EXCHANGE_TIMEOUT 30

// The whole attempt took too long.
#define HOMING_CAUSE_ATTEMPT_TIMEOUT 31

// The head of the answer is too large, or has too many fields.
#define HOMING_CAUSE_HEAD_TOO_LARGE 32

// Too many interim (1xx) answers.
#define HOMING_CAUSE_TOO_MANY_INTERIM 33

// The body of the answer is too large.
#define HOMING_CAUSE_BODY_TOO_LARGE 34

// The body comes too slowly.
#define HOMING_CAUSE_DRIPPING 35

// The proxy cannot be reached, or its name does not resolve.
#define HOMING_CAUSE_PROXY_UNREACHABLE 36

// The proxy wants other credentials (407).
#define HOMING_CAUSE_PROXY_NOT_ALLOWED 37

// The proxy refused the way to the server, or answered what is no answer to CONNECT.
#define HOMING_CAUSE_PROXY_REFUSED 38

// The server asks to be left.
#define HOMING_CAUSE_DRAINING 39

// The server closed a connection on which nothing was under way.
#define HOMING_CAUSE_CLOSED_IDLE 40

// The machine was suspended; what the connection is worth is not known.
#define HOMING_CAUSE_SUSPENDED 41

// Its key, or the digest of a signature, is too weak; class HOMING_CLASS_CERTIFICATE.
#define HOMING_CAUSE_WEAK_KEY 42

// No usable revocation list says anything about it; class HOMING_CLASS_CERTIFICATE.
#define HOMING_CAUSE_REVOCATION_UNKNOWN 43

// A page for a person (HTML) came in place of the answer. As HOMING_CAUSE_NOT_A_MANAGER, and where nothing was verified a sign
// of a captive portal too.
#define HOMING_CAUSE_PAGE 44

// 413: the body of the request is larger than the server takes. The engine repeats the exchange once, on a fresh link to the
// same server; send it without the body.
#define HOMING_CAUSE_TOO_LARGE 45

// A 4xx that has no cause of its own. After 408, 421 and 425 the engine repeats the exchange once, on a fresh link.
#define HOMING_CAUSE_MISUNDERSTOOD 46

// Too many TLS records that carry nothing: tickets, key updates, empty ones, padding; class HOMING_CLASS_LIMIT.
#define HOMING_CAUSE_EMPTY_RECORDS 47

// A packet filter of this machine did not let the connection out.
#define HOMING_CAUSE_LOCAL_FIREWALL 48

// Other servers of the same search are tried.
#define HOMING_NEXT_NEXT_SERVER 1

// The same server is tried once more, on a fresh connection.
#define HOMING_NEXT_SAME_SERVER 2

// It stays with this server and asks again later.
#define HOMING_NEXT_LATER 3

// Nothing is left to try in this search.
#define HOMING_NEXT_NOTHING 4

// A failure, as the driver of an engine saw it. Zero everything, set struct_size and cause, and what the cause asks
// for; or struct_size and judgement.
typedef struct {
    // sizeof(homing_failure).
    uint64_t struct_size;
    // HOMING_CAUSE_....
    int32_t cause;
    // HTTP status, for the causes that come from one; otherwise 0.
    uint32_t status;
    // For HOMING_CAUSE_THROTTLED: for how many milliseconds the server asks, or NULL when it does not say.
    const uint64_t *retry_after_ms;
    // The words of the system or of a library, or NULL: NUL-terminated, at most 200 characters are kept.
    const char *note;
    // The rejection this failure is, or NULL: then cause and note are those of the judgement, and what it says of a wrong clock
    // or of somebody in between is heard too. One that is no rejection means nothing.
    const homing_judgement *judgement;
} homing_failure;

// ------------------------------------------------------------------------------------------------
// How things stand, at one moment.

// Where the agent stands.
typedef struct {
    // sizeof(homing_summary), set by the caller.
    uint64_t struct_size;
    // HOMING_STATE_....
    int32_t state;
    // Why it searches, waits or does nothing: HOMING_REASON_...; 0 when all is well.
    int32_t reason;
    // The server it is attached to, if any. Lives until the snapshot is freed.
    homing_text active;
    // For how long it has been attached, in milliseconds; -1 when it is not.
    int64_t attached_for_ms;
    // Until the next heartbeat, in milliseconds; -1 when none is due.
    int64_t next_heartbeat_ms;
    // Until the next search, in milliseconds; -1 when none is due.
    int64_t next_search_ms;
    // Inputs that named something the engine had given up.
    uint64_t stale_inputs;
    // How many servers the list in force has.
    uint64_t server_count;
} homing_summary;

// How one server stands. All views live until the snapshot is freed.
typedef struct {
    // sizeof(homing_standing), set by the caller.
    uint64_t struct_size;
    // Its id.
    homing_text server;
    // Its priority, from 1.
    uint32_t priority;
    // Its rank for this agent within the priority, from 1: 1 is the agent's own server.
    uint32_t rank;
    // unknown, up, suspect, down, probation, throttled, quarantined or draining.
    homing_text health;
    // For how long it has been so, in milliseconds.
    int64_t since_ms;
    // How long it is left out, in milliseconds; -1 when it is not.
    int64_t left_out_ms;
    // Its last failure in words, if there was one.
    homing_text last_failure;
    // How long ago that was, in milliseconds; -1 when there was none.
    int64_t last_failure_ago_ms;
    // Until it is next probed as a better server than the one in use, in milliseconds; -1 when it is not.
    int64_t next_probe_ms;
    // Until the agent moves to it, in milliseconds; -1 when it does not.
    int64_t move_in_ms;
} homing_standing;

// Writes where the agent stands to *summary, whose struct_size the caller has set.
homing_status homing_snapshot_summary(const homing_snapshot *snapshot, homing_summary *summary);

// Writes how one server stands to *standing, whose struct_size the caller has set. Servers come in the
// order in which they would be tried; index counts from 0.
//
// Errors: HOMING_ERROR_RANGE for an index beyond the last.
homing_status homing_snapshot_server(const homing_snapshot *snapshot,
                                     size_t index,
                                     homing_standing *standing);

// All of it as JSON. The view lives until the snapshot is freed.
homing_text homing_snapshot_json(const homing_snapshot *snapshot);

// All of it in words, for a person: why this server, why not a better one, and what happens when. Several
// lines. The view lives until the snapshot is freed.
homing_text homing_snapshot_explain(const homing_snapshot *snapshot);

// Frees a snapshot. NULL is fine.
void homing_snapshot_free(homing_snapshot *snapshot);

// ------------------------------------------------------------------------------------------------
// What a peer has proved.

// It accepted a connection. Any hotel network can do that.
#define HOMING_PROOF_TCP 1

// A verified certificate chain and name.
#define HOMING_PROOF_TLS 2

// The key is the one in the settings.
#define HOMING_PROOF_PIN 3

// ------------------------------------------------------------------------------------------------
// Where the machine is.

// The settings do not ask where the machine is.
#define HOMING_SITUATION_NONE 0

// Inside.
#define HOMING_SITUATION_INTERNAL 1

// Inside, but only by way of a tunnel.
#define HOMING_SITUATION_INTERNAL_VIA_VPN 2

// Outside.
#define HOMING_SITUATION_EXTERNAL 3

// Not known yet, or there is no network.
#define HOMING_SITUATION_UNKNOWN 4

// Behind a portal that answers for everybody.
#define HOMING_SITUATION_CAPTIVE 5

// Where the machine is. All views live until the snapshot is freed.
typedef struct {
    // sizeof(homing_location), set by the caller.
    uint64_t struct_size;
    // HOMING_SITUATION_...; when it is HOMING_SITUATION_NONE, nothing else says anything.
    int32_t situation;
    // What the verdict rests on when it is inside: HOMING_PROOF_..., otherwise 0.
    int32_t proof;
    // The verdict and why in words, one line.
    homing_text detail;
    // The location whose settings are in force; none for the group's.
    homing_text name;
    // Whether the product has chosen that location itself: 0 or 1.
    uint32_t is_chosen;
    // Whether the agent is attached to a management server, which is another matter: 0 or 1.
    uint32_t is_attached;
    // How long the verdict has been so, in milliseconds.
    int64_t since_ms;
    // How long ago the management server was lost, in milliseconds; -1 when it was not.
    int64_t server_lost_ms;
    // Until the reference servers are asked again, in milliseconds; -1 when that is not planned.
    int64_t next_round_ms;
} homing_location;

// Writes where the machine is to *location, whose struct_size the caller has set. What the last round over the
// reference servers heard stands in homing_snapshot_json.
homing_status homing_snapshot_location(const homing_snapshot *snapshot,
                                       homing_location *location);

// The name of a situation as settings and JSON have it: internal_via_vpn, ...; nothing for a number that is none.
homing_text homing_situation_name(int32_t situation);

// ------------------------------------------------------------------------------------------------
// What a connection runs over.

// A cable or radio of this machine, or something that is carried by one.
#define HOMING_MEDIUM_DIRECT 1

// A tunnel (a VPN), or an interface of which a driver that knows tunnels cannot say what it is: what answers there does not
// show that the machine is inside by itself.
#define HOMING_MEDIUM_TUNNEL 2

// The driver never says. A verified server counts, a bare connection does not.
#define HOMING_MEDIUM_UNKNOWN 3

// Nothing: the peer has an address of this machine, and shows nothing of where that is.
#define HOMING_MEDIUM_THIS_MACHINE 4

// ------------------------------------------------------------------------------------------------
// The lanes in which reports wait.

// What is uploaded at once.
#define HOMING_LANE_CRITICAL 1

// How the machine is.
#define HOMING_LANE_STATUS 2

// What happened.
#define HOMING_LANE_LOG 3

// Applications that were seen for the first time.
#define HOMING_LANE_APPLICATIONS 4

// 90 % of the bytes of a lane are in use.
#define HOMING_FULLNESS_NEARLY_FULL 1

// Something had to give way.
#define HOMING_FULLNESS_FULL 2

// Less than 80 % are in use again.
#define HOMING_FULLNESS_RELIEVED 3

// ------------------------------------------------------------------------------------------------
// What a product reports.

// Malware or another risk was found. Critical.
#define HOMING_REPORT_RISK_FOUND 1

// A tracking cookie was found: a risk by name, and not critical.
#define HOMING_REPORT_COOKIE_FOUND 2

// An intrusion was attempted or blocked. Critical.
#define HOMING_REPORT_INTRUSION 3

// Something of the system changed. Not critical.
#define HOMING_REPORT_SYSTEM_CHANGE 4

// How the machine is.
#define HOMING_REPORT_STATUS 5

// Anything else that is worth a line in a log.
#define HOMING_REPORT_LOG 6

// An application that ran; the same one is reported once.
#define HOMING_REPORT_APPLICATION 7

// A submit returns after the report was forced to the disk.
#define HOMING_DURABILITY_DURABLE 1

// A submit returns at once; a crash within the next moments loses the report.
#define HOMING_DURABILITY_BUFFERED 2

// ------------------------------------------------------------------------------------------------
// Reports that wait for a server: the outbox, and batches of it.

// The batch was too large: take one of at most *at_most bytes.
#define HOMING_TOO_LARGE_SMALLER 1

// The report was alone and large: it is dropped and counted.
#define HOMING_TOO_LARGE_DROPPED 2

// The report was alone and small. It waits on; what is wrong is the server.
#define HOMING_TOO_LARGE_SERVER_IS_WRONG 3

// What an outbox is made of. Zero everything, set struct_size, and what is to differ from the default.
typedef struct {
    // sizeof(homing_outbox_options).
    uint64_t struct_size;
    // The folder in which reports wait, NUL-terminated UTF-8; it is made if it is not there, and is for one outbox at a time.
    // NULL: they wait in memory, and a durable submit is HOMING_ERROR_NOT_DURABLE.
    const char *folder;
    // The most bytes of each lane, in the order of HOMING_LANE_...: 4 KiB to 4 GiB; 0 for the default: 4, 1, 16 and 4 MiB.
    uint64_t bytes[4];
    // The most seconds a report of each lane waits; 0 for the default: 30 days, 1 day, 7 days, 30 days.
    uint64_t age_s[4];
} homing_outbox_options;

// What became of the reports of one lane since its outbox was opened: submitted and recovered together are waiting,
// sent and all that were dropped.
typedef struct {
    // sizeof(homing_lane_account), set by the caller.
    uint64_t struct_size;
    // Taken by a submit.
    uint64_t submitted;
    // Found in the folder.
    uint64_t recovered;
    // Acknowledged by a server.
    uint64_t sent;
    // Waiting now.
    uint64_t waiting;
    // Bytes of what waits, 32 for each report included.
    uint64_t waiting_bytes;
    // Dropped because the lane was full.
    uint64_t dropped_full;
    // Dropped because they were too old.
    uint64_t dropped_aged;
    // Dropped because a server refused them, one by one, as too large.
    uint64_t dropped_too_large;
    // Dropped because they could not be read any more.
    uint64_t dropped_damaged;
    // Not taken, because the lane was full or the report too large.
    uint64_t refused;
    // Dropped because a server refused each of them alone, again and again, and took the report behind it.
    uint64_t dropped_not_taken;
} homing_lane_account;

// Opens an outbox. A folder that cannot be used is no error: reports wait in memory, a durable submit says why, and the
// folder is tried again.
//
// Errors: HOMING_ERROR_RANGE, HOMING_ERROR_UTF8. A thread that waits for the disk.
homing_status homing_outbox_open(const homing_outbox_options *options,
                                 homing_outbox **out);

// Takes a report: len bytes at body, at most 256 KiB. kind is HOMING_REPORT_..., durability HOMING_DURABILITY_.... Its
// number in its lane goes to *number, which may be NULL.
//
// Errors: HOMING_ERROR_NOT_DURABLE: it waits in memory, and will be sent; submitting it again would send it
// twice. HOMING_ERROR_FULL: the lane drops nothing to make room. HOMING_ERROR_NOT_TAKEN: applications are not learned, or
// this one was reported before. HOMING_ERROR_RANGE: it is too large. After the last three it was not taken.
homing_status homing_outbox_submit(const homing_outbox *outbox,
                                   int32_t kind,
                                   const uint8_t *body,
                                   size_t len,
                                   int32_t durability,
                                   uint64_t *number);

// Copies the oldest reports of a lane, all of one series, in a body of at most at_most bytes, and one at least. *out is a
// batch the caller owns, or NULL when nothing waits. The reports wait on until they are settled.
homing_status homing_outbox_take(const homing_outbox *outbox,
                                 int32_t lane,
                                 uint64_t at_most,
                                 homing_batch **out);

// Settles the reports of a batch up to this number, which a server has acknowledged; *settled, which may be NULL, is how many
// of them waited until now. A number that is not of the batch settles nothing.
homing_status homing_outbox_settle(const homing_outbox *outbox,
                                   const homing_batch *batch,
                                   uint64_t up_to,
                                   uint64_t *settled);

// Says what to do after a server refused a batch as too large: *advice is HOMING_TOO_LARGE_...; with HOMING_TOO_LARGE_SMALLER
// *at_most, which may be NULL, is for the next homing_outbox_take. A lone report above 16 KiB is dropped by this.
homing_status homing_outbox_too_large(const homing_outbox *outbox,
                                      const homing_batch *batch,
                                      int32_t *advice,
                                      uint64_t *at_most);

// Says that a server has answered, and does not take this batch, for another reason than its size. A connection that breaks is not told
// here. A report that is refused alone 12 times in a row may be at fault itself: a homing_outbox_take within 10 s gives the ones behind
// it, and where a server takes them, the first one is dropped, counted as dropped_not_taken and told.
homing_status homing_outbox_refused(const homing_outbox *outbox,
                                    const homing_batch *batch);

// How much waits in a lane, and what became of its reports, to *account, whose struct_size the caller has set. Drops what
// is too old.
homing_status homing_outbox_account(const homing_outbox *outbox,
                                    int32_t lane,
                                    homing_lane_account *account);

// Opens the lane of learned applications when enabled is not 0, else closes it; it is closed at first.
homing_status homing_outbox_learn_applications(const homing_outbox *outbox,
                                               uint32_t enabled);

// Forgets which applications were reported, so that each is taken once more: the management server asks for all of them again.
homing_status homing_outbox_forget_applications(const homing_outbox *outbox);

// Writes all that waits in memory to the disk, and waits for that. HOMING_ERROR_NOT_DURABLE when it cannot.
homing_status homing_outbox_flush(const homing_outbox *outbox);

// Writes what waits in memory to the disk, waits for that, 5 s at most, and closes the outbox. What takes longer goes on behind it, and
// is logged. NULL is fine.
void homing_outbox_free(homing_outbox *outbox);

// The lane of a batch: HOMING_LANE_....
int32_t homing_batch_lane(const homing_batch *batch);

// The series of all reports of a batch: with the lane and its number it names a report for ever. On the wire it is 16
// hexadecimal digits.
uint64_t homing_batch_series(const homing_batch *batch);

// The number of the first report of a batch.
uint64_t homing_batch_first(const homing_batch *batch);

// The number of the last report of a batch.
uint64_t homing_batch_last(const homing_batch *batch);

// How many reports there are up to this number; all of them for one above the last.
uint64_t homing_batch_reports(const homing_batch *batch, uint64_t up_to);

// The body of the request that uploads the batch: each report behind a line with its number, its kind and its length, and a
// line feed behind it. It lives as long as the batch.
homing_bytes homing_batch_body(const homing_batch *batch);

// Frees a batch. NULL is fine; the reports wait on.
void homing_batch_free(homing_batch *batch);

// ------------------------------------------------------------------------------------------------
// The kinds of events, and what each of them has.

// state changed; reason says why.
#define HOMING_EVENT_STATE 1

// A search for a server begins; reason says why.
#define HOMING_EVENT_SEARCHING 2

// The agent is attached to server, of priority; duration_ms since the search began.
#define HOMING_EVENT_ATTACHED 3

// The agent is no longer attached to server; reason says why.
#define HOMING_EVENT_DETACHED 4

// An attempt on server failed: class, text in words, and what is done next.
#define HOMING_EVENT_ATTEMPT_FAILED 5

// server answered a heartbeat with http_status after duration_ms; body is its answer, and it covers the requests
// for one up to that number.
#define HOMING_EVENT_HEARTBEAT 6

// server named a new entity tag of the settings: text.
#define HOMING_EVENT_SETTINGS_ANNOUNCED 7

// server named a new entity tag of the policy: text.
#define HOMING_EVENT_POLICY_ANNOUNCED 8

// The policy of the product, from server: body, with the entity tag text. Confirm the tag when the product has taken it
// over, or the next life of the agent brings it again.
#define HOMING_EVENT_POLICY 26

// The policy could not be read from server; text says why.
#define HOMING_EVENT_POLICY_FAILED 27

// What was not stored is stored now: what HOMING_EVENT_CANNOT_REMEMBER and HOMING_EVENT_STORE_PROBLEM told is over.
#define HOMING_EVENT_STORE_RECOVERED 29

// No server is attached, and the next search begins in duration_ms; reason says why.
#define HOMING_EVENT_WAITING 9

// The agent goes back from server to other_server, which is better or its own.
#define HOMING_EVENT_FAILBACK 10

// server, which would be better than the present one, was asked; text is its failure, if any.
#define HOMING_EVENT_PROBED 11

// server is listened to, by an event stream or by polls: what changes there is told at once.
#define HOMING_EVENT_PUSH_OPENED 12

// The event stream with server, or a poll, ended; text says why. Heartbeats go on.
#define HOMING_EVENT_PUSH_LOST 13

// server offers no event stream, or nothing of the kind comes through; it is tried again in duration_ms. Heartbeats alone
// carry the news.
#define HOMING_EVENT_PUSH_UNAVAILABLE 14

// server has new content of the name text; body is all that it says of it. The body is of the managed client alone.
#define HOMING_EVENT_TOLD_CONTENT 15

// server has a command of the name text for the product; body is its bytes. The body is of the managed client alone.
#define HOMING_EVENT_TOLD_COMMAND 16

// The settings are in force but something about them is odd: text.
#define HOMING_EVENT_SETTINGS_WARNING 17

// The memory could not be stored; the engine goes on without. Told once until it is stored again.
#define HOMING_EVENT_CANNOT_REMEMBER 18

// What an earlier life remembered cannot be used; text says why.
#define HOMING_EVENT_MEMORY_IGNORED 19

// It has stopped. The last event.
#define HOMING_EVENT_STOPPED 20

// A connection stands to a server that has proved nothing (danger_no_verification).
#define HOMING_EVENT_UNVERIFIED 21

// The verdict on where the machine is changed, or other settings are in force because of it: situation, the
// location in force, and text, the reason in words.
#define HOMING_EVENT_LOCATION 22

// The reference servers were asked: text, what each answered, as a table of several lines; the JSON has it as well.
// duration_ms is how long it took. The verdict may differ: it is damped.
#define HOMING_EVENT_ROUND 23

// server refused the product's status as too large; the JSON of the event says how large it was. Heartbeats
// to it go without the status until it is smaller or an hour has passed. Of the managed client alone.
#define HOMING_EVENT_STATUS_TOO_LARGE 24

// Something about the state folder, or the product's own store, is not as it should be: text. The agent goes on. Told once,
// and again when the reason changes.
#define HOMING_EVENT_STORE_PROBLEM 25

// A command of the name text came from server over a connection that was not verified. It is not handed over.
#define HOMING_EVENT_COMMAND_REFUSED 28

// A certificate by which server was verified has ended since its connection was made. The connection is not used any more;
// the next one is verified afresh.
#define HOMING_EVENT_CERTIFICATE_ENDED 30

// The settings that server has for this agent: body, with the entity tag text. The managed client judges them and tells
// one of the next; a driver does so with homing_engine_try.
#define HOMING_EVENT_SETTINGS 31

// The settings could not be read from server; text says why.
#define HOMING_EVENT_SETTINGS_FAILED 32

// Settings are refused, and those before them stay; text says why.
#define HOMING_EVENT_SETTINGS_REFUSED 33

// Settings are on trial: they are used, and those before them are kept until an exchange has worked; text is their entity
// tag, if a server gave them.
#define HOMING_EVENT_SETTINGS_ON_TRIAL 34

// An exchange through the settings on trial has worked: they stay; text is their entity tag, if a server gave them.
#define HOMING_EVENT_SETTINGS_IN_FORCE 35

// The settings on trial are given up, and those before them are back; text says why.
#define HOMING_EVENT_SETTINGS_ROLLED_BACK 36

// server has acknowledged so many reports of lane, which wait no more; so many are waiting.
#define HOMING_EVENT_UPLOADED 37

// Reports of lane could not be uploaded to server; text says why. They wait, and are sent again.
#define HOMING_EVENT_UPLOAD_FAILED 38

// The lane of the outbox is nearly full, full, or no longer so: fullness. Of the managed client alone.
#define HOMING_EVENT_LANE_FILLED 39

// So many reports of lane are lost; text says why. Of the managed client alone.
#define HOMING_EVENT_REPORTS_LOST 40

// Something about the folder of the outbox is not as it should be: text. Of the managed client alone.
#define HOMING_EVENT_OUTBOX_PROBLEM 41

// The folder of the outbox is used again. Of the managed client alone.
#define HOMING_EVENT_OUTBOX_RECOVERED 42

// server has answered the call homing_event_call, whatever with: homing_event_http_status, and homing_event_body of the managed
// client.
#define HOMING_EVENT_CALLED 43

// The call homing_event_call has no answer; text says why. server and class are those of the failure, if it was made to one.
#define HOMING_EVENT_CALL_FAILED 44

// server has decided what the agent is registered as: text is its group, if it named one, and homing_event_account_mode.
#define HOMING_EVENT_REGISTERED 45

// The agent could not register with server; text says why, and it tries again in duration_ms; -1: not before it is attached
// to a verified server.
#define HOMING_EVENT_REGISTRATION_FAILED 46

// server sees this agent's id on more than one machine. Told when it begins.
#define HOMING_EVENT_DUPLICATE 47

// ------------------------------------------------------------------------------------------------
// Something the application may want to know.

// What happened: HOMING_EVENT_.... Later versions tell more kinds: ignore those you do not know.
int32_t homing_event_kind(const homing_event *event);

// When: nanoseconds since the start of the client, suspended time included; for an engine, on its driver's clock.
uint64_t homing_event_at_ns(const homing_event *event);

// The event as one flat JSON object: {"at_ms":1250,"event":"attached","server":"a",...}; docs/events.md describes each.
homing_text homing_event_json(const homing_event *event);

// The id of the server it is about.
homing_text homing_event_server(const homing_event *event);

// The id of the server a failback leads to.
homing_text homing_event_other_server(const homing_event *event);

// The state that was entered: HOMING_STATE_....
int32_t homing_event_state(const homing_event *event);

// Why: HOMING_REASON_....
int32_t homing_event_reason(const homing_event *event);

// The kind of failure of an attempt: HOMING_CLASS_....
int32_t homing_event_class(const homing_event *event);

// What is done after a failed attempt: HOMING_NEXT_....
int32_t homing_event_next(const homing_event *event);

// The text of the kinds that have one.
homing_text homing_event_text(const homing_event *event);

// The priority of the server the agent is attached to, from 1; 0 when the list does not name it.
uint32_t homing_event_priority(const homing_event *event);

// The HTTP status of the answer to a heartbeat or a call.
uint32_t homing_event_http_status(const homing_event *event);

// The duration of the kinds that have one, in milliseconds; -1 for the others.
int64_t homing_event_duration_ms(const homing_event *event);

// How a server is listened to from now on: HOMING_RUNG_....
int32_t homing_event_by(const homing_event *event);

// Where the machine is: HOMING_SITUATION_....
int32_t homing_event_situation(const homing_event *event);

// The location whose settings are in force; none for the group's.
homing_text homing_event_location(const homing_event *event);

// Of the kinds that tell of the location: 1 when the agent is attached to a management server, which is another
// matter, else 0.
uint32_t homing_event_is_attached(const homing_event *event);

// The body of the answer to a heartbeat or a call, a policy, or the bytes of a command: bytes of the product's own. Of the managed client
// alone; the driver of an engine has the bytes already.
homing_bytes homing_event_body(const homing_event *event);

// The number of the newest homing_client_beat_now that a heartbeat covers; 0 when it covers none. Of the managed client alone.
uint64_t homing_event_covers(const homing_event *event);

// A copy of an event that the caller owns: for what a callback is given and somebody else is to see.
homing_status homing_event_clone(const homing_event *event,
                                 homing_event **out);

// Frees an event that was pulled or cloned. NULL is fine.
void homing_event_free(homing_event *event);

// ------------------------------------------------------------------------------------------------
// Which settings of servers an agent takes.

// From none: settings come from the program alone.
#define HOMING_TAKES_NO_SETTINGS 0

// From a server that was verified by its certificate or key; from another one where the settings in force say so
// (accept_settings_over_http).
#define HOMING_TAKES_VERIFIED 1

// From any server, unless the settings in force say otherwise: the driver takes none without a signature.
#define HOMING_TAKES_SIGNED 2

// The settings are put on trial.
#define HOMING_CONSENT_ACCEPT 0

// They are not used.
#define HOMING_CONSENT_REFUSE 1

// They wait for homing_client_decide_settings; the newest wait, and older ones are dropped.
#define HOMING_CONSENT_LATER 2

// ------------------------------------------------------------------------------------------------
// Who uses the machine, and in which group it is or would be.

// The agent has the settings of the user that is logged on.
#define HOMING_ACCOUNT_USER 1

// The agent has the settings of the machine, whoever is logged on.
#define HOMING_ACCOUNT_COMPUTER 2

// What is said of the machine when the agent registers; the server decides what it makes of it. Zero everything, set
// struct_size, and what applies. Names are NUL-terminated UTF-8 of 1 to 256 bytes, without control characters and others that
// are not seen; anything else is HOMING_ERROR_RANGE.
typedef struct {
    // sizeof(homing_identity).
    uint64_t struct_size;
    // Who is logged on; NULL: no user is, or the product does not say.
    const char *user;
    // The group in which the machine is meant to be; NULL for none.
    const char *preferred_group;
    // The mode in which it is meant to be: HOMING_ACCOUNT_...; 0 for none.
    int32_t preferred_mode;
    // 0.
    uint32_t reserved;
} homing_identity;

// ------------------------------------------------------------------------------------------------
// What a client is given when it starts.

// Something failed that ought not to.
#define HOMING_LOG_ERROR 1

// Something works and should be looked at.
#define HOMING_LOG_WARN 2

// What an administrator may want to see.
#define HOMING_LOG_INFO 3

// What a developer may want to see.
#define HOMING_LOG_DEBUG 4

// Everything.
#define HOMING_LOG_TRACE 5

// The first exchange over verified TLS is about to begin.
#define HOMING_ASKED_FIRST 1

// A server answered 401 to the credentials there are.
#define HOMING_ASKED_REFUSED 2

// A header field the agent shows servers. This struct never grows.
typedef struct {
    // The name, NUL-terminated, such as Authorization.
    const char *name;
    // The value, secret_len bytes without line ends. It appears in no log, event or snapshot.
    const uint8_t *secret;
    // Bytes of the value: at most 16 KiB, as are all names and values of a client together.
    size_t secret_len;
} homing_header;

// What a client is made of. Zero everything, set struct_size and agent_id, and what is to differ from the
// default. Everything but user_data is copied.
typedef struct {
    // sizeof(homing_options).
    uint64_t struct_size;
    // Who this agent is: 1 to 128 visible ASCII characters. Required; the same after every restart.
    const char *agent_id;
    // The constants of the rules as JSON; NULL for the defaults.
    const char *tuning_json;
    // How much a server may send, as JSON; NULL for the defaults.
    const char *limits_json;
    // The location to begin with; NULL for the group's settings. A name that the settings do not have is refused with
    // HOMING_ERROR_RANGE.
    const char *location;
    // The folder in which the client keeps what must outlive the process; it is made if it is not there, and is for one
    // client at a time. NULL: nothing does, unless store_load and store_save are given.
    const char *state_folder;
    // The name of the client's thread; NULL for homing.
    const char *thread_name;
    // Bytes of the stack of the client's thread, on which callbacks run: at least 256 KiB; 0 for 2 MiB. Less is
    // HOMING_ERROR_RANGE.
    size_t thread_stack_size;
    // What is said with the first heartbeats: status_len bytes of the product's own, at most 16 MiB.
    const uint8_t *status;
    // Bytes of the status.
    size_t status_len;
    // The ways to the servers, best first: direct, or a proxy as http://[USER:PASSWORD@]HOST:PORT with
    // percent-encoding. NULL for direct alone.
    const char *const *routes;
    // How many ways: at most 8.
    size_t route_count;
    // What the agent shows servers to be let in. It is sent over verified TLS only.
    const homing_header *headers;
    // How many fields: at most 16.
    size_t header_count;
    // Fixes every random choice, for demonstrations and tests; NULL: the system chooses.
    const uint64_t *seed;
    // The least important messages that on_log is given: HOMING_LOG_...; 0 means HOMING_LOG_WARN.
    int32_t log_level;
    // Zero.
    uint32_t reserved;
    // Given to each callback as its first parameter.
    void *user_data;
    // Called once, after the last callback, on the client's thread; not when the start fails.
    void (*drop_user_data)(void *user_data);
    // Called with each event, instead of homing_client_next_event. The event lives until it returns.
    void (*on_event)(void *user_data, homing_client *client, const homing_event *event);
    // Called with each message for the log: level is HOMING_LOG_..., the view lives until it returns. Unlike the others it
    // is called on any thread, also on several at once: the client's, those that look names up, and those inside a function
    // of the client, homing_client_start and homing_client_free among them. It must not call functions of its client.
    void (*on_log)(void *user_data, int32_t level, homing_text message);
    // Called with each new socket (on Windows a SOCKET) before it is connected to address: to mark it, to bind it,
    // to exempt it from the product's own filter. It is non-blocking and must stay so. Returns 0, or an error number
    // of the system when the socket is not to be used.
    int32_t (*on_socket)(void *user_data, int64_t socket, const homing_address *address);
    // Called once on the client's thread, before anything else happens there.
    void (*on_thread_start)(void *user_data);
    // Called just before a status is sent: the place to call homing_client_set_status.
    void (*on_heartbeat)(void *user_data, homing_client *client);
    // Called when credentials are needed: asked is HOMING_ASKED_..., server who refused the ones there are, if
    // any. The place to call homing_client_set_header. Who needs time returns, and calls it later.
    void (*on_credentials)(void *user_data, homing_client *client, int32_t asked, homing_text server);
    // Loads a value by its name: gives it with homing_value_set and returns 0; gives nothing and returns 0 when
    // there is none; or returns an error number of the system. Called inside and on the thread of
    // homing_client_start, once for each name: there are nine, and later versions may have more. Needs store_save
    // beside it; both replace state_folder.
    int32_t (*store_load)(void *user_data, const char *name, homing_value *value);
    // Keeps a value by its name, in place of the one before. Returns 0, or an error number of the system. Called on a thread
    // of its own, one value at a time, also while another callback runs: it may take its time, and heartbeats go on. It may
    // call every function of the client, once homing_client_start has returned; homing_client_free returns at once there.
    int32_t (*store_save)(void *user_data, const char *name, const uint8_t *data, size_t len);
    // Asked about each settings document that server sends, with its entity tag and its len bytes at data, which live
    // until it returns. Returns HOMING_CONSENT_...; another number refuses. Setting it takes settings from servers.
    int32_t (*on_settings)(void *user_data,
                           homing_client *client,
                           homing_text server,
                           homing_text tag,
                           const uint8_t *data,
                           size_t len);
    // Ed25519 public keys of which one must have signed each settings document of a server, 32 bytes each, one after the
    // other; NULL for none.
    const uint8_t *settings_keys;
    // How many keys: at most 16.
    size_t settings_key_count;
    // For whom signed settings must be, NUL-terminated; NULL for anyone.
    const char *settings_audience;
    // Where the files are that a server's settings may name by plain names, NUL-terminated; NULL: they may name none.
    const char *settings_folder;
    // HOMING_TAKES_VERIFIED: settings are taken from servers. HOMING_TAKES_NO_SETTINGS: only where there are keys or
    // on_settings. HOMING_TAKES_SIGNED is that of the keys, and an error without.
    int32_t takes_settings;
    // 0.
    uint32_t reserved_too;
    // The folder in which reports wait for a server; it is made if it is not there, and is for one client at a time. NULL:
    // they wait in memory, and a durable submit is HOMING_ERROR_NOT_DURABLE.
    const char *outbox_folder;
    // Below which path of every server homing's own requests are; NULL: /homing/v1. It begins with / and does not end with it, and has at
    // most 128 bytes; another one is refused with HOMING_ERROR_RANGE.
    const char *path_prefix;
    // The same for calls; NULL: /call below path_prefix. Homing's own requests must not be below it.
    const char *call_prefix;
    // What is said of the machine when the agent registers; NULL: it does not register.
    const homing_identity *identity;
    // What tells this machine from every other, machine_id_len bytes; a verified server is shown a hash of it
    // (Homing-Instance), by which it sees that a disk was copied. NULL: the id of the system, if it has one.
    const uint8_t *machine_id;
    // Bytes of it: at most 1,024. 0 with a pointer: nothing is shown.
    size_t machine_id_len;
} homing_options;

// Gives the value that was asked for: len bytes at data, which are copied. At most 1,024 KiB. Only inside the
// callback that was given the place.
homing_status homing_value_set(homing_value *value,
                               const uint8_t *data,
                               size_t len);

// ------------------------------------------------------------------------------------------------
// The engine on a thread of its own: the managed mount.

// Starts a client. What the settings name is read, and its thread runs, when this returns.
//
// settings and options may be freed afterwards. On success the caller owns *out, which is written before the
// first callback that is given the client. Callbacks may come before this returns; if one of them frees the client, *out is
// not to be used any more.
//
// Errors: HOMING_ERROR_AGENT_ID, HOMING_ERROR_TUNING, HOMING_ERROR_ROUTE, HOMING_ERROR_CREDENTIAL, HOMING_ERROR_RANGE,
// HOMING_ERROR_FILE, HOMING_ERROR_CERTIFICATE, HOMING_ERROR_SYSTEM. Nothing runs then, and user_data is
// still the caller's.
homing_status homing_client_start(const homing_settings *settings,
                                  const homing_options *options,
                                  homing_client **out,
                                  homing_error **error);

// The next event: *out is an event the caller owns, or NULL when none came within timeout_ms, at most 49 days. When
// there is an event callback, none ever comes.
//
// At most 1,024 events wait. When they are not fetched, events that tell of progress make room, the oldest first; of
// changes of state the newest of each kind stays. On the client's own thread it does not wait.
//
// Errors: HOMING_ERROR_STOPPED when the client has stopped and every event was fetched.
homing_status homing_client_next_event(homing_client *client,
                                       uint32_t timeout_ms,
                                       homing_event **out);

// What a loop of the program's own can wait on: a file descriptor, on Windows the HANDLE of an event object, that is
// ready to be read while events wait to be fetched, and at no other time. Level-triggered.
//
// *out belongs to the client and is closed with it; it is only to be waited on. It is made at the first call.
//
// Errors: HOMING_ERROR_SYSTEM when there is no descriptor left.
homing_status homing_client_waitable(const homing_client *client,
                                     int64_t *out);

// How many events had to make room for newer ones because nobody fetched them. 0 for NULL, and in a child.
uint64_t homing_client_lost_events(const homing_client *client);

// How many bodies of answers had to make room, for newer ones that nobody fetched or for larger ones of one search; their
// events have none. 0 for NULL, and in a child.
uint64_t homing_client_lost_bodies(const homing_client *client);

// What is said with every heartbeat from now on: len bytes of the product's own, at most 16 MiB; the newest counts.
homing_status homing_client_set_status(homing_client *client,
                                       const uint8_t *data,
                                       size_t len);

// Sets one header field the agent shows servers to be let in, and keeps the others. It is sent over verified TLS only.
// Servers that refused the old ones are asked again.
//
// Errors: HOMING_ERROR_CREDENTIAL; nothing has changed then. The error never repeats the secret.
homing_status homing_client_set_header(homing_client *client,
                                       const char *name,
                                       const uint8_t *secret,
                                       size_t secret_len,
                                       homing_error **error);

// Removes one header field; that there is none is fine.
homing_status homing_client_remove_header(homing_client *client, const char *name);

// Shows servers these header fields from now on, instead of everything shown before.
//
// Errors: HOMING_ERROR_CREDENTIAL; nothing has changed then.
homing_status homing_client_set_headers(homing_client *client,
                                        const homing_header *headers,
                                        size_t count,
                                        homing_error **error);

// Says that the network changed. Connections are looked at, and waiting times end early.
homing_status homing_client_network_changed(homing_client *client);

// Says that the machine was suspended and runs again. The client notices by itself where its clock runs through
// suspend; saying it twice does no harm.
homing_status homing_client_resumed(homing_client *client);

// Makes a heartbeat now; when no server is attached, looks for one now. *number, which may be NULL, is the number of this
// request, from 1.
//
// The request is done when a HOMING_EVENT_HEARTBEAT comes whose homing_event_covers is this number or more: the server has
// answered a heartbeat whose status was taken after the request. Until then attempts may fail and servers change; the
// request stands. It is never done when communication is switched off, or when the client stops before.
//
// Requests are merged. One that comes before the server may be spoken to again (its Retry-After, or a second after the
// last connection to it was begun) waits until then, together with all others, and those that come while a heartbeat is under
// way share the next one: twenty requests in four seconds make about five heartbeats where each needs a connection of
// its own. A request made inside on_heartbeat waits for the next heartbeat that is due.
homing_status homing_client_beat_now(homing_client *client,
                                     uint64_t *number);

// The product has taken the policy of this entity tag over for good; NUL-terminated UTF-8, at most 256 bytes. Until then a
// policy that a HOMING_EVENT_POLICY brought is brought again by the next life of the agent; from then on it is not, and a
// server that still has it is not asked for it. An empty or longer tag does nothing. Remembered where there is a store.
homing_status homing_client_confirm_policy(homing_client *client,
                                           const char *tag);

// Decides about settings of this entity tag, NUL-terminated UTF-8, that wait since on_settings said
// HOMING_CONSENT_LATER. Does nothing when others wait, or none.
//
// Errors: HOMING_ERROR_RANGE for another consent than HOMING_CONSENT_....
homing_status homing_client_decide_settings(homing_client *client,
                                            const char *tag,
                                            int32_t consent);

// Finds out now where the machine is: asks the reference servers, whatever is known already.
homing_status homing_client_probe_now(homing_client *client);

// Puts other settings in force, as a whole; they may be freed afterwards. The server in use is kept if they still
// name it. The files they name are read before this returns; the change itself follows on the client's thread.
//
// Errors: HOMING_ERROR_FILE, HOMING_ERROR_CERTIFICATE. The old settings stay then.
homing_status homing_client_reconfigure(homing_client *client,
                                        const homing_settings *settings,
                                        homing_error **error);

// Puts a location's settings in force; NULL means the group's. So does a name that the settings do not have, and the event
// HOMING_EVENT_SETTINGS_WARNING says so.
homing_status homing_client_set_location(homing_client *client,
                                         const char *location);

// Uses these ways to the servers from now on, count of them, 1 to 8, in the order in which they are tried, each as in the options:
// direct, or a proxy as http://[USER:PASSWORD@]HOST:PORT. The same ways change nothing; else connections made by others end, no server
// is charged for that, and the server in use is asked again by these at once.
//
// Errors: HOMING_ERROR_ROUTE, HOMING_ERROR_UTF8, told by *error, which may be NULL. Nothing changes then.
homing_status homing_client_set_routes(homing_client *client,
                                       const char *const *routes,
                                       size_t count,
                                       homing_error **error);

// How things stand. On success the caller owns *out.
homing_status homing_client_snapshot(const homing_client *client, homing_snapshot **out);

// Asks for the end and returns at once. An exchange under way may take until the end of the grace; the last event is
// HOMING_EVENT_STOPPED. The first grace counts: a second call changes nothing.
homing_status homing_client_stop(homing_client *client,
                                 uint32_t grace_ms);

// Waits until the client's thread has ended and drop_user_data was called. It asks for nothing: without
// homing_client_stop it only looks. For those who cannot wait as long as homing_client_free may.
//
// Errors: HOMING_ERROR_TIMEOUT when timeout_ms were not enough, and at once on the client's own thread.
homing_status homing_client_join(const homing_client *client,
                                 uint32_t timeout_ms);

// Frees a client; NULL is fine. One that was not told to stop is stopped without grace.
//
// Waits until the client's thread has ended and drop_user_data was called, however long a callback takes: nothing
// of the application is called when it returns. It never waits for a name look-up, whose thread may live on.
//
// Inside a callback of the client itself it returns at once. The thread ends after the callback has returned; until
// drop_user_data, further callbacks may come, and the client they are given may be used, but not freed again.
//
// In a child of the process that started the client it does nothing.
void homing_client_free(homing_client *client);

// ------------------------------------------------------------------------------------------------
// What a product says itself to the management server, and the answer.

// A server may have taken the call although no answer came, and must not take it again.
#define HOMING_REPEAT_NEVER 0

// The call does the same when it is made twice: after a failure it is made once more, to another server.
#define HOMING_REPEAT_ONCE_ELSEWHERE 1

// A request of the product's own to the management server in use. Zero everything, set struct_size, method and path, and
// what applies. All of it is copied.
typedef struct {
    // sizeof(homing_call).
    uint64_t struct_size;
    // GET, POST, PUT or DELETE, NUL-terminated.
    const char *method;
    // The path below /homing/v1/call/, with a query if there is one, NUL-terminated: at most 2,048 visible ASCII characters, relative,
    // without empty parts, ., .., %2e, %2f, %5c, a backslash or #.
    const char *path;
    // Header fields, at most 64 and 8 KiB in all; NULL for none. Those that HTTP/1.1 or homing need themselves are refused.
    const homing_header *headers;
    // How many.
    size_t header_count;
    // The body: at most 16 MiB; NULL for none.
    const uint8_t *body;
    // Bytes of the body.
    size_t body_len;
    // How long the call may take in milliseconds, the wait for a server included; 0: 30,000. At most a day.
    uint32_t within_ms;
    // HOMING_REPEAT_....
    int32_t repeat;
} homing_call;

// Says something of the product's own to the management server in use, and waits for the answer; when there is no server, for one,
// as long as the call may take. On success the caller owns *out: any answer is one, whatever its status, and the server is
// not judged by it. The credentials go along as with a heartbeat. Redirects are not followed. At most 4 calls are under way at
// once; 64 wait.
//
// Errors: HOMING_ERROR_CALL when it cannot be made as it is, or a callback would wait; HOMING_ERROR_CREDENTIAL for a header field; HOMING_ERROR_TOO_MANY;
// HOMING_ERROR_NO_ANSWER, when a server may have taken it all the same; HOMING_ERROR_STOPPED.
homing_status homing_client_call(homing_client *client,
                                 const homing_call *call,
                                 homing_answer **out,
                                 homing_error **error);

// The same without waiting, for callbacks too. *number, which may be NULL, names the call in the event that ends it,
// HOMING_EVENT_CALLED or HOMING_EVENT_CALL_FAILED: homing_event_call.
//
// Errors: HOMING_ERROR_CALL, HOMING_ERROR_CREDENTIAL, HOMING_ERROR_TOO_MANY, HOMING_ERROR_STOPPED. No event comes then.
homing_status homing_client_begin_call(homing_client *client,
                                       const homing_call *call,
                                       uint64_t *number,
                                       homing_error **error);

// Which server answered.
homing_text homing_answer_server(const homing_answer *answer);

// The HTTP status of an answer; 0 for NULL.
uint32_t homing_answer_http_status(const homing_answer *answer);

// The body of an answer. The view lives until the answer is freed.
homing_bytes homing_answer_body(const homing_answer *answer);

// Frees an answer. NULL is fine.
void homing_answer_free(homing_answer *answer);

// The number of the call that has ended; 0 for other events.
uint64_t homing_event_call(const homing_event *event);

// Make a call of the product, named by the driver and never twice by the same number, to the server in use; when there is none,
// to the next one. within_ms is how long it may take, the wait included; repeat is HOMING_REPEAT_.... It ends by HOMING_EVENT_CALLED
// or HOMING_EVENT_CALL_FAILED; it has failed at once when 64 wait already, communication is off, or the engine stops.
homing_status homing_engine_call(homing_engine *engine,
                                 uint64_t now_ns,
                                 uint64_t call,
                                 uint64_t within_ms,
                                 int32_t repeat);

// ------------------------------------------------------------------------------------------------
// The reports of a client, and what its events say of them.

// Takes a report for the management server: len bytes at body, at most 256 KiB. It waits in the outbox until a server has
// acknowledged it. kind is HOMING_REPORT_..., durability HOMING_DURABILITY_...; its number in its lane goes to *number, which may be NULL.
//
// A critical report leaves at once where the settings say upload_critical_immediately, which is the default; all others
// follow the next heartbeat. HOMING_EVENT_UPLOADED tells what a server has taken.
//
// Errors: as of homing_outbox_submit. In a callback nothing can be submitted durably (HOMING_ERROR_NOT_TAKEN).
homing_status homing_client_submit(homing_client *client,
                                   int32_t kind,
                                   const uint8_t *body,
                                   size_t len,
                                   int32_t durability,
                                   uint64_t *number);

// How many reports wait in a lane, HOMING_LANE_..., and what became of the others, to *account, whose struct_size the
// caller has set.
homing_status homing_client_account(homing_client *client,
                                    int32_t lane,
                                    homing_lane_account *account);

// Forgets which applications were reported, so that each is taken once more: the management server asks for all of them again, by a
// command to the product for example (HOMING_EVENT_NOTICE).
homing_status homing_client_forget_applications(homing_client *client);

// The lane of reports that an event is about: HOMING_LANE_....
int32_t homing_event_lane(const homing_event *event);

// How full a lane is: HOMING_FULLNESS_....
int32_t homing_event_fullness(const homing_event *event);

// How many reports a server has taken, or are lost.
uint64_t homing_event_reports(const homing_event *event);

// How many reports still wait in the lane of which a server has taken some.
uint64_t homing_event_waiting(const homing_event *event);

// ------------------------------------------------------------------------------------------------
// What came of an exchange, and what was said on a stream.

// The request was done. For a heartbeat: a complete 2xx answer with Homing-Settings or Homing-Policy, or what
// counts for that in the product's own protocol.
#define HOMING_VERDICT_SUCCESS 1

// The server works but does not do this request. It costs the server nothing.
#define HOMING_VERDICT_DECLINED 2

// It did not work; failure says how.
#define HOMING_VERDICT_FAILED 3

// A comment that keeps the connection alive.
#define HOMING_NEWS_KEEP_ALIVE 1

// The settings have a new entity tag.
#define HOMING_NEWS_SETTINGS 2

// The policy has a new entity tag.
#define HOMING_NEWS_POLICY 3

// New content of this name waits.
#define HOMING_NEWS_CONTENT 4

// The server has a command of this name for the product.
#define HOMING_NEWS_COMMAND 5

// The server asks to be left within a time.
#define HOMING_NEWS_DRAIN 6

// The first word: it is the server that speaks. What comes before is not heard.
#define HOMING_NEWS_HELLO 7

// How an exchange ended. Zero everything, set struct_size and verdict, and what applies.
typedef struct {
    // sizeof(homing_outcome).
    uint64_t struct_size;
    // HOMING_VERDICT_....
    int32_t verdict;
    // HTTP status, or whatever number the product's protocol has, at most 65535; for the event only.
    uint32_t status;
    // The current entity tag of the settings, NUL-terminated UTF-8 of at most 1,024 bytes; NULL when none was named.
    const char *settings_tag;
    // The current entity tag of the policy; as above.
    const char *policy_tag;
    // For HOMING_VERDICT_FAILED: what went wrong.
    const homing_failure *failure;
    // The server asks to be left within this many milliseconds; NULL when it does not.
    const uint64_t *drain_ms;
    // 1 when something waits at the server's events (Homing-Events: 1), else 0.
    uint64_t events;
    // Of an upload: how many reports the server has acknowledged.
    uint64_t acknowledged;
    // Of an upload: how many reports of the batch it has not. The next batch is smaller then, and follows after a second.
    uint64_t unacknowledged;
    // Of a registration: the group that the server has put the agent into, a name as in homing_identity; NULL when it named none.
    const char *group;
    // Of a registration: the mode that the server has given the agent, HOMING_ACCOUNT_...; 0 when it named none.
    int32_t account_mode;
    // Of a heartbeat: 1 when the agent is to register again (Homing-Register: 1), else 0.
    uint32_t registers;
    // Of a heartbeat: 1 when the server sees the agent's id on more than one machine (Homing-Duplicate: 1), else 0.
    uint64_t duplicate;
} homing_outcome;

// ------------------------------------------------------------------------------------------------
// What an engine wants done to the world.

// There is nothing to do.
#define HOMING_ACTION_NONE 0

// Look the name host up, both families. Answered by homing_engine_resolved or homing_engine_resolve_failed
// with query, once, at any time.
#define HOMING_ACTION_RESOLVE 1

// Open the connection link to server by route, and secure it when is_tls: race addresses, best first, each
// stagger_ns after the one before, or at once when that failed. For a proxy there may be none: it looks host up.
// Answered by homing_engine_connected, then for TLS homing_engine_secured; or by homing_engine_lost at any time.
#define HOMING_ACTION_DIAL 2

// Say what request asks for on link, which is ready, and hear the answer of exchange. Answered by
// homing_engine_first_byte, then homing_engine_done; or by homing_engine_lost of the link. The engine gives it
// up by itself at deadline_ns; a driver need not watch it.
#define HOMING_ACTION_EXCHANGE 3

// The answer of exchange counts: give its body to the product. The others of a search are abandoned. Its link may be
// lost already: a driver keeps answers apart from links, until they are adopted or abandoned.
#define HOMING_ACTION_ADOPT 4

// Drop exchange, or the answer kept for it; ending says why. Its link gets a close of its own.
#define HOMING_ACTION_ABANDON 5

// Close link, cleanly where possible; ending says why. It is not named again.
#define HOMING_ACTION_CLOSE 6

// Store what homing_engine_memory gives. Answered by homing_engine_remembered or homing_engine_cannot_remember
// with version; a later version replaces it.
#define HOMING_ACTION_REMEMBER 7

// Ask whether anybody is at the one address of addresses, and close at once: connect, and when proof is more than
// HOMING_PROOF_TCP make a TLS handshake with host under the policy. Never by a proxy, and not one byte of anything
// else. Answered by homing_engine_probed or homing_engine_probe_failed with probe, once. The engine gives it up
// by itself at deadline_ns.
#define HOMING_ACTION_PROBE 8

// Drop probe.
#define HOMING_ACTION_CANCEL_PROBE 9

// Drop what was prepared for the settings number settings, certificate policies above all: the engine will not name
// them again, and no handshake that began under one is under way. Follows once for all settings that are replaced.
#define HOMING_ACTION_RELEASE 10

// Open the lane of learned applications when is_enabled, else close it: what the settings in force say. It is closed until
// this says otherwise. A driver without an outbox has nothing to do.
#define HOMING_ACTION_LEARN_APPLICATIONS 11

// One of several attempts of a search: POST /homing/v1/heartbeat with Homing-Purpose: attach. All attempts of one
// search carry the same body and the same Idempotency-Key.
#define HOMING_REQUEST_ATTACH 1

// The regular heartbeat: POST /homing/v1/heartbeat with Homing-Purpose: beat.
#define HOMING_REQUEST_BEAT 2

// Is that server well? The same with Homing-Purpose: probe and an empty body.
#define HOMING_REQUEST_PROBE 3

// GET /homing/v1/events: an answer that stays open, in which the server says something at least every wait_ms, told by
// homing_engine_notice. A driver that cannot do so says HOMING_VERDICT_DECLINED.
#define HOMING_REQUEST_LISTEN 4

// The policy is to be read: GET policy. known is sent as If-None-Match, and a 304 is then a success. The entity tag of
// the answer is told as its policy. A driver that reads none declines.
#define HOMING_REQUEST_POLICY 5

// The same as HOMING_REQUEST_LISTEN, but the answer ends with the first event after hello, or after wait_ms; 0: at once.
#define HOMING_REQUEST_POLL 6

// The settings are to be read: GET settings, as the policy is. The entity tag of the answer is told as that of the settings.
#define HOMING_REQUEST_SETTINGS 7

// Reports are to be uploaded: POST /homing/v1/upload/{lane} with the oldest that wait in lane, in a body of at most
// at_most bytes unless one report alone has more. A driver removes those that the server acknowledged, says by
// homing_engine_waiting how much is left, and then reports the end, with how many were acknowledged. One that uploads
// nothing declines with the status 0; a server that calls it too large (413) is told as declined with that status.
#define HOMING_REQUEST_UPLOAD 8

// What the product says itself: the request that it named call, below /homing/v1/call/. Every answer is a success,
// whatever its status. A driver that no longer knows the call declines.
#define HOMING_REQUEST_CALL 9

// The agent is to be registered: POST /homing/v1/register with the user, the preferred and the last group and mode, as far as there
// are any. The answer's group and mode are told with its end. A driver that registers nothing declines with the status 0, as
// does one whose connection is not verified.
#define HOMING_REQUEST_REGISTER 10

// A connection of our own to the server's address; proxies are 0 to 255.
#define HOMING_ROUTE_DIRECT (-1)

// Another server won the race. Losing is not failing.
#define HOMING_ENDING_LOST_RACE 1

// Its place was needed for another server.
#define HOMING_ENDING_EVICTED 2

// It failed or took too long.
#define HOMING_ENDING_FAILED 3

// The next exchange is too far off to keep a connection open.
#define HOMING_ENDING_IDLE 4

// The agent moved to another server.
#define HOMING_ENDING_MOVED 5

// A probe has its answer.
#define HOMING_ENDING_PROBED 6

// The machine was suspended, or the network changed.
#define HOMING_ENDING_STALE 7

// The settings no longer name this server, or name it otherwise.
#define HOMING_ENDING_RECONFIGURED 8

// The engine stops, or communication was switched off.
#define HOMING_ENDING_STOPPED 9

// The product has already what was asked for.
#define HOMING_ENDING_UNCHANGED 10

// Another connection to the same server takes its place: its name leads elsewhere, or its certificate has ended.
#define HOMING_ENDING_REPLACED 11

// A probe asks the management server the agent is attached to.
#define HOMING_REFERENCE_MANAGEMENT 4294967295

// What an engine wants done. What a kind of action does not have is 0 or NULL.
//
// All views live until the next call of a function that takes the engine without const.
typedef struct {
    // sizeof(homing_action), set by the caller.
    uint64_t struct_size;
    // HOMING_ACTION_.... Later versions may ask for more: ignore those you do not know.
    int32_t kind;
    // HOMING_ENDING_...: why something is given up, for the log.
    int32_t ending;
    // Names a look-up.
    uint64_t query;
    // Names a connection.
    uint64_t link;
    // Names a request and its answer.
    uint64_t exchange;
    // Names a version of the memory.
    uint64_t version;
    // The name to look up (one with a final dot is absolute: no search list may be applied to it), or the host to dial or to ask: a name or an address, which TLS expects the server to be. Where
    // nobody may answer: the address of the reference server for which that speaks, by whose interface it is asked; none
    // when any will do.
    homing_text host;
    // The id of the server to dial.
    homing_text server;
    // The addresses to race, best first, at most HOMING_ADDRESSES_MAX; NULL where there are none.
    const homing_address *addresses;
    // How many: at most 16.
    size_t address_count;
    // The port to dial.
    uint32_t port;
    // 1 when the link is to be secured with TLS, else 0.
    uint32_t is_tls;
    // HOMING_ROUTE_DIRECT, or which proxy of the driver's list.
    int32_t route;
    // HOMING_REQUEST_.... Decline those you do not know: later versions may ask for more.
    int32_t request;
    // Which search an attempt belongs to.
    uint64_t search;
    // How long an address has before the next one is started beside it, in nanoseconds.
    uint64_t stagger_ns;
    // When the engine gives the exchange up, on the driver's clock.
    uint64_t deadline_ns;
    // Which settings: those in which the certificate policy of a dial or a probe stands, or those to drop. 0 for the ones
    // the engine was made with, n for those of the n-th homing_engine_reconfigure.
    uint32_t settings;
    // Which certificate policy of those settings.
    uint32_t certificate_policy;
    // Names a question.
    uint64_t probe;
    // What a probe has to prove: HOMING_PROOF_....
    int32_t proof;
    // Which reference server a probe asks, from 1; 0 when nobody may answer; HOMING_REFERENCE_MANAGEMENT: the management
    // server the agent is attached to, which is asked like a reference server.
    uint32_t reference;
    // The entity tag of the policy that the product has; none when it has none.
    homing_text known;
    // For how long a server that is listened to may say nothing, or a poll waits, in milliseconds.
    uint64_t wait_ms;
    // Of a heartbeat: the next one follows within this, in nanoseconds, when this one succeeds and its answer counts. Sent as
    // Homing-Next, in whole seconds, rounded up. 0 for everything else.
    uint64_t next_ns;
    // Which lane is uploaded: HOMING_LANE_....
    int32_t lane;
    // 1 when applications are to be learned, else 0.
    uint32_t is_enabled;
    // How many bytes an upload may have.
    uint64_t at_most;
    // Names a call of the product, as homing_engine_call did.
    uint64_t call;
    // Of a registration: who is logged on. Sent as Homing-User.
    homing_text user;
    // Of a registration: the group in which the machine is meant to be. Sent as Homing-Preferred-Group.
    homing_text preferred_group;
    // Of a registration: the group that a server named last, where the settings offer it. Sent as Homing-Last-Group.
    homing_text last_group;
    // Of a registration: the mode in which the machine is meant to be, HOMING_ACCOUNT_...; 0 for none. Sent as
    // Homing-Preferred-Mode.
    int32_t preferred_mode;
    // Of a registration: the mode that a server named last, where the settings offer it. Sent as Homing-Last-Mode.
    int32_t last_mode;
} homing_action;

// ------------------------------------------------------------------------------------------------
// An engine in a product's own event loop: the driven mount.

// Actions or events wait to be drained.
#define HOMING_WAKE_DRAIN 1

// A limit, a start, a probe or the end of a wait.
#define HOMING_WAKE_ATTACHMENT 2

// A heartbeat or a stream is due.
#define HOMING_WAKE_SCHEDULE 3

// The reference servers are asked, or have had their time.
#define HOMING_WAKE_LOCATION 4

// The budget of settings on trial is looked at.
#define HOMING_WAKE_TRIAL 5

// What an engine is made of. Zero everything, set struct_size and agent_id, and what is to differ from the default.
typedef struct {
    // sizeof(homing_engine_options).
    uint64_t struct_size;
    // Who this agent is: 1 to 128 visible ASCII characters, NUL-terminated. Required; the same after every restart.
    const char *agent_id;
    // The constants of the rules as JSON, NUL-terminated; NULL for the defaults.
    const char *tuning_json;
    // What the engine before this one asked to be remembered, memory_len bytes; NULL for a new agent.
    const uint8_t *memory;
    // Bytes of it; at most 256 KiB.
    size_t memory_len;
    // How many milliseconds ago that was stored; NULL when the wall clock is not believable.
    const uint64_t *away_ms;
    // Fixes every random choice, for tests; NULL: the system chooses.
    const uint64_t *seed;
    // The ways to the servers in the order in which they are tried, HOMING_ROUTE_DIRECT or the number of a proxy of
    // the driver's, 0 to 255; NULL for direct alone.
    const int32_t *routes;
    // How many ways: at most 8.
    size_t route_count;
    // Names the settings in the memory, NUL-terminated; NULL: nothing is remembered of settings. It says which document they
    // are and no other: the SHA-256 of its bytes in hexadecimal, say. 1 to 128 visible ASCII characters.
    const char *settings_digest;
    // The entity tag that a server gave them, NUL-terminated; NULL where none did.
    const char *settings_tag;
    // The same as settings_digest for what the program has, which may be other settings; NULL: the same.
    const char *given_digest;
    // HOMING_TAKES_...: from which servers settings are read.
    int32_t takes_settings;
    // 0.
    uint32_t reserved;
    // What is said of the machine when the agent registers; NULL: it does not register.
    const homing_identity *identity;
} homing_engine_options;

// Makes an engine. Nothing happens before the first homing_engine_timeout.
//
// settings may be freed afterwards. On success the caller owns *out.
//
// Errors: HOMING_ERROR_AGENT_ID, HOMING_ERROR_TUNING, HOMING_ERROR_ROUTE, and HOMING_ERROR_MEMORY, after which a
// driver tries again without the memory: that costs progress, nothing else.
homing_status homing_engine_new(const homing_settings *settings,
                                const homing_engine_options *options,
                                uint64_t now_ns,
                                homing_engine **out,
                                homing_error **error);

// Use these ways to the servers from now on, count of them, at most 8, in the order in which they are tried: HOMING_ROUTE_DIRECT or the
// number of a proxy of the driver's; none is direct alone. Connections made by others end, no server is charged for that, and the server
// in use is asked again by these. A number must not name another proxy for 20 s after it left the list.
//
// Errors: HOMING_ERROR_ROUTE.
homing_status homing_engine_set_routes(homing_engine *engine,
                                       uint64_t now_ns,
                                       const int32_t *routes,
                                       size_t count);

// The next thing to do to the world, written to *action, whose struct_size the caller has set:
// HOMING_ACTION_NONE when there is none.
homing_status homing_engine_next_action(homing_engine *engine, homing_action *action);

// The next thing to tell the application: *out is an event the caller owns, or NULL when there is none.
homing_status homing_engine_next_event(homing_engine *engine,
                                       homing_event **out);

// When to call homing_engine_timeout, on the driver's clock: *at_ns, which is UINT64_MAX when nothing is ever due.
// While something waits to be drained it is the time of the last input. *wake, unless NULL, is HOMING_WAKE_...: why;
// 0 when nothing is due.
homing_status homing_engine_deadline(const homing_engine *engine,
                                     uint64_t *at_ns,
                                     int32_t *wake);

// What must outlive the process, as of the last HOMING_ACTION_REMEMBER: JSON of at most 256 KiB, to be stored as it is. On success the
// caller owns *out.
homing_status homing_engine_memory(const homing_engine *engine,
                                   homing_string **out);

// How things stand at this moment. On success the caller owns *out.
homing_status homing_engine_snapshot(const homing_engine *engine,
                                     uint64_t now_ns,
                                     homing_snapshot **out);

// Frees an engine. NULL is fine. Nothing is said to anybody: what is open stays the driver's.
void homing_engine_free(homing_engine *engine);

// ------------------------------------------------------------------------------------------------
// What a driver tells its engine.

// The network changed: there is, or may be, a usable one.
#define HOMING_NETWORK_CHANGED 1

// There is no address beyond link-local, or no route.
#define HOMING_NETWORK_GONE 2

// The network changed or came back, and it is the one that was there before. Who cannot tell says
// HOMING_NETWORK_CHANGED.
#define HOMING_NETWORK_RETURNED 3

// Something changed, and the ways to the reference servers did not: the default route, say, or the way to a management
// server.
#define HOMING_NETWORK_ELSEWHERE 4

// No certificate that vouches for a connection ends, or a driver cannot tell when one does.
#define HOMING_VALID_FOR_EVER UINT64_MAX

// The time that homing_engine_deadline named has come. Early or late is fine.
homing_status homing_engine_timeout(homing_engine *engine, uint64_t now_ns);

// The look-up query has to wait for others: the time limit of names does not count for it, that of the whole attempt does.
// A driver that begins every look-up at once never says this.
homing_status homing_engine_look_up_waits(homing_engine *engine,
                                          uint64_t now_ns,
                                          uint64_t query);

// The look-up query, which had to wait, begins: its time limit counts from now.
homing_status homing_engine_look_up_begins(homing_engine *engine, uint64_t now_ns, uint64_t query);

// The look-up query ended with these addresses, in the order the system gave them; their ports are ignored, and what
// is beyond the first 64 is not read. None means that the name does not exist.
homing_status homing_engine_resolved(homing_engine *engine,
                                     uint64_t now_ns,
                                     uint64_t query,
                                     const homing_address *addresses,
                                     size_t count);

// The look-up query failed.
homing_status homing_engine_resolve_failed(homing_engine *engine,
                                           uint64_t now_ns,
                                           uint64_t query,
                                           const homing_failure *failure);

// The connection link stands, with this address, over this: HOMING_MEDIUM_.... Of a connection through a proxy it is what
// leads to the proxy.
homing_status homing_engine_connected(homing_engine *engine,
                                      uint64_t now_ns,
                                      uint64_t link,
                                      const homing_address *peer,
                                      int32_t medium);

// The question probe was answered at peer, with this proof: HOMING_PROOF_..., over this: HOMING_MEDIUM_....
homing_status homing_engine_probed(homing_engine *engine,
                                   uint64_t now_ns,
                                   uint64_t probe,
                                   int32_t proof,
                                   const homing_address *peer,
                                   int32_t medium);

// The question probe was not answered as it has to be.
homing_status homing_engine_probe_failed(homing_engine *engine,
                                         uint64_t now_ns,
                                         uint64_t probe,
                                         const homing_failure *failure);

// Asks the reference servers now, whatever is known already.
homing_status homing_engine_probe_now(homing_engine *engine, uint64_t now_ns);

// TLS stands on the connection link, and the peer has proved what proof says: HOMING_PROOF_.... valid_for_ms: for how
// much longer every certificate that vouches for it is valid (homing_judgement_valid_for_ms); after that the connection is
// not used any more. HOMING_VALID_FOR_EVER when none ends, or the driver cannot tell.
homing_status homing_engine_secured(homing_engine *engine,
                                    uint64_t now_ns,
                                    uint64_t link,
                                    int32_t proof,
                                    uint64_t valid_for_ms);

// The connection link is gone, with whatever was under way on it.
homing_status homing_engine_lost(homing_engine *engine,
                                 uint64_t now_ns,
                                 uint64_t link,
                                 const homing_failure *failure);

// The first byte of the answer of exchange arrived.
homing_status homing_engine_first_byte(homing_engine *engine, uint64_t now_ns, uint64_t exchange);

// The exchange ended and its link stands. When the link does not, homing_engine_lost follows.
homing_status homing_engine_done(homing_engine *engine,
                                 uint64_t now_ns,
                                 uint64_t exchange,
                                 const homing_outcome *outcome);

// Something was said in the answer of exchange, which listens: HOMING_NEWS_.... Nothing is heard before HOMING_NEWS_HELLO.
// about is NUL-terminated UTF-8, at most 1,024 bytes: the entity tag, or the name of the content or the command; for other news
// NULL. within_ms: for HOMING_NEWS_DRAIN the time in which the server asks to be left, for HOMING_NEWS_SETTINGS and
// HOMING_NEWS_POLICY the time over which agents are to spread their reads; else 0.
homing_status homing_engine_notice(homing_engine *engine,
                                   uint64_t now_ns,
                                   uint64_t exchange,
                                   int32_t kind,
                                   const char *about,
                                   uint64_t within_ms);

// So much waits in a lane of the driver's outbox, HOMING_LANE_..., now. To be said when a lane that was empty has something,
// whenever a critical report comes, and before the end of each upload.
homing_status homing_engine_waiting(homing_engine *engine,
                                    uint64_t now_ns,
                                    int32_t lane,
                                    uint64_t reports,
                                    uint64_t bytes);

// The network changed: HOMING_NETWORK_....
homing_status homing_engine_network_changed(homing_engine *engine, uint64_t now_ns, int32_t change);

// The machine is on this network now, or has been all the time: the same number whenever it is on that network again, made by
// the driver of what distinguishes networks, such as the gateway and its link address. What worked there is tried first. NULL:
// the driver cannot tell. To be said with each homing_engine_network_changed, before or after it.
homing_status homing_engine_on_network(homing_engine *engine,
                                       uint64_t now_ns,
                                       const uint64_t *network);

// The machine was suspended and runs again.
homing_status homing_engine_resumed(homing_engine *engine, uint64_t now_ns);

// The wall clock was set.
homing_status homing_engine_clock_stepped(homing_engine *engine, uint64_t now_ns);

// This version of the memory is stored.
homing_status homing_engine_remembered(homing_engine *engine, uint64_t now_ns, uint64_t version);

// This version of the memory could not be stored.
homing_status homing_engine_cannot_remember(homing_engine *engine,
                                            uint64_t now_ns,
                                            uint64_t version);

// Make a heartbeat now; when nothing is attached, try now. A heartbeat or a search that is under way is the answer already:
// a driver that has something newer to say asks again when that has ended.
homing_status homing_engine_beat_now(homing_engine *engine,
                                     uint64_t now_ns);

// The product has taken the policy of this entity tag over for good: NUL-terminated UTF-8, at most 256 bytes. An empty or
// longer tag changes nothing and is counted as a stale input.
homing_status homing_engine_confirm_policy(homing_engine *engine,
                                           uint64_t now_ns,
                                           const char *tag);

// The driver has other credentials from now on: a server that refused the old ones has not refused these.
homing_status homing_engine_new_credentials(homing_engine *engine,
                                            uint64_t now_ns);

// Use these settings from now on; they may be freed afterwards. The engine keeps its server when they still name it.
//
// Each call that returns HOMING_OK counts: the n-th gives the settings the number n, which actions name until
// HOMING_ACTION_RELEASE does.
homing_status homing_engine_reconfigure(homing_engine *engine,
                                        uint64_t now_ns,
                                        const homing_settings *settings);

// Use these settings on trial; they may be freed afterwards. Those before them come back when no server is found through these
// though they still lead to one. Where no exchange has worked yet through the settings in force, these replace them at once.
//
// digest, tag and serial name them in the memory, as in homing_engine_options; all may be NULL. given is 1 when the
// program gives them, which it will do again after a restart, and 0 when they came from a server.
//
// The call counts as one of homing_engine_reconfigure: the number of these settings is the next.
//
// Errors: HOMING_ERROR_RANGE for a digest that is none, and for another given.
homing_status homing_engine_try(homing_engine *engine,
                                uint64_t now_ns,
                                const homing_settings *settings,
                                const char *digest,
                                const char *tag,
                                const uint64_t *serial,
                                int32_t given);

// The files that the settings number old name were read again: the same settings have the next number from now on, as if
// they had been given by homing_engine_reconfigure, and keep their part in a trial.
homing_status homing_engine_renew(homing_engine *engine,
                                  uint64_t now_ns,
                                  uint32_t old,
                                  const homing_settings *settings);

// Use the settings of this location, NUL-terminated UTF-8; NULL, and a name that is no location, mean the group's.
homing_status homing_engine_set_location(homing_engine *engine,
                                         uint64_t now_ns,
                                         const char *location);

// Finish what is under way within the grace, then stop for good; HOMING_EVENT_STOPPED is the last event.
homing_status homing_engine_stop(homing_engine *engine,
                                 uint64_t now_ns,
                                 uint64_t grace_ms);

// ------------------------------------------------------------------------------------------------
// What the agent is registered as, and who uses the machine from now on.

// Of HOMING_EVENT_REGISTERED: the mode that the server has given the agent, HOMING_ACCOUNT_...; 0 when it named none, and for
// other events.
int32_t homing_event_account_mode(const homing_event *event);

// The group that a server named last, in this life of the agent or an earlier one; none when none did. The view lives until the
// snapshot is freed.
homing_text homing_snapshot_group(const homing_snapshot *snapshot);

// The mode that a server named last: HOMING_ACCOUNT_...; 0 when none did.
int32_t homing_snapshot_account_mode(const homing_snapshot *snapshot);

// 1 when the server in use sees the agent's id on more than one machine, else 0.
uint32_t homing_snapshot_is_duplicate(const homing_snapshot *snapshot);

// Another user uses the machine, NUL-terminated; NULL: none does. The agent registers again and says so, 10 s after the last
// registration began at the earliest; of several changes until then the last is told. A client without an identity has one
// from now on.
//
// Errors: HOMING_ERROR_RANGE for a text that cannot be a name.
homing_status homing_client_user_changed(homing_client *client,
                                         const char *user);

// The same for an engine.
//
// Errors: HOMING_ERROR_RANGE for a text that cannot be a name.
homing_status homing_engine_user_changed(homing_engine *engine, uint64_t now_ns, const char *user);

// ------------------------------------------------------------------------------------------------
// What a policy says of a chain of certificates.

// The server presented no certificate.
#define HOMING_REJECT_NO_CERTIFICATE 1

// It is no certificate, or one of a kind that TLS does not use.
#define HOMING_REJECT_MALFORMED 2

// It, or one above it, has expired.
#define HOMING_REJECT_EXPIRED 3

// It, or one above it, is not valid yet.
#define HOMING_REJECT_NOT_YET_VALID 4

// No root of the policy has issued it.
#define HOMING_REJECT_UNKNOWN_ISSUER 5

// The server left out the certificate of the issuer.
#define HOMING_REJECT_MISSING_INTERMEDIATE 6

// It vouches for itself, and the policy does not name it.
#define HOMING_REJECT_SELF_SIGNED 7

// An issuer with the name of one the policy trusts, and another key.
#define HOMING_REJECT_OTHER_KEY 8

// The issuers vouch for each other and lead nowhere.
#define HOMING_REJECT_LOOP 9

// The issuer is no authority.
#define HOMING_REJECT_NOT_AN_AUTHORITY 10

// The key of the issuer may not sign certificates.
#define HOMING_REJECT_MAY_NOT_SIGN 11

// The certificate of an authority where a server's belongs.
#define HOMING_REJECT_AUTHORITY_AS_SERVER 12

// More certificates between server and root than the policy allows.
#define HOMING_REJECT_CHAIN_TOO_LONG 13

// More certificates below an authority than it allows.
#define HOMING_REJECT_PATH_LENGTH 14

// There are too many ways through what the server presented.
#define HOMING_REJECT_TOO_COMPLEX 15

// A key is too small.
#define HOMING_REJECT_WEAK_KEY 16

// A signature has a digest that can be forged.
#define HOMING_REJECT_WEAK_DIGEST 17

// A kind of signature or key that homing does not know.
#define HOMING_REJECT_UNSUPPORTED_ALGORITHM 18

// An authority vouches for other names only.
#define HOMING_REJECT_NAME_CONSTRAINTS 19

// It is for another purpose than to be a server.
#define HOMING_REJECT_WRONG_PURPOSE 20

// It demands something homing does not know.
#define HOMING_REJECT_UNKNOWN_EXTENSION 21

// It is for other names.
#define HOMING_REJECT_WRONG_NAME 22

// It was revoked.
#define HOMING_REJECT_REVOKED 23

// No revocation list says anything about it, and the policy wants one that does.
#define HOMING_REJECT_REVOCATION_UNKNOWN 24

// The revocation list is out of date.
#define HOMING_REJECT_REVOCATION_EXPIRED 25

// The signature of the revocation list is not its issuer's.
#define HOMING_REJECT_REVOCATION_FORGED 26

// The issuer may not sign revocation lists.
#define HOMING_REJECT_MAY_NOT_REVOKE 27

// None of its keys is pinned.
#define HOMING_REJECT_PIN_MISMATCH 28

// It uses a key whose pin is revoked.
#define HOMING_REJECT_PIN_REVOKED 29

// The root is outside its own validity, which the policy enforces.
#define HOMING_REJECT_ANCHOR_OUTSIDE 30

// The root, or the certificate, is not as a strict private authority makes it.
#define HOMING_REJECT_NOT_STRICT 31

// A key is of a kind or size that is not supported.
#define HOMING_REJECT_UNSUPPORTED_KEY 32

// The issuer is known under the same name in another spelling.
#define HOMING_REJECT_OTHER_SPELLING 33

// An authority constrains names of a kind that is not compared.
#define HOMING_REJECT_CONSTRAINT_NOT_COMPARED 34

// The signature of the revocation list cannot be verified.
#define HOMING_REJECT_REVOCATION_UNVERIFIABLE 35

// The policy names exactly one certificate of this name, and this is another one.
#define HOMING_REJECT_NOT_EXACT 36

// The pin that was found is in use.
#define HOMING_PIN_ACTIVE 1

// It will be in use.
#define HOMING_PIN_NEXT 2

// It was in use.
#define HOMING_PIN_RETIRING 3

// Why the chain is not believed: HOMING_REJECT_...; 0 when it is. Where chain and name are both wrong, what is wrong with the
// chain; the text tells both. Later versions give more reasons: every number that is not 0 is a rejection. For NULL
// HOMING_REJECT_NO_CERTIFICATE: nothing was presented that could be believed.
int32_t homing_judgement_reject(const homing_judgement *judgement);

// The same as the cause of a failure: HOMING_CAUSE_...; 0 when it is believed.
int32_t homing_judgement_cause(const homing_judgement *judgement);

// The class of that failure: HOMING_CLASS_...; 0 when it is believed.
int32_t homing_judgement_class(const homing_judgement *judgement);

// What is wrong, with subjects, names and times, in one line. No text when it is believed. The view lives until the judgement
// is freed.
homing_text homing_judgement_text(const homing_judgement *judgement);

// What an administrator has to reissue or to change. No text when it is believed. The view lives until the judgement is freed.
homing_text homing_judgement_advice(const homing_judgement *judgement);

// What is proved, for homing_engine_secured: HOMING_PROOF_...; 0 when it is not believed.
int32_t homing_judgement_proof(const homing_judgement *judgement);

// The state of the pin that was found: HOMING_PIN_...; 0 when none was wanted or none was there.
int32_t homing_judgement_pin(const homing_judgement *judgement);

// The newest beginning of a validity in the chain, in seconds since 1970: it is at least so late, whatever the clock says.
// The greatest of them is the floor for homing_policy_check. -1 where nobody vouches for it.
int64_t homing_judgement_not_before_s(const homing_judgement *judgement);

// The earliest end of a validity in the chain, in seconds since 1970. -1 where it does not matter.
int64_t homing_judgement_not_after_s(const homing_judgement *judgement);

// For how much longer the whole chain is valid, from the time it was judged at, in milliseconds: what homing_engine_secured
// asks for. HOMING_VALID_FOR_EVER where that does not matter, 0 when it is not believed.
uint64_t homing_judgement_valid_for_ms(const homing_judgement *judgement);

// Frees a judgement. NULL is fine.
void homing_judgement_free(homing_judgement *judgement);

// ------------------------------------------------------------------------------------------------
// Certificate policies, for programs with a TLS stack of their own.

// One certificate of a chain. This struct never grows.
typedef struct {
    // Its DER.
    const uint8_t *data;
    // How many bytes: at most 1 MiB.
    size_t len;
} homing_certificate;

// Prepares a policy of the settings and reads the files it names; relative paths are relative to the working folder of
// the process. index is the certificate_policy of a HOMING_ACTION_DIAL or, for a reference server, of a
// HOMING_ACTION_PROBE.
//
// time_s is the wall clock, in seconds since 1970; what is remarked about dates depends on it, and nothing else. On success
// *out is owned by the caller. Any thread; it waits for the disk.
//
// Errors: HOMING_ERROR_RANGE for an index beyond the last; HOMING_ERROR_FILE and HOMING_ERROR_CERTIFICATE
// with what is wrong with which file.
homing_status homing_policy_prepare(const homing_settings *settings,
                                    size_t index,
                                    int64_t time_s,
                                    homing_policy **out,
                                    homing_error **error);

// The same for a server: index is that of homing_settings_server. Where lists have different policies for it, that
// of the first list which names it.
homing_status homing_policy_prepare_for_server(const homing_settings *settings,
                                               size_t index,
                                               int64_t time_s,
                                               homing_policy **out,
                                               homing_error **error);

// Prepares a policy that stands alone: UTF-8 JSON of len bytes at json, as the value of certificate in a
// settings document. The rest as in homing_policy_prepare.
//
// Errors: HOMING_ERROR_SETTINGS with the first thing that is wrong and its place; HOMING_ERROR_FILE,
// HOMING_ERROR_CERTIFICATE.
homing_status homing_policy_parse(const uint8_t *json,
                                  size_t len,
                                  int64_t time_s,
                                  homing_policy **out,
                                  homing_error **error);

// How many things an administrator should know of the files of the policy, which is usable all the same: entries of
// bundles that are odd, dates that are near or over, how many roots the system has. 0 for NULL.
size_t homing_policy_remark_count(const homing_policy *policy);

// One of them, in words. No text for an index beyond the last. The view lives until the policy is freed.
homing_text homing_policy_remark(const homing_policy *policy,
                                 size_t index);

// Whether a server may be believed that presents count certificates at chain, its own first, when name was
// dialled: a name or an address, NUL-terminated UTF-8. The expected_name of the policy takes its place.
//
// time_s is the wall clock and floor_s the time it must be at least, both in seconds since 1970: certificates are compared with
// the later of the two, and a wall clock that is more than a day below the floor is called wrong. A program keeps the greatest
// homing_judgement_not_before_s it has seen, also over a restart, and gives that. 0 is fine: a floor before 2026
// is the beginning of 2026, and so is one after 2099.
//
// What is found out is written to *out, also when it is a rejection, and owned by the caller. That the server has the key of its certificate is not
// seen here: the TLS stack has to verify the signature of the handshake. It reads no file and no clock. Any thread.
//
// Errors: HOMING_ERROR_RANGE for a name that no server has, for more than 64 certificates, and for one of more
// than 1 MiB. No certificate at all is a rejection.
homing_status homing_policy_check(const homing_policy *policy,
                                  const homing_certificate *chain,
                                  size_t count,
                                  const char *name,
                                  int64_t time_s,
                                  int64_t floor_s,
                                  homing_judgement **out,
                                  homing_error **error);

// The same without a look at the name, which is left to the caller; only the expected_name of the policy is
// compared. **Who calls this and compares no name believes anybody with a certificate.**
homing_status homing_policy_check_chain(const homing_policy *policy,
                                        const homing_certificate *chain,
                                        size_t count,
                                        int64_t time_s,
                                        int64_t floor_s,
                                        homing_judgement **out,
                                        homing_error **error);

// Frees a policy. NULL is fine.
void homing_policy_free(homing_policy *policy);

// ------------------------------------------------------------------------------------------------
// Where a server is, and how it was reached.

// Where a server is, by which way it was reached, and what it proved then. The view lives as long as the event or the
// snapshot it was taken from.
typedef struct {
    // sizeof(homing_whereabouts), set by the caller.
    uint64_t struct_size;
    // The name or the address as the settings write it. None: there is no such server, and nothing else says anything.
    homing_text host;
    // The address that was connected to, and the port. The family is 0 behind a proxy, which looks names up itself.
    homing_address address;
    // The port in use.
    uint32_t port;
    // HOMING_ROUTE_DIRECT, or which proxy of the routes, counted from 0.
    int32_t route;
    // What it proved: HOMING_PROOF_...; without TLS, that something accepted a connection.
    int32_t proof;
} homing_whereabouts;

// Writes where the server is that the agent is attached to from this event on to *whereabouts, whose struct_size the
// caller has set. Of HOMING_EVENT_ATTACHED alone; other kinds have no host.
homing_status homing_event_whereabouts(const homing_event *event,
                                       homing_whereabouts *whereabouts);

// Writes where the server is that the agent is attached to, as its last answer came, to *whereabouts, whose struct_size
// the caller has set. There is no host while the agent is attached to none.
homing_status homing_snapshot_whereabouts(const homing_snapshot *snapshot,
                                          homing_whereabouts *whereabouts);

#ifdef __cplusplus
} // extern "C"
#endif

#endif // HOMING_H
