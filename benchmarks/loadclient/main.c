/* The load client: sends one request over many connections and counts the events that come back.
 *
 * One thread, one epoll, one buffer. A frame of an event stream is counted as an event if one of
 * its data lines holds --match; how the bytes are cut, chunked or not, makes no difference. So is a
 * line of a WebSocket's message.
 *
 * It talks with the harness in lines. On stdin: "mark" asks for the figures of this moment,
 * "stop" (or the end of the input) ends it. On stdout, each line one JSON object: {"state":"open"}
 * once every stream has begun its first response, {"state":"mark"} for each mark, and
 * {"state":"end"} as the last one. Ages of events are those since the mark before.
 */
#include "load.h"
#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

struct options opt = {.connections = 1, .runs = 1, .timeout = 60, .match = "token ", .stamp = "", .header = "",
                      .joins = "", .joined = "", .asks = "", .lead = "", .opened = "", .ended = "",
                      .failed = "", .ping = "", .pong = "", .grants = "", .credit = 262144};

static struct conn *conns;
static struct stream *streams;
static int *queue;       /* streams whose next request is due, the earliest first */
static int queue_head, queue_size, stream_count;
static int poller, connected, next_fresh, connecting, heads, finished;
static bool is_running, is_reported;
static char buffer[BUFFER];

static void watch(struct conn *c, int what, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = c};
    epoll_ctl(poller, what, c->fd, &event);
}

static void count_head(struct stream *s) {
    if (!s->was_open) heads++;
    s->was_open = true;
}

void finish(struct conn *c, const char *error) {
    if (c->phase == DONE) return;
    if (error != NULL) {
        sum.errors++;
        if (!*sum.error) snprintf(sum.error, sizeof sum.error, "%s", error);
    }
    if (c->phase == CONNECTING) connecting--;
    for (int i = 0; i < opt.runs; i++) {
        if (c->streams[i].state == OPEN) sum.open--;
        c->streams[i].state = OVER;
        count_head(&c->streams[i]);
    }
    if (c->phase < READY && !is_running) connected++; /* it will not become so */
    close(c->fd);
    c->phase = DONE;
    finished++;
}

bool say(struct conn *c, const void *bytes, size_t size) {
    ssize_t sent = send(c->fd, bytes, size, MSG_NOSIGNAL);
    if (sent == (ssize_t)size) return true;
    finish(c, sent < 0 ? strerror(errno) : "what was sent was cut short");
    return false;
}

void hold(struct conn *c, const char *bytes, size_t size) {
    if (c->held_size + size > c->held_room) {
        c->held_room = (uint32_t)(c->held_size + size) * 2;
        c->held = realloc(c->held, c->held_room);
        if (c->held == NULL) end("out of memory");
    }
    memcpy(c->held + c->held_size, bytes, size);
    c->held_size += (uint32_t)size;
}

static void enqueue(struct stream *s, int64_t due) {
    s->due_at = due;
    queue[(queue_head + queue_size++) % stream_count] = (int)(s - streams);
}

static void begin(struct stream *s) {
    struct conn *c = s->conn;
    s->state = ASKED;
    s->events = 0;
    if (c->phase == READY) c->held_size = 0;
    if (opt.websocket) {
        websocket_ask(s);
    } else {
        c->http.has_data = c->http.has_match = false;
        if (say(c, opt.request, opt.request_size)) c->phase = HEAD;
    }
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
        begin(c->streams);
    else
        connected++;
}

/* Begins the stream's next request: now, or after the pause. */
static void next(struct stream *s) {
    struct conn *c = s->conn;
    sum.begun++;
    s->sent_at = now;
    s->id += (uint32_t)opt.runs;
    if (c->closes) {
        close(c->fd);
        sum.reconnects++;
        c->is_again = true;
        c->closes = false;
        open_conn(c);
    } else {
        begin(s);
    }
}

static bool may_begin(void) {
    if (opt.seconds > 0 && now - began >= (int64_t)(opt.seconds * 1e9)) return false;
    return opt.responses == 0 || sum.begun < opt.responses;
}

static void leave(struct stream *s) {
    s->state = OVER;
    if (++s->conn->over < opt.runs) return;
    if (opt.websocket) websocket_leave(s->conn);
    finish(s->conn, NULL);
}

void on_open(struct stream *s) {
    s->state = OPEN;
    sum.open++;
    count_head(s);
}

void on_response_end(struct stream *s) {
    sum.responses++;
    sum.open--;
    s->state = RESTING;
    if (!opt.websocket) s->conn->phase = READY;
    if (!opt.repeat || !may_begin())
        leave(s);
    else if (opt.pause_ms > 0)
        enqueue(s, now + opt.pause_ms * INT64_C(1000000));
    else
        next(s);
}

void stall(struct conn *c) {
    epoll_ctl(poller, EPOLL_CTL_DEL, c->fd, NULL);
    c->streams->state = RESTING;
    sum.open--;
    sum.stalled++;
    c->phase = STALLED;
}

static void on_readable(struct conn *c) {
    ssize_t size = recv(c->fd, buffer, sizeof buffer, 0);
    now = clock_ns();
    if (size > 0) {
        sum.bytes += (uint64_t)size;
        if (opt.websocket) websocket_bytes(c, buffer, (size_t)size);
        else http_bytes(c, buffer, (size_t)size);
    } else if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
        const char *why = size == 0 ? "the connection was closed early" : strerror(errno);
        if (!opt.websocket && c->phase == BODY && c->http.framing == UNTIL_CLOSE && size == 0) {
            c->closes = true;
            on_response_end(c->streams);
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
        for (int i = 0; i < stream_count; i++)
            if (streams[i].conn->phase == READY)
                enqueue(&streams[i], began + opt.ramp_ms * INT64_C(1000000) / stream_count * i);
    }
    now = clock_ns();
    while (queue_size > 0) {
        struct stream *s = &streams[queue[queue_head]];
        if (s->due_at > now) return (int)((s->due_at - now + 999999) / 1000000);
        queue_head = (queue_head + 1) % stream_count;
        queue_size--;
        if (s->state != RESTING) continue;
        if (may_begin()) next(s);
        else leave(s);
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
        if (heads == stream_count && !is_reported) {
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
    {"stall", 1, 0, 'l'},   {"stamp", 1, 0, 'm'},       {"match", 1, 0, 'M'},   {"header", 1, 0, 'h'},
    {"timeout", 1, 0, 't'}, {"websocket", 0, 0, 'w'},   {"runs", 1, 0, 'u'},    {"joins", 1, 0, 'j'},
    {"joined", 1, 0, 'J'},  {"asks", 1, 0, 'A'},        {"lead", 1, 0, 'L'},    {"opened", 1, 0, 'o'},
    {"ended", 1, 0, 'e'},   {"failed", 1, 0, 'f'},      {"ping", 1, 0, 'i'},    {"pong", 1, 0, 'I'},
    {"grants", 1, 0, 'g'},  {"credit", 1, 0, 'C'},      {"numbered", 0, 0, 'N'},  {0, 0, 0, 0}};

static const char USAGE[] =
    "load --port N --request FILE [options]\n"
    "  --connections N  connections at a time (1)\n"
    "  --repeat         begin the next request when a response has ended, on the same connection\n"
    "  --seconds S      begin no more requests after S seconds\n"
    "  --responses N    begin at most N requests\n"
    "  --pause MS       wait between a response and the next request\n"
    "  --ramp MS        spread the first requests over so long\n"
    "  --stall N        stop reading a response after N events; over HTTP\n"
    "  --match TEXT     what makes a frame an event (\"token \")\n"
    "  --stamp TEXT     measure the age of each event, whose CLOCK_MONOTONIC ns follow this\n"
    "  --header NAME    report this header of the first response that has it; over HTTP\n"
    "  --timeout S      end in any case after S seconds (60)\n"
    "Over a WebSocket, whose handshake is the request:\n"
    "  --websocket      read its messages; a line of one is an event if it holds --match\n"
    "  --numbered       the number behind --match must be one more with each event of a stream\n"
    "  --runs N         streams over each connection (1)\n"
    "  --joins TEXT     say this first\n"
    "  --joined TEXT    what the message begins with that answers it\n"
    "  --asks TEXT      ask for a stream with this, in which {id} and {credit} are replaced\n"
    "  --lead TEXT      a message that begins with this goes on with the {id} of its stream\n"
    "  --opened TEXT    what the head of a stream's first message holds; without it, asking opens it\n"
    "  --ended TEXT     what the head of a stream's last message holds, or begins with where there is\n"
    "                   no --lead; without it, the closing of the socket ends a stream\n"
    "  --failed TEXT    what the head of a message holds if a stream has failed\n"
    "  --ping TEXT      a message to be answered with --pong TEXT\n"
    "  --grants TEXT    say this, with {id} and {credit}, when half of --credit N was read (262144)\n";

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
        case 'm': opt.stamp = optarg; break;
        case 'M': opt.match = optarg; break;
        case 'h': opt.header = optarg; break;
        case 't': opt.timeout = atof(optarg); break;
        case 'w': opt.websocket = true; break;
        case 'u': opt.runs = atoi(optarg); break;
        case 'j': opt.joins = optarg; break;
        case 'J': opt.joined = optarg; break;
        case 'A': opt.asks = optarg; break;
        case 'L': opt.lead = optarg; break;
        case 'o': opt.opened = optarg; break;
        case 'e': opt.ended = optarg; break;
        case 'f': opt.failed = optarg; break;
        case 'i': opt.ping = optarg; break;
        case 'I': opt.pong = optarg; break;
        case 'g': opt.grants = optarg; break;
        case 'N': opt.numbered = true; break;
        case 'C': opt.credit = (uint32_t)strtoul(optarg, NULL, 10); break;
        default: fputs(USAGE, stderr); return 2;
    }
    if (opt.port == 0 || opt.request == NULL || opt.connections < 1 || opt.runs < 1) {
        fputs(USAGE, stderr);
        return 2;
    }
    opt.match_size = strlen(opt.match);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    stream_count = opt.connections * opt.runs;
    conns = calloc((size_t)opt.connections, sizeof *conns);
    streams = calloc((size_t)stream_count, sizeof *streams);
    queue = calloc((size_t)stream_count, sizeof *queue);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (conns == NULL || streams == NULL || queue == NULL || poller < 0) {
        perror("load");
        return 2;
    }
    for (int i = 0; i < opt.connections; i++) conns[i] = (struct conn){.fd = -1, .streams = &streams[i * opt.runs]};
    for (int i = 0; i < stream_count; i++) {
        /* So that the first request of stream k of its connection has the id k + 1. */
        streams[i] = (struct stream){.conn = &conns[i / opt.runs], .id = (uint32_t)(i % opt.runs + 1 - opt.runs)};
    }
    run();
}
