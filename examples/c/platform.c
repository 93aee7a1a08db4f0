#define _DEFAULT_SOURCE
#define _XOPEN_SOURCE 700

#include "platform.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int signal_pipe[2];

static void on_signal(int number) {
    const int kept = errno;
    const char byte = (char)number;
    // When the pipe is full, the loop knows already.
    if (write(signal_pipe[1], &byte, 1) < 0) {
    }
    errno = kept;
}

uint64_t platform_now_ns(void) {
#ifdef CLOCK_BOOTTIME
    const clockid_t clock = CLOCK_BOOTTIME;
#else
    const clockid_t clock = CLOCK_MONOTONIC;
#endif
    struct timespec now = {0};
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int platform_signals(void) {
    struct sigaction action = {.sa_handler = on_signal};
    const bool caught = pipe(signal_pipe) == 0 && fcntl(signal_pipe[0], F_SETFL, O_NONBLOCK) == 0 &&
                        fcntl(signal_pipe[1], F_SETFL, O_NONBLOCK) == 0 && sigaction(SIGINT, &action, NULL) == 0 &&
                        sigaction(SIGTERM, &action, NULL) == 0;
    return caught ? signal_pipe[0] : -1;
}

homing_failure platform_failure(int32_t cause, const char *note) {
    return (homing_failure){.struct_size = sizeof(homing_failure), .cause = cause, .note = note};
}

homing_failure platform_error(int error, bool dialling) {
    switch (error) {
    case 0: return platform_failure(HOMING_CAUSE_TRUNCATED, NULL);
    case ECONNREFUSED: return platform_failure(HOMING_CAUSE_CONNECTION_REFUSED, NULL);
    case EHOSTUNREACH: return platform_failure(HOMING_CAUSE_HOST_UNREACHABLE, NULL);
    case EMFILE: case ENFILE: case ENOBUFS: case ENOMEM:
        return platform_failure(HOMING_CAUSE_OUT_OF_RESOURCES, strerror(error));
    case ETIMEDOUT: return platform_failure(dialling ? HOMING_CAUSE_CONNECT_TIMEOUT : HOMING_CAUSE_RESET, NULL);
    case ECONNRESET: case ECONNABORTED: case EPIPE: return platform_failure(HOMING_CAUSE_RESET, NULL);
    default: return platform_failure(dialling ? HOMING_CAUSE_NO_ROUTE : HOMING_CAUSE_RESET, strerror(error));
    }
}

static bool from_system(const struct sockaddr *from, homing_address *to) {
    *to = (homing_address){0};
    if (from->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, from, sizeof v4);
        to->family = 4;
        memcpy(to->ip, &v4.sin_addr, 4);
    } else if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, from, sizeof v6);
        to->family = 6;
        to->scope_id = v6.sin6_scope_id;
        memcpy(to->ip, &v6.sin6_addr, 16);
    }
    return to->family != 0;
}

static socklen_t to_system(const homing_address *from, struct sockaddr_storage *to) {
    memset(to, 0, sizeof *to);
    if (from->family == 4) {
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)from->port)};
        memcpy(&v4.sin_addr, from->ip, 4);
        memcpy(to, &v4, sizeof v4);
        return sizeof v4;
    }
    struct sockaddr_in6 v6 = {
        .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)from->port), .sin6_scope_id = from->scope_id};
    memcpy(&v6.sin6_addr, from->ip, 16);
    memcpy(to, &v6, sizeof v6);
    return sizeof v6;
}

const char *platform_look_up(const char *host, homing_address *found, size_t most, size_t *count) {
    *count = 0;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *first = NULL;
    const int error = getaddrinfo(host, NULL, &hints, &first);
    for (const struct addrinfo *at = first; at != NULL && *count < most; at = at->ai_next) {
        *count += from_system(at->ai_addr, &found[*count]);
    }
    if (first != NULL) {
        freeaddrinfo(first);
    }
    return error == 0 || error == EAI_NONAME ? NULL : gai_strerror(error);
}

int platform_connect(const homing_address *to) {
    struct sockaddr_storage address;
    const socklen_t len = to_system(to, &address);
    const int one = 1, fd = socket(address.ss_family, SOCK_STREAM, 0);
    if (fd < 0) {
        return -1;
    }
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0 &&
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0 &&
        (connect(fd, (const struct sockaddr *)&address, len) == 0 || errno == EINPROGRESS)) {
        return fd;
    }
    const int error = errno;
    close(fd);
    errno = error;
    return -1;
}

int platform_progress(int fd) {
    int error = 0;
    struct sockaddr_storage peer;
    socklen_t len = sizeof error, peer_len = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
        return errno;
    }
    if (error == 0 && getpeername(fd, (struct sockaddr *)&peer, &peer_len) != 0) {
        return errno == ENOTCONN ? EINPROGRESS : errno;
    }
    return error;
}
