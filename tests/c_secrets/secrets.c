// Looks through its own memory for secrets that homing was given, while they are in use and afterwards.
//
//   secrets SETTINGS.json LINE.pem
//
// The file has one line of the client's key. Prints how often each secret was found: while the client shows it, after it was
// replaced, and after the client was freed.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <homing.h>

#define check(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "secrets.c:%d: not so: %s\n", __LINE__, #condition); \
            abort(); \
        } \
    } while (0)

#define LENGTH 40

// A text that is nowhere in memory as it is: each byte is kept changed.
struct hidden {
    uint8_t bytes[LENGTH];
};

static struct hidden hide(const uint8_t *secret)
{
    struct hidden hidden;
    for (int index = 0; index < LENGTH; index++)
        hidden.bytes[index] = secret[index] ^ 0xa5;
    return hidden;
}

static void make(uint8_t *secret, char first)
{
    FILE *random = fopen("/dev/urandom", "rb");
    check(random);
    setvbuf(random, NULL, _IONBF, 0);
    check(fread(secret, 1, LENGTH, random) == LENGTH);
    fclose(random);
    for (int index = 0; index < LENGTH; index++)
        secret[index] = (uint8_t)('a' + secret[index] % 26);
    secret[0] = (uint8_t)first;
}

static bool is_here(const uint8_t *place, const struct hidden *hidden)
{
    for (int index = 0; index < LENGTH; index++)
        if (place[index] != (hidden->bytes[index] ^ 0xa5))
            return false;
    return true;
}

// How often it stands in memory that can be written.
static int count(const struct hidden *hidden)
{
    static uint8_t copy[1 << 20];
    int found = 0, memory = open("/proc/self/mem", O_RDONLY);
    FILE *maps = fopen("/proc/self/maps", "r");
    check(memory >= 0 && maps);
    char line[512];
    while (fgets(line, sizeof line, maps)) {
        unsigned long long from, to;
        char rights[5];
        check(sscanf(line, "%llx-%llx %4s", &from, &to, rights) == 3);
        if (rights[0] != 'r' || rights[1] != 'w')
            continue;
        while (from < to) {
            size_t wanted = to - from < sizeof copy ? (size_t)(to - from) : sizeof copy;
            // Not what lies in the copy of the piece before.
            if (from < (uintptr_t)copy + sizeof copy && from + wanted > (uintptr_t)copy) {
                from += 4096;
                continue;
            }
            ssize_t got = pread(memory, copy, wanted, (off_t)from);
            if (got < LENGTH)
                break;
            for (ssize_t at = 0; at + LENGTH <= got; at++)
                found += is_here(copy + at, hidden);
            explicit_bzero(copy, sizeof copy);
            if (from + (size_t)got >= to)
                break;
            from += (size_t)got - (LENGTH - 1);
        }
    }
    fclose(maps);
    close(memory);
    return found;
}

static void wait_for(homing_client *client, int32_t kind, int how_often)
{
    while (how_often > 0) {
        homing_event *event;
        check(homing_client_next_event(client, 60000, &event) == HOMING_OK && event);
        how_often -= homing_event_kind(event) == kind;
        homing_event_free(event);
        if (how_often > 0)
            check(homing_client_beat_now(client, NULL) == HOMING_OK);
    }
}

static struct hidden show(homing_client *client, char first)
{
    uint8_t secret[LENGTH];
    make(secret, first);
    struct hidden hidden = hide(secret);
    check(homing_client_set_header(client, "authorization", secret, LENGTH, NULL) == HOMING_OK);
    explicit_bzero(secret, sizeof secret);
    check(homing_client_beat_now(client, NULL) == HOMING_OK);
    wait_for(client, HOMING_EVENT_HEARTBEAT, 3);
    return hidden;
}

int main(int arguments, char **argument)
{
    check(arguments == 3);
    uint8_t line[LENGTH];
    int file = open(argument[2], O_RDONLY);
    check(file >= 0 && read(file, line, LENGTH) == LENGTH);
    close(file);
    struct hidden key = hide(line);
    explicit_bzero(line, sizeof line);

    homing_settings *settings;
    homing_client *client;
    check(homing_settings_read(argument[1], &settings, NULL) == HOMING_OK);
    homing_options options = {.struct_size = sizeof options, .agent_id = "agent"};
    check(homing_client_start(settings, &options, &client, NULL) == HOMING_OK);
    wait_for(client, HOMING_EVENT_ATTACHED, 1);
    printf("key: %d\n", count(&key));
    struct hidden first = show(client, '1');
    printf("in use: %d\n", count(&first));
    struct hidden second = show(client, '2');
    printf("replaced: %d, in use: %d\n", count(&first), count(&second));
    check(homing_client_stop(client, 1000) == HOMING_OK);
    homing_client_free(client);
    homing_settings_free(settings);
    printf("freed: %d %d %d\n", count(&first), count(&second), count(&key));
    return 0;
}
