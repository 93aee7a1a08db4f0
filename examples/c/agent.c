// An agent on the managed client: prints what happens, one event a line, until it is told to stop.
//
//   agent SETTINGS.json AGENT-ID [STATE-FOLDER]
//
// The program waits for events and signals in one place, with ppoll(2); everything else happens on the thread of
// the client. SIGINT and SIGTERM end it within two seconds, SIGUSR1 prints how things stand.

#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <homing.h>

static volatile sig_atomic_t stop_wanted;
static volatile sig_atomic_t words_wanted;

static void on_signal(int number)
{
    if (number == SIGUSR1)
        words_wanted = 1;
    else
        stop_wanted = 1;
}

static void print(homing_text text)
{
    printf("%.*s\n", (int)text.len, text.data);
    fflush(stdout);
}

static int fail(const char *what, homing_status status, homing_error *error)
{
    homing_text text = error ? homing_error_message(error) : homing_status_text(status);
    fprintf(stderr, "agent: %s: %.*s\n", what, (int)text.len, text.data);
    homing_error_free(error);
    return 1;
}

static void on_log(void *user_data, int32_t level, homing_text message)
{
    (void)user_data;
    (void)level;
    fprintf(stderr, "agent: %.*s\n", (int)message.len, message.data);
}

static int explain(const homing_client *client)
{
    homing_snapshot *snapshot;
    homing_status status = homing_client_snapshot(client, &snapshot);
    if (status != HOMING_OK)
        return fail("snapshot", status, NULL);
    print(homing_snapshot_explain(snapshot));
    homing_snapshot_free(snapshot);
    return 0;
}

// Takes all events that wait. 0 when the last one was told, 1 while there may be more, negative when it failed.
static int drain(homing_client *client)
{
    for (;;) {
        homing_event *event;
        homing_status status = homing_client_next_event(client, 0, &event);
        if (status == HOMING_ERROR_STOPPED)
            return 0;
        if (status != HOMING_OK)
            return -fail("next event", status, NULL);
        if (!event)
            return 1;
        print(homing_event_json(event));
        homing_event_free(event);
    }
}

static int run(homing_client *client, const sigset_t *while_waiting)
{
    int64_t waitable;
    homing_status status = homing_client_waitable(client, &waitable);
    if (status != HOMING_OK)
        return fail("waitable", status, NULL);

    struct pollfd ready = {.fd = (int)waitable, .events = POLLIN};
    for (;;) {
        int more = drain(client);
        if (more <= 0)
            return more == 0 ? 0 : 1;
        if (ppoll(&ready, 1, NULL, while_waiting) < 0 && errno != EINTR) {
            perror("agent: ppoll");
            return 1;
        }
        if (stop_wanted)
            homing_client_stop(client, 2000);
        if (words_wanted) {
            words_wanted = 0;
            if (explain(client) != 0)
                return 1;
        }
    }
}

int main(int count, char **arguments)
{
    if (count == 2 && strcmp(arguments[1], "--help") == 0) {
        puts("usage: agent SETTINGS.json AGENT-ID [STATE-FOLDER]");
        return 0;
    }
    if (count < 3 || count > 4) {
        fputs("usage: agent SETTINGS.json AGENT-ID [STATE-FOLDER]\n", stderr);
        return 2;
    }

    // Signals come only while ppoll waits, so none is missed between a look and the wait, and none before the client is there.
    sigset_t blocked, before;
    sigemptyset(&blocked);
    struct sigaction action = {.sa_handler = on_signal};
    const int signals[] = {SIGINT, SIGTERM, SIGUSR1};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        sigaddset(&blocked, signals[i]);
        sigaction(signals[i], &action, NULL);
    }
    pthread_sigmask(SIG_BLOCK, &blocked, &before);

    homing_error *error = NULL;
    homing_settings *settings;
    homing_status status = homing_settings_read(arguments[1], &settings, &error);
    if (status != HOMING_OK)
        return fail("settings", status, error);

    homing_options options = {.struct_size = sizeof options};
    options.agent_id = arguments[2];
    options.state_folder = arguments[3]; // NULL when there is none: argv ends with it
    options.on_log = on_log;

    homing_client *client;
    status = homing_client_start(settings, &options, &client, &error);
    homing_settings_free(settings);
    if (status != HOMING_OK)
        return fail("start", status, error);

    int result = run(client, &before);
    homing_client_free(client);
    return result;
}
