// homing.hpp - homing.h for C++17: handles that free themselves, std::string_view, std::function. No logic.
//
// Everything homing.h says holds here. A class that holds a handle can be moved and not copied; `get()` gives the
// handle to the C functions, which may be mixed with it freely. No function throws but std::bad_alloc, and callbacks must
// not throw. What can fail gives a homing::result<T>: look at it before it is used.

#ifndef HOMING_HPP
#define HOMING_HPP

#include "homing.h"

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace homing {

// Parts of a program that were made with different versions of this file do not mix up their types.
inline namespace v0_1 {

// A view of text or bytes that homing owns; it lives as long as homing.h says. Empty where there is none.
inline std::string_view view(homing_text text) noexcept {
    return text.data ? std::string_view(text.data, text.len) : std::string_view();
}
inline std::string_view view(homing_bytes bytes) noexcept {
    return bytes.data ? std::string_view(reinterpret_cast<const char *>(bytes.data), bytes.len) : std::string_view();
}

// Why something failed.
struct failure {
    homing_status status = HOMING_ERROR_INTERNAL;
    std::string message;
};

// A value, or why there is none.
template <typename T>
class [[nodiscard]] result {
public:
    result(T value) : value_(std::move(value)) {}
    result(failure why) : why_(std::move(why)) {}

    bool ok() const noexcept { return value_.has_value(); }
    explicit operator bool() const noexcept { return ok(); }

    // The value, only when it is ok.
    T &operator*() & noexcept { return *value_; }
    const T &operator*() const & noexcept { return *value_; }
    T &&operator*() && noexcept { return std::move(*value_); }
    T *operator->() noexcept { return &*value_; }
    const T *operator->() const noexcept { return &*value_; }

    const failure &error() const noexcept { return why_; } // only when it is not

private:
    std::optional<T> value_;
    failure why_;
};

// It worked, and there is nothing to give.
struct done {};

namespace detail {

template <typename Handle, void (*Free)(Handle *)>
struct deleter {
    void operator()(Handle *handle) const noexcept { Free(handle); }
};
// A pointer that is NULL once it was moved.
template <typename Handle>
struct link {
    Handle *to;
    link(Handle *handle) noexcept : to(handle) {}
    link(const link &) = default;
    link(link &&other) noexcept : to(std::exchange(other.to, nullptr)) {}
    link &operator=(const link &) = default;
    link &operator=(link &&other) noexcept { return to = std::exchange(other.to, nullptr), *this; }
    operator Handle *() const noexcept { return to; }
};
template <typename Handle, void (*Free)(Handle *)>
using owned = std::unique_ptr<Handle, deleter<Handle, Free>>;

inline failure why(homing_status status, homing_error *error) {
    owned<homing_error, homing_error_free> owner(error);
    return {status, std::string(error ? view(homing_error_message(error)) : view(homing_status_text(status)))};
}
inline result<done> check(homing_status status, homing_error *error = nullptr) {
    if (status != HOMING_OK)
        return why(status, error);
    return done{};
}
// What a function makes that writes a handle to its last but one parameter, and an error to the last.
template <typename T, typename Handle, typename Call>
result<T> made(Call call) {
    Handle *handle = nullptr;
    homing_error *error = nullptr;
    auto status = call(&handle, &error);
    if (status != HOMING_OK)
        return why(status, error);
    return T(handle);
}
// The same for a plain value.
template <typename T, typename Call>
result<T> value(T place, Call call) {
    auto status = call(&place);
    if (status != HOMING_OK)
        return why(status, nullptr);
    return place;
}
template <typename T>
T sized() noexcept {
    T value = {};
    value.struct_size = sizeof value;
    return value;
}
// The same for text.
template <typename Call>
result<std::string> text(Call call) {
    homing_string *string = nullptr;
    auto status = call(&string);
    if (status != HOMING_OK)
        return why(status, nullptr);
    owned<homing_string, homing_string_free> owner(string);
    return std::string(view(homing_string_text(string)));
}
inline const std::uint8_t *bytes(std::string_view text) noexcept {
    return reinterpret_cast<const std::uint8_t *>(text.data());
}
inline const char *pointer(const std::optional<std::string> &text) noexcept { return text ? text->c_str() : nullptr; }

} // namespace detail

inline std::string_view version() noexcept { return view(homing_version_text()); }
class settings {
public:
    explicit settings(homing_settings *handle) noexcept : handle_(handle) {}

    static result<settings> parse(std::string_view json, std::int32_t source = HOMING_SOURCE_PERSON) {
        return detail::made<settings, homing_settings>([&](auto out, auto error) {
            return homing_settings_parse(detail::bytes(json), json.size(), source, out, error);
        });
    }
    static result<settings> read(const std::string &path) {
        auto read = [&](auto out, auto error) { return homing_settings_read(path.c_str(), out, error); };
        return detail::made<settings, homing_settings>(read);
    }

    std::vector<std::string_view> warnings() const { return all(homing_settings_warning_count, homing_settings_warning); }
    std::vector<std::string_view> lints() const { return all(homing_settings_lint_count, homing_settings_lint); }
    // What this version does not do, though the settings ask for it.
    std::vector<std::string_view> not_enforced() const {
        return all(homing_settings_not_enforced_count, homing_settings_not_enforced);
    }
    std::vector<std::string_view> servers() const { return all(homing_settings_server_count, homing_settings_server); }
    std::vector<std::string_view> locations() const { return all(homing_settings_location_count, homing_settings_location); }
    // What is in force in a location, or for the group, as JSON.
    result<std::string> effective(const std::optional<std::string> &location = std::nullopt) const {
        return detail::text(
            [&](auto out) { return homing_settings_effective(get(), detail::pointer(location), out); });
    }

    // The same settings without communication: no management server is asked where the machine is.
    result<settings> reference_servers_only() const {
        return detail::made<settings, homing_settings>(
            [&](auto out, auto) { return homing_settings_reference_servers_only(get(), out); });
    }

    const homing_settings *get() const noexcept { return handle_.get(); }

private:
    std::vector<std::string_view> all(std::size_t (*count)(const homing_settings *),
                                      homing_text (*one)(const homing_settings *, std::size_t)) const {
        std::vector<std::string_view> texts(count(get()));
        for (std::size_t index = 0; index < texts.size(); ++index)
            texts[index] = view(one(get(), index));
        return texts;
    }

    detail::owned<homing_settings, homing_settings_free> handle_;
};

// What an event says. It does not own the event: that is for event_ptr, or for whoever called a callback.
class event_view {
public:
    explicit event_view(const homing_event *handle) noexcept : handle_(handle) {}

    std::int32_t kind() const noexcept { return homing_event_kind(handle_); }
    std::chrono::nanoseconds at() const noexcept { return std::chrono::nanoseconds(std::int64_t(homing_event_at_ns(handle_))); }
    std::string_view json() const noexcept { return view(homing_event_json(handle_)); }
    std::string_view server() const noexcept { return view(homing_event_server(handle_)); }
    std::string_view other_server() const noexcept { return view(homing_event_other_server(handle_)); }
    std::int32_t state() const noexcept { return homing_event_state(handle_); }
    std::int32_t reason() const noexcept { return homing_event_reason(handle_); }
    std::int32_t failure_class() const noexcept { return homing_event_class(handle_); }
    std::int32_t next() const noexcept { return homing_event_next(handle_); }
    /// How the server is listened to from now on: `HOMING_RUNG_…`.
    std::int32_t by() const noexcept { return homing_event_by(handle_); }
    std::string_view text() const noexcept { return view(homing_event_text(handle_)); }
    std::uint32_t priority() const noexcept { return homing_event_priority(handle_); }
    std::uint32_t http_status() const noexcept { return homing_event_http_status(handle_); }
    std::string_view body() const noexcept { return view(homing_event_body(handle_)); }
    std::uint64_t covers() const noexcept { return homing_event_covers(handle_); }
    std::uint64_t call() const noexcept { return homing_event_call(handle_); }
    // HOMING_ACCOUNT_..., of an agent that was registered.
    std::int32_t account_mode() const noexcept { return homing_event_account_mode(handle_); }
    std::int32_t situation() const noexcept { return homing_event_situation(handle_); }
    std::string_view location() const noexcept { return view(homing_event_location(handle_)); }
    bool is_attached() const noexcept { return homing_event_is_attached(handle_) != 0; }
    std::optional<std::chrono::milliseconds> duration() const noexcept {
        auto milliseconds = homing_event_duration_ms(handle_);
        return milliseconds < 0 ? std::nullopt : std::optional(std::chrono::milliseconds(milliseconds));
    }

    const homing_event *get() const noexcept { return handle_.to; }

private:
    detail::link<const homing_event> handle_;
};

// An event that was pulled, or cloned.
class event : public event_view {
public:
    explicit event(homing_event *handle) noexcept : event_view(handle), owner_(handle) {}

    static result<event> clone(event_view original) {
        auto copy = [&](auto out, auto) { return homing_event_clone(original.get(), out); };
        return detail::made<event, homing_event>(copy);
    }

    // What a function gives that writes an event, or NULL, to its last parameter.
    template <typename Call>
    static result<std::optional<event>> pulled(Call call) {
        homing_event *handle = nullptr;
        auto status = call(&handle);
        if (status != HOMING_OK)
            return detail::why(status, nullptr);
        return handle ? std::optional<event>(event(handle)) : std::optional<event>();
    }

private:
    detail::owned<homing_event, homing_event_free> owner_;
};

class snapshot {
public:
    explicit snapshot(homing_snapshot *handle) noexcept : handle_(handle) {}

    // Views in it live as long as the snapshot.
    result<homing_summary> summary() const {
        return detail::value(detail::sized<homing_summary>(), [&](auto out) { return homing_snapshot_summary(get(), out); });
    }
    result<std::vector<homing_standing>> servers() const {
        auto about = summary();
        if (!about)
            return about.error();
        std::vector<homing_standing> all(static_cast<std::size_t>(about->server_count), detail::sized<homing_standing>());
        for (std::size_t index = 0; index < all.size(); ++index)
            if (auto status = homing_snapshot_server(get(), index, &all[index]))
                return detail::why(status, nullptr);
        return all;
    }
    result<homing_location> location() const {
        return detail::value(detail::sized<homing_location>(), [&](auto out) { return homing_snapshot_location(get(), out); });
    }
    result<homing_whereabouts> whereabouts() const {
        return detail::value(detail::sized<homing_whereabouts>(), [&](auto out) { return homing_snapshot_whereabouts(get(), out); });
    }
    // What the agent is registered as; an empty group and 0 when nothing is known.
    std::string_view group() const noexcept { return view(homing_snapshot_group(get())); }
    std::int32_t account_mode() const noexcept { return homing_snapshot_account_mode(get()); }
    bool is_duplicate() const noexcept { return homing_snapshot_is_duplicate(get()) != 0; }
    std::string_view json() const noexcept { return view(homing_snapshot_json(get())); }
    std::string_view explain() const noexcept { return view(homing_snapshot_explain(get())); }

    const homing_snapshot *get() const noexcept { return handle_.get(); }

private:
    detail::owned<homing_snapshot, homing_snapshot_free> handle_;
};

class client_view;

struct header {
    std::string name;
    std::string secret;
};

namespace detail {

inline std::vector<homing_header> fields(const std::vector<header> &headers) {
    std::vector<homing_header> fields;
    for (const auto &header : headers)
        fields.push_back({header.name.c_str(), bytes(header.secret), header.secret.size()});
    return fields;
}
inline std::uint32_t milliseconds(std::chrono::milliseconds duration) noexcept {
    auto count = duration.count();
    return count < 0 ? 0 : count > UINT32_MAX ? UINT32_MAX : static_cast<std::uint32_t>(count);
}

} // namespace detail

// What a product says itself to the server in use; see homing_call.
struct product_call {
    std::string method;
    std::string path;
    std::vector<header> headers;
    std::string body;
    // 0: 30 s.
    std::chrono::milliseconds within{0};
    bool once_elsewhere = false;
};

// What a server answered to a call.
class answer {
public:
    explicit answer(homing_answer *handle) noexcept : handle_(handle) {}

    std::string_view server() const noexcept { return view(homing_answer_server(get())); }
    std::uint32_t http_status() const noexcept { return homing_answer_http_status(get()); }
    std::string_view body() const noexcept { return view(homing_answer_body(get())); }

    const homing_answer *get() const noexcept { return handle_.get(); }

private:
    detail::owned<homing_answer, homing_answer_free> handle_;
};

namespace detail {

inline homing_call call(const product_call &what, const std::vector<homing_header> &headers) {
    auto call = sized<homing_call>();
    call.method = what.method.c_str();
    call.path = what.path.c_str();
    call.headers = headers.data();
    call.header_count = headers.size();
    call.body = bytes(what.body);
    call.body_len = what.body.size();
    call.within_ms = milliseconds(what.within);
    call.repeat = what.once_elsewhere ? HOMING_REPEAT_ONCE_ELSEWHERE : HOMING_REPEAT_NEVER;
    return call;
}

} // namespace detail

// What is said of the machine when the agent registers; see homing_identity.
struct identity {
    std::optional<std::string> user;
    std::optional<std::string> preferred_group;
    // HOMING_ACCOUNT_..., or 0.
    std::int32_t preferred_mode = 0;
};

namespace detail {

// It points into what it is made of.
inline homing_identity identity(const homing::identity &what) {
    auto identity = sized<homing_identity>();
    identity.user = pointer(what.user);
    identity.preferred_group = pointer(what.preferred_group);
    identity.preferred_mode = what.preferred_mode;
    return identity;
}

} // namespace detail

// What a client is given when it starts; see homing_options. Functions that are not set are not called. They run on the
// client's thread, except store_load, which runs inside client::start, and on_log, which runs on any thread, also on several
// at once.
struct options {
    std::string agent_id;
    std::optional<std::string> tuning_json;
    std::optional<std::string> limits_json;
    std::optional<std::string> location;
    std::optional<std::string> state_folder;
    std::optional<std::string> thread_name;
    std::size_t thread_stack_size = 0;
    std::string status;
    std::vector<std::string> routes;
    std::vector<header> headers;
    std::optional<std::uint64_t> seed;
    std::int32_t log_level = 0;
    // Ed25519 public keys, one after the other.
    std::string settings_keys;
    std::optional<std::string> settings_audience;
    std::optional<std::string> settings_folder;
    std::int32_t takes_settings = HOMING_TAKES_NO_SETTINGS;
    // Without one the agent does not register.
    std::optional<homing::identity> identity;
    // What tells this machine from every other; without it the id of the system. Empty: nothing is shown.
    std::optional<std::string> machine_id;

    std::function<void(client_view, event_view)> on_event;
    std::function<void(std::int32_t level, std::string_view message)> on_log;
    std::function<std::int32_t(std::int64_t socket, const homing_address &address)> on_socket;
    std::function<void()> on_thread_start;
    std::function<void(client_view)> on_heartbeat;
    std::function<void(client_view, std::int32_t asked, std::string_view server)> on_credentials;
    std::function<std::int32_t(const char *name, std::optional<std::string> &value)> store_load;
    std::function<std::int32_t(const char *name, std::string_view value)> store_save;
    // Returns HOMING_CONSENT_...
    std::function<std::int32_t(client_view, std::string_view server, std::string_view tag, std::string_view text)> on_settings;
};

// A client that somebody else owns: what callbacks are given.
class client_view {
public:
    explicit client_view(homing_client *handle) noexcept : handle_(handle) {}

    result<done> set_status(std::string_view status) const {
        return call(homing_client_set_status, detail::bytes(status), status.size());
    }
    result<done> set_header(const std::string &name, std::string_view secret) const {
        return try_call(homing_client_set_header, name.c_str(), detail::bytes(secret), secret.size());
    }
    result<done> set_headers(const std::vector<header> &headers) const {
        auto fields = detail::fields(headers);
        return try_call(homing_client_set_headers, fields.data(), fields.size());
    }
    result<done> remove_header(const std::string &name) const { return call(homing_client_remove_header, name.c_str()); }
    result<done> network_changed() const { return call(homing_client_network_changed); }
    result<done> resumed() const { return call(homing_client_resumed); }
    // The number of the request; event.covers() of a heartbeat tells when it is done.
    result<std::uint64_t> beat_now() const {
        return detail::value(std::uint64_t(0), [&](auto out) { return homing_client_beat_now(handle_, out); });
    }
    // The product has taken the policy of this entity tag over for good.
    /// `kind` is `HOMING_REPORT_…`, `durability` `HOMING_DURABILITY_…`. The number of the report in its lane.
    result<std::uint64_t> submit(std::int32_t kind, std::string_view body, std::int32_t durability) const {
        const auto data = reinterpret_cast<const std::uint8_t *>(body.data());
        return detail::value(std::uint64_t(0), [&](auto out) {
            return homing_client_submit(handle_, kind, data, body.size(), durability, out);
        });
    }

    // Says something of the product's own to the server in use, and waits for the answer.
    result<answer> make_call(const product_call &what) const {
        auto headers = detail::fields(what.headers);
        auto call = detail::call(what, headers);
        return detail::made<answer, homing_answer>(
            [&](auto out, auto error) { return homing_client_call(handle_, &call, out, error); });
    }
    // The same without waiting: event.call() of the event that ends it is this number.
    result<std::uint64_t> begin_call(const product_call &what) const {
        auto headers = detail::fields(what.headers);
        auto call = detail::call(what, headers);
        std::uint64_t number = 0;
        homing_error *error = nullptr;
        auto status = homing_client_begin_call(handle_, &call, &number, &error);
        if (status != HOMING_OK)
            return detail::why(status, error);
        return number;
    }
    result<done> confirm_policy(const std::string &tag) const { return call(homing_client_confirm_policy, tag.c_str()); }
    // Decides about settings that wait since on_settings returned HOMING_CONSENT_LATER.
    result<done> decide_settings(const std::string &tag, std::int32_t consent) const {
        return call(homing_client_decide_settings, tag.c_str(), consent);
    }
    // Another user uses the machine, or none: the agent registers again.
    result<done> user_changed(const std::optional<std::string> &user) const {
        return call(homing_client_user_changed, detail::pointer(user));
    }
    result<done> probe_now() const { return call(homing_client_probe_now); }
    result<done> reconfigure(const settings &next) const { return try_call(homing_client_reconfigure, next.get()); }
    result<done> set_location(const std::optional<std::string> &location) const {
        return call(homing_client_set_location, detail::pointer(location));
    }
    result<homing::snapshot> snapshot() const {
        return detail::made<homing::snapshot, homing_snapshot>(
            [&](auto out, auto) { return homing_client_snapshot(handle_, out); });
    }
    // The next event, or none in time. A failure with HOMING_ERROR_STOPPED says that none comes any more.
    result<std::optional<event>> next_event(std::chrono::milliseconds timeout) const {
        return event::pulled(
            [&](auto out) { return homing_client_next_event(handle_, detail::milliseconds(timeout), out); });
    }
    // A descriptor (on Windows a HANDLE) to wait on.
    result<std::int64_t> waitable() const {
        return detail::value(std::int64_t(-1), [&](auto out) { return homing_client_waitable(handle_, out); });
    }
    std::uint64_t lost_events() const noexcept { return homing_client_lost_events(handle_); }
    std::uint64_t lost_bodies() const noexcept { return homing_client_lost_bodies(handle_); }
    result<done> stop(std::chrono::milliseconds grace) const { return call(homing_client_stop, detail::milliseconds(grace)); }
    // A failure with HOMING_ERROR_TIMEOUT says that its thread has not ended in time.
    result<done> join(std::chrono::milliseconds limit) const { return call(homing_client_join, detail::milliseconds(limit)); }

    homing_client *get() const noexcept { return handle_; }

private:
    template <typename Function, typename... Given>
    result<done> call(Function function, Given... given) const {
        return detail::check(function(handle_, given...));
    }
    // One that says why it failed.
    template <typename Function, typename... Given>
    result<done> try_call(Function function, Given... given) const {
        homing_error *error = nullptr;
        auto status = function(handle_, given..., &error);
        return detail::check(status, error);
    }

    detail::link<homing_client> handle_;
};

// An agent at work. Its end waits for its thread; see homing_client_free.
class client : public client_view {
public:
    explicit client(homing_client *handle) noexcept : client_view(handle), owner_(handle) {}

    static result<client> start(const settings &settings, options options);

private:
    detail::owned<homing_client, homing_client_free> owner_;
};

namespace detail {

// The functions of homing_options, on top of those of homing::options. `user_data` is the latter.
struct bridge {
    static options &of(void *user_data) noexcept { return *static_cast<options *>(user_data); }

    static void drop(void *user_data) noexcept { delete static_cast<options *>(user_data); }
    static void event(void *data, homing_client *client, const homing_event *event) noexcept {
        of(data).on_event(client_view(client), event_view(event));
    }
    static void log(void *data, std::int32_t level, homing_text text) noexcept { of(data).on_log(level, view(text)); }
    static std::int32_t socket(void *data, std::int64_t socket, const homing_address *to) noexcept {
        return of(data).on_socket(socket, *to);
    }
    static void thread_start(void *user_data) noexcept { of(user_data).on_thread_start(); }
    static void heartbeat(void *data, homing_client *client) noexcept { of(data).on_heartbeat(client_view(client)); }
    static std::int32_t settings(void *user_data, homing_client *client, homing_text server, homing_text tag,
                                 const std::uint8_t *data, std::size_t len) noexcept {
        std::string_view text(reinterpret_cast<const char *>(data), len);
        return of(user_data).on_settings(client_view(client), view(server), view(tag), text);
    }
    static void credentials(void *user_data, homing_client *client, std::int32_t asked, homing_text server) noexcept {
        of(user_data).on_credentials(client_view(client), asked, view(server));
    }
    static std::int32_t load(void *user_data, const char *name, homing_value *place) noexcept {
        std::optional<std::string> value;
        std::int32_t failed = of(user_data).store_load(name, value);
        if (failed == 0 && value && homing_value_set(place, bytes(*value), value->size()) != HOMING_OK)
            return EFBIG;
        return failed;
    }
    static std::int32_t save(void *user_data, const char *name, const std::uint8_t *data, std::size_t size) noexcept {
        return of(user_data).store_save(name, std::string_view(reinterpret_cast<const char *>(data), size));
    }
};

} // namespace detail

inline result<client> client::start(const settings &settings, options given) {
    auto data = std::make_unique<options>(std::move(given));
    std::vector<const char *> routes;
    for (const auto &route : data->routes)
        routes.push_back(route.c_str());
    auto headers = detail::fields(data->headers);

    auto c = detail::sized<homing_options>();
    c.agent_id = data->agent_id.c_str();
    c.tuning_json = detail::pointer(data->tuning_json);
    c.limits_json = detail::pointer(data->limits_json);
    c.location = detail::pointer(data->location);
    c.state_folder = detail::pointer(data->state_folder);
    c.thread_name = detail::pointer(data->thread_name);
    c.thread_stack_size = data->thread_stack_size;
    c.status = detail::bytes(data->status);
    c.status_len = data->status.size();
    c.routes = routes.data();
    c.route_count = routes.size();
    c.headers = headers.data();
    c.header_count = headers.size();
    c.seed = data->seed ? &*data->seed : nullptr;
    c.log_level = data->log_level;
    c.user_data = data.get();
    c.drop_user_data = detail::bridge::drop;
    c.on_event = data->on_event ? detail::bridge::event : nullptr;
    c.on_log = data->on_log ? detail::bridge::log : nullptr;
    c.on_socket = data->on_socket ? detail::bridge::socket : nullptr;
    c.on_thread_start = data->on_thread_start ? detail::bridge::thread_start : nullptr;
    c.on_settings = data->on_settings ? detail::bridge::settings : nullptr;
    c.settings_keys = data->settings_keys.empty() ? nullptr : detail::bytes(data->settings_keys);
    c.settings_key_count = data->settings_keys.size() / 32;
    c.settings_audience = detail::pointer(data->settings_audience);
    c.settings_folder = detail::pointer(data->settings_folder);
    c.takes_settings = data->takes_settings;
    const auto none = homing::identity();
    auto identity = detail::identity(data->identity ? *data->identity : none);
    c.identity = data->identity ? &identity : nullptr;
    // A pointer says that there is one, however short it is.
    c.machine_id = data->machine_id ? reinterpret_cast<const std::uint8_t *>(data->machine_id->c_str()) : nullptr;
    c.machine_id_len = data->machine_id ? data->machine_id->size() : 0;
    c.on_heartbeat = data->on_heartbeat ? detail::bridge::heartbeat : nullptr;
    c.on_credentials = data->on_credentials ? detail::bridge::credentials : nullptr;
    c.store_load = data->store_load ? detail::bridge::load : nullptr;
    c.store_save = data->store_save ? detail::bridge::save : nullptr;

    auto started = detail::made<client, homing_client>(
        [&](auto out, auto error) { return homing_client_start(settings.get(), &c, out, error); });
    // The client's now, which may even have dropped it already.
    if (started)
        static_cast<void>(data.release());
    return started;
}

// The driven engine. What the world says is told to `get()` with the functions of homing.h.

class engine {
public:
    explicit engine(homing_engine *handle) noexcept : handle_(handle) {}

    static result<engine> make(const settings &settings, const homing_engine_options &options, std::uint64_t now_ns) {
        return detail::made<engine, homing_engine>([&](auto out, auto error) {
            return homing_engine_new(settings.get(), &options, now_ns, out, error);
        });
    }

    // The next thing to do; its kind is HOMING_ACTION_NONE when there is none.
    result<homing_action> next_action() {
        auto next = [&](auto out) { return homing_engine_next_action(get(), out); };
        return detail::value(detail::sized<homing_action>(), next);
    }
    result<std::optional<event>> next_event() {
        return event::pulled([&](auto out) { return homing_engine_next_event(get(), out); });
    }
    // UINT64_MAX when nothing is ever due.
    result<std::uint64_t> deadline_ns() const {
        return detail::value(UINT64_MAX, [&](auto out) { return homing_engine_deadline(get(), out, nullptr); });
    }
    result<std::string> memory() const { return detail::text([&](auto out) { return homing_engine_memory(get(), out); }); }
    result<homing::snapshot> snapshot(std::uint64_t now_ns) const {
        return detail::made<homing::snapshot, homing_snapshot>(
            [&](auto out, auto) { return homing_engine_snapshot(get(), now_ns, out); });
    }

    homing_engine *get() const noexcept { return handle_.get(); }

private:
    detail::owned<homing_engine, homing_engine_free> handle_;
};

} // inline namespace v0_1
} // namespace homing

#endif // HOMING_HPP
