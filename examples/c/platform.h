// What a loop needs of the system: a clock, signals, names and sockets. Nothing here waits, but the look-up of names.
#ifndef PLATFORM_H
#define PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <homing.h>

#ifdef __cplusplus
extern "C" {
#endif

// Nanoseconds on a clock that is never set, and runs while the machine sleeps where there is one that does.
uint64_t platform_now_ns(void);

// A descriptor that is readable once SIGINT or SIGTERM came; -1 and errno. To be called once.
int platform_signals(void);

// A failure for the engine. It borrows `note`, which may be NULL.
homing_failure platform_failure(int32_t cause, const char *note);

// What an error of the system means, for a connection that is being made or one that stood; 0 is the end of it.
homing_failure platform_error(int error, bool dialling);

// Blocks. The addresses of a name go to `found`, at most so many; none where it does not exist. NULL, or what is wrong
// with the name service.
const char *platform_look_up(const char *host, homing_address *found, size_t most, size_t *count);

// The descriptor of a connection that is under way, or -1 and errno.
int platform_connect(const homing_address *to);

// 0 when the connection stands, EINPROGRESS while that is open, else why it failed.
int platform_progress(int fd);

#ifdef __cplusplus
} // extern "C"
#endif

#endif // PLATFORM_H
