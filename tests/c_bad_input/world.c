#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *settings_path;

// One thread's call.
static _Thread_local struct {
    const char *what;
    void *blocks[64];
    size_t count;
} call;
static size_t calls, wrong;

void begin(const char *what)
{
    call.what = what;
    __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
}

void end(void)
{
    while (call.count > 0)
        free(call.blocks[--call.count]);
    call.what = NULL;
}

size_t wrong_count(void)
{
    return __atomic_load_n(&wrong, __ATOMIC_RELAXED);
}

size_t call_count(void)
{
    return __atomic_load_n(&calls, __ATOMIC_RELAXED);
}

_Noreturn void fail(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: %s: not so: %s\n", file, line, call.what ? call.what : "between calls", condition);
    // Without a look for leaks: nothing was freed.
    abort();
}

static void *block(size_t size)
{
    void *made = malloc(size ? size : 1);
    check(made != NULL && call.count < sizeof call.blocks / sizeof *call.blocks);
    call.blocks[call.count++] = made;
    return made;
}

void check_status(homing_status status, homing_status expected, const struct world *world)
{
    // What is right on either side of the end.
    static const char may_stop[] = "homing_client_next_event:", may_have_ended[] = "homing_client_join:";
    if (world->free_running && expected == HOMING_OK && status == HOMING_ERROR_STOPPED &&
        strncmp(call.what, may_stop, sizeof may_stop - 1) == 0)
        return;
    if (world->free_running && expected == HOMING_ERROR_TIMEOUT && status == HOMING_OK &&
        strncmp(call.what, may_have_ended, sizeof may_have_ended - 1) == 0)
        return;
    // A call is refused in a callback, fails when the client stops meanwhile, and may be one too many.
    bool calls = strncmp(call.what, "homing_client_call:", 19) == 0 || strncmp(call.what, "homing_client_begin_call:", 25) == 0;
    if (calls && expected == HOMING_OK &&
        ((world->free_running && (status == HOMING_ERROR_CALL || status == HOMING_ERROR_NO_ANSWER ||
                                  status == HOMING_ERROR_TOO_MANY)) ||
         ((world->free_running || world->stopped) && status == HOMING_ERROR_STOPPED)))
        return;
    // In a callback it is refused before the disk is asked.
    if (expected == HOMING_ERROR_NOT_DURABLE && status == HOMING_ERROR_NOT_TAKEN)
        return;
    if (status == expected)
        return;
    fprintf(stderr, "%s: %d was returned, not %d\n", call.what, (int)status, (int)expected);
    __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
}

void check_error(homing_error *error, homing_status status)
{
    check(error != UNTOUCHED && error != NULL);
    check(homing_error_status(error) == status);
    check(homing_error_message(error).len > 0);
    check_text(homing_error_message(error), false);
    homing_error_free(error);
}

void check_untouched(const void *place, const void *fresh, size_t size)
{
    check(memcmp(place, fresh, size) == 0);
}

void check_written(const void *place, size_t size)
{
    check(*(const size_t *)place == size);
    // Every struct goes on with a number or a view that is never these bits.
    check(memcmp((const char *)place + sizeof size, "\xa5\xa5\xa5\xa5", 4) != 0);
}

void check_text(homing_text text, bool nothing)
{
    if (nothing || text.data == NULL) {
        check(text.data == NULL && text.len == 0);
        return;
    }
    // Each byte is read, and each character begins and ends where UTF-8 says so.
    const unsigned char *at = (const unsigned char *)text.data;
    for (size_t left = text.len; left > 0;) {
        size_t length = *at < 0x80 ? 1 : *at >> 5 == 6 ? 2 : *at >> 4 == 14 ? 3 : *at >> 3 == 30 ? 4 : 0;
        check(length > 0 && length <= left);
        for (size_t more = 1; more < length; more++)
            check(at[more] >> 6 == 2);
        at += length;
        left -= length;
    }
}

void check_bytes(homing_bytes bytes, bool nothing)
{
    if (nothing || bytes.data == NULL) {
        check(bytes.data == NULL && bytes.len == 0);
        return;
    }
    volatile uint8_t sum = 0;
    for (size_t index = 0; index < bytes.len; index++)
        sum ^= bytes.data[index];
}

void *unaligned(const void *pointer)
{
    return (char *)(uintptr_t)pointer + 1;
}

void *exactly(const void *from, size_t size)
{
    return memcpy(block(size), from, size);
}

void *place(size_t size, size_t said)
{
    void *made = memset(block(size), 0xa5, size);
    memcpy(made, &said, sizeof said);
    return made;
}

const uint8_t *bytes(const void *from, size_t size)
{
    return exactly(from, size);
}

const char *long_text(size_t length)
{
    char *made = memset(block(length + 1), 'x', length);
    made[length] = '\0';
    return made;
}

const uint64_t *word(uint64_t value)
{
    return exactly(&value, sizeof value);
}

const uint64_t *unaligned_word(uint64_t value)
{
    return (uint64_t *)(uintptr_t)memcpy((char *)block(sizeof value + 1) + 1, &value, sizeof value);
}

const int32_t *numbers(size_t count, int32_t value)
{
    int32_t *made = block(count * sizeof *made);
    for (size_t index = 0; index < count; index++)
        made[index] = value;
    return made;
}

const char *const *routes(const char *route)
{
    return exactly(&route, sizeof(char *));
}

const homing_address *addresses(size_t count)
{
    homing_address *made = memset(block(count * sizeof *made), 0, count * sizeof *made);
    for (size_t index = 0; index < count; index++) {
        made[index].family = 4;
        made[index].ip[0] = 127;
        made[index].ip[3] = (uint8_t)index;
    }
    return made;
}

homing_client *start(const struct world *world, const homing_options *options)
{
    homing_client *client;
    homing_error *error = NULL;
    if (homing_client_start(world->settings, options, &client, &error) != HOMING_OK) {
        homing_text message = homing_error_message(error);
        fprintf(stderr, "start: %.*s\n", (int)message.len, message.data);
        abort();
    }
    return client;
}

homing_event *wait_for(homing_client *client, int32_t kind)
{
    for (;;) {
        homing_event *event;
        check(homing_client_next_event(client, 60000, &event) == HOMING_OK);
        check(event != NULL);
        if (homing_event_kind(event) == kind)
            return event;
        homing_event_free(event);
    }
}

static void read_settings(struct world *world)
{
    FILE *file = fopen(world->path, "rb");
    check(file != NULL);
    // As a server may send it: with a field that this version does not know.
    static const char front[] = "{\"of_next_year\":true,";
    world->json = malloc(SETTINGS_MOST);
    check(world->json != NULL && fgetc(file) == '{');
    memcpy(world->json, front, sizeof front - 1);
    world->json_len = sizeof front - 1;
    world->json_len += fread(world->json + world->json_len, 1, SETTINGS_MOST - world->json_len, file);
    check(feof(file));
    fclose(file);
    check(homing_settings_parse(world->json, world->json_len, HOMING_SOURCE_SERVER, &world->settings, NULL) == HOMING_OK);
    check(homing_settings_warning_count(world->settings) == 1);
    check(homing_settings_lint_count(world->settings) > 0);
    check(homing_settings_location_count(world->settings) == 1);
}

void open_world(struct world *world)
{
    memset(world, 0, sizeof *world);
    world->path = settings_path;
    read_settings(world);
    homing_options options = {.struct_size = sizeof options, .agent_id = "agent"};
    world->client = start(world, &options);
    world->event = wait_for(world->client, HOMING_EVENT_HEARTBEAT);
    check(homing_event_body(world->event).len > 0);
    homing_engine_options engine = {.struct_size = sizeof engine, .agent_id = "agent"};
    check(homing_engine_new(world->settings, &engine, 1, &world->engine, NULL) == HOMING_OK);
    check(homing_engine_timeout(world->engine, 1) == HOMING_OK);
    check(homing_client_snapshot(world->client, &world->snapshot) == HOMING_OK);
    homing_call call = {.struct_size = sizeof call, .method = "GET", .path = "a"};
    check(homing_client_call(world->client, &call, &world->answer, NULL) == HOMING_OK);
    check(homing_answer_http_status(world->answer) == 200 && homing_answer_body(world->answer).len > 0);
    check(homing_settings_effective(world->settings, NULL, &world->string) == HOMING_OK);
    homing_settings *none;
    check(homing_settings_parse((const uint8_t *)"{", 1, HOMING_SOURCE_PERSON, &none, &world->error) ==
          HOMING_ERROR_SETTINGS);
    static const char policy[] = "{\"roots\":[\"public\"]}";
    check(homing_policy_parse((const uint8_t *)policy, sizeof policy - 1, 0, &world->policy, NULL) == HOMING_OK);
    homing_outbox_options outbox = {.struct_size = sizeof outbox};
    check(homing_outbox_open(&outbox, &world->outbox) == HOMING_OK);
    check(homing_outbox_submit(world->outbox, HOMING_REPORT_LOG, (const uint8_t *)"seen", 4, HOMING_DURABILITY_BUFFERED,
                               NULL) == HOMING_OK);
    check(homing_outbox_take(world->outbox, HOMING_LANE_LOG, 65536, &world->batch) == HOMING_OK && world->batch != NULL);
    check(homing_policy_check(world->policy, NULL, 0, "mgmt.example", 0, 0, &world->judgement, NULL) == HOMING_OK);
    check(homing_judgement_reject(world->judgement) == HOMING_REJECT_NO_CERTIFICATE);
}

static void stop_world(struct world *world)
{
    check(homing_client_stop(world->client, 0) == HOMING_OK);
    homing_event_free(wait_for(world->client, HOMING_EVENT_STOPPED));
    check(homing_engine_stop(world->engine, 2, 0) == HOMING_OK);
    homing_event *event;
    int32_t kind = 0;
    while (kind != HOMING_EVENT_STOPPED) {
        check(homing_engine_next_event(world->engine, &event) == HOMING_OK && event != NULL);
        kind = homing_event_kind(event);
        homing_event_free(event);
    }
    world->stopped = true;
}

void close_world(struct world *world)
{
    homing_client_free(world->client);
    homing_engine_free(world->engine);
    homing_event_free(world->event);
    homing_snapshot_free(world->snapshot);
    homing_answer_free(world->answer);
    homing_string_free(world->string);
    homing_error_free(world->error);
    homing_judgement_free(world->judgement);
    homing_batch_free(world->batch);
    homing_outbox_free(world->outbox);
    homing_policy_free(world->policy);
    homing_settings_free(world->settings);
    free(world->json);
    // Given up once by each client that started, and by no other.
    check(world->told.dropped == world->told.started);
}

void with_world(void (*body)(struct world *), bool stopped)
{
    struct world world;
    open_world(&world);
    if (stopped)
        stop_world(&world);
    body(&world);
    close_world(&world);
}

void on_drop(void *user_data)
{
    struct told *told = user_data;
    if (told)
        told->dropped++;
}

void on_event(void *user_data, homing_client *client, const homing_event *event)
{
    (void)user_data;
    check(client != NULL && homing_event_kind(event) > 0);
}

void on_log(void *user_data, int32_t level, homing_text message)
{
    (void)user_data;
    check(level >= HOMING_LOG_ERROR && level <= HOMING_LOG_TRACE && message.len > 0);
}

int32_t on_socket(void *user_data, int64_t socket, const homing_address *address)
{
    (void)user_data;
    check(socket >= 0 && address->family == 4);
    return 0;
}

void on_thread_start(void *user_data)
{
    (void)user_data;
}

int32_t on_settings(void *user_data, homing_client *client, homing_text server, homing_text tag, const uint8_t *data,
                    size_t len)
{
    (void)user_data, (void)client, (void)server, (void)tag, (void)data, (void)len;
    return HOMING_CONSENT_REFUSE;
}

void on_heartbeat(void *user_data, homing_client *client)
{
    (void)user_data;
    check(client != NULL);
}

void on_credentials(void *user_data, homing_client *client, int32_t asked, homing_text server)
{
    (void)user_data;
    (void)server;
    check(client != NULL && asked > 0);
}

int32_t store_load(void *user_data, const char *name, homing_value *value)
{
    (void)user_data;
    check(name != NULL && value != NULL);
    return 0;
}

int32_t store_save(void *user_data, const char *name, const uint8_t *data, size_t len)
{
    (void)user_data;
    check(name != NULL && data != NULL && len > 0);
    return 0;
}
