// A program of yesterday: its structs end early.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <homing.h>

#define check(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    } while (0)

// A block of exactly that size: a byte too many would be seen.
static void *made(size_t size)
{
    void *block = malloc(size);
    check(block != NULL);
    memset(block, 0, size);
    memcpy(block, &size, sizeof size);
    return block;
}

static void managed(const homing_settings *settings)
{
    homing_options *options = made(sizeof *options);
    options->agent_id = "agent";
    homing_client *client;
    check(homing_client_start(settings, options, &client, NULL) == HOMING_OK);
    free(options);
    int32_t kind = 0;
    while (kind != HOMING_EVENT_ATTACHED) {
        homing_event *event;
        check(homing_client_next_event(client, 60000, &event) == HOMING_OK && event);
        kind = homing_event_kind(event);
        homing_event_free(event);
    }
    homing_snapshot *snapshot;
    check(homing_client_snapshot(client, &snapshot) == HOMING_OK);
    homing_summary *summary = made(sizeof *summary);
    check(homing_snapshot_summary(snapshot, summary) == HOMING_OK);
    check(summary->struct_size == sizeof *summary && summary->state == HOMING_STATE_ATTACHED);
    check(summary->active.len == 1 && summary->active.data[0] == 'a');
    free(summary);
    homing_standing *standing = made(sizeof *standing);
    check(homing_snapshot_server(snapshot, 0, standing) == HOMING_OK);
    check(standing->struct_size == sizeof *standing);
    check(standing->server.len == 1 && standing->server.data[0] == 'a');
    free(standing);
    homing_location *location = made(sizeof *location);
    check(homing_snapshot_location(snapshot, location) == HOMING_OK);
    check(location->struct_size == sizeof *location);
    // The agent has been attached just now, to a server that has proved nothing.
    check(location->situation == HOMING_SITUATION_UNKNOWN && location->proof == 0);
    free(location);
    homing_whereabouts *whereabouts = made(sizeof *whereabouts);
    check(homing_snapshot_whereabouts(snapshot, whereabouts) == HOMING_OK);
    check(whereabouts->struct_size == sizeof *whereabouts && whereabouts->host.len > 0);
    free(whereabouts);
    homing_snapshot_free(snapshot);
    homing_call *call = made(sizeof *call);
    call->method = "GET";
    call->path = "a";
    homing_answer *answer;
    check(homing_client_call(client, call, &answer, NULL) == HOMING_OK);
    check(homing_answer_http_status(answer) == 200);
    homing_answer_free(answer);
    free(call);
    homing_client_free(client);
}

// The next action of this kind; others pass.
static homing_action *next(homing_engine *engine, int32_t kind)
{
    homing_action *action = made(sizeof *action);
    do {
        check(homing_engine_next_action(engine, action) == HOMING_OK);
        check(action->struct_size == sizeof *action && action->kind != HOMING_ACTION_NONE);
    } while (action->kind != kind);
    return action;
}

static void driven(const homing_settings *settings)
{
    uint64_t now = 1;
    homing_engine_options *options = made(sizeof *options);
    options->agent_id = "agent";
    homing_engine *engine;
    check(homing_engine_new(settings, options, now, &engine, NULL) == HOMING_OK);
    free(options);
    check(homing_engine_timeout(engine, now) == HOMING_OK);
    homing_failure *failure = made(sizeof *failure);
    failure->cause = HOMING_CAUSE_CONNECTION_REFUSED;
    homing_action *action = next(engine, HOMING_ACTION_DIAL);
    check(homing_engine_lost(engine, now, action->link, failure) == HOMING_OK);
    free(failure);
    free(action);
    homing_event *event;
    int failures = 0;
    do {
        check(homing_engine_next_event(engine, &event) == HOMING_OK);
        if (homing_event_class(event) == HOMING_CLASS_REFUSED)
            failures++;
        homing_event_free(event);
    } while (event);
    check(failures == 1);
    // Until it is tried again.
    action = made(sizeof *action);
    do {
        check(homing_engine_next_action(engine, action) == HOMING_OK);
        if (action->kind == HOMING_ACTION_NONE) {
            check(homing_engine_deadline(engine, &now, NULL) == HOMING_OK && now != UINT64_MAX);
            check(homing_engine_timeout(engine, now) == HOMING_OK);
        }
    } while (action->kind != HOMING_ACTION_DIAL);
    homing_address address = {.ip = {127, 0, 0, 1}, .family = 4, .port = 80};
    check(homing_engine_connected(engine, now, action->link, &address, HOMING_MEDIUM_UNKNOWN) == HOMING_OK);
    free(action);
    action = next(engine, HOMING_ACTION_EXCHANGE);
    homing_outcome *outcome = made(sizeof *outcome);
    outcome->verdict = HOMING_VERDICT_SUCCESS;
    outcome->status = 200;
    check(homing_engine_done(engine, now, action->exchange, outcome) == HOMING_OK);
    free(outcome);
    free(action);
    int32_t kind = 0;
    while (kind != HOMING_EVENT_ATTACHED) {
        check(homing_engine_next_event(engine, &event) == HOMING_OK && event);
        kind = homing_event_kind(event);
        homing_event_free(event);
    }
    homing_engine_free(engine);
}

static void reports(void)
{
    homing_outbox_options *options = made(sizeof *options);
    homing_outbox *outbox;
    check(homing_outbox_open(options, &outbox) == HOMING_OK);
    free(options);
    const uint8_t body[] = "one";
    check(homing_outbox_submit(outbox, HOMING_REPORT_LOG, body, 3, HOMING_DURABILITY_BUFFERED, NULL) == HOMING_OK);
    homing_lane_account *account = made(sizeof *account);
    check(homing_outbox_account(outbox, HOMING_LANE_LOG, account) == HOMING_OK);
    check(account->struct_size == sizeof *account && account->submitted == 1);
    free(account);
    homing_outbox_free(outbox);
}

int main(int count, char **arguments)
{
    check(count == 2);
    printf("%zu %zu %zu %zu %zu %zu %zu %zu %zu %zu %zu %zu %zu\n", sizeof(homing_options), sizeof(homing_engine_options),
           sizeof(homing_action), sizeof(homing_summary), sizeof(homing_standing), sizeof(homing_location),
           sizeof(homing_whereabouts), sizeof(homing_failure), sizeof(homing_outcome),
           sizeof(homing_outbox_options), sizeof(homing_lane_account), sizeof(homing_call),
           sizeof(homing_identity));
    fflush(stdout);
    homing_settings *settings;
    check(homing_settings_read(arguments[1], &settings, NULL) == HOMING_OK);
    managed(settings);
    driven(settings);
    reports();
    homing_settings_free(settings);
    return 0;
}
