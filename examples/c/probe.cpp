// Where is this machine? Asks reference servers, prints what each answered, and ends with the verdict.
//
//   probe-cpp [--json] [--watch] (--settings FILE | HOST:PORT,PORT ...)
//
// HOST:PORT are asked with bare connections, and nobody is managed. Exit code: 0 inside, 1 outside, 2 unknown, 3 the
// settings are no good.

#include <chrono>
#include <iostream>
#include <string>
#include <string_view>

#include <homing.hpp>

using namespace std::literals;

static int fail(std::string_view what, const homing::failure &why) {
    std::cerr << "probe: " << what << ": " << why.message << std::endl;
    return 3;
}

static int usage() {
    std::cerr << "usage: probe-cpp [--json] [--watch] (--settings FILE | HOST:PORT,PORT ...)\n";
    return 3;
}

// One server, `HOST:PORT,PORT`, as the settings have it; nothing when it is none. What else is wrong the settings say.
static std::string server(const std::string &host) {
    auto colon = host.rfind(':');
    if (colon == host.npos || host.find_first_of("\"\\") != host.npos ||
        host.find_first_not_of("0123456789,", colon + 1) != host.npos)
        return {};
    return R"({"address":")" + host.substr(0, colon) + R"(","ports":[)" + host.substr(colon + 1) + R"(],"proof":"tcp"})";
}

// Waits for the first verdict, or with `watch` for ever. The exit code.
static int run(const homing::client &client, bool json, bool watch) {
    for (bool reported = false;;) {
        auto snapshot = client.snapshot();
        if (!snapshot)
            return fail("snapshot", snapshot.error());
        auto location = snapshot->location();
        if (!location)
            return fail("location", location.error());
        auto situation = location->situation;
        bool known = situation != HOMING_SITUATION_UNKNOWN && (reported || location->is_attached);
        std::optional<homing::event> event;
        // Longer than any first location takes.
        if (situation != HOMING_SITUATION_NONE && (watch || !known))
            if (auto next = client.next_event(watch ? 1h : 15s))
                event = *std::move(next);
        if (!event && watch)
            continue;
        if (!event) {
            if (!json && location->reason.data)
                std::cout << "verdict: " << homing::view(location->reason) << '\n';
            bool inside = situation == HOMING_SITUATION_INTERNAL || situation == HOMING_SITUATION_INTERNAL_VIA_VPN;
            bool outside = situation == HOMING_SITUATION_EXTERNAL || situation == HOMING_SITUATION_CAPTIVE;
            return inside ? 0 : outside ? 1 : 2;
        }
        auto kind = event->kind();
        if (json)
            std::cout << event->json() << std::endl;
        else if (kind == HOMING_EVENT_LOCATION)
            std::cout << event->text() << std::endl;
        else if (kind == HOMING_EVENT_ROUND)
            std::cout << event->text() << std::flush;
        reported |= kind == HOMING_EVENT_ROUND;
    }
}

int main(int count, char **arguments) {
    bool json = false, watch = false;
    std::string file, servers;
    for (int i = 1; i < count; i++) {
        std::string argument = arguments[i];
        if (argument == "--json")
            json = true;
        else if (argument == "--watch")
            watch = true;
        else if (argument == "--settings" && i + 1 < count)
            file = arguments[++i];
        else if (auto one = argument[0] == '-' ? std::string() : server(argument); !one.empty())
            servers += (servers.empty() ? "" : ",") + one;
        else
            return usage();
    }
    if (file.empty() && servers.empty())
        return usage();
    auto document = R"({"server_lists":[{"name":"nobody","priorities":[{"servers":[{"address":"management.invalid"}]}]}],
        "group":{"communication":{"enabled":false}},"location":{"required_proof":"tcp"},
        "reference_servers":{"limit":320,"servers":[)" + servers + "]}}";
    auto settings = file.empty() ? homing::settings::parse(document) : homing::settings::read(file);
    if (!settings)
        return fail("settings", settings.error());
    homing::options options;
    options.agent_id = "probe";
    auto client = homing::client::start(*settings, std::move(options));
    return client ? run(*client, json, watch) : fail("start", client.error());
}
