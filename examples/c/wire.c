#define _XOPEN_SOURCE 700
#define _DEFAULT_SOURCE

#include "wire.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { FIELDS_MAX = 100, INTERIM_MAX = 8 };

// A piece of the buffer, without blanks around it.
struct piece {
    const char *at;
    size_t len;
};

// What the head of an answer says.
struct head {
    int minor; // HTTP/1.minor
    uint32_t status;
    struct piece length, coding, type, retry_after, drain, date, settings, policy;
    bool close, keep_alive, own_field;
};

size_t wire_authority(homing_text host, uint32_t port, char *out, size_t size) {
    const bool brackets = host.data != NULL && memchr(host.data, ':', host.len) != NULL;
    const int n = snprintf(out, size, "%s%.*s%s:%" PRIu32, brackets ? "[" : "", (int)host.len, host.data,
                           brackets ? "]" : "", port);
    return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

size_t wire_write(const struct wire_request *request, char *out) {
    const char *purpose = "beat", *body = request->omits_status ? "" : request->status;
    char key[80] = "", next[48] = "";
    if (request->request == HOMING_REQUEST_ATTACH) {
        purpose = "attach";
        // The same for all attempts of one search, and for no other search of this or another run.
        snprintf(key, sizeof key, "Idempotency-Key: \"%016" PRIx64 "-%" PRIu64 "%s\"\r\n", request->life,
                 request->search, request->omits_status ? "-omitted" : "");
    } else if (request->request == HOMING_REQUEST_PROBE) {
        purpose = "probe";
        body = "";
    }
    if (request->next_ns != 0) {
        snprintf(next, sizeof next, "Homing-Next: %" PRIu64 "\r\n", request->next_ns / 1000000000 + (request->next_ns % 1000000000 != 0));
    }
    const int n = snprintf(out, WIRE_REQUEST_MAX,
                           "POST /homing/v1/heartbeat HTTP/1.1\r\nHost: %s\r\nUser-Agent: homing/%d.%d.%d\r\n"
                           "Homing-Agent: %s\r\nHoming-Purpose: %s\r\n%s%s%sContent-Length: %zu\r\n\r\n%s",
                           request->authority, HOMING_VERSION_MAJOR, HOMING_VERSION_MINOR,
                           HOMING_VERSION_PATCH, request->agent, purpose, key, next,
                           request->omits_status ? "Homing-Omitted: status\r\n" : "", strlen(body), body);
    return n > 0 && n < WIRE_REQUEST_MAX ? (size_t)n : 0;
}

static enum wire_result broken(struct wire_answer *answer, int32_t cause, const char *note) {
    answer->failure.cause = cause;
    answer->failure.note = note;
    return WIRE_BROKEN;
}

static bool is(struct piece piece, const char *text) {
    return piece.len == strlen(text) && strncasecmp(piece.at, text, piece.len) == 0;
}

static struct piece trimmed(const char *from, const char *end) {
    while (from < end && (*from == ' ' || *from == '\t')) {
        from++;
    }
    while (end > from && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r')) {
        end--;
    }
    return (struct piece){from, (size_t)(end - from)};
}

// A whole number. False for anything else; what is too large to count is as large as can be.
static bool number(struct piece piece, uint64_t most, uint64_t *out) {
    uint64_t value = 0;
    for (size_t i = 0; i < piece.len; i++) {
        if (piece.at[i] < '0' || piece.at[i] > '9') {
            return false;
        }
        const uint64_t digit = (uint64_t)(piece.at[i] - '0');
        value = value > (most - digit) / 10 ? most : value * 10 + digit;
    }
    *out = value;
    return piece.len > 0;
}

static bool date(struct piece piece, time_t *out) {
    char text[64];
    struct tm parts = {0};
    if (piece.len == 0 || piece.len >= sizeof text) {
        return false;
    }
    memcpy(text, piece.at, piece.len);
    text[piece.len] = '\0';
    const char *rest = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    *out = timegm(&parts);
    return rest != NULL && *rest == '\0' && *out != (time_t)-1;
}

// Seconds, or a date on the clock of the server that wrote it.
static bool retry_after(const struct head *head, uint64_t *ms) {
    time_t then, now;
    if (number(head->retry_after, UINT64_MAX / 1000, ms)) {
        *ms *= 1000;
        return true;
    }
    if (!date(head->retry_after, &then)) {
        return false;
    }
    if (!date(head->date, &now)) {
        now = time(NULL);
    }
    *ms = then > now ? (uint64_t)(then - now) * 1000 : 0;
    return then >= now;
}

static const char *tag(struct piece piece, char (*out)[257]) {
    if (piece.len == 0 || piece.len >= sizeof *out) {
        return NULL;
    }
    memcpy(*out, piece.at, piece.len);
    (*out)[piece.len] = '\0';
    return *out;
}

static bool has_word(struct piece list, const char *word) {
    const char *end = list.at + list.len;
    while (list.at < end) {
        const char *comma = memchr(list.at, ',', (size_t)(end - list.at));
        const char *stop = comma != NULL ? comma : end;
        if (is(trimmed(list.at, stop), word)) {
            return true;
        }
        list.at = comma != NULL ? comma + 1 : end;
    }
    return false;
}

// Where the head at `data` ends, behind its blank line; 0 when it does not yet.
static size_t head_end(const char *data, size_t len) {
    for (size_t i = 0; i + 1 < len; i++) {
        if (data[i] == '\n' && data[i + 1] == '\n') {
            return i + 2;
        }
        if (data[i] == '\n' && data[i + 1] == '\r' && i + 2 < len && data[i + 2] == '\n') {
            return i + 3;
        }
    }
    return 0;
}

// One field. NULL when it is well, else what is wrong.
static const char *field(struct head *head, struct piece line) {
    const char *colon = memchr(line.at, ':', line.len);
    if (colon == NULL || colon == line.at || strcspn(line.at, " \t:") != (size_t)(colon - line.at)) {
        return "a line of its head is no field";
    }
    const struct piece name = {line.at, (size_t)(colon - line.at)};
    const struct piece value = trimmed(colon + 1, line.at + line.len);
    head->own_field = head->own_field || (name.len > 7 && strncasecmp(name.at, "Homing-", 7) == 0);
    if (is(name, "Content-Length")) {
        if (head->length.at != NULL &&
            (head->length.len != value.len || memcmp(head->length.at, value.at, value.len) != 0)) {
            return "two values of Content-Length";
        }
        head->length = value;
    } else if (is(name, "Transfer-Encoding")) {
        if (head->coding.at != NULL || !is(value, "chunked")) {
            return "a Transfer-Encoding other than chunked";
        }
        head->coding = value;
    } else if (is(name, "Connection")) {
        head->close = head->close || has_word(value, "close");
        head->keep_alive = head->keep_alive || has_word(value, "keep-alive");
    } else if (is(name, "Content-Type")) {
        const char *parameters = memchr(value.at, ';', value.len);
        head->type = parameters ? trimmed(value.at, parameters) : value;
    } else if (is(name, "Retry-After")) {
        head->retry_after = value;
    } else if (is(name, "Date")) {
        head->date = value;
    } else if (is(name, "Homing-Drain")) {
        head->drain = value;
    } else if (is(name, "Homing-Settings")) {
        head->settings = value;
    } else if (is(name, "Homing-Policy")) {
        head->policy = value;
    }
    return NULL;
}

// The head of `len` bytes at `data`, blank line included.
static enum wire_result read_head(const char *data, size_t len, struct head *head, struct wire_answer *answer) {
    *head = (struct head){0};
    const char *line = (const char *)memchr(data, '\n', len) + 1;
    const struct piece first = trimmed(data, line - 1);
    uint64_t status;
    if (first.len < 12 || data[7] < '0' || data[7] > '9' || data[8] != ' ' ||
        !number((struct piece){data + 9, 3}, 999, &status) || status < 100 || (first.len > 12 && data[12] != ' ')) {
        return broken(answer, HOMING_CAUSE_NOT_HTTP, "its first line is no status line");
    }
    head->minor = data[7] - '0';
    head->status = (uint32_t)status;
    for (int fields = 0; *line != '\r' && *line != '\n'; fields++) {
        const char *end = memchr(line, '\n', (size_t)(data + len - line));
        if (fields == FIELDS_MAX) {
            return broken(answer, HOMING_CAUSE_HEAD_TOO_LARGE, NULL);
        }
        const char *wrong = field(head, (struct piece){line, (size_t)(end - line)});
        if (wrong != NULL) {
            return broken(answer, HOMING_CAUSE_NOT_HTTP, wrong);
        }
        line = end + 1;
    }
    return WIRE_WHOLE;
}

// Walks the chunks of `len` bytes at `data`; joins them at `data` when `join`. How many bytes they take with their
// framing goes to `used`, and what they carry to `carried`.
static enum wire_result chunks(char *data, size_t len, bool join, size_t *used, size_t *carried) {
    size_t at = 0, body = 0;
    for (;;) {
        const char *line = data + at;
        const char *end = memchr(line, '\n', len - at);
        if (end == NULL) {
            return len - at > WIRE_HEAD_MAX ? WIRE_BROKEN : WIRE_MORE;
        }
        uint64_t size = 0;
        size_t digits = 0;
        for (; isxdigit((unsigned char)line[digits]); digits++) {
            const int c = tolower((unsigned char)line[digits]);
            size = size * 16 + (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
            if (size > WIRE_BODY_MAX) {
                return WIRE_BROKEN;
            }
        }
        if (digits == 0 || memchr("; \t\r\n", line[digits], 5) == NULL) {
            return WIRE_BROKEN;
        }
        at = (size_t)(end + 1 - data);
        if (size == 0) {
            break;
        }
        if (body + size > WIRE_BODY_MAX) {
            return WIRE_BROKEN;
        }
        if (len - at < size + 2) {
            return WIRE_MORE;
        }
        if (memcmp(data + at + size, "\r\n", 2) != 0) {
            return WIRE_BROKEN;
        }
        if (join) {
            memmove(data + body, data + at, (size_t)size);
        }
        body += (size_t)size;
        at += (size_t)size + 2;
    }
    // Fields behind the last chunk say nothing here; an empty line ends them.
    for (;;) {
        const char *line = data + at;
        const char *end = memchr(line, '\n', len - at);
        if (end == NULL) {
            return len - at > WIRE_HEAD_MAX ? WIRE_BROKEN : WIRE_MORE;
        }
        at = (size_t)(end + 1 - data);
        if (end == line || (end == line + 1 && *line == '\r')) {
            *used = at;
            *carried = body;
            return WIRE_WHOLE;
        }
    }
}

// Finds the body behind the head.
static enum wire_result read_body(char *data, size_t len, bool ended, const struct head *head,
                                  struct wire_answer *answer) {
    uint64_t length = 0;
    size_t used = 0, carried = 0;
    bool until_end = false;
    if (head->coding.at != NULL && (head->length.at != NULL || head->minor == 0)) {
        return broken(answer, HOMING_CAUSE_NOT_HTTP, "a Transfer-Encoding where none may be");
    }
    if (head->length.at != NULL && !number(head->length, UINT64_MAX, &length)) {
        return broken(answer, HOMING_CAUSE_NOT_HTTP, "its Content-Length is no number");
    }
    if (head->status == 204 || head->status == 304) {
        // Never a body, whatever the fields say.
    } else if (head->coding.at != NULL) {
        const enum wire_result result = chunks(data, len, false, &used, &carried);
        if (result == WIRE_BROKEN) {
            return broken(answer, HOMING_CAUSE_NOT_HTTP, "its chunks are none, or too large");
        }
        if (result == WIRE_MORE) {
            return WIRE_MORE;
        }
        chunks(data, len, true, &used, &carried);
    } else if (length > WIRE_BODY_MAX || (head->length.at == NULL && len > WIRE_BODY_MAX)) {
        return broken(answer, HOMING_CAUSE_BODY_TOO_LARGE, NULL);
    } else if (head->length.at != NULL) {
        if (len < length) {
            return WIRE_MORE;
        }
        used = carried = (size_t)length;
    } else if (ended) {
        used = carried = len;
        until_end = true;
    } else {
        return WIRE_MORE;
    }
    answer->body = data;
    answer->body_len = carried;
    // More than was asked for, and a server that closes, end the connection.
    answer->reusable = used == len && !until_end && !head->close && (head->minor > 0 || head->keep_alive);
    return WIRE_WHOLE;
}

// What the answer means, as the tables of docs/wire.md have it.
static void judge(const struct head *head, struct wire_answer *answer) {
    homing_outcome *outcome = &answer->outcome;
    homing_failure *failure = &answer->failure;
    outcome->status = failure->status = head->status;
    outcome->verdict = HOMING_VERDICT_FAILED;
    outcome->failure = failure;
    if (number(head->drain, UINT64_MAX / 1000, &answer->drain_ms)) {
        answer->drain_ms *= 1000;
        outcome->drain_ms = &answer->drain_ms;
    }
    if (head->status >= 200 && head->status < 300) {
        outcome->settings_tag = tag(head->settings, &answer->settings_tag);
        outcome->policy_tag = tag(head->policy, &answer->policy_tag);
        if (outcome->settings_tag != NULL || outcome->policy_tag != NULL) {
            outcome->verdict = HOMING_VERDICT_SUCCESS;
            outcome->failure = NULL;
            return;
        }
        // A login page answers 200 as well.
        failure->cause = HOMING_CAUSE_NOT_A_MANAGER;
        failure->note = "neither Homing-Settings nor Homing-Policy";
    } else if (head->status == 401 || (head->status == 403 && head->own_field)) {
        // Maintenance pages say 403 as well, without a field of ours.
        failure->cause = HOMING_CAUSE_NOT_ALLOWED;
    } else if (head->status == 413) {
        failure->cause = HOMING_CAUSE_TOO_LARGE;
    } else if (head->status == 429 || head->status == 503) {
        if (retry_after(head, &answer->retry_after_ms)) {
            failure->retry_after_ms = &answer->retry_after_ms;
        }
        const bool patience = head->status == 429 || failure->retry_after_ms != NULL;
        failure->cause = patience ? HOMING_CAUSE_THROTTLED : HOMING_CAUSE_SERVER_ERROR;
    } else if (head->status >= 500 && head->status < 600) {
        failure->cause = HOMING_CAUSE_SERVER_ERROR;
    } else if (head->status >= 400 && head->status < 500 && head->status != 403 && head->status != 404 &&
               head->status != 410) {
        failure->cause = HOMING_CAUSE_MISUNDERSTOOD;
    } else {
        failure->cause = HOMING_CAUSE_NOT_A_MANAGER;
    }
    // A page for a person: perhaps a portal that waits for a log-in.
    if (failure->cause == HOMING_CAUSE_NOT_A_MANAGER && is(head->type, "text/html")) {
        failure->cause = HOMING_CAUSE_PAGE;
    }
}

enum wire_result wire_read(char *data, size_t len, bool ended, struct wire_answer *answer) {
    struct head head;
    *answer = (struct wire_answer){.outcome.struct_size = sizeof answer->outcome,
                                   .failure.struct_size = sizeof answer->failure};
    for (int interim = 0;; interim++) {
        const char *start = "HTTP/1.";
        if (memcmp(data, start, len < strlen(start) ? len : strlen(start)) != 0) {
            return broken(answer, HOMING_CAUSE_NOT_HTTP, "its first line is no status line");
        }
        const size_t end = head_end(data, len < WIRE_HEAD_MAX ? len : WIRE_HEAD_MAX);
        if (end == 0 && len >= WIRE_HEAD_MAX) {
            return broken(answer, HOMING_CAUSE_HEAD_TOO_LARGE, NULL);
        }
        if (end == 0) {
            return ended ? broken(answer, HOMING_CAUSE_TRUNCATED, NULL) : WIRE_MORE;
        }
        enum wire_result result = read_head(data, end, &head, answer);
        if (result != WIRE_WHOLE) {
            return result;
        }
        data += end;
        len -= end;
        // 1xx goes before the answer; but nobody asked to switch protocols, so 101 is final.
        if (head.status >= 200 || head.status == 101) {
            result = read_body(data, len, ended, &head, answer);
            if (result == WIRE_WHOLE) {
                judge(&head, answer);
            }
            return result == WIRE_MORE && ended ? broken(answer, HOMING_CAUSE_TRUNCATED, NULL) : result;
        }
        if (interim == INTERIM_MAX) {
            return broken(answer, HOMING_CAUSE_TOO_MANY_INTERIM, NULL);
        }
    }
}
