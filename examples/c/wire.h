// What goes over the wire: how a request of the engine becomes bytes, and an answer an outcome (docs/wire.md).
//
// A product that speaks a protocol of its own replaces this and keeps the loop.
#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <homing.h>

#ifdef __cplusplus
extern "C" {
#endif

// Enough for the head of every request, and for the small status of this example.
#define WIRE_REQUEST_MAX 2048

// The most a peer may send: a head, a body of this product's, and all of it with interim answers and framing.
#define WIRE_HEAD_MAX (16 * 1024)
#define WIRE_BODY_MAX (64 * 1024)
#define WIRE_ANSWER_MAX (512 * 1024)

// One request, ready to be written.
struct wire_request {
    const char *authority; // host and port of the server
    const char *agent;     // the agent's id
    int32_t request;       // HOMING_REQUEST_ATTACH, _BEAT or _PROBE
    uint64_t search;       // of an attach
    uint64_t life;         // random, the same as long as the program runs
    const char *status;    // what the product has to say; a probe says nothing
    bool omits_status;     // the server refused it as too large: it is left out, which makes this another request
    uint64_t next_ns;      // when the next heartbeat follows at the latest; 0 when it is not said
};

// Writes the request to `out`, which has room for WIRE_REQUEST_MAX bytes. 0 when it does not fit.
size_t wire_write(const struct wire_request *request, char *out);

// `authority` as it stands in a request, from the host and port to dial. 0 when it does not fit.
size_t wire_authority(homing_text host, uint32_t port, char *out, size_t size);

enum wire_result {
    WIRE_MORE,  // the answer is not complete
    WIRE_WHOLE, // it is: `outcome`, `body` and `reusable` say what it was
    WIRE_BROKEN // it is none: `failure` says why
};

// An answer. It points into itself: do not copy it.
struct wire_answer {
    homing_outcome outcome;
    homing_failure failure;
    bool reusable;    // the connection may carry another exchange
    const char *body; // of body_len bytes, in the buffer that was read
    size_t body_len;
    uint64_t retry_after_ms;
    uint64_t drain_ms;
    char settings_tag[257];
    char policy_tag[257];
};

// Reads what has come so far, from its first byte. `ended`: no more will come.
// Once the answer is whole, its chunks, if it has some, have been joined in `data`.
enum wire_result wire_read(char *data, size_t len, bool ended, struct wire_answer *answer);

#ifdef __cplusplus
} // extern "C"
#endif

#endif // WIRE_H
