// Where is this machine? Asks reference servers, prints what each answered, and ends with the verdict.
//
//   probe [--json] [--watch] (--settings FILE | HOST:PORT,PORT ...)
//
// HOST:PORT are asked with bare connections, and nobody is managed. Exit code: 0 inside, 1 outside, 2 unknown, 3 the
// settings are no good.

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <homing.h>

static int fail(const char *what, homing_status status, homing_error *error)
{
    homing_text text = error ? homing_error_message(error) : homing_status_text(status);
    fprintf(stderr, "probe: %s: %.*s\n", what, (int)text.len, text.data);
    homing_error_free(error);
    return 3;
}

static int usage(void)
{
    fputs("usage: probe [--json] [--watch] (--settings FILE | HOST:PORT,PORT ...)\n", stderr);
    return 3;
}

// Adds one server, `HOST:PORT,PORT`, to the document. False when it is none; what else is wrong the settings say.
static bool add(char *document, size_t size, const char *host)
{
    size_t used = strlen(document);
    const char *ports = strrchr(host, ':');
    if (!ports || strpbrk(host, "\"\\") || strspn(ports + 1, "0123456789,") != strlen(ports + 1))
        return false;
    int written = snprintf(document + used, size - used, "%s{\"address\":\"%.*s\",\"ports\":[%s],\"proof\":\"tcp\"}",
                           document[used - 1] == '[' ? "" : ",", (int)(ports - host), host, ports + 1);
    return written >= 0 && (size_t)written < size - used;
}

// Waits for the first verdict, or with `watch` for ever. The exit code.
static int run(homing_client *client, bool json, bool watch)
{
    homing_location location = {.struct_size = sizeof location};
    for (bool reported = false;;) {
        homing_snapshot *snapshot;
        homing_status status = homing_client_snapshot(client, &snapshot);
        if (status == HOMING_OK)
            status = homing_snapshot_location(snapshot, &location);
        if (status != HOMING_OK)
            return fail("snapshot", status, NULL);
        bool known = location.situation != HOMING_SITUATION_UNKNOWN && (reported || location.is_attached);
        homing_event *event = NULL;
        // Longer than any first location takes.
        if (location.situation != HOMING_SITUATION_NONE && (watch || !known))
            homing_client_next_event(client, watch ? UINT32_MAX : 15000, &event);
        if (!event) {
            if (!json && location.reason.data)
                printf("verdict: %.*s\n", (int)location.reason.len, location.reason.data);
            homing_snapshot_free(snapshot);
            break;
        }
        homing_snapshot_free(snapshot);
        int32_t kind = homing_event_kind(event);
        homing_text text = json ? homing_event_json(event) : homing_event_text(event);
        if (json || kind == HOMING_EVENT_LOCATION)
            printf("%.*s\n", (int)text.len, text.data);
        else if (kind == HOMING_EVENT_ROUND)
            printf("%.*s", (int)text.len, text.data);
        reported |= kind == HOMING_EVENT_ROUND;
        fflush(stdout);
        homing_event_free(event);
    }
    switch (location.situation) {
    case HOMING_SITUATION_INTERNAL:
    case HOMING_SITUATION_INTERNAL_VIA_VPN: return 0;
    case HOMING_SITUATION_EXTERNAL:
    case HOMING_SITUATION_CAPTIVE: return 1;
    default: return 2;
    }
}

int main(int count, char **arguments)
{
    bool json = false, watch = false, asked = false;
    const char *file = NULL;
    static char document[65536] =
        "{\"server_lists\":[{\"name\":\"nobody\",\"priorities\":[{\"servers\":[{\"address\":\"management.invalid\"}]}]}],"
        "\"group\":{\"communication\":{\"enabled\":false}},\"location\":{\"required_proof\":\"tcp\"},"
        "\"reference_servers\":{\"limit\":320,\"servers\":[";
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--json") == 0)
            json = true;
        else if (strcmp(arguments[i], "--watch") == 0)
            watch = true;
        else if (strcmp(arguments[i], "--settings") == 0 && i + 1 < count)
            file = arguments[++i];
        else if (arguments[i][0] == '-' || !(asked = add(document, sizeof document - 4, arguments[i])))
            return usage();
    }
    if (!file && !asked)
        return usage();
    strcat(document, "]}}");

    homing_error *error = NULL;
    homing_settings *settings;
    homing_status status = file ? homing_settings_read(file, &settings, &error)
                                : homing_settings_parse((const uint8_t *)document, strlen(document), HOMING_SOURCE_PERSON,
                                                        &settings, &error);
    if (status != HOMING_OK)
        return fail("settings", status, error);
    homing_client *client;
    homing_options options = {.struct_size = sizeof options, .agent_id = "probe"};
    status = homing_client_start(settings, &options, &client, &error);
    homing_settings_free(settings);
    if (status != HOMING_OK)
        return fail("start", status, error);
    int result = run(client, json, watch);
    homing_client_free(client);
    return result;
}
