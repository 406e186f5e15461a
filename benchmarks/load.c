/* The load client: sends one request over many connections and counts the events that come back.
 *
 * One thread, one epoll, one buffer. A frame of an event stream is counted as an event if one of
 * its data lines holds --match; how the bytes are cut, chunked or not, makes no difference.
 *
 * It talks with the harness in lines. On stdin: "mark" asks for the figures of this moment,
 * "stop" (or the end of the input) ends it. On stdout, each line one JSON object: {"state":"open"}
 * once every connection has the head of its first response, {"state":"mark"} for each mark, and
 * {"state":"end"} as the last one. Ages of events are those since the mark before.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 256 * 1024, MAX_HEAD = 64 * 1024, MAX_SAMPLES = 1 << 20, MAX_CONNECTING = 128 };

enum phase { FRESH, CONNECTING, READY, HEAD, BODY, STALLED, DONE };
enum framing { UNTIL_CLOSE, LENGTH, CHUNKED };
enum chunk { SIZE, EXTENSION, DATA, AFTER_DATA, TRAILER };

struct conn {
    int fd;
    enum phase phase;
    enum framing framing;
    enum chunk chunk;
    int64_t left;        /* of the body, or of the chunk */
    int64_t sent_at;     /* when the current request was sent */
    int64_t due_at;      /* when the next one is */
    uint64_t events;     /* of the current response */
    char *held;          /* the head so far, or a line without its end */
    uint32_t held_size, held_room;
    uint32_t trailer;    /* bytes of the trailer's current line */
    bool closes, has_data, has_match, was_open, is_again;
};

struct samples {
    uint32_t *us10;      /* tenths of a microsecond */
    uint32_t count;
};

static struct {
    int port, connections, pause_ms, ramp_ms;
    double seconds, timeout;
    uint64_t responses, stall;
    bool repeat, stamp;
    const char *match, *header;
    char *request;
    size_t request_size, match_size;
} opt = {.connections = 1, .timeout = 60, .match = "token ", .header = ""};

static struct {
    uint64_t events, frames, bytes, responses, begun, errors, reconnects, open, stalled;
    int status;          /* the first that was not 200 */
    char error[128], header[256];
} sum;

static struct conn *conns;
static int *queue;       /* connections whose next request is due, the earliest first */
static int queue_head, queue_size;
static int poller, connected, next_fresh, connecting, heads, finished;
static int64_t now, began;
static bool is_running, is_reported;
static struct samples first_event, stamped;
static char buffer[BUFFER];

static int64_t clock_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void sample(struct samples *to, int64_t ns) {
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

static void report(const char *state, const char *why) {
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

static void end(const char *why) {
    report("end", why);
    exit(0);
}

static void watch(struct conn *c, int what, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = c};
    epoll_ctl(poller, what, c->fd, &event);
}

static void finish(struct conn *c, const char *error) {
    if (c->phase == DONE) return;
    if (error != NULL) {
        sum.errors++;
        if (!*sum.error) snprintf(sum.error, sizeof sum.error, "%s", error);
    }
    if (c->phase == CONNECTING) connecting--;
    if (c->phase == BODY) sum.open--;
    if (!c->was_open) {
        c->was_open = true;
        heads++;
    }
    if (c->phase < READY && !is_running) connected++; /* it will not become so */
    close(c->fd);
    c->phase = DONE;
    finished++;
}

static void enqueue(struct conn *c, int64_t due) {
    c->due_at = due;
    queue[(queue_head + queue_size++) % opt.connections] = (int)(c - conns);
}

static void begin(struct conn *c) {
    ssize_t sent = send(c->fd, opt.request, opt.request_size, MSG_NOSIGNAL);
    if (sent != (ssize_t)opt.request_size) {
        finish(c, sent < 0 ? strerror(errno) : "the request was cut short");
        return;
    }
    c->phase = HEAD;
    c->held_size = 0;
    c->events = 0;
    c->has_data = c->has_match = false;
}

static void open_conn(struct conn *c) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port)};
    int on = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) {
        finish(c, strerror(errno));
        return;
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->phase = CONNECTING;
    connecting++;
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)
        finish(c, strerror(errno));
    else
        watch(c, EPOLL_CTL_ADD, EPOLLOUT);
}

static void on_connected(struct conn *c) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
        finish(c, strerror(error));
        return;
    }
    connecting--;
    c->phase = READY;
    watch(c, EPOLL_CTL_MOD, EPOLLIN);
    if (c->is_again)
        begin(c);
    else
        connected++;
}

/* Begins the connection's next request: now, or after the pause. */
static void next(struct conn *c) {
    sum.begun++;
    c->sent_at = now;
    if (c->closes) {
        close(c->fd);
        sum.reconnects++;
        c->is_again = true;
        c->closes = false;
        open_conn(c);
    } else {
        begin(c);
    }
}

static bool may_begin(void) {
    if (opt.seconds > 0 && now - began >= (int64_t)(opt.seconds * 1e9)) return false;
    return opt.responses == 0 || sum.begun < opt.responses;
}

static void on_response_end(struct conn *c) {
    sum.responses++;
    sum.open--;
    c->phase = READY;
    if (!opt.repeat || !may_begin())
        finish(c, NULL);
    else if (opt.pause_ms > 0)
        enqueue(c, now + opt.pause_ms * INT64_C(1000000));
    else
        next(c);
}

static void hold(struct conn *c, const char *bytes, size_t size) {
    if (c->held_size + size > c->held_room) {
        c->held_room = (uint32_t)(c->held_size + size) * 2;
        c->held = realloc(c->held, c->held_room);
        if (c->held == NULL) end("out of memory");
    }
    memcpy(c->held + c->held_size, bytes, size);
    c->held_size += (uint32_t)size;
}

static void on_event(struct conn *c) {
    sum.events++;
    if (c->events++ == 0) sample(&first_event, now - c->sent_at);
}

static void on_line(struct conn *c, const char *line, size_t size) {
    if (size > 0 && line[size - 1] == '\r') size--;
    if (size == 0) {
        if (c->has_data) {
            sum.frames++;
            if (c->has_match) on_event(c);
        }
        c->has_data = c->has_match = false;
    } else if (size >= 5 && memcmp(line, "data:", 5) == 0) {
        c->has_data = true;
        if (!c->has_match && memmem(line + 5, size - 5, opt.match, opt.match_size)) {
            c->has_match = true;
            if (opt.stamp) {
                const char *at = memmem(line, size, "\"ns\":", 5);
                if (at != NULL) sample(&stamped, now - strtoll(at + 5, NULL, 10));
            }
        }
    }
}

static void on_text(struct conn *c, const char *bytes, size_t size) {
    const char *last = bytes + size;
    while (bytes < last) {
        const char *line_end = memchr(bytes, '\n', (size_t)(last - bytes));
        if (line_end == NULL) {
            hold(c, bytes, (size_t)(last - bytes));
            return;
        }
        if (c->held_size > 0) {
            hold(c, bytes, (size_t)(line_end - bytes));
            on_line(c, c->held, c->held_size);
            c->held_size = 0;
        } else {
            on_line(c, bytes, (size_t)(line_end - bytes));
        }
        bytes = line_end + 1;
    }
}

/* Returns the value of a header in `head`, which ends with a zero, or NULL; it ends at the line's end. */
static const char *header(const char *head, const char *name) {
    size_t size = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, size) == 0 && line[size] == ':') return line + size + 1 + strspn(line + size + 1, " ");
    }
    return NULL;
}

static void on_head(struct conn *c, const char *head) {
    const char *value;
    int status = atoi(head + 9);
    if (status != 200) {
        sum.errors++;
        if (sum.status == 0) sum.status = status;
    }
    c->framing = UNTIL_CLOSE;
    c->closes = strncmp(head, "HTTP/1.0", 8) == 0;
    if ((value = header(head, "content-length")) != NULL) {
        c->framing = LENGTH;
        c->left = atoll(value);
    } else if ((value = header(head, "transfer-encoding")) != NULL && strncasecmp(value, "chunked", 7) == 0) {
        c->framing = CHUNKED;
        c->chunk = SIZE;
        c->left = 0;
    } else if (status == 204 || status == 304) {
        c->framing = LENGTH;
        c->left = 0;
    }
    if ((value = header(head, "connection")) != NULL && strncasecmp(value, "close", 5) == 0) c->closes = true;
    if (*opt.header && !*sum.header && (value = header(head, opt.header)) != NULL)
        snprintf(sum.header, sizeof sum.header, "%.*s", (int)strcspn(value, "\r\n"), value);
    c->phase = BODY;
    sum.open++;
    if (!c->was_open) {
        c->was_open = true;
        heads++;
    }
}

static int hex(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Takes chunked bytes; returns whether the body has ended. */
static bool on_chunked(struct conn *c, const char *bytes, size_t size) {
    for (size_t i = 0; i < size;) {
        if (c->chunk == DATA) {
            size_t part = size - i < (size_t)c->left ? size - i : (size_t)c->left;
            on_text(c, bytes + i, part);
            i += part;
            if ((c->left -= (int64_t)part) == 0) c->chunk = AFTER_DATA;
            continue;
        }
        char byte = bytes[i++];
        if (c->chunk == AFTER_DATA) {
            if (byte == '\n') c->chunk = SIZE;
        } else if (c->chunk == TRAILER) {
            if (byte == '\n' && c->trailer == 0) return true;
            if (byte == '\n') c->trailer = 0;
            else if (byte != '\r') c->trailer++;
        } else if (byte == '\n') {
            c->chunk = c->left > 0 ? DATA : TRAILER;
            c->trailer = 0;
        } else if (c->chunk == SIZE) {
            if (hex(byte) >= 0) c->left = c->left * 16 + hex(byte);
            else c->chunk = EXTENSION;
        }
    }
    return false;
}

static bool on_body(struct conn *c, const char *bytes, size_t size) {
    if (c->framing == CHUNKED) return on_chunked(c, bytes, size);
    if (c->framing == UNTIL_CLOSE) {
        on_text(c, bytes, size);
        return false;
    }
    size_t part = size < (size_t)c->left ? size : (size_t)c->left;
    on_text(c, bytes, part);
    return (c->left -= (int64_t)part) == 0;
}

static void on_bytes(struct conn *c, const char *bytes, size_t size) {
    sum.bytes += size;
    if (c->phase == HEAD) {
        hold(c, bytes, size);
        char *blank = memmem(c->held, c->held_size, "\r\n\r\n", 4);
        if (blank == NULL) {
            if (c->held_size > MAX_HEAD) finish(c, "the head has no end");
            return;
        }
        size_t rest = (size_t)(c->held + c->held_size - (blank + 4));
        blank[2] = 0;
        bytes += size - rest;
        size = rest;
        on_head(c, c->held);
        c->held_size = 0;
    }
    if (c->phase != BODY) {
        finish(c, "bytes that nobody asked for");
    } else if (on_body(c, bytes, size)) {
        on_response_end(c);
    } else if (opt.stall > 0 && c->events >= opt.stall) {
        epoll_ctl(poller, EPOLL_CTL_DEL, c->fd, NULL);
        sum.open--;
        sum.stalled++;
        c->phase = STALLED;
    }
}

static void on_readable(struct conn *c) {
    ssize_t size = recv(c->fd, buffer, sizeof buffer, 0);
    now = clock_ns();
    if (size > 0) {
        on_bytes(c, buffer, (size_t)size);
    } else if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
        const char *why = size == 0 ? "the connection was closed early" : strerror(errno);
        if (c->phase == BODY && c->framing == UNTIL_CLOSE && size == 0) {
            c->closes = true;
            on_response_end(c);
        } else if (c->phase == READY && size == 0) {
            c->closes = true; /* while it rested: the next request opens it again */
            epoll_ctl(poller, EPOLL_CTL_DEL, c->fd, NULL);
        } else {
            finish(c, why);
        }
    }
}

static void on_command(void) {
    char line[256];
    ssize_t size = read(STDIN_FILENO, line, sizeof line);
    if (size == 0 || (size > 0 && memchr(line, 's', (size_t)size) != NULL)) end("stopped");
    for (ssize_t i = 0; i < size; i++)
        if (line[i] == '\n') report("mark", "");
}

/* Opens what is still to be opened, begins what is due, and returns how long to sleep, in ms. */
static int advance(void) {
    while (next_fresh < opt.connections && connecting < MAX_CONNECTING) open_conn(&conns[next_fresh++]);
    if (!is_running && connected == opt.connections) {
        is_running = true;
        began = clock_ns();
        for (int i = 0; i < opt.connections; i++)
            if (conns[i].phase == READY) enqueue(&conns[i], began + opt.ramp_ms * INT64_C(1000000) / opt.connections * i);
    }
    now = clock_ns();
    while (queue_size > 0) {
        struct conn *c = &conns[queue[queue_head]];
        if (c->due_at > now) return (int)((c->due_at - now + 999999) / 1000000);
        queue_head = (queue_head + 1) % opt.connections;
        queue_size--;
        if (c->phase != READY) continue;
        if (may_begin()) next(c);
        else finish(c, NULL);
        now = clock_ns();
    }
    return 100;
}

static void run(void) {
    struct epoll_event input = {.events = EPOLLIN, .data.ptr = NULL}, ready[512];
    epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &input);
    int64_t until = clock_ns() + (int64_t)(opt.timeout * 1e9);
    for (;;) {
        int wait = advance();
        if (finished == opt.connections) end("done");
        if (now > until) end("timeout");
        if (heads == opt.connections && !is_reported) {
            is_reported = true;
            report("open", "");
        }
        int count = epoll_wait(poller, ready, 512, wait);
        for (int i = 0; i < count; i++) {
            struct conn *c = ready[i].data.ptr;
            if (c == NULL) on_command();
            else if (c->phase == CONNECTING) on_connected(c);
            else if (c->phase != DONE) on_readable(c);
        }
    }
}

static void read_request(const char *path) {
    FILE *file = fopen(path, "rb");
    opt.request = malloc(MAX_HEAD);
    if (file == NULL || opt.request == NULL) {
        perror(path);
        exit(2);
    }
    opt.request_size = fread(opt.request, 1, MAX_HEAD, file);
    fclose(file);
}

static const struct option OPTIONS[] = {
    {"port", 1, 0, 'p'},    {"connections", 1, 0, 'c'}, {"request", 1, 0, 'r'}, {"repeat", 0, 0, 'R'},
    {"seconds", 1, 0, 's'}, {"responses", 1, 0, 'n'},   {"pause", 1, 0, 'P'},   {"ramp", 1, 0, 'a'},
    {"stall", 1, 0, 'l'},   {"stamp", 0, 0, 'm'},       {"match", 1, 0, 'M'},   {"header", 1, 0, 'h'},
    {"timeout", 1, 0, 't'}, {0, 0, 0, 0}};

static const char USAGE[] =
    "load --port N --request FILE [options]\n"
    "  --connections N  connections at a time (1)\n"
    "  --repeat         begin the next request when a response has ended, on the same connection\n"
    "  --seconds S      begin no more requests after S seconds\n"
    "  --responses N    begin at most N requests\n"
    "  --pause MS       wait between a response and the next request\n"
    "  --ramp MS        spread the first requests over so long\n"
    "  --stall N        stop reading a response after N events\n"
    "  --match TEXT     what makes a frame an event (\"token \")\n"
    "  --stamp          measure the age of the CLOCK_MONOTONIC \"ns\" in each event\n"
    "  --header NAME    report this header of the first response that has it\n"
    "  --timeout S      end in any case after S seconds (60)\n";

int main(int count, char **words) {
    int c;
    while ((c = getopt_long(count, words, "", OPTIONS, NULL)) != -1) switch (c) {
        case 'p': opt.port = atoi(optarg); break;
        case 'c': opt.connections = atoi(optarg); break;
        case 'r': read_request(optarg); break;
        case 'R': opt.repeat = true; break;
        case 's': opt.seconds = atof(optarg); break;
        case 'n': opt.responses = strtoull(optarg, NULL, 10); break;
        case 'P': opt.pause_ms = atoi(optarg); break;
        case 'a': opt.ramp_ms = atoi(optarg); break;
        case 'l': opt.stall = strtoull(optarg, NULL, 10); break;
        case 'm': opt.stamp = true; break;
        case 'M': opt.match = optarg; break;
        case 'h': opt.header = optarg; break;
        case 't': opt.timeout = atof(optarg); break;
        default: fputs(USAGE, stderr); return 2;
    }
    if (opt.port == 0 || opt.request == NULL || opt.connections < 1) {
        fputs(USAGE, stderr);
        return 2;
    }
    opt.match_size = strlen(opt.match);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    conns = calloc((size_t)opt.connections, sizeof *conns);
    queue = calloc((size_t)opt.connections, sizeof *queue);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (conns == NULL || queue == NULL || poller < 0) {
        perror("load");
        return 2;
    }
    for (int i = 0; i < opt.connections; i++) conns[i].fd = -1;
    run();
}
