// A program in C that measures itself.
//
//   program getters SETTINGS.json COUNT    nanoseconds for each getter
//   program status SETTINGS.json COUNT     nanoseconds for setting a status
//   program header SETTINGS.json COUNT     nanoseconds for setting a header field to what it is
//   program events SETTINGS.json COUNT     nanoseconds for each event: fetched, looked at, freed
//   program idle SETTINGS.json SECONDS     what an attached client holds, and whether anything wakes it
//
// Each prints numbers only.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <homing.h>

static void must(homing_status status)
{
    if (status == HOMING_OK)
        return;
    homing_text text = homing_status_text(status);
    fprintf(stderr, "program: %.*s\n", (int)text.len, text.data);
    exit(1);
}

static double nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static homing_client *attached(const char *path, homing_event **heartbeat)
{
    homing_settings *settings;
    homing_client *client;
    must(homing_settings_read(path, &settings, NULL));
    homing_options options = {.struct_size = sizeof options, .agent_id = "agent"};
    options.status = (const uint8_t *)"all is well";
    options.status_len = 11;
    must(homing_client_start(settings, &options, &client, NULL));
    homing_settings_free(settings);
    for (;;) {
        homing_event *event;
        must(homing_client_next_event(client, 60000, &event));
        if (homing_event_kind(event) == HOMING_EVENT_HEARTBEAT) {
            *heartbeat = event;
            return client;
        }
        homing_event_free(event);
    }
}

// Something of each result is used, so that no call is left out.
static size_t getters(const homing_event *event)
{
    return (size_t)homing_event_kind(event) + homing_event_server(event).len + (size_t)homing_event_http_status(event) +
           (size_t)homing_event_duration_ms(event) + homing_event_body(event).len + (size_t)homing_event_at_ns(event) +
           (size_t)homing_event_reason(event) + homing_event_json(event).len;
}

static void measure_getters(homing_event *event, int count)
{
    size_t sum = getters(event);
    double began = nanoseconds();
    for (int done = 0; done < count; done++)
        sum += getters(event);
    printf("%.2f\n", (nanoseconds() - began) / count / 8);
    if (sum == 0)
        exit(1);
}

static void measure_status(homing_client *client, int count)
{
    static const uint8_t status[] = "all is well";
    double began = nanoseconds();
    for (int done = 0; done < count; done++)
        must(homing_client_set_status(client, status, sizeof status - 1));
    printf("%.2f\n", (nanoseconds() - began) / count);
}

static void measure_header(homing_client *client, int count)
{
    static const uint8_t secret[] = "secret";
    double began = nanoseconds();
    // From the second time on it is the same as before, and nobody has to be told.
    for (int done = 0; done < count; done++)
        must(homing_client_set_header(client, "X-Secret", secret, sizeof secret - 1, NULL));
    printf("%.2f\n", (nanoseconds() - began) / count);
}

static void measure_events(homing_client *client, const char *path, int count)
{
    // The warning about them is an event each time they are put in force.
    homing_settings *settings;
    must(homing_settings_read(path, &settings, NULL));
    int fetched = 0;
    double spent = 0;
    for (int round = 0; fetched < count && round < count; round++) {
        for (int told = 0; told < 50; told++)
            must(homing_client_reconfigure(client, settings, NULL));
        // Until all of them wait: fetching is measured, not waiting.
        usleep(100000);
        double began = nanoseconds();
        for (;;) {
            homing_event *event;
            must(homing_client_next_event(client, 0, &event));
            if (!event)
                break;
            if (homing_event_kind(event) > 0 && homing_event_server(event).len < 1000)
                fetched++;
            homing_event_free(event);
        }
        spent += nanoseconds() - began;
    }
    homing_settings_free(settings);
    if (fetched < count || homing_client_lost_events(client) > 0)
        exit(1);
    printf("%.2f\n", spent / fetched);
}

static long number(const char *path, const char *field)
{
    char line[256];
    long found = -1;
    FILE *file = fopen(path, "r");
    while (file && found < 0 && fgets(line, sizeof line, file))
        if (strncmp(line, field, strlen(field)) == 0)
            found = strtol(line + strlen(field), NULL, 10);
    if (file)
        fclose(file);
    return found;
}

// Threads beside this one, and how often they were given the processor.
static long others(int *threads)
{
    long switches = 0;
    *threads = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *task; tasks && (task = readdir(tasks));) {
        if (atoi(task->d_name) == 0 || atoi(task->d_name) == getpid())
            continue;
        char path[300];
        snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
        switches += number(path, "voluntary_ctxt_switches:") + number(path, "nonvoluntary_ctxt_switches:");
        ++*threads;
    }
    if (tasks)
        closedir(tasks);
    return switches;
}

// Connections to servers; the socket on which the kernel tells of network changes is none.
static int connections(void)
{
    int count = 0;
    DIR *descriptors = opendir("/proc/self/fd");
    for (struct dirent *entry; descriptors && (entry = readdir(descriptors));) {
        struct sockaddr_storage own;
        socklen_t length = sizeof own;
        if (getsockname(atoi(entry->d_name), (struct sockaddr *)&own, &length) == 0)
            count += own.ss_family == AF_INET || own.ss_family == AF_INET6;
    }
    if (descriptors)
        closedir(descriptors);
    return count;
}

static void measure_idle(int seconds)
{
    // The work of the heartbeat is over by then.
    sleep(2);
    int threads;
    long before = others(&threads);
    long resident = number("/proc/self/smaps_rollup", "Rss:");
    long dirty = number("/proc/self/smaps_rollup", "Private_Dirty:");
    sleep((unsigned)seconds);
    int still;
    long wakes = others(&still) - before;
    printf("%ld %ld %d %ld %d\n", dirty, resident, still > threads ? still : threads, wakes, connections());
}

int main(int count, char **arguments)
{
    if (count != 4)
        return 2;
    homing_event *heartbeat;
    homing_client *client = attached(arguments[2], &heartbeat);
    int amount = atoi(arguments[3]);
    if (strcmp(arguments[1], "getters") == 0)
        measure_getters(heartbeat, amount);
    else if (strcmp(arguments[1], "status") == 0)
        measure_status(client, amount);
    else if (strcmp(arguments[1], "header") == 0)
        measure_header(client, amount);
    else if (strcmp(arguments[1], "events") == 0)
        measure_events(client, arguments[2], amount);
    else if (strcmp(arguments[1], "idle") == 0)
        measure_idle(amount);
    else
        return 2;
    homing_event_free(heartbeat);
    homing_client_free(client);
    return 0;
}
