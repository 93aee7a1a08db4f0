// Reports that a risk was found, and waits until a management server has the report.
//
//   report SETTINGS.json AGENT-ID OUTBOX-FOLDER TEXT [SECONDS]
//
// The report is on the disk before the program goes on: whatever happens then, it is delivered, by this run or by the next one with
// this folder. Ends with 0 when nothing waits any more, with 3 when reports still wait after SECONDS (30), with 1 when something
// is wrong.

#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <homing.h>

static int fail(const char *what, homing_status status, homing_error *error)
{
    homing_text text = error ? homing_error_message(error) : homing_status_text(status);
    fprintf(stderr, "report: %s: %.*s\n", what, (int)text.len, text.data);
    homing_error_free(error);
    return 1;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// How many reports of the critical lane wait; negative when that cannot be said.
static int64_t waiting(homing_client *client)
{
    homing_lane_account account = {.struct_size = sizeof account};
    homing_status status = homing_client_account(client, HOMING_LANE_CRITICAL, &account);
    return status == HOMING_OK ? (int64_t)account.waiting : -fail("account", status, NULL);
}

// Prints what tells how far the report is.
static void tell(const homing_event *event)
{
    switch (homing_event_kind(event)) {
    case HOMING_EVENT_ATTACHED:
    case HOMING_EVENT_WAITING:
    case HOMING_EVENT_UPLOADED:
    case HOMING_EVENT_UPLOAD_FAILED:
    case HOMING_EVENT_REPORTS_LOST:
    case HOMING_EVENT_OUTBOX_PROBLEM: {
        homing_text json = homing_event_json(event);
        printf("%.*s\n", (int)json.len, json.data);
        fflush(stdout);
        break;
    }
    default:
        break;
    }
}

static int wait_until_delivered(homing_client *client, int64_t seconds)
{
    int64_t end = now_ms() + seconds * 1000;
    for (;;) {
        int64_t left = waiting(client);
        if (left <= 0)
            return (int)-left;
        int64_t within = end - now_ms();
        if (within <= 0) {
            printf("%" PRId64 " reports wait in the outbox\n", left);
            return 3;
        }
        homing_event *event;
        homing_status status = homing_client_next_event(client, (uint32_t)within, &event);
        if (status != HOMING_OK)
            return fail("next event", status, NULL);
        if (event)
            tell(event);
        homing_event_free(event);
    }
}

int main(int count, char **arguments)
{
    const char *usage = "usage: report SETTINGS.json AGENT-ID OUTBOX-FOLDER TEXT [SECONDS]";
    if (count == 2 && strcmp(arguments[1], "--help") == 0)
        return puts(usage) < 0;
    char *seconds_text = count == 6 ? arguments[5] : "30", *rest;
    long seconds = strtol(seconds_text, &rest, 10);
    if (count < 5 || count > 6 || rest == seconds_text || *rest || seconds < 0 || seconds > 86400) {
        fprintf(stderr, "%s\n", usage);
        return 2;
    }

    homing_error *error = NULL;
    homing_settings *settings;
    homing_status status = homing_settings_read(arguments[1], &settings, &error);
    if (status != HOMING_OK)
        return fail("settings", status, error);

    homing_options options = {.struct_size = sizeof options};
    options.agent_id = arguments[2];
    options.outbox_folder = arguments[3];

    homing_client *client;
    status = homing_client_start(settings, &options, &client, &error);
    homing_settings_free(settings);
    if (status != HOMING_OK)
        return fail("start", status, error);

    // Durable: when this returns, a loss of power costs nothing any more. A report that could not be written waits in memory.
    uint64_t number;
    status = homing_client_submit(client, HOMING_REPORT_RISK_FOUND, (const uint8_t *)arguments[4], strlen(arguments[4]),
                                  HOMING_DURABILITY_DURABLE, &number);
    int result = 0;
    if (status == HOMING_OK)
        printf("report %" PRIu64 " is on the disk\n", number);
    else
        result = fail("submit", status, NULL);
    if (status == HOMING_OK || status == HOMING_ERROR_NOT_DURABLE) {
        int delivered = wait_until_delivered(client, seconds);
        result = delivered ? delivered : result;
    }
    homing_client_free(client);
    return result;
}
