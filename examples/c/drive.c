// An agent in a poll(2) loop of its own: homing decides, this program does.
//
//   drive SETTINGS.json AGENT_ID ['{"time_scale":0.1}']
//
// It speaks plain HTTP/1.1 to the `http` servers of the settings, and prints what happens as lines of JSON.
// A product has such a loop already, and TLS, and a resolver that does not block; what it takes from here is
// how the engine is told and asked.
#define _DEFAULT_SOURCE
#define _XOPEN_SOURCE 700

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <homing.h>

#include "platform.h"
#include "wire.h"

// The engine has at most ten attempts and a few probes under way.
enum { LINKS = 32, ANSWERS = 64, REFUSALS = 16, GRACE_MS = 2000 };

// For so long a status that was refused as too large is left out: a limit is raised by a person.
static const uint64_t HELD_BACK_NS = 3600 * UINT64_C(1000000000);

// What this agent says of itself with each heartbeat.
static const char STATUS[] = "{\"state\":\"fine\"}";

// A connection the engine asked for. The first address that accepts wins.
struct link {
    enum { FREE, DIALLING, READY } state;
    uint64_t id;
    char authority[300];
    // While dialling.
    homing_address to[HOMING_ADDRESSES_MAX];
    int racing[HOMING_ADDRESSES_MAX]; // descriptors, or -1
    size_t count, next;
    uint64_t next_start_ns, stagger_ns;
    int error; // of the address that failed last
    // While ready.
    int fd;
    bool talking, begun, used;
    uint64_t exchange;
    char request[WIRE_REQUEST_MAX];
    size_t request_len, sent;
    char *input;
    size_t input_len, input_size;
};

// The body of an answer that may be adopted yet.
struct answer {
    bool kept;
    uint64_t exchange;
    char *body;
    size_t len;
};

// A server that has refused the status as too large (413). The engine then asks once more, and the driver leaves it out.
struct refusal {
    char authority[300];
    uint64_t at_ns; // 0 when the place is free
};

struct agent {
    homing_engine *engine;
    const char *id;
    uint64_t life;
    int signals; // readable when the program is to end
    bool stopped, failed;
    struct link links[LINKS];
    struct answer answers[ANSWERS];
    struct refusal refusals[REFUSALS];
};

// No call of the engine fails unless this program is wrong; then it ends.
static void told(struct agent *agent, homing_status status, const char *what) {
    if (status != HOMING_OK) {
        const homing_text text = homing_status_text(status);
        fprintf(stderr, "drive: %s: %.*s\n", what, (int)text.len, text.data);
        agent->failed = true;
    }
}

static void close_racing(struct link *link) {
    for (size_t i = 0; i < link->next; i++) {
        if (link->racing[i] >= 0) {
            close(link->racing[i]);
        }
    }
}

static void close_link(struct link *link) {
    if (link->state == DIALLING) {
        close_racing(link);
    } else if (link->state == READY) {
        close(link->fd);
    }
    free(link->input);
    *link = (struct link){.state = FREE};
}

static void lost(struct agent *agent, struct link *link, homing_failure why) {
    told(agent, homing_engine_lost(agent->engine, platform_now_ns(), link->id, &why), "homing_engine_lost");
    close_link(link);
}

static struct link *link_of(struct agent *agent, uint64_t id) {
    for (size_t i = 0; i < LINKS; i++) {
        if (agent->links[i].state != FREE && agent->links[i].id == id) {
            return &agent->links[i];
        }
    }
    return NULL;
}

// Blocks, and everything else waits meanwhile: a product asks a resolver that does not.
static void resolve(struct agent *agent, const homing_action *action) {
    homing_address addresses[64];
    size_t count;
    char host[256];
    const uint64_t query = action->query;
    snprintf(host, sizeof host, "%.*s", (int)action->host.len, action->host.data);
    const char *wrong = platform_look_up(host, addresses, 64, &count);
    if (wrong == NULL) {
        told(agent, homing_engine_resolved(agent->engine, platform_now_ns(), query, addresses, count),
             "homing_engine_resolved");
    } else {
        const homing_failure why = platform_failure(HOMING_CAUSE_NAME_SERVER_FAILED, wrong);
        told(agent, homing_engine_resolve_failed(agent->engine, platform_now_ns(), query, &why),
             "homing_engine_resolve_failed");
    }
}

static void dial(struct agent *agent, const homing_action *action) {
    struct link none = {.id = action->link}, *link = &none;
    for (size_t i = 0; i < LINKS && link == &none; i++) {
        if (agent->links[i].state == FREE) {
            link = &agent->links[i];
        }
    }
    *link = (struct link){.id = action->link, .count = action->address_count, .stagger_ns = action->stagger_ns};
    if (link == &none || wire_authority(action->host, action->port, link->authority, sizeof link->authority) == 0) {
        lost(agent, link, platform_failure(HOMING_CAUSE_OUT_OF_RESOURCES, "too many connections"));
    } else if (action->is_tls) {
        lost(agent, link, platform_failure(HOMING_CAUSE_TLS_FAILED, "this example speaks plain http only"));
    } else {
        memcpy(link->to, action->addresses, link->count * sizeof link->to[0]);
        link->state = DIALLING;
    }
}

// One address after the other, each as soon as the one before has failed or had its time; all stay in the race.
static void race(struct agent *agent, struct link *link) {
    size_t racing = 0;
    for (size_t i = 0; i < link->count; i++) {
        int error = EINPROGRESS;
        if (i == link->next) {
            const uint64_t now = platform_now_ns();
            if (link->next_start_ns > now) {
                return;
            }
            link->racing[i] = platform_connect(&link->to[i]);
            error = link->racing[i] < 0 ? errno : EINPROGRESS;
            link->next_start_ns = now + link->stagger_ns;
            link->next = i + 1;
        } else if (link->racing[i] < 0) {
            continue;
        } else {
            error = platform_progress(link->racing[i]);
        }
        if (error == 0) {
            link->fd = link->racing[i];
            link->racing[i] = -1;
            close_racing(link);
            link->state = READY;
            told(agent, homing_engine_connected(agent->engine, platform_now_ns(), link->id, &link->to[i],
                                                HOMING_MEDIUM_UNKNOWN),
                 "homing_engine_connected");
            return;
        }
        if (error == EINPROGRESS) {
            racing++;
        } else {
            if (link->racing[i] >= 0) {
                close(link->racing[i]);
                link->racing[i] = -1;
            }
            link->error = error;
            link->next_start_ns = 0;
        }
    }
    if (racing == 0) {
        lost(agent, link, platform_error(link->error, true));
    }
}

// This server will not take the status. Where all places are taken, the oldest is given up.
static void refuse(struct agent *agent, const char *authority) {
    struct refusal *place = &agent->refusals[0];
    for (size_t i = 0; i < REFUSALS; i++) {
        if (strcmp(agent->refusals[i].authority, authority) == 0) {
            place = &agent->refusals[i];
            break;
        }
        if (agent->refusals[i].at_ns < place->at_ns) {
            place = &agent->refusals[i];
        }
    }
    snprintf(place->authority, sizeof place->authority, "%s", authority);
    place->at_ns = platform_now_ns();
}

static bool is_too_large(const struct agent *agent, const char *authority) {
    const uint64_t now = platform_now_ns();
    for (size_t i = 0; i < REFUSALS; i++) {
        const struct refusal *refusal = &agent->refusals[i];
        if (refusal->at_ns != 0 && now - refusal->at_ns < HELD_BACK_NS && strcmp(refusal->authority, authority) == 0) {
            return true;
        }
    }
    return false;
}

static void exchange(struct agent *agent, const homing_action *action) {
    struct link *link = link_of(agent, action->link);
    const bool is_heartbeat = action->request == HOMING_REQUEST_ATTACH || action->request == HOMING_REQUEST_BEAT ||
                              action->request == HOMING_REQUEST_PROBE;
    if (!is_heartbeat) { // this example says nothing else
        const homing_outcome declined = {.struct_size = sizeof declined, .verdict = HOMING_VERDICT_DECLINED};
        told(agent, homing_engine_done(agent->engine, platform_now_ns(), action->exchange, &declined),
             "homing_engine_done");
    } else if (link != NULL) { // else the engine hears of its loss anyway
        link->talking = true;
        link->begun = false;
        link->exchange = action->exchange;
        link->sent = 0;
        link->request_len = wire_write(&(struct wire_request){.authority = link->authority,
                                                              .agent = agent->id,
                                                              .request = action->request,
                                                              .search = action->search,
                                                              .life = agent->life,
                                                              .status = STATUS,
                                                              .omits_status =
                                                                  action->request != HOMING_REQUEST_PROBE &&
                                                                  is_too_large(agent, link->authority),
                                                              .next_ns = action->next_ns},
                                       link->request);
    }
}

// Keeps the body of a success until the engine says whether it counts. Where all places are taken, the oldest is one
// the engine has forgotten.
static bool keep(struct agent *agent, uint64_t exchange, const char *body, size_t len) {
    struct answer *place = &agent->answers[0];
    for (size_t i = 0; i < ANSWERS && place->kept; i++) {
        if (!agent->answers[i].kept || agent->answers[i].exchange < place->exchange) {
            place = &agent->answers[i];
        }
    }
    free(place->body);
    *place = (struct answer){.kept = true, .exchange = exchange, .body = malloc(len + 1), .len = len};
    if (place->body == NULL) {
        place->kept = false;
        return false;
    }
    memcpy(place->body, body, len);
    return true;
}

// The engine has decided: the product hears the answer, or nobody ever does.
static void settle(struct agent *agent, uint64_t exchange, bool adopted) {
    for (size_t i = 0; i < ANSWERS; i++) {
        struct answer *answer = &agent->answers[i];
        if (answer->kept && answer->exchange == exchange) {
            if (adopted) { // a product does what the answer says
                fprintf(stderr, "drive: the server's answer has %zu bytes\n", answer->len);
            }
            free(answer->body);
            *answer = (struct answer){0};
        }
    }
}

// What the server has said so far.
static void hear(struct agent *agent, struct link *link, bool ended, int error) {
    struct wire_answer answer;
    if (link->input_len == 0 && !ended) {
        return;
    }
    if (!link->talking || link->input_len == 0) {
        // Between exchanges a server has nothing to say but goodbye, and it may cross with the next request.
        lost(agent, link, link->used             ? platform_failure(HOMING_CAUSE_CLOSED_IDLE, NULL)
                          : link->input_len != 0 ? platform_failure(HOMING_CAUSE_NOT_HTTP, "it spoke first")
                                                 : platform_error(error, false));
        return;
    }
    if (!link->begun) {
        link->begun = true;
        told(agent, homing_engine_first_byte(agent->engine, platform_now_ns(), link->exchange),
             "homing_engine_first_byte");
    }
    switch (wire_read(link->input, link->input_len, ended && error == 0, &answer)) {
    case WIRE_MORE:
        if (ended) {
            lost(agent, link, platform_error(error, false));
        }
        break;
    case WIRE_BROKEN: lost(agent, link, answer.failure); break;
    case WIRE_WHOLE:
        if (answer.outcome.verdict == HOMING_VERDICT_SUCCESS &&
            !keep(agent, link->exchange, answer.body, answer.body_len)) {
            lost(agent, link, platform_failure(HOMING_CAUSE_OUT_OF_RESOURCES, "no memory for the answer"));
            break;
        }
        if (answer.failure.cause == HOMING_CAUSE_TOO_LARGE) {
            refuse(agent, link->authority);
        }
        told(agent, homing_engine_done(agent->engine, platform_now_ns(), link->exchange, &answer.outcome),
             "homing_engine_done");
        if (!answer.reusable || ended || link->sent < link->request_len) {
            lost(agent, link, platform_failure(HOMING_CAUSE_CLOSED_IDLE, NULL));
            break;
        }
        link->talking = false;
        link->used = true;
        link->input_len = 0;
        break;
    }
}

// Sends and receives what there is.
static void talk(struct agent *agent, struct link *link) {
    enum { PIECE = 4096, PIECES = 16 };
    bool ended = false;
    int error = 0;
    while (link->sent < link->request_len) {
        const ssize_t n = send(link->fd, link->request + link->sent, link->request_len - link->sent, MSG_NOSIGNAL);
        if (n < 0) { // when the server does not take it, it may have answered all the same
            break;
        }
        link->sent += (size_t)n;
    }
    // Nobody gets more of a turn than this.
    for (int piece = 0; piece < PIECES && !ended; piece++) {
        if (link->input_size - link->input_len < PIECE) {
            const size_t size = link->input_size + 2 * PIECE;
            char *input = size > WIRE_ANSWER_MAX ? NULL : realloc(link->input, size);
            if (input == NULL) {
                lost(agent, link, platform_failure(size > WIRE_ANSWER_MAX ? HOMING_CAUSE_BODY_TOO_LARGE
                                                                          : HOMING_CAUSE_OUT_OF_RESOURCES, NULL));
                return;
            }
            link->input = input;
            link->input_size = size;
        }
        const ssize_t n = recv(link->fd, link->input + link->input_len, PIECE, 0);
        if (n > 0) {
            link->input_len += (size_t)n;
        } else if (n == 0) {
            ended = true;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            break;
        } else if (errno != EINTR) {
            ended = true;
            error = errno;
        }
    }
    hear(agent, link, ended, error);
}

// Does what the engine asks for and prints what it tells, until it has nothing more.
static void drain(struct agent *agent) {
    homing_action action = {.struct_size = sizeof action};
    homing_event *event = NULL;
    for (;;) {
        told(agent, homing_engine_next_action(agent->engine, &action), "homing_engine_next_action");
        if (agent->failed || action.kind == HOMING_ACTION_NONE) {
            break;
        }
        struct link *link = link_of(agent, action.link);
        switch (action.kind) {
        case HOMING_ACTION_RESOLVE: resolve(agent, &action); break;
        case HOMING_ACTION_DIAL: dial(agent, &action); break;
        case HOMING_ACTION_EXCHANGE: exchange(agent, &action); break;
        case HOMING_ACTION_ADOPT: settle(agent, action.exchange, true); break;
        case HOMING_ACTION_ABANDON: settle(agent, action.exchange, false); break;
        case HOMING_ACTION_CLOSE:
            if (link != NULL) {
                close_link(link);
            }
            break;
        case HOMING_ACTION_REMEMBER:
            // This example forgets. A product writes homing_engine_memory to a file, and says so afterwards.
            told(agent, homing_engine_remembered(agent->engine, platform_now_ns(), action.version),
                 "homing_engine_remembered");
            break;
        default: break; // of a later version
        }
    }
    while (!agent->failed) {
        told(agent, homing_engine_next_event(agent->engine, &event), "homing_engine_next_event");
        if (agent->failed || event == NULL) {
            break;
        }
        const homing_text json = homing_event_json(event);
        agent->stopped = agent->stopped || homing_event_kind(event) == HOMING_EVENT_STOPPED;
        fwrite(json.data, 1, json.len, stdout);
        putchar('\n');
        homing_event_free(event);
        if (fflush(stdout) != 0) {
            perror("drive: standard output");
            agent->failed = true;
        }
    }
}

// Sleeps until a socket, a signal or the engine's next deadline.
static void wait_for_something(struct agent *agent) {
    static struct pollfd polled[1 + LINKS * HOMING_ADDRESSES_MAX];
    nfds_t count = 0;
    uint64_t deadline = UINT64_MAX;
    told(agent, homing_engine_deadline(agent->engine, &deadline, NULL), "homing_engine_deadline");
    polled[count++] = (struct pollfd){.fd = agent->signals, .events = POLLIN};
    for (size_t i = 0; i < LINKS; i++) {
        const struct link *link = &agent->links[i];
        if (link->state == READY) {
            const bool sending = link->sent < link->request_len;
            polled[count++] = (struct pollfd){.fd = link->fd, .events = (short)(POLLIN | (sending ? POLLOUT : 0))};
        } else if (link->state == DIALLING) {
            for (size_t at = 0; at < link->next; at++) {
                // poll passes over those that are -1.
                polled[count++] = (struct pollfd){.fd = link->racing[at], .events = POLLOUT};
            }
            if (link->next < link->count && link->next_start_ns < deadline) {
                deadline = link->next_start_ns;
            }
        }
    }
    int timeout = -1;
    const uint64_t now = platform_now_ns();
    if (deadline != UINT64_MAX) {
        // Rounded up: a millisecond too early would be a turn for nothing.
        const uint64_t ms = deadline > now ? (deadline - now + 999999) / 1000000 : 0;
        timeout = ms < INT_MAX ? (int)ms : INT_MAX;
    }
    // poll does not count time asleep; a product that hears of a resume from the system calls homing_engine_resumed.
    if (poll(polled, count, timeout) < 0 && errno != EINTR && errno != EAGAIN) {
        perror("drive: poll");
        agent->failed = true;
    }
}

static void run(struct agent *agent) {
    bool stopping = false;
    for (;;) {
        drain(agent);
        if (agent->stopped || agent->failed) {
            return;
        }
        wait_for_something(agent);
        char byte;
        if (read(agent->signals, &byte, 1) == 1 && !stopping) {
            stopping = true;
            told(agent, homing_engine_stop(agent->engine, platform_now_ns(), GRACE_MS), "homing_engine_stop");
        }
        // Early is fine, so nobody asks whether it is due.
        told(agent, homing_engine_timeout(agent->engine, platform_now_ns()), "homing_engine_timeout");
        for (size_t i = 0; i < LINKS; i++) {
            if (agent->links[i].state == DIALLING) {
                race(agent, &agent->links[i]);
            } else if (agent->links[i].state == READY) {
                talk(agent, &agent->links[i]);
            }
        }
    }
}

static homing_engine *make_engine(const char *path, const char *id, const char *tuning) {
    homing_settings *settings = NULL;
    homing_engine *engine = NULL;
    homing_error *error = NULL;
    const homing_engine_options options = {
        .struct_size = sizeof options, .agent_id = id, .tuning_json = tuning};
    if (homing_settings_read(path, &settings, &error) == HOMING_OK) {
        for (size_t i = 0; i < homing_settings_warning_count(settings); i++) {
            const homing_text text = homing_settings_warning(settings, i);
            fprintf(stderr, "drive: %s: %.*s\n", path, (int)text.len, text.data);
        }
        homing_engine_new(settings, &options, platform_now_ns(), &engine, &error);
    }
    if (engine == NULL) {
        const homing_text text = homing_error_message(error);
        fprintf(stderr, "drive: %.*s\n", (int)text.len, text.data);
    }
    homing_error_free(error);
    homing_settings_free(settings);
    return engine;
}

int main(int argc, char **argv) {
    const char usage[] = "usage: drive SETTINGS.json AGENT_ID [TUNING]\n";
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        printf("An agent in a poll loop of its own, over plain http. TUNING is JSON, as in docs/rules.md.\n\n%s",
               usage);
        return 0;
    }
    if (argc < 3 || argc > 4) {
        fputs(usage, stderr);
        return 2;
    }
    // Too large for some stacks.
    static struct agent agent;
    agent.signals = platform_signals();
    if (agent.signals < 0 || getentropy(&agent.life, sizeof agent.life) != 0) {
        perror("drive");
        return 1;
    }
    agent.id = argv[2];
    agent.engine = make_engine(argv[1], agent.id, argc == 4 ? argv[3] : NULL);
    if (agent.engine == NULL) {
        return 1;
    }
    told(&agent, homing_engine_timeout(agent.engine, platform_now_ns()), "homing_engine_timeout");
    run(&agent);
    for (size_t i = 0; i < LINKS; i++) {
        close_link(&agent.links[i]);
    }
    for (size_t i = 0; i < ANSWERS; i++) {
        free(agent.answers[i].body);
    }
    homing_engine_free(agent.engine);
    return agent.failed ? 1 : 0;
}
