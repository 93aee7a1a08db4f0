// Calls everything that takes much stack on a thread that has little.
//
//   stack SETTINGS.json CERTIFICATE.der BYTES

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <homing.h>

#define check(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "stack.c:%d: not so: %s\n", __LINE__, #condition); \
            abort(); \
        } \
    } while (0)

static const char *path;
static uint8_t certificate[65536];
static size_t certificate_len;

// As deep as documents may be, and deeper.
static void parse_nested(int depth)
{
    static char json[4096];
    size_t length = 0;
    for (int level = 0; level < depth; level++)
        length += (size_t)sprintf(json + length, level % 2 ? "[" : "{\"a\":");
    homing_settings *settings;
    homing_error *error;
    homing_status status = homing_settings_parse((const uint8_t *)json, length, HOMING_SOURCE_SERVER, &settings, &error);
    check(status == HOMING_ERROR_SETTINGS);
    homing_error_free(error);
}

static void judge(const homing_settings *settings)
{
    homing_policy *policy;
    homing_judgement *judgement;
    homing_certificate chain[] = {{certificate, certificate_len}};
    check(homing_policy_prepare(settings, 0, time(NULL), &policy, NULL) == HOMING_OK);
    check(homing_policy_check(policy, chain, 1, "127.0.0.1", time(NULL), 0, &judgement, NULL) == HOMING_OK);
    check(homing_judgement_reject(judgement) == 0);
    homing_judgement_free(judgement);
    homing_policy_free(policy);
    static const char others[] = "{\"roots\":[\"public\",\"system\"]}";
    check(homing_policy_parse((const uint8_t *)others, sizeof others - 1, time(NULL), &policy, NULL) == HOMING_OK);
    check(homing_policy_check(policy, chain, 1, "127.0.0.1", time(NULL), 0, &judgement, NULL) == HOMING_OK);
    check(homing_judgement_reject(judgement) != 0 && homing_judgement_text(judgement).len > 0);
    homing_judgement_free(judgement);
    homing_policy_free(policy);
}

static void use(const homing_settings *settings)
{
    homing_options options = {.struct_size = sizeof options, .agent_id = "agent"};
    homing_client *client;
    check(homing_client_start(settings, &options, &client, NULL) == HOMING_OK);
    for (int32_t kind = 0; kind != HOMING_EVENT_HEARTBEAT;) {
        homing_event *event;
        check(homing_client_next_event(client, 60000, &event) == HOMING_OK && event);
        check(homing_event_json(event).len > 0);
        kind = homing_event_kind(event);
        homing_event_free(event);
    }
    homing_snapshot *snapshot;
    check(homing_client_snapshot(client, &snapshot) == HOMING_OK);
    check(homing_snapshot_json(snapshot).len > 0 && homing_snapshot_explain(snapshot).len > 0);
    homing_snapshot_free(snapshot);
    check(homing_client_set_header(client, "authorization", (const uint8_t *)"secret", 6, NULL) == HOMING_OK);
    check(homing_client_beat_now(client, NULL) == HOMING_OK);
    check(homing_client_reconfigure(client, settings, NULL) == HOMING_OK);
    check(homing_client_stop(client, 1000) == HOMING_OK);
    homing_client_free(client);
}

static void *everything(void *unused)
{
    (void)unused;
    homing_settings *settings;
    homing_string *effective;
    for (int depth = 1; depth < 200; depth += 7)
        parse_nested(depth);
    check(homing_settings_read(path, &settings, NULL) == HOMING_OK);
    check(homing_settings_effective(settings, NULL, &effective) == HOMING_OK);
    homing_string_free(effective);
    judge(settings);
    use(settings);
    homing_settings_free(settings);
    return NULL;
}

int main(int count, char **arguments)
{
    check(count == 4);
    path = arguments[1];
    FILE *file = fopen(arguments[2], "rb");
    check(file);
    certificate_len = fread(certificate, 1, sizeof certificate, file);
    fclose(file);
    pthread_attr_t attributes;
    pthread_t thread;
    check(pthread_attr_init(&attributes) == 0);
    check(pthread_attr_setstacksize(&attributes, (size_t)atol(arguments[3])) == 0);
    check(pthread_create(&thread, &attributes, everything, NULL) == 0);
    check(pthread_join(thread, NULL) == 0);
    puts("enough");
    return 0;
}
