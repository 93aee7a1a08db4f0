// Where is this machine? Asks reference servers, prints what each answered, and ends with the verdict.
// `probe-cpp --help` says how it is used.

#include <chrono>
#include <ctime>
#include <iomanip>
#include <iostream>
#include <string>
#include <string_view>

#include <homing.hpp>

using namespace std::literals;

static int fail(std::string_view what, const homing::failure &why) {
    std::cerr << "probe: " << what << ": " << why.message << std::endl;
    return 3;
}

static const char *const help = R"(Where is this machine? Asks reference servers, prints what each answered, and ends with the verdict.

Usage: probe-cpp [--json] [--watch] (--settings FILE [--with-management] | HOST:PORT,PORT ...)

  --settings FILE     ask the reference servers of these settings, and no other server; relative paths
                      in it begin at the working folder
  --with-management   attach to the management servers of these settings as well, as agent `probe`:
                      an exchange with one may show that the machine is inside
  HOST:PORT,PORT      ask these with bare connections; an IPv6 address in brackets: [2001:db8::1]:443
  --json              print events, one line of JSON each; the last one is the verdict
  --watch             go on, and print each round and each change of the verdict
  --help

Exit status: 0 inside, 1 outside, 2 unknown (no network, or no reference server), 3 the settings or
arguments are no good.
)";

static int misused(std::string_view argument) {
    std::cerr << "probe: " << argument << "; --help says more\n";
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

// Prints what happens until there is a verdict, or with `watch` for ever. The exit code.
static int run(const homing::client &client, bool json, bool watch) {
    using clock = std::chrono::steady_clock;
    // Longer than any first location takes on a network that can be used.
    const auto until = clock::now() + 15s;
    std::string said;
    for (bool reported = false, located = false;;) {
        auto snapshot = client.snapshot();
        if (!snapshot)
            return fail("snapshot", snapshot.error());
        auto location = snapshot->location();
        if (!location)
            return fail("location", location.error());
        auto situation = location->situation;
        if (situation == HOMING_SITUATION_NONE) {
            std::cerr << "probe: these settings have no reference servers, and no location that depends on where the machine is\n";
            return 2;
        }
        // The first round is all, whether or not there is a network; an exchange with the management server needs none.
        bool known = situation != HOMING_SITUATION_UNKNOWN;
        bool over = (reported && (located || !known)) || (located && location->is_attached);
        auto verdict = homing::view(location->detail);
        if (!json && (reported || located) && (watch || over) && said != verdict)
            std::cout << "verdict: " << (said = verdict) << std::endl;
        std::optional<homing::event> event;
        auto left = std::chrono::ceil<std::chrono::milliseconds>(until - clock::now());
        if (watch || (!over && left > 0ms))
            if (auto next = client.next_event(watch ? 1h : left))
                event = *std::move(next);
        if (!event && watch)
            continue;
        if (!event) {
            if (!json && said.empty())
                std::cout << "verdict: " << verdict << '\n';
            bool inside = situation == HOMING_SITUATION_INTERNAL || situation == HOMING_SITUATION_INTERNAL_VIA_VPN;
            bool outside = situation == HOMING_SITUATION_EXTERNAL || situation == HOMING_SITUATION_CAPTIVE;
            return inside ? 0 : outside ? 1 : 2;
        }
        auto kind = event->kind();
        reported |= kind == HOMING_EVENT_ROUND;
        located |= kind == HOMING_EVENT_LOCATION;
        if (kind == HOMING_EVENT_ROUND && watch && !json) {
            auto now = std::time(nullptr);
            std::cout << std::put_time(std::gmtime(&now), "\n%Y-%m-%dT%H:%M:%SZ\n");
        }
        if (json)
            std::cout << event->json() << std::endl;
        else if (kind == HOMING_EVENT_ROUND)
            std::cout << event->text() << std::flush;
        else if (kind == HOMING_EVENT_SETTINGS_WARNING)
            std::cerr << "warning: " << event->text() << std::endl;
    }
}

int main(int count, char **arguments) {
    bool json = false, watch = false, with_management = false;
    std::string file, servers;
    for (int i = 1; i < count; i++) {
        std::string argument = arguments[i];
        if (argument == "--help")
            return std::cout << help, 0;
        if (argument == "--json")
            json = true;
        else if (argument == "--watch")
            watch = true;
        else if (argument == "--with-management")
            with_management = true;
        else if (argument == "--settings" && i + 1 < count)
            file = arguments[++i];
        else if (auto one = argument[0] == '-' ? std::string() : server(argument); !one.empty())
            servers += (servers.empty() ? "" : ",") + one;
        else
            return misused(argument);
    }
    if (file.empty() == servers.empty())
        return misused("write --settings FILE or servers");
    if (with_management && file.empty())
        return misused("--with-management goes with --settings FILE");
    auto document = R"({"server_lists":[{"name":"nobody","priorities":[{"servers":[{"address":"management.invalid"}]}]}],
        "group":{"communication":{"enabled":false}},"location":{"required_proof":"tcp"},
        "reference_servers":{"limit":320,"servers":[)" + servers + "]}}";
    auto settings = file.empty() ? homing::settings::parse(document) : homing::settings::read(file);
    if (!settings)
        return fail("settings", settings.error());
    if (!with_management)
        settings = settings->reference_servers_only();
    if (!settings)
        return fail("settings", settings.error());
    homing::options options;
    options.agent_id = "probe";
    auto client = homing::client::start(*settings, std::move(options));
    return client ? run(*client, json, watch) : fail("start", client.error());
}
