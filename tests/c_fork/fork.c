// What a child may do with what its parent made, while threads of the parent are inside of everything.
//
//   fork SETTINGS.json COUNT
//
// Makes COUNT children; prints how many there were, and how many of them had a client of their own.
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <homing.h>

#define check(condition) \
    do { \
        if (!(condition)) { \
            dprintf(2, "fork.c:%d: not so: %s\n", __LINE__, #condition); \
            _exit(1); \
        } \
    } while (0)

static homing_settings *settings;
static homing_client *client;
static homing_outbox *outbox;
static int waitable;
static atomic_bool over;
// What the threads of the parent are just making the JSON of.
static _Atomic(homing_snapshot *) snapshot;
static _Atomic(homing_event *) event;

static homing_client *start(homing_options *options)
{
    options->struct_size = sizeof *options;
    options->agent_id = "agent";
    homing_client *made;
    check(homing_client_start(settings, options, &made, NULL) == HOMING_OK);
    return made;
}

static void wait_for(homing_client *it, int32_t kind)
{
    for (int32_t seen = 0; seen != kind;) {
        homing_event *next;
        check(homing_client_next_event(it, 60000, &next) == HOMING_OK && next);
        seen = homing_event_kind(next);
        homing_event_free(next);
    }
}

// Every function of a client. The test looks whether one is missing.
static void all_are_refused(homing_client *it)
{
    homing_event *next = NULL;
    homing_snapshot *picture = NULL;
    homing_error *error = NULL;
    int64_t number = -1;
    const uint8_t bytes[] = "text";
    check(homing_client_next_event(it, 60000, &next) == HOMING_ERROR_FORKED && !next);
    check(homing_client_waitable(it, &number) == HOMING_ERROR_FORKED && number == -1);
    check(homing_client_lost_events(it) == 0);
    check(homing_client_lost_bodies(it) == 0);
    check(homing_client_set_status(it, bytes, 4) == HOMING_ERROR_FORKED);
    check(homing_client_set_header(it, "x-secret", bytes, 4, &error) == HOMING_ERROR_FORKED);
    check(homing_error_status(error) == HOMING_ERROR_FORKED && homing_error_message(error).len > 0);
    homing_error_free(error);
    check(homing_client_remove_header(it, "x-secret") == HOMING_ERROR_FORKED);
    check(homing_client_set_headers(it, NULL, 0, NULL) == HOMING_ERROR_FORKED);
    check(homing_client_network_changed(it) == HOMING_ERROR_FORKED);
    check(homing_client_resumed(it) == HOMING_ERROR_FORKED);
    check(homing_client_beat_now(it, NULL) == HOMING_ERROR_FORKED);
    check(homing_client_confirm_policy(it, "1") == HOMING_ERROR_FORKED);
    check(homing_client_decide_settings(it, "1", HOMING_CONSENT_ACCEPT) == HOMING_ERROR_FORKED);
    check(homing_client_probe_now(it) == HOMING_ERROR_FORKED);
    check(homing_client_reconfigure(it, settings, NULL) == HOMING_ERROR_FORKED);
    check(homing_client_set_location(it, "Office") == HOMING_ERROR_FORKED);
    check(homing_client_set_routes(it, (const char *[]){"direct"}, 1, NULL) == HOMING_ERROR_FORKED);
    check(homing_client_snapshot(it, &picture) == HOMING_ERROR_FORKED && !picture);
    homing_lane_account account = {.struct_size = sizeof account};
    check(homing_client_submit(it, HOMING_REPORT_LOG, bytes, 4, HOMING_DURABILITY_BUFFERED, NULL) == HOMING_ERROR_FORKED);
    check(homing_client_account(it, HOMING_LANE_LOG, &account) == HOMING_ERROR_FORKED);
    check(homing_client_forget_applications(it) == HOMING_ERROR_FORKED);
    homing_call call = {.struct_size = sizeof call, .method = "GET", .path = "a"};
    homing_answer *answer = NULL;
    check(homing_client_call(it, &call, &answer, NULL) == HOMING_ERROR_FORKED && !answer);
    check(homing_client_begin_call(it, &call, NULL, NULL) == HOMING_ERROR_FORKED);
    check(homing_client_user_changed(it, "alice") == HOMING_ERROR_FORKED);
    check(homing_client_stop(it, 0) == HOMING_ERROR_FORKED);
    check(homing_client_join(it, 60000) == HOMING_ERROR_FORKED);
    homing_client_free(it);
}

// Every function of an outbox.
static void the_outbox_is_refused(void)
{
    homing_lane_account account = {.struct_size = sizeof account};
    homing_batch *batch = NULL;
    check(homing_outbox_submit(outbox, HOMING_REPORT_LOG, NULL, 0, HOMING_DURABILITY_DURABLE, NULL) == HOMING_ERROR_FORKED);
    check(homing_outbox_take(outbox, HOMING_LANE_LOG, 1000, &batch) == HOMING_ERROR_FORKED && !batch);
    check(homing_outbox_settle(outbox, NULL, 1, NULL) == HOMING_ERROR_FORKED);
    check(homing_outbox_refused(outbox, NULL) == HOMING_ERROR_FORKED);
    check(homing_outbox_account(outbox, HOMING_LANE_LOG, &account) == HOMING_ERROR_FORKED);
    check(homing_outbox_learn_applications(outbox, 1) == HOMING_ERROR_FORKED);
    check(homing_outbox_forget_applications(outbox) == HOMING_ERROR_FORKED);
    check(homing_outbox_flush(outbox) == HOMING_ERROR_FORKED);
    homing_outbox_free(outbox);
}

// What is memory and nothing else goes on.
static void the_rest_works(void)
{
    homing_snapshot *picture = atomic_load(&snapshot);
    homing_event *one = atomic_load(&event), *another;
    check(homing_snapshot_json(picture).len > 0 && homing_snapshot_explain(picture).len > 0);
    check(homing_event_json(one).len > 0);
    check(homing_event_clone(one, &another) == HOMING_OK && homing_event_json(another).len > 0);
    homing_event_free(another);
    homing_event_free(one);
    homing_snapshot_free(picture);
    check(homing_settings_server_count(settings) > 0);
    homing_string *effective;
    check(homing_settings_effective(settings, NULL, &effective) == HOMING_OK);
    homing_string_free(effective);
}

static void a_client_of_its_own(void)
{
    homing_options options = {0};
    homing_client *own = start(&options);
    wait_for(own, HOMING_EVENT_ATTACHED);
    check(homing_client_stop(own, 0) == HOMING_OK);
    homing_client_free(own);
}

// Keeps the locks of the client busy, and its loop.
static void *use(void *unused)
{
    (void)unused;
    while (!atomic_load(&over)) {
        homing_snapshot *picture;
        check(homing_client_snapshot(client, &picture) == HOMING_OK);
        homing_snapshot_free(picture);
        check(homing_client_set_status(client, (const uint8_t *)"busy", 4) == HOMING_OK);
        check(homing_client_set_header(client, "x-secret", (const uint8_t *)"s", 1, NULL) == HOMING_OK);
        check(homing_client_set_location(client, NULL) == HOMING_OK);
        check(homing_client_lost_events(client) == 0);
        const uint8_t line[] = "line";
        check(homing_outbox_submit(outbox, HOMING_REPORT_LOG, line, 4, HOMING_DURABILITY_BUFFERED, NULL) == HOMING_OK);
    }
    return NULL;
}

// Makes the JSON of what the children are about to ask for.
static void *look(void *unused)
{
    (void)unused;
    while (!atomic_load(&over)) {
        homing_snapshot *picture = atomic_load(&snapshot);
        homing_event *one = atomic_load(&event);
        if (picture && one)
            check(homing_snapshot_json(picture).len > 0 && homing_event_json(one).len > 0);
    }
    return NULL;
}

static bool is_ready(void)
{
    struct pollfd wait = {.fd = waitable, .events = POLLIN};
    return poll(&wait, 1, 0) == 1;
}

static void ends_well(pid_t child)
{
    int status;
    check(child > 0 && waitpid(child, &status, 0) == child);
    check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    // No child has taken what the parent is told by.
    check(is_ready());
}

static void child_of(int number)
{
    // The end of a child that waits for a thread it does not have.
    alarm(60);
    // As services do, whose parent then ends: the one that goes on is a child of a child.
    if (number % 10 == 1) {
        int ends[2];
        char done = 0;
        check(pipe(ends) == 0);
        pid_t parent = fork();
        check(parent >= 0);
        if (parent > 0) {
            close(ends[1]);
            check(read(ends[0], &done, 1) == 1 && done == 1);
            _exit(0);
        }
        check(daemon(1, 1) == 0);
        alarm(60);
        all_are_refused(client);
        done = 1;
        check(write(ends[1], &done, 1) == 1);
        _exit(0);
    }
    all_are_refused(client);
    the_outbox_is_refused();
    the_rest_works();
    if (number % 50 == 0)
        a_client_of_its_own();
    _exit(0);
}

// The one thread of this child is a copy of the client's.
static void forks(void *user_data, homing_client *own, const homing_event *what)
{
    atomic_int *forked = user_data;
    if (homing_event_kind(what) != HOMING_EVENT_HEARTBEAT || atomic_load(forked) > 0)
        return;
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        all_are_refused(own);
        _exit(0);
    }
    ends_well(child);
    atomic_fetch_add(forked, 1);
}

static void in_a_callback(void)
{
    atomic_int forked = 0;
    homing_options options = {.user_data = &forked, .on_event = forks};
    homing_client *own = start(&options);
    while (atomic_load(&forked) == 0)
        usleep(1000);
    homing_client_free(own);
}

int main(int count, char **arguments)
{
    check(count == 3);
    int children = atoi(arguments[2]), own = 0;
    check(homing_settings_read(arguments[1], &settings, NULL) == HOMING_OK);
    homing_options options = {0};
    client = start(&options);
    int64_t number;
    check(homing_client_waitable(client, &number) == HOMING_OK);
    waitable = (int)number;
    homing_outbox_options in_memory = {.struct_size = sizeof in_memory};
    check(homing_outbox_open(&in_memory, &outbox) == HOMING_OK);
    wait_for(client, HOMING_EVENT_ATTACHED);
    pthread_t user, looker;
    check(pthread_create(&user, NULL, use, NULL) == 0);
    check(pthread_create(&looker, NULL, look, NULL) == 0);
    check(homing_client_beat_now(client, NULL) == HOMING_OK);
    struct pollfd wait = {.fd = waitable, .events = POLLIN};
    check(poll(&wait, 1, 60000) == 1);
    homing_event *first;
    check(homing_client_next_event(client, 60000, &first) == HOMING_OK && first);
    while (!is_ready()) {
        check(homing_client_beat_now(client, NULL) == HOMING_OK);
        check(poll(&wait, 1, 60000) == 1);
    }
    // The thread that looks at them may still be at any before: they are freed at the end.
    homing_snapshot **snapshots = calloc((size_t)children, sizeof *snapshots);
    homing_event **events = calloc((size_t)children, sizeof *events);
    check(snapshots && events);
    for (int made = 0; made < children; made++) {
        check(homing_client_snapshot(client, &snapshots[made]) == HOMING_OK);
        check(homing_event_clone(first, &events[made]) == HOMING_OK);
        atomic_store(&snapshot, snapshots[made]);
        atomic_store(&event, events[made]);
        // Some without the functions that `fork` runs before and after.
        pid_t child = made % 10 == 2 ? (pid_t)syscall(SYS_fork) : fork();
        if (child == 0) {
            if (made % 10 == 2) {
                alarm(60);
                check(homing_client_beat_now(client, NULL) == HOMING_ERROR_FORKED);
                check(homing_client_next_event(client, 60000, &first) == HOMING_ERROR_FORKED);
                homing_client_free(client);
                _exit(0);
            }
            child_of(made);
        }
        ends_well(child);
        own += made % 50 == 0;
    }
    in_a_callback();
    atomic_store(&over, true);
    check(pthread_join(user, NULL) == 0 && pthread_join(looker, NULL) == 0);
    // The parent's client is as it was.
    check(homing_client_beat_now(client, NULL) == HOMING_OK);
    wait_for(client, HOMING_EVENT_HEARTBEAT);
    check(homing_client_stop(client, 1000) == HOMING_OK);
    wait_for(client, HOMING_EVENT_STOPPED);
    homing_client_free(client);
    homing_lane_account account = {.struct_size = sizeof account};
    check(homing_outbox_account(outbox, HOMING_LANE_LOG, &account) == HOMING_OK && account.submitted > 0);
    homing_outbox_free(outbox);
    homing_event_free(first);
    for (int index = 0; index < children; index++) {
        homing_snapshot_free(snapshots[index]);
        homing_event_free(events[index]);
    }
    free(snapshots);
    free(events);
    homing_settings_free(settings);
    printf("%d children, %d with a client of their own\n", children, own);
    return 0;
}
