// Where is this machine? Asks reference servers, prints what each answered, and ends with the verdict.
// `probe --help` says how it is used.

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <homing.h>

static int fail(const char *what, homing_status status, homing_error *error)
{
    homing_text text = error ? homing_error_message(error) : homing_status_text(status);
    fprintf(stderr, "probe: %s: %.*s\n", what, (int)text.len, text.data);
    homing_error_free(error);
    return 3;
}

static const char HELP[] =
    "Where is this machine? Asks reference servers, prints what each answered, and ends with the verdict.\n\n"
    "Usage: probe [--json] [--watch] (--settings FILE [--with-management] | HOST:PORT,PORT ...)\n\n"
    "  --settings FILE     ask the reference servers of these settings, and no other server; relative paths\n"
    "                      in it begin at the working folder\n"
    "  --with-management   attach to the management servers of these settings as well, as agent `probe`:\n"
    "                      an exchange with one may show that the machine is inside\n"
    "  HOST:PORT,PORT      ask these with bare connections; an IPv6 address in brackets: [2001:db8::1]:443\n"
    "  --json              print events, one line of JSON each; the last one is the verdict\n"
    "  --watch             go on, and print each round and each change of the verdict\n"
    "  --help\n\n"
    "Exit status: 0 inside, 1 outside, 2 unknown (no network, or no reference server), 3 the settings or\n"
    "arguments are no good.\n";

static int misused(const char *argument)
{
    fprintf(stderr, "probe: %s; --help says more\n", argument);
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

static void say_when(void)
{
    time_t now = time(NULL);
    struct tm *utc = gmtime(&now);
    char text[32];
    if (utc && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", utc))
        printf("\n%s\n", text);
}

// Prints what happens until there is a verdict, or with `watch` for ever. The exit code.
static int run(homing_client *client, bool json, bool watch)
{
    // Longer than any first location takes on a network that can be used.
    const time_t until = time(NULL) + 15;
    homing_location location = {.struct_size = sizeof location};
    char said[1024] = "", verdict[1024];
    for (bool reported = false, located = false;;) {
        homing_snapshot *snapshot;
        homing_status status = homing_client_snapshot(client, &snapshot);
        if (status != HOMING_OK)
            return fail("snapshot", status, NULL);
        status = homing_snapshot_location(snapshot, &location);
        if (status == HOMING_OK)
            snprintf(verdict, sizeof verdict, "%.*s", (int)location.detail.len, location.detail.data ? location.detail.data : "");
        homing_snapshot_free(snapshot);
        if (status != HOMING_OK)
            return fail("location", status, NULL);
        if (location.situation == HOMING_SITUATION_NONE) {
            fputs("probe: these settings have no reference servers, and no location that depends on where the machine is\n",
                  stderr);
            return 2;
        }
        // The first round is all, whether or not there is a network; an exchange with the management server needs none.
        bool known = location.situation != HOMING_SITUATION_UNKNOWN;
        bool over = (reported && (located || !known)) || (located && location.is_attached);
        if (!json && (reported || located) && (watch || over) && strcmp(said, verdict) != 0) {
            printf("verdict: %s\n", verdict);
            strcpy(said, verdict);
        }
        fflush(stdout);
        time_t now = time(NULL);
        homing_event *event = NULL;
        if (watch || (!over && now < until))
            homing_client_next_event(client, watch ? UINT32_MAX : (uint32_t)(until - now) * 1000, &event);
        if (!event && !watch && !over && time(NULL) < until)
            continue;
        if (!event) {
            if (!json && !said[0])
                printf("verdict: %s\n", verdict);
            break;
        }
        int32_t kind = homing_event_kind(event);
        reported |= kind == HOMING_EVENT_ROUND;
        located |= kind == HOMING_EVENT_LOCATION;
        if (kind == HOMING_EVENT_ROUND && watch && !json)
            say_when();
        homing_text text = json ? homing_event_json(event) : homing_event_text(event);
        if (json)
            printf("%.*s\n", (int)text.len, text.data);
        else if (kind == HOMING_EVENT_ROUND)
            printf("%.*s", (int)text.len, text.data);
        else if (kind == HOMING_EVENT_SETTINGS_WARNING)
            fprintf(stderr, "warning: %.*s\n", (int)text.len, text.data);
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
    bool json = false, watch = false, asked = false, with_management = false;
    const char *file = NULL;
    static char document[65536] =
        "{\"server_lists\":[{\"name\":\"nobody\",\"priorities\":[{\"servers\":[{\"address\":\"management.invalid\"}]}]}],"
        "\"group\":{\"communication\":{\"enabled\":false}},\"location\":{\"required_proof\":\"tcp\"},"
        "\"reference_servers\":{\"limit\":320,\"servers\":[";
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--help") == 0)
            return fputs(HELP, stdout) < 0;
        if (strcmp(arguments[i], "--json") == 0)
            json = true;
        else if (strcmp(arguments[i], "--watch") == 0)
            watch = true;
        else if (strcmp(arguments[i], "--with-management") == 0)
            with_management = true;
        else if (strcmp(arguments[i], "--settings") == 0 && i + 1 < count)
            file = arguments[++i];
        else if (arguments[i][0] == '-' || !(asked = add(document, sizeof document - 4, arguments[i])))
            return misused(arguments[i]);
    }
    if (!file == !asked)
        return misused("write --settings FILE or servers");
    if (with_management && !file)
        return misused("--with-management goes with --settings FILE");
    strcat(document, "]}}");

    homing_error *error = NULL;
    homing_settings *settings;
    homing_status status = file ? homing_settings_read(file, &settings, &error)
                                : homing_settings_parse((const uint8_t *)document, strlen(document), HOMING_SOURCE_PERSON,
                                                        &settings, &error);
    if (status != HOMING_OK)
        return fail("settings", status, error);
    if (!with_management) {
        homing_settings *all = settings;
        status = homing_settings_reference_servers_only(all, &settings);
        homing_settings_free(all);
        if (status != HOMING_OK)
            return fail("settings", status, NULL);
    }
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
