// What no single call shows: many threads, callbacks, the end, and processes.
#define _GNU_SOURCE
#include "world.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 8

// What the callbacks of one client have in common with the thread that started it.
struct shared {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    const struct world *world;
    homing_client *client;
    // What on_event does at the first heartbeat.
    enum { TRY, FREE, BLOCK, FREE_IN_SAVE } then;
    // How often each callback came.
    int events, logs, sockets, thread_starts, heartbeats, credentials, loads, saves;
    // Answers that were told, and those after which the client went on.
    int answers;
    // Calls of drop_user_data, and callbacks after it.
    int dropped, late;
    bool blocked;
    bool go_on;
    char complaint[200];
    int complaints;
};

static void shared_open(struct shared *shared, const struct world *world)
{
    memset(shared, 0, sizeof *shared);
    pthread_mutex_init(&shared->lock, NULL);
    pthread_cond_init(&shared->changed, NULL);
    shared->world = world;
}

static void shared_close(struct shared *shared)
{
    check(shared->dropped == 1 && shared->late == 0);
    pthread_cond_destroy(&shared->changed);
    pthread_mutex_destroy(&shared->lock);
}

// Counts a callback. The start may not have returned yet, which is about to tell who the client is.
static homing_client *came(struct shared *shared, int *count)
{
    pthread_mutex_lock(&shared->lock);
    ++*count;
    shared->late += shared->dropped;
    while (!shared->client)
        pthread_cond_wait(&shared->changed, &shared->lock);
    homing_client *client = shared->client;
    pthread_cond_broadcast(&shared->changed);
    pthread_mutex_unlock(&shared->lock);
    return client;
}

static void started(struct shared *shared, homing_client *client)
{
    pthread_mutex_lock(&shared->lock);
    shared->client = client;
    pthread_cond_broadcast(&shared->changed);
    pthread_mutex_unlock(&shared->lock);
}

static void wait_until(struct shared *shared, const int *count, int least)
{
    pthread_mutex_lock(&shared->lock);
    while (*count < least)
        pthread_cond_wait(&shared->changed, &shared->lock);
    pthread_mutex_unlock(&shared->lock);
}

static void drop_shared(void *user_data)
{
    struct shared *shared = user_data;
    pthread_mutex_lock(&shared->lock);
    shared->dropped++;
    pthread_cond_broadcast(&shared->changed);
    pthread_mutex_unlock(&shared->lock);
}

static void block(struct shared *shared)
{
    // As long as a call is logged for, and until the other client has shown that it goes on.
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 5;
    end.tv_nsec += 100 * 1000 * 1000;
    if (end.tv_nsec >= 1000 * 1000 * 1000) {
        end.tv_sec++;
        end.tv_nsec -= 1000 * 1000 * 1000;
    }
    pthread_mutex_lock(&shared->lock);
    shared->blocked = true;
    pthread_cond_broadcast(&shared->changed);
    bool over = false;
    while (!over || !shared->go_on)
        over |= pthread_cond_timedwait(&shared->changed, &shared->lock, &end) != 0;
    shared->blocked = false;
    pthread_mutex_unlock(&shared->lock);
}

static void told(void *user_data, homing_client *client, const homing_event *event)
{
    struct shared *shared = user_data;
    check(came(shared, &shared->events) == client);
    try_event((homing_event *)(uintptr_t)event);
    if (homing_event_kind(event) != HOMING_EVENT_HEARTBEAT)
        return;
    pthread_mutex_lock(&shared->lock);
    bool first = ++shared->answers == 1;
    pthread_cond_broadcast(&shared->changed);
    pthread_mutex_unlock(&shared->lock);
    if (!first)
        return;
    switch (shared->then) {
    case TRY:
        try_client(client, shared->world);
        break;
    case FREE:
        try_client(client, shared->world);
        check(homing_client_stop(client, 0) == HOMING_OK);
        homing_client_free(client);
        break;
    case BLOCK:
        block(shared);
        break;
    case FREE_IN_SAVE:
        break;
    }
}

static void logged(void *user_data, int32_t level, homing_text message)
{
    struct shared *shared = user_data;
    check(level >= HOMING_LOG_ERROR && level <= HOMING_LOG_TRACE);
    check_text(message, false);
    pthread_mutex_lock(&shared->lock);
    shared->late += shared->dropped;
    shared->logs++;
    if (level == HOMING_LOG_WARN && memmem(message.data, message.len, " took ", 6)) {
        shared->complaints++;
        snprintf(shared->complaint, sizeof shared->complaint, "%.*s", (int)message.len, message.data);
    }
    pthread_cond_broadcast(&shared->changed);
    pthread_mutex_unlock(&shared->lock);
}

static int32_t socket_made(void *user_data, int64_t socket, const homing_address *address)
{
    struct shared *shared = user_data;
    homing_client *client = came(shared, &shared->sockets);
    check(socket >= 0 && address->family == 4 && address->port > 0);
    if (shared->sockets == 1)
        try_client(client, shared->world);
    return 0;
}

static void thread_began(void *user_data)
{
    struct shared *shared = user_data;
    try_client(came(shared, &shared->thread_starts), shared->world);
}

static void heartbeat(void *user_data, homing_client *client)
{
    struct shared *shared = user_data;
    check(came(shared, &shared->heartbeats) == client);
    if (shared->heartbeats == 1)
        try_client(client, shared->world);
}

static void credentials_asked(void *user_data, homing_client *client, int32_t asked, homing_text server)
{
    struct shared *shared = user_data;
    check(came(shared, &shared->credentials) == client);
    check(asked == HOMING_ASKED_FIRST && server.data == NULL);
    try_client(client, shared->world);
}

static int32_t load(void *user_data, const char *name, homing_value *value)
{
    struct shared *shared = user_data;
    check(name != NULL && shared->client == NULL);
    shared->loads++;
    struct world here = *shared->world;
    here.value = value;
    try_values(&here);
    // What stays is what was set last: nothing that an engine ever said.
    check(homing_value_set(value, (const uint8_t *)"{}", 2) == HOMING_OK);
    return 0;
}

static int32_t save(void *user_data, const char *name, const uint8_t *data, size_t len)
{
    struct shared *shared = user_data;
    homing_client *client = came(shared, &shared->saves);
    check(name != NULL);
    check_bytes((homing_bytes){data, len}, false);
    try_client(client, shared->world);
    if (shared->then == FREE_IN_SAVE && shared->saves == 1)
        homing_client_free(client);
    return 0;
}

static homing_options options_of(struct shared *shared)
{
    homing_options options = {.struct_size = sizeof options, .agent_id = "agent"};
    options.user_data = shared;
    options.drop_user_data = drop_shared;
    options.on_event = told;
    options.on_log = logged;
    options.log_level = HOMING_LOG_TRACE;
    return options;
}

// Every function of a client from inside each callback. `secure` settings: credentials are shown over TLS only.
static void in_callbacks(struct world *world)
{
    struct shared shared;
    shared_open(&shared, world);
    homing_options options = options_of(&shared);
    options.on_socket = socket_made;
    options.on_thread_start = thread_began;
    options.on_heartbeat = heartbeat;
    options.on_credentials = credentials_asked;
    options.store_load = load;
    options.store_save = save;
    homing_client *client = start(world, &options);
    started(&shared, client);
    wait_until(&shared, &shared.answers, 2);
    wait_until(&shared, &shared.saves, 1);
    check(homing_client_stop(client, 1000) == HOMING_OK);
    homing_client_free(client);
    // What it remembers, and the floor of its clock.
    check(shared.loads == 2);
    check(shared.thread_starts == 1);
    check(shared.credentials == 1);
    check(shared.events > 2 && shared.logs > 0 && shared.sockets > 0 && shared.heartbeats > 0);
    shared_close(&shared);
}

// Stopped and freed by its own callback: what is left ends by itself.
static void freed_in_a_callback(struct world *world)
{
    struct shared shared;
    shared_open(&shared, world);
    shared.then = FREE;
    homing_options options = options_of(&shared);
    started(&shared, start(world, &options));
    wait_until(&shared, &shared.dropped, 1);
    shared_close(&shared);
}

// Freed by its own store, on a thread that the end of the client waits for.
static void freed_in_a_save(struct world *world)
{
    struct shared shared;
    shared_open(&shared, world);
    shared.then = FREE_IN_SAVE;
    homing_options options = options_of(&shared);
    options.store_load = load;
    options.store_save = save;
    started(&shared, start(world, &options));
    wait_until(&shared, &shared.dropped, 1);
    // What waited meanwhile may have been stored after it.
    check(shared.saves >= 1);
    shared_close(&shared);
}

struct crowd {
    struct world *world;
    homing_client *client;
    pthread_barrier_t *all;
    bool stops;
};

static void *one_of_many(void *parameter)
{
    struct crowd *crowd = parameter;
    pthread_barrier_wait(crowd->all);
    for (int round = 0; round < 3; round++)
        try_client(crowd->client, crowd->world);
    if (crowd->stops)
        check(homing_client_stop(crowd->client, 100) == HOMING_OK);
    homing_status status;
    do {
        try_client(crowd->client, crowd->world);
        homing_event *event = NULL;
        status = homing_client_next_event(crowd->client, 10, &event);
        check(status == HOMING_OK || status == HOMING_ERROR_STOPPED);
        if (status == HOMING_OK && event) {
            try_event(event);
            homing_event_free(event);
        }
    } while (status != HOMING_ERROR_STOPPED);
    try_client(crowd->client, crowd->world);
    return NULL;
}

static void from_many_threads(struct world *world)
{
    pthread_t threads[THREADS];
    pthread_barrier_t all;
    struct crowd crowds[THREADS];
    pthread_barrier_init(&all, NULL, THREADS);
    struct world here = *world;
    here.free_running = true;
    for (int index = 0; index < THREADS; index++) {
        crowds[index] = (struct crowd){&here, world->client, &all, index % 2 == 0};
        check(pthread_create(&threads[index], NULL, one_of_many, &crowds[index]) == 0);
    }
    for (int index = 0; index < THREADS; index++)
        check(pthread_join(threads[index], NULL) == 0);
    pthread_barrier_destroy(&all);
}

// Two clients in one process: one stands in its callback for more than five seconds, the other works.
static void one_blocks(struct world *world)
{
    struct shared slow, quick;
    shared_open(&slow, world);
    shared_open(&quick, world);
    slow.then = BLOCK;
    homing_options options = options_of(&slow);
    homing_client *slow_client = start(world, &options);
    started(&slow, slow_client);
    options = options_of(&quick);
    homing_client *quick_client = start(world, &options);
    started(&quick, quick_client);
    pthread_mutex_lock(&slow.lock);
    while (!slow.blocked)
        pthread_cond_wait(&slow.changed, &slow.lock);
    pthread_mutex_unlock(&slow.lock);
    for (int answers = 1; answers < 6; answers++) {
        wait_until(&quick, &quick.answers, answers);
        check(homing_client_beat_now(quick_client, NULL) == HOMING_OK);
        // Nobody waits for the one that blocks.
        check(homing_client_beat_now(slow_client, NULL) == HOMING_OK);
    }
    wait_until(&quick, &quick.answers, 6);
    pthread_mutex_lock(&slow.lock);
    check(slow.blocked && slow.answers == 1);
    slow.go_on = true;
    pthread_cond_broadcast(&slow.changed);
    pthread_mutex_unlock(&slow.lock);
    wait_until(&slow, &slow.answers, 2);
    homing_client_free(slow_client);
    homing_client_free(quick_client);
    printf("%s\n", slow.complaint);
    check(slow.complaints == 1 && quick.complaints == 0);
    shared_close(&slow);
    shared_close(&quick);
}

// A child may free what is its parent's: nothing happens, at once, and the parent goes on.
static void forked(struct world *world)
{
    struct shared shared;
    shared_open(&shared, world);
    homing_options options = options_of(&shared);
    homing_client *client = start(world, &options);
    started(&shared, client);
    wait_until(&shared, &shared.answers, 1);
    pid_t child = fork();
    check(child >= 0);
    if (child == 0) {
        // The end of a child that waits for a thread it does not have.
        alarm(20);
        homing_client_free(client);
        homing_client_free(world->client);
        _exit(shared.dropped == 0 ? 0 : 1);
    }
    int status;
    check(waitpid(child, &status, 0) == child);
    check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    check(homing_client_beat_now(client, NULL) == HOMING_OK);
    wait_until(&shared, &shared.answers, 2);
    homing_client_free(client);
    shared_close(&shared);
}

int main(int count, char **arguments)
{
    check(count == 3);
    settings_path = arguments[2];
    // Only a program that hangs lives this long.
    alarm(300);
    const struct {
        const char *name;
        void (*run)(struct world *);
    } scenarios[] = {
        {"callbacks", in_callbacks},        {"free", freed_in_a_callback}, {"threads", from_many_threads},
        {"free_in_save", freed_in_a_save}, {"block", one_blocks}, {"fork", forked},
    };
    const char *wanted = arguments[1];
    if (strcmp(wanted, "alive") == 0 || strcmp(wanted, "stopped") == 0) {
        try_everything(strcmp(wanted, "stopped") == 0);
        printf("%zu calls\n", call_count());
        return wrong_count() > 0;
    }
    for (size_t index = 0; index < sizeof scenarios / sizeof *scenarios; index++) {
        if (strcmp(wanted, scenarios[index].name) != 0)
            continue;
        with_world(scenarios[index].run, false);
        printf("%zu calls\n", call_count());
        return wrong_count() > 0;
    }
    fprintf(stderr, "no scenario `%s`\n", wanted);
    return 2;
}
