/* The figures, and the lines in which the harness is told them. */
#include "load.h"
#include <time.h>

struct figures sum;
struct samples first_event, stamped;
int64_t now, began;

int64_t clock_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

void sample(struct samples *to, int64_t ns) {
    if (to->us10 == NULL) to->us10 = malloc(MAX_SAMPLES * sizeof *to->us10);
    if (to->us10 != NULL && to->count < MAX_SAMPLES)
        to->us10[to->count++] = ns < 0 ? 0 : ns > INT64_C(400000000000) ? UINT32_MAX : (uint32_t)(ns / 100);
}

static int by_size(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void print_samples(const char *name, struct samples *of) {
    if (of->count == 0) return;
    qsort(of->us10, of->count, sizeof *of->us10, by_size);
    double at[3] = {0.5, 0.9, 0.99};
    printf(",\"%s\":{\"count\":%u", name, of->count);
    for (int i = 0; i < 3; i++)
        printf(",\"p%.0f_us\":%.1f", at[i] * 100, of->us10[(uint32_t)(at[i] * (of->count - 1))] / 10.0);
    printf(",\"max_us\":%.1f}", of->us10[of->count - 1] / 10.0);
}

static void print_text(const char *name, const char *text) {
    printf(",\"%s\":\"", name);
    for (; *text; text++)
        if (*text >= ' ' && *text != '"' && *text != '\\') putchar(*text);
    putchar('"');
}

void report(const char *state, const char *why) {
    now = clock_ns();
    printf("{\"state\":\"%s\",\"why\":\"%s\",\"ns\":%lld,\"elapsed\":%.6f,\"events\":%llu,\"frames\":%llu,"
           "\"bytes\":%llu,\"responses\":%llu,\"open\":%llu,\"stalled\":%llu,\"errors\":%llu,"
           "\"reconnects\":%llu,\"status\":%d",
           state, why, (long long)now, began ? (now - began) / 1e9 : 0.0, (unsigned long long)sum.events,
           (unsigned long long)sum.frames, (unsigned long long)sum.bytes, (unsigned long long)sum.responses,
           (unsigned long long)sum.open, (unsigned long long)sum.stalled, (unsigned long long)sum.errors,
           (unsigned long long)sum.reconnects, sum.status);
    if (*sum.header) print_text("header", sum.header);
    if (*sum.error) print_text("error", sum.error);
    if (strcmp(state, "end") == 0) print_samples("ttfe", &first_event);
    print_samples("stamp", &stamped);
    if (strcmp(state, "mark") == 0) stamped.count = 0;
    puts("}");
    fflush(stdout);
}

void end(const char *why) {
    report("end", why);
    exit(0);
}
