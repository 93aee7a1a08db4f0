// Starts a client, waits until it is attached, stops and frees it: as often as asked.
//
//   lives SETTINGS.json COUNT
//
// Prints what the process holds before, after a tenth of the lives, and after all of them.

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <homing.h>

static void give_up(const char *what, homing_status status)
{
    homing_text text = homing_status_text(status);
    fprintf(stderr, "lives: %s: %.*s\n", what, (int)text.len, text.data);
    abort();
}

static int entries(const char *folder)
{
    int count = 0;
    DIR *open = opendir(folder);
    if (!open)
        abort();
    while (readdir(open))
        count++;
    closedir(open);
    // Without the folder itself and the one above it.
    return count - 2;
}

static long kilobytes(const char *path, const char *field)
{
    char line[256];
    long found = -1;
    FILE *file = fopen(path, "r");
    if (!file)
        abort();
    while (found < 0 && fgets(line, sizeof line, file))
        if (strncmp(line, field, strlen(field)) == 0)
            found = strtol(line + strlen(field), NULL, 10);
    fclose(file);
    return found;
}

static void tell(int lives)
{
    // The descriptor of the folder that is read is one of them each time.
    printf("%d lives: %ld kB resident, %ld kB private dirty, %d descriptors, %d threads\n", lives,
           kilobytes("/proc/self/smaps_rollup", "Rss:"), kilobytes("/proc/self/smaps_rollup", "Private_Dirty:"),
           entries("/proc/self/fd"), entries("/proc/self/task"));
    fflush(stdout);
}

// Whether it is the manager of the test, which goes by the id `a`.
static bool is_manager(const homing_whereabouts *at)
{
    static const uint8_t loopback[4] = {127, 0, 0, 1};
    return at->host.len == 9 && memcmp(at->host.data, "127.0.0.1", 9) == 0 && at->port > 0 && at->address.family == 4 &&
           memcmp(at->address.ip, loopback, 4) == 0 && at->address.port == at->port && at->route == HOMING_ROUTE_DIRECT &&
           at->proof == HOMING_PROOF_TLS;
}

static void live(const homing_settings *settings)
{
    homing_options options = {.struct_size = sizeof options, .agent_id = "agent"};
    options.status = (const uint8_t *)"all is well";
    options.status_len = 11;
    homing_client *client;
    homing_status status = homing_client_start(settings, &options, &client, NULL);
    if (status != HOMING_OK)
        give_up("start", status);
    int32_t kind = 0;
    while (kind != HOMING_EVENT_ATTACHED) {
        homing_event *event;
        status = homing_client_next_event(client, 60000, &event);
        if (status != HOMING_OK || !event)
            give_up("attach", status);
        kind = homing_event_kind(event);
        if (kind == HOMING_EVENT_ATTACHED) {
            homing_whereabouts at = {.struct_size = sizeof at};
            status = homing_event_whereabouts(event, &at);
            if (status != HOMING_OK || !is_manager(&at))
                give_up("whereabouts", status);
        }
        homing_event_free(event);
    }
    homing_snapshot *snapshot;
    homing_whereabouts at = {.struct_size = sizeof at};
    status = homing_client_snapshot(client, &snapshot);
    if (status == HOMING_OK)
        status = homing_snapshot_whereabouts(snapshot, &at);
    if (status != HOMING_OK || !is_manager(&at))
        give_up("whereabouts", status);
    homing_snapshot_free(snapshot);
    status = homing_client_stop(client, 0);
    if (status != HOMING_OK)
        give_up("stop", status);
    homing_client_free(client);
}

int main(int count, char **arguments)
{
    if (count != 3) {
        fputs("usage: lives SETTINGS.json COUNT\n", stderr);
        return 2;
    }
    int lives = atoi(arguments[2]);
    homing_settings *settings;
    homing_status status = homing_settings_read(arguments[1], &settings, NULL);
    if (status != HOMING_OK)
        give_up("settings", status);
    tell(0);
    for (int done = 1; done <= lives; done++) {
        live(settings);
        if (done == lives / 10 || done == lives)
            tell(done);
    }
    homing_settings_free(settings);
    return 0;
}
