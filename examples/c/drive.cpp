// An agent in a poll(2) loop of its own: homing decides, this program does. drive.c in C++17.
//
//   drive SETTINGS.json AGENT_ID ['{"time_scale":0.1}']
//
// It speaks plain HTTP/1.1 to the `http` servers of the settings, and prints what happens as lines of JSON.
// A product has such a loop already, and TLS, and a resolver that does not block; what it takes from here is
// how the engine is told and asked.
#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <homing.hpp>

#include "platform.h"
#include "wire.h"

namespace {

// What this agent says of itself with each heartbeat.
const char *const status = "{\"state\":\"fine\"}";

constexpr std::uint64_t grace_ms = 2000;

// For so long a status that was refused as too large is left out: a limit is raised by a person.
constexpr std::uint64_t held_back_ns = 3600 * std::uint64_t(1000000000);

// A descriptor that closes itself.
class descriptor {
public:
    explicit descriptor(int number = -1) noexcept : number_(number) {}
    descriptor(descriptor &&other) noexcept : number_(std::exchange(other.number_, -1)) {}
    descriptor &operator=(descriptor &&other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~descriptor() {
        if (number_ >= 0)
            ::close(number_);
    }
    int get() const noexcept { return number_; }

private:
    int number_;
};

// A connection the engine asked for. The first address that accepts wins.
struct link {
    std::string authority;
    // While dialling: who is in the race, by the place of the address in `to`.
    std::vector<homing_address> to;
    std::map<std::size_t, descriptor> racing;
    std::size_t next = 0;
    std::uint64_t next_start_ns = 0, stagger_ns = 0;
    int error = 0; // of the address that failed last
    // While ready.
    descriptor socket;
    bool talking = false, begun = false, used = false;
    std::uint64_t exchange = 0;
    std::string request, input;
};

// No call of the engine fails unless this program is wrong; then it ends.
void told(homing_status status) {
    if (status != HOMING_OK)
        throw std::runtime_error(std::string(homing::view(homing_status_text(status))));
}

template <typename T>
T taken(homing::result<T> result) {
    if (!result)
        throw std::runtime_error(result.error().message);
    return *std::move(result);
}

class agent {
public:
    agent(const homing::settings &settings, const char *id, const char *tuning, int signals)
        : id_(id), signals_(signals), engine_(make(settings, id, tuning)) {}

    void run() {
        told(homing_engine_timeout(engine_.get(), platform_now_ns()));
        for (bool stopping = false;;) {
            drain();
            if (stopped_)
                return;
            wait();
            char byte;
            if (::read(signals_, &byte, 1) == 1 && !std::exchange(stopping, true))
                told(homing_engine_stop(engine_.get(), platform_now_ns(), grace_ms));
            // Early is fine, so nobody asks whether it is due.
            told(homing_engine_timeout(engine_.get(), platform_now_ns()));
            // Steps may end a link, and nothing else does before the next drain.
            for (auto at = links_.begin(); at != links_.end();) {
                auto &[id, link] = *at;
                const bool goes_on = link.socket.get() < 0 ? race(id, link) : talk(id, link);
                at = goes_on ? std::next(at) : links_.erase(at);
            }
        }
    }

private:
    homing::engine make(const homing::settings &settings, const char *id, const char *tuning) {
        if (::getentropy(&life_, sizeof life_) != 0)
            throw std::runtime_error(std::strerror(errno));
        homing_engine_options options = {};
        options.struct_size = sizeof options;
        options.agent_id = id;
        options.tuning_json = tuning;
        return taken(homing::engine::make(settings, options, platform_now_ns()));
    }

    // Does what the engine asks for and prints what it tells, until it has nothing more.
    void drain() {
        for (auto action = taken(engine_.next_action()); action.kind != HOMING_ACTION_NONE;
             action = taken(engine_.next_action())) {
            switch (action.kind) {
            case HOMING_ACTION_RESOLVE: resolve(action); break;
            case HOMING_ACTION_DIAL: dial(action); break;
            case HOMING_ACTION_EXCHANGE: exchange(action); break;
            case HOMING_ACTION_ADOPT: // a product does what the answer says
                std::cerr << "drive: the server's answer has " << answers_[action.exchange].size() << " bytes\n";
                answers_.erase(action.exchange);
                break;
            case HOMING_ACTION_ABANDON: answers_.erase(action.exchange); break;
            case HOMING_ACTION_CLOSE: links_.erase(action.link); break;
            case HOMING_ACTION_REMEMBER:
                // This example forgets. A product writes engine_.memory() to a file, and says so afterwards.
                told(homing_engine_remembered(engine_.get(), platform_now_ns(), action.version));
                break;
            default: break; // of a later version
            }
        }
        for (auto event = taken(engine_.next_event()); event; event = taken(engine_.next_event())) {
            stopped_ = stopped_ || event->kind() == HOMING_EVENT_STOPPED;
            std::cout << event->json() << std::endl;
            if (!std::cout)
                throw std::runtime_error("standard output is gone");
        }
    }

    // Blocks, and everything else waits meanwhile: a product asks a resolver that does not.
    void resolve(const homing_action &action) {
        const auto query = action.query;
        const std::string host(homing::view(action.host));
        homing_address addresses[64];
        std::size_t count = 0;
        if (const char *wrong = platform_look_up(host.c_str(), addresses, 64, &count)) {
            const auto why = platform_failure(HOMING_CAUSE_NAME_SERVER_FAILED, wrong);
            told(homing_engine_resolve_failed(engine_.get(), platform_now_ns(), query, &why));
        } else {
            told(homing_engine_resolved(engine_.get(), platform_now_ns(), query, addresses, count));
        }
    }

    void dial(const homing_action &action) {
        const auto id = action.link;
        char authority[300];
        if (action.is_tls)
            return lost(id, platform_failure(HOMING_CAUSE_TLS_FAILED, "this example speaks plain http only"));
        if (wire_authority(action.host, action.port, authority, sizeof authority) == 0)
            return lost(id, platform_failure(HOMING_CAUSE_OUT_OF_RESOURCES, "the name is too long"));
        auto &link = links_[id];
        link.authority = authority;
        link.to.assign(action.addresses, action.addresses + action.address_count);
        link.stagger_ns = action.stagger_ns;
    }

    void exchange(const homing_action &action) {
        const bool is_heartbeat = action.request == HOMING_REQUEST_ATTACH || action.request == HOMING_REQUEST_BEAT ||
                                  action.request == HOMING_REQUEST_PROBE;
        if (!is_heartbeat) { // this example says nothing else
            homing_outcome declined = {};
            declined.struct_size = sizeof declined;
            declined.verdict = HOMING_VERDICT_DECLINED;
            return told(homing_engine_done(engine_.get(), platform_now_ns(), action.exchange, &declined));
        }
        const auto found = links_.find(action.link);
        if (found == links_.end())
            return; // the engine hears of its loss anyway
        auto &link = found->second;
        link.talking = true;
        link.begun = false;
        link.exchange = action.exchange;
        link.request.resize(WIRE_REQUEST_MAX);
        wire_request request = {};
        request.authority = link.authority.c_str();
        request.agent = id_;
        request.request = action.request;
        request.search = action.search;
        request.life = life_;
        request.status = status;
        request.omits_status = action.request != HOMING_REQUEST_PROBE && is_too_large(link.authority);
        request.next_ns = action.next_ns;
        link.request.resize(wire_write(&request, link.request.data()));
    }

    bool is_too_large(const std::string &authority) const {
        const auto refused = too_large_.find(authority);
        return refused != too_large_.end() && platform_now_ns() - refused->second < held_back_ns;
    }

    // Sleeps until a socket, a signal or the engine's next deadline.
    void wait() {
        auto deadline = taken(engine_.deadline_ns());
        std::vector<pollfd> polled = {{signals_, POLLIN, 0}};
        for (const auto &[id, link] : links_) {
            if (link.socket.get() >= 0)
                polled.push_back({link.socket.get(), short(link.request.empty() ? POLLIN : POLLIN | POLLOUT), 0});
            for (const auto &[place, socket] : link.racing)
                polled.push_back({socket.get(), POLLOUT, 0});
            if (link.socket.get() < 0 && link.next < link.to.size())
                deadline = std::min(deadline, link.next_start_ns);
        }
        int timeout = -1;
        if (deadline != UINT64_MAX) {
            // Rounded up: a millisecond too early would be a turn for nothing.
            const auto now = platform_now_ns();
            const auto ms = deadline > now ? (deadline - now + 999999) / 1000000 : 0;
            timeout = static_cast<int>(std::min<std::uint64_t>(ms, INT_MAX));
        }
        // poll does not count time asleep; a product that hears of a resume calls homing_engine_resumed.
        if (::poll(polled.data(), polled.size(), timeout) < 0 && errno != EINTR && errno != EAGAIN)
            throw std::runtime_error(std::string("poll: ") + std::strerror(errno));
    }

    // One address after the other, each as soon as the one before has failed or had its time; all stay in the race.
    // False when they all failed.
    bool race(std::uint64_t id, link &link) {
        const auto failed = [&link](std::size_t place, int error) {
            link.racing.erase(place);
            link.error = error;
            link.next_start_ns = 0;
        };
        const auto look_at = [&](std::size_t place) {
            const int error = platform_progress(link.racing.at(place).get());
            if (error == 0)
                link.socket = std::move(link.racing.at(place));
            else if (error != EINPROGRESS)
                failed(place, error);
            return error == 0;
        };
        for (std::size_t place = 0; place < link.to.size(); ++place) {
            if (place == link.next) {
                const auto now = platform_now_ns();
                if (link.next_start_ns > now)
                    break;
                link.next_start_ns = now + link.stagger_ns;
                link.next = place + 1;
                const int socket = platform_connect(&link.to[place]);
                if (socket < 0)
                    failed(place, errno);
                else
                    link.racing.emplace(place, socket);
            } else if (link.racing.count(place) != 0 && look_at(place)) {
                link.racing.clear();
                told(homing_engine_connected(engine_.get(), platform_now_ns(), id, &link.to[place], HOMING_MEDIUM_UNKNOWN));
                return true;
            }
        }
        if (link.racing.empty())
            lost(id, platform_error(link.error, true));
        return !link.racing.empty();
    }

    // Sends and receives what there is. False when the link is lost.
    bool talk(std::uint64_t id, link &link) {
        while (!link.request.empty()) {
            const auto n = ::send(link.socket.get(), link.request.data(), link.request.size(), MSG_NOSIGNAL);
            if (n < 0)
                break; // when the server does not take it, it may have answered all the same
            link.request.erase(0, static_cast<std::size_t>(n));
        }
        bool ended = false;
        int error = 0;
        // Nobody gets more of a turn than this.
        for (int piece = 0; piece < 16 && !ended; ++piece) {
            char bytes[4096];
            const auto n = ::recv(link.socket.get(), bytes, sizeof bytes, 0);
            if (n > 0) {
                link.input.append(bytes, static_cast<std::size_t>(n));
            } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
                break;
            } else if (n == 0 || errno != EINTR) {
                ended = true;
                error = n == 0 ? 0 : errno;
            }
        }
        if (link.input.size() > WIRE_ANSWER_MAX) {
            lost(id, platform_failure(HOMING_CAUSE_BODY_TOO_LARGE, nullptr));
            return false;
        }
        return hear(id, link, ended, error);
    }

    // What the server has said so far. False when the link is lost.
    bool hear(std::uint64_t id, link &link, bool ended, int error) {
        if (link.input.empty() && !ended)
            return true;
        if (!link.talking || link.input.empty()) {
            // Between exchanges a server has nothing to say but goodbye, and it may cross with the next request.
            lost(id, link.used             ? platform_failure(HOMING_CAUSE_CLOSED_IDLE, nullptr)
                     : !link.input.empty() ? platform_failure(HOMING_CAUSE_NOT_HTTP, "it spoke first")
                                           : platform_error(error, false));
            return false;
        }
        if (!std::exchange(link.begun, true))
            told(homing_engine_first_byte(engine_.get(), platform_now_ns(), link.exchange));
        wire_answer answer;
        const auto result = wire_read(link.input.data(), link.input.size(), ended && error == 0, &answer);
        if (result == WIRE_MORE) {
            if (ended)
                lost(id, platform_error(error, false));
            return !ended;
        }
        if (result == WIRE_BROKEN) {
            lost(id, answer.failure);
            return false;
        }
        if (answer.outcome.verdict == HOMING_VERDICT_SUCCESS)
            keep(link.exchange, std::string(answer.body, answer.body_len));
        if (answer.failure.cause == HOMING_CAUSE_TOO_LARGE)
            too_large_[link.authority] = platform_now_ns();
        told(homing_engine_done(engine_.get(), platform_now_ns(), link.exchange, &answer.outcome));
        if (!answer.reusable || ended || !link.request.empty()) {
            lost(id, platform_failure(HOMING_CAUSE_CLOSED_IDLE, nullptr));
            return false;
        }
        link.talking = false;
        link.used = true;
        link.input.clear();
        return true;
    }

    // Keeps the body of a success until the engine says whether it counts. The oldest of very many is one the engine
    // has forgotten.
    void keep(std::uint64_t exchange, std::string body) {
        answers_[exchange] = std::move(body);
        if (answers_.size() > 64)
            answers_.erase(answers_.begin());
    }

    void lost(std::uint64_t id, const homing_failure &why) {
        told(homing_engine_lost(engine_.get(), platform_now_ns(), id, &why));
    }

    const char *id_;
    int signals_;
    std::uint64_t life_ = 0; // makes the idempotency keys of this run differ from those of any other
    homing::engine engine_;
    bool stopped_ = false;
    std::map<std::uint64_t, link> links_;
    std::map<std::uint64_t, std::string> answers_;
    // When a server refused the status as too large (413). The engine then asks once more, and the driver leaves it out.
    std::map<std::string, std::uint64_t> too_large_;
};

} // namespace

int main(int argc, char **argv) {
    const char *usage = "usage: drive SETTINGS.json AGENT_ID [TUNING]\n";
    if (argc == 2 && (std::strcmp(argv[1], "--help") == 0 || std::strcmp(argv[1], "-h") == 0)) {
        std::cout << "An agent in a poll loop of its own, over plain http. TUNING is JSON, as in docs/rules.md.\n\n"
                  << usage;
        return 0;
    }
    if (argc < 3 || argc > 4) {
        std::cerr << usage;
        return 2;
    }
    try {
        const int signals = platform_signals();
        if (signals < 0)
            throw std::runtime_error(std::strerror(errno));
        const auto settings = taken(homing::settings::read(argv[1]));
        for (const auto warning : settings.warnings())
            std::cerr << "drive: " << argv[1] << ": " << warning << '\n';
        agent(settings, argv[2], argc == 4 ? argv[3] : nullptr, signals).run();
        return 0;
    } catch (const std::exception &error) {
        std::cerr << "drive: " << error.what() << '\n';
        return 1;
    }
}
