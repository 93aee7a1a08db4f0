// What the generated calls and the scenarios stand on.
#ifndef WORLD_H
#define WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include <homing.h>

// One thing of each kind.
struct world {
    const char *path;
    uint8_t *json;
    size_t json_len;
    // The client and the engine have told their last event.
    bool stopped;
    // Others use the client too, and it may stop at any moment.
    bool free_running;
    homing_settings *settings;
    homing_client *client;
    homing_engine *engine;
    homing_event *event;
    homing_snapshot *snapshot;
    homing_answer *answer;
    homing_string *string;
    homing_error *error;
    homing_policy *policy;
    homing_judgement *judgement;
    homing_value *value;
    homing_outbox *outbox;
    homing_batch *batch;
    // What callbacks of clients that the calls start are given.
    struct told {
        int started;
        int dropped;
    } told;
};

// Made by the test.
void try_everything(bool stopped);
void try_values(struct world *world);
void try_client(homing_client *client, const struct world *world);
void try_event(homing_event *event);

extern const char *settings_path;
void with_world(void (*body)(struct world *), bool stopped);
void open_world(struct world *world);
void close_world(struct world *world);
homing_client *start(const struct world *world, const homing_options *options);
homing_event *wait_for(homing_client *client, int32_t kind);

// A call: whatever the functions below made between the two is released with the end.
void begin(const char *what);
void end(void);
size_t call_count(void);
// Calls that returned another status than they should.
size_t wrong_count(void);

// Ends the program when it does not hold, with the call and the line.
#define check(condition) \
    do { \
        if (!(condition)) \
            fail(#condition, __FILE__, __LINE__); \
    } while (0)
_Noreturn void fail(const char *condition, const char *file, int line);
void check_status(homing_status status, homing_status expected, const struct world *world);
void check_error(homing_error *error, homing_status status);
void check_untouched(const void *place, const void *fresh, size_t size);
void check_written(const void *place, size_t size);
void check_text(homing_text text, bool nothing);
void check_bytes(homing_bytes bytes, bool nothing);

#define UNTOUCHED ((void *)(uintptr_t)0x5a5a5a5a5a5a5a50)
#define UNTOUCHED_NUMBER 0x5a5a5a5a
#define SETTINGS_MOST ((size_t)1024 * 1024)
#define STATUS_MOST ((size_t)16 * 1024 * 1024)
#define SECRET_MOST ((size_t)16 * 1024)
#define CERTIFICATE_MOST ((size_t)1024 * 1024)
#define VALUE_MOST ((size_t)1024 * 1024)
#define REPORT_MOST ((size_t)256 * 1024)
#define MEMORY_MOST ((size_t)256 * 1024)

// All of these are blocks of exactly the size that is needed, so that a sanitizer sees a byte beyond.
void *unaligned(const void *pointer);
void *exactly(const void *from, size_t size);
void *place(size_t size, size_t said);
const uint8_t *bytes(const void *from, size_t size);
const char *long_text(size_t length);
const uint64_t *word(uint64_t value);
const uint64_t *unaligned_word(uint64_t value);
const int32_t *numbers(size_t count, int32_t value);
const char *const *routes(const char *route);
const homing_address *addresses(size_t count);

void on_drop(void *user_data);
void on_event(void *user_data, homing_client *client, const homing_event *event);
void on_log(void *user_data, int32_t level, homing_text message);
int32_t on_socket(void *user_data, int64_t socket, const homing_address *address);
void on_thread_start(void *user_data);
void on_heartbeat(void *user_data, homing_client *client);
int32_t on_settings(void *user_data, homing_client *client, homing_text server, homing_text tag, const uint8_t *data,
                    size_t len);
void on_credentials(void *user_data, homing_client *client, int32_t asked, homing_text server);
int32_t store_load(void *user_data, const char *name, homing_value *value);
int32_t store_save(void *user_data, const char *name, const uint8_t *data, size_t len);

#endif
