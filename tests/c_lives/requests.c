// Asks for a heartbeat twenty times in four seconds, and waits until the last request is done.
//
//   requests SETTINGS.json
//
// Prints how many heartbeats there were after the first.

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <homing.h>

#define check(condition) ((condition) ? (void)0 : (fprintf(stderr, "line %d: %s\n", __LINE__, #condition), abort()))

// The number of the newest request that the next heartbeat covers.
static uint64_t heartbeat(homing_client *client)
{
    for (;;) {
        homing_event *event;
        check(homing_client_next_event(client, 60000, &event) == HOMING_OK && event);
        int32_t kind = homing_event_kind(event);
        uint64_t covers = homing_event_covers(event);
        homing_event_free(event);
        if (kind == HOMING_EVENT_HEARTBEAT)
            return covers;
        check(covers == 0);
    }
}

int main(int count, char **arguments)
{
    check(count == 2);
    homing_settings *settings;
    homing_client *client;
    check(homing_settings_read(arguments[1], &settings, NULL) == HOMING_OK);
    homing_options options = {.struct_size = sizeof options, .agent_id = "requests"};
    check(homing_client_start(settings, &options, &client, NULL) == HOMING_OK);
    homing_settings_free(settings);
    check(heartbeat(client) == 0);

    uint64_t number = 0;
    for (uint64_t request = 1; request <= 20; request++) {
        nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
        check(homing_client_beat_now(client, &number) == HOMING_OK && number == request);
    }
    int heartbeats = 1;
    for (uint64_t covers, before = 0; (covers = heartbeat(client)) < number; heartbeats++) {
        // Each is for a request that none before it covers.
        check(covers > before);
        before = covers;
    }
    printf("%d\n", heartbeats);
    homing_client_free(client);
}
