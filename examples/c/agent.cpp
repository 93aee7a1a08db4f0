// An agent on the managed client: prints what happens, one event a line, until it is told to stop.
//
//   agent SETTINGS.json AGENT-ID [STATE-FOLDER]
//
// Events come by callback, on the thread of the client; the main thread waits for signals and nothing else. SIGINT and
// SIGTERM end it within two seconds, SIGUSR1 prints how things stand.

#include <chrono>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <string_view>

#include <unistd.h>

#include <homing.hpp>

static int fail(std::string_view what, const homing::failure &why) {
    std::cerr << "agent: " << what << ": " << why.message << std::endl;
    return 1;
}

int main(int count, char **arguments) {
    constexpr auto usage = "usage: agent SETTINGS.json AGENT-ID [STATE-FOLDER]\n";
    if (count == 2 && std::string_view(arguments[1]) == "--help") {
        std::cout << usage;
        return 0;
    }
    if (count < 3 || count > 4) {
        std::cerr << usage;
        return 2;
    }

    // Blocked in all threads, and fetched by this one below.
    sigset_t signals;
    sigemptyset(&signals);
    for (int number : {SIGINT, SIGTERM, SIGUSR1})
        sigaddset(&signals, number);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);

    auto settings = homing::settings::read(arguments[1]);
    if (!settings)
        return fail("settings", settings.error());

    homing::options options;
    options.agent_id = arguments[2];
    if (count == 4)
        options.state_folder = arguments[3];
    options.on_event = [](homing::client_view, homing::event_view event) {
        std::cout << event.json() << std::endl;
        // The client has ended by itself or was told to: wake the main thread.
        if (event.kind() == HOMING_EVENT_STOPPED)
            kill(getpid(), SIGTERM);
    };
    options.on_log = [](std::int32_t, std::string_view message) { std::cerr << "agent: " << message << std::endl; };

    auto client = homing::client::start(*settings, std::move(options));
    if (!client)
        return fail("start", client.error());

    for (;;) {
        int number = 0;
        sigwait(&signals, &number);
        if (number != SIGUSR1)
            break;
        if (auto snapshot = client->snapshot())
            std::cout << snapshot->explain() << std::endl;
    }
    // The end of `client` waits for its thread, within the grace.
    auto stopped = client->stop(std::chrono::seconds(2));
    return stopped ? 0 : fail("stop", stopped.error());
}
