/* The physical limit: an epoll server that parses next to nothing and sends frames made beforehand.
 *
 * Hot streams send 64 frames a write, which is what a server can do that gathers what a handler
 * yields; paced streams and the feed send one frame a write, because there is one at a time.
 * The same over WebSocket, where the target has what a body has over HTTP.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { GATHERED = 64, REPLAYED = 100000, MAX_REQUEST = 4096, ROOM = 4096 };

#define FRAME "data: {\"text\":\"token 123 \"}\n\n"
#define FRAME_SIZE (sizeof FRAME - 1)
#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
#define LAST "0\r\n\r\n"
#define MESSAGE "\x81\x15{\"text\":\"token 123 \"}"
#define MESSAGE_SIZE (sizeof MESSAGE - 1)
/* Accepts the one key that the load client sends. */
#define UPGRADED "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
                 "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
#define CLOSE "\x88\x02\x03\xe8"
#define PLAIN "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

enum kind { NONE, HOT, PACED, READER };

struct conn {
    int fd;
    enum kind kind;
    bool is_socket;
    bool is_blocked, is_last; /* the socket is full; the end has been put */
    long left;                /* events still to be sent */
    int64_t interval, due_at;
    struct conn *next;        /* in the list of its kind */
    uint32_t in_size, out_at, out_size;
    char in[MAX_REQUEST], out[ROOM];
};

struct list {
    struct conn *first, *last;
};

static struct {
    char bytes[ROOM];
    uint32_t size;
} writes[2][GATHERED + 1]; /* over HTTP and WebSocket, by number of frames */
static int poller;
static int64_t now;
static struct list paced; /* the earliest due first: all pauses are of one length */
static struct list readers;
static struct {
    long left;
    int64_t interval, due_at;
} feed;

static int64_t clock_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void append(struct list *list, struct conn *c) {
    c->next = NULL;
    if (list->last != NULL) list->last->next = c;
    else list->first = c;
    list->last = c;
}

static void take_out(struct list *list, struct conn *c) {
    struct conn *before = NULL;
    for (struct conn *other = list->first; other != NULL; before = other, other = other->next)
        if (other == c) {
            if (before != NULL) before->next = c->next;
            else list->first = c->next;
            if (list->last == c) list->last = before;
            return;
        }
}

static void drop(struct conn *c) {
    if (c->kind == PACED) take_out(&paced, c);
    if (c->kind == READER) take_out(&readers, c);
    close(c->fd);
    c->fd = -1; /* freed by the code that is using it */
}

static void put(struct conn *c, const char *bytes, uint32_t size) {
    if (c->out_size + size > ROOM) return; /* a reader of the feed that does not read misses events */
    memcpy(c->out + c->out_size, bytes, size);
    c->out_size += size;
}

static void put_frames(struct conn *c, int count) {
    put(c, writes[c->is_socket][count].bytes, writes[c->is_socket][count].size);
}

static void put_head(struct conn *c) {
    if (c->is_socket) put(c, UPGRADED, sizeof UPGRADED - 1);
    else put(c, HEAD, sizeof HEAD - 1);
}

static void put_last(struct conn *c) {
    c->kind = NONE;
    if (c->is_socket) put(c, CLOSE, sizeof CLOSE - 1);
    else put(c, LAST, sizeof LAST - 1);
}

static void want(struct conn *c, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
}

/* Sends what was put; returns whether all of it has gone. */
static bool flush(struct conn *c) {
    while (c->out_at < c->out_size) {
        ssize_t sent = send(c->fd, c->out + c->out_at, c->out_size - c->out_at, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno != EAGAIN) {
                drop(c);
            } else if (!c->is_blocked) {
                c->is_blocked = true;
                want(c, EPOLLIN | EPOLLOUT);
            }
            return false;
        }
        c->out_at += (uint32_t)sent;
    }
    c->out_at = c->out_size = 0;
    if (c->is_blocked) {
        c->is_blocked = false;
        want(c, EPOLLIN);
    }
    return true;
}

static void pump(struct conn *c) {
    /* Other connections get their turn after a while, as in every server. */
    for (int turn = 0; turn < 16 && c->kind == HOT; turn++) {
        int frames = c->left < GATHERED ? (int)c->left : GATHERED;
        if (frames > 0) put_frames(c, frames);
        c->left -= frames;
        if (c->left == 0) put_last(c);
        if (!flush(c)) return;
    }
    if (c->kind == HOT && !c->is_blocked) {
        c->is_blocked = true;
        want(c, EPOLLIN | EPOLLOUT);
    }
}

static long number(const char *body, const char *name) {
    const char *at = strstr(body, name);
    return at == NULL ? 0 : atol(at + strlen(name));
}

static bool is_for(const struct conn *c, const char *start) {
    return strncmp(c->in, start, strlen(start)) == 0;
}

static long asked(const char *target, const char *body, const char *name) {
    char in_body[32], in_target[32];
    sprintf(in_body, "\"%s\":", name);
    sprintf(in_target, "%s=", name);
    return number(body, in_body) + number(target, in_target);
}

static void answer(struct conn *c, const char *body) {
    long count = asked(c->in, body, "count");
    int64_t interval = asked(c->in, body, "intervalMs") * INT64_C(1000000);
    c->is_socket = strstr(c->in, "Upgrade: websocket") != NULL;
    if (is_for(c, "POST /hot") || is_for(c, "GET /hot") || is_for(c, "POST /endless") || is_for(c, "GET /replay")) {
        c->kind = HOT;
        c->left = is_for(c, "GET /replay") ? REPLAYED : count;
        put_head(c);
        pump(c);
    } else if (is_for(c, "POST /paced") || is_for(c, "GET /paced")) {
        c->kind = PACED;
        c->left = count;
        c->interval = interval;
        c->due_at = now + interval;
        append(&paced, c);
        put_head(c);
        flush(c);
    } else if (is_for(c, "GET /feed ")) {
        c->kind = READER;
        append(&readers, c);
        put_head(c);
        flush(c);
    } else {
        if (is_for(c, "POST /feed-start")) {
            feed.left = count;
            feed.interval = interval;
            feed.due_at = now + interval;
        }
        put(c, PLAIN, sizeof PLAIN - 1);
        flush(c);
    }
}

static void on_readable(struct conn *c) {
    ssize_t size = recv(c->fd, c->in + c->in_size, MAX_REQUEST - 1 - c->in_size, 0);
    if (size <= 0) {
        if (size == 0 || errno != EAGAIN) drop(c);
        return;
    }
    c->in_size += (uint32_t)size;
    c->in[c->in_size] = 0;
    char *body = strstr(c->in, "\r\n\r\n");
    if (body == NULL || c->kind != NONE) return;
    const char *length = strcasestr(c->in, "content-length:");
    long expected = length != NULL && length < body ? atol(length + 15) : 0;
    if (c->in + c->in_size - (body + 4) < expected) return;
    c->in_size = 0;
    answer(c, body + 4);
}

static void send_due(void) {
    while (paced.first != NULL && paced.first->due_at <= now) {
        struct conn *c = paced.first;
        take_out(&paced, c);
        put_frames(c, 1);
        if (--c->left > 0) {
            c->due_at += c->interval;
            append(&paced, c);
        } else {
            put_last(c);
        }
        flush(c);
        if (c->fd < 0) free(c);
    }
    if (feed.left > 0 && feed.due_at <= now) {
        bool is_end = --feed.left == 0;
        feed.due_at += feed.interval;
        for (struct conn *c = readers.first, *next; c != NULL; c = next) {
            next = c->next;
            put_frames(c, 1);
            if (is_end) {
                take_out(&readers, c);
                put_last(c);
            }
            flush(c);
            if (c->fd < 0) free(c);
        }
    }
}

static int until_due(void) {
    int64_t due = INT64_MAX;
    if (paced.first != NULL) due = paced.first->due_at;
    if (feed.left > 0 && feed.due_at < due) due = feed.due_at;
    if (due == INT64_MAX) return -1;
    return due <= now ? 0 : (int)((due - now + 999999) / 1000000);
}

static void on_connection(int listener) {
    int on = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    struct conn *c = malloc(sizeof *c); /* not cleared: pages that are not used are not there */
    if (c == NULL) {
        close(fd);
        return;
    }
    c->fd = fd;
    c->kind = NONE;
    c->is_socket = c->is_blocked = false;
    c->in_size = c->out_at = c->out_size = 0;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
}

static void serve(int listener) {
    struct epoll_event ready[512], event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(poller, ready, 512, until_due());
        now = clock_ns();
        for (int i = 0; i < count; i++) {
            struct conn *c = ready[i].data.ptr;
            if (c == NULL) {
                on_connection(listener);
                continue;
            }
            if (ready[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) on_readable(c);
            if (c->fd >= 0 && ready[i].events & EPOLLOUT && flush(c)) pump(c);
            if (c->fd < 0) free(c);
        }
        send_due();
    }
}

int main(int count, char **words) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(count > 1 ? atoi(words[1]) : 0))};
    struct rlimit files;
    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 4096) < 0) {
        perror("listen");
        return 1;
    }
    for (int frames = 1; frames <= GATHERED; frames++) {
        char *chunk = writes[0][frames].bytes, *messages = writes[1][frames].bytes;
        uint32_t size = (uint32_t)sprintf(chunk, "%zx\r\n", frames * FRAME_SIZE);
        for (int i = 0; i < frames; i++, size += FRAME_SIZE) memcpy(chunk + size, FRAME, FRAME_SIZE);
        memcpy(chunk + size, "\r\n", 2);
        writes[0][frames].size = size + 2;
        for (int i = 0; i < frames; i++) memcpy(messages + i * MESSAGE_SIZE, MESSAGE, MESSAGE_SIZE);
        writes[1][frames].size = (uint32_t)(frames * MESSAGE_SIZE);
    }
    poller = epoll_create1(EPOLL_CLOEXEC);
    serve(listener);
}
