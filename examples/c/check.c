// Is a server believed that shows these certificates? For products with a TLS stack of their own: no connection is made.
//
//   check POLICY NAME FILE...
//
// POLICY is a file with what settings have as `certificate`, NAME the name or address that was dialled, each FILE a certificate in
// DER, or some in PEM; the server's own first. Exit code: 0 believed, 1 rejected, 2 nothing was judged.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <homing.h>

// What a file may have, and a chain; homing has limits of its own.
enum { MOST_BYTES = 1 << 20, MOST_CERTIFICATES = 64 };

typedef struct chain {
    homing_certificate certificates[MOST_CERTIFICATES];
    size_t count;
} chain;

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "check: %s: %s\n", what, why);
    return 2;
}

static int failed(const char *what, homing_error *error)
{
    homing_text why = homing_error_message(error);
    fprintf(stderr, "check: %s: %.*s\n", what, (int)why.len, why.data);
    homing_error_free(error);
    return 2;
}

// The content of a file, NUL-terminated; NULL when it cannot be read or is too large.
static unsigned char *content(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    unsigned char *bytes = file ? malloc(MOST_BYTES + 1) : NULL;
    *len = bytes ? fread(bytes, 1, MOST_BYTES + 1, file) : 0;
    if (bytes && (ferror(file) || *len > MOST_BYTES)) {
        free(bytes);
        bytes = NULL;
    }
    if (bytes)
        bytes[*len] = 0;
    if (file)
        fclose(file);
    return bytes;
}

// Base64 to bytes, in place: whatever is no digit of it is passed over. How many bytes.
static size_t decoded(unsigned char *text, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t used = 0;
    uint32_t bits = 0, count = 0;
    for (size_t at = 0; at < len; at++) {
        const char *digit = text[at] ? strchr(digits, text[at]) : NULL;
        if (!digit)
            continue;
        bits = bits << 6 | (uint32_t)(digit - digits);
        if (++count % 4 != 1)
            text[used++] = (unsigned char)(bits >> (6 - 2 * ((count - 1) % 4)));
    }
    return used;
}

// Adds the certificates of a file, whose bytes stay where they are. False when there are too many, or none.
static int add(chain *to, unsigned char *bytes, size_t len)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----", end[] = "-----END CERTIFICATE-----";
    size_t before = to->count;
    char *from = strstr((char *)bytes, begin), *last;
    if (!from && len > 0 && to->count < MOST_CERTIFICATES)
        to->certificates[to->count++] = (homing_certificate){bytes, len};
    // The end is looked for behind the whole beginning, with which it could share its hyphens.
    while (from && (last = strstr(from + strlen(begin), end)) && to->count < MOST_CERTIFICATES) {
        unsigned char *base64 = (unsigned char *)from + strlen(begin);
        size_t size = decoded(base64, (size_t)((unsigned char *)last - base64));
        to->certificates[to->count++] = (homing_certificate){base64, size};
        from = strstr(last, begin);
    }
    return to->count > before && !from;
}

static int judge(const homing_policy *policy, const char *name, const chain *shown)
{
    homing_judgement *judgement;
    homing_error *error = NULL;
    // Nothing is remembered from one run to the next, so there is no floor for the clock but that of homing.
    if (homing_policy_check(policy, shown->certificates, shown->count, name, time(NULL), 0, &judgement, &error) != HOMING_OK)
        return failed(name, error);
    int32_t reject = homing_judgement_reject(judgement);
    homing_text why = homing_judgement_text(judgement), advice = homing_judgement_advice(judgement);
    if (reject == 0)
        printf("verdict     accepted\n");
    else
        printf("verdict     rejected (%d)\nreason      %.*s\nwhat to do  %.*s\n", (int)reject, (int)why.len, why.data,
               (int)advice.len, advice.data);
    homing_judgement_free(judgement);
    return reject != 0;
}

int main(int argc, char **argv)
{
    static chain shown;
    unsigned char *files[MOST_CERTIFICATES];
    int code = 0, read = 0;
    if (argc < 4 || argc - 3 > MOST_CERTIFICATES)
        return fail("usage", "check POLICY NAME FILE...");

    size_t len;
    unsigned char *json = content(argv[1], &len);
    homing_policy *policy = NULL;
    homing_error *error = NULL;
    if (!json)
        code = fail(argv[1], "it cannot be read, or is too large");
    else if (homing_policy_parse(json, len, time(NULL), &policy, &error) != HOMING_OK)
        code = failed(argv[1], error);
    free(json);
    for (size_t index = 0; index < homing_policy_remark_count(policy); index++) {
        homing_text remark = homing_policy_remark(policy, index);
        printf("remark      %.*s\n", (int)remark.len, remark.data);
    }
    for (int index = 3; code == 0 && index < argc; index++) {
        files[read] = content(argv[index], &len);
        if (!files[read])
            code = fail(argv[index], "it cannot be read, or is too large");
        else if (!add(&shown, files[read++], len))
            code = fail(argv[index], "it holds no certificate, or too many");
    }
    if (code == 0)
        code = judge(policy, argv[2], &shown);
    while (read > 0)
        free(files[--read]);
    homing_policy_free(policy);
    return code;
}
