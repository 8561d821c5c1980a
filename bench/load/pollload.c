// pollload: load for Socket.IO 5 servers over long-polling, in one thread. It prints one line of key=value.
//
//   pollload echo      HOST PORT CLIENTS WINDOW SECONDS BYTES   WINDOW is 1: the next POST follows the echo and its own answer
//   pollload handshake HOST PORT CLIENTS 0      SECONDS 0       new connection, GET, session id; CLIENTS of them at a time
//
// Each client of the echo has two kept-alive connections, as a browser has: one that polls and one that posts. Payloads and
// their order are checked as in sioload. The sessions are closed at the end, after counting.
#include "load.h"
#include <strings.h>

typedef struct Client Client;

typedef struct {
  Stream stream; // first, as epoll's events point to it
  Client *client;
  bool is_waiting; // for an answer
  bool must_close; // as the server will
} Line;

struct Client {
  Line polls, posts;
  int number;
  enum { OPENING, CONNECTING, READY, DONE } state;
  uint32_t sent, got;
  uint64_t begin;
  bool is_due; // a message waits until `posts` is free
  char sid[64];
};

static const char *host;
static int port, amount, bytes, ready;
static double seconds;
static bool is_handshake, is_running, is_counting, is_over;
static Client *clients;
static Message ours, theirs;
static uint64_t counted, lines_used;
static char (*sids)[64]; // of the handshakes
static uint64_t sids_n, sids_closed;
static const uint64_t SECOND = 1000000000, PATIENCE = 60 * 1000000000ull, DRAIN = 10 * 1000000000ull;
enum { MAX_SIDS = 1 << 20, PACKET_END = 0x1e };

static void request(Line *line, const char *method, const char *sid, const char *body, size_t n) {
  char head[512], query[128] = "";
  if (line->is_waiting) die("two requests at a time");
  if (line->stream.fd < 0) stream_connect(&line->stream, host, port, lines_used++ % 100000, 0);
  if (*sid) snprintf(query, sizeof query, "&sid=%s", sid);
  int m = snprintf(head, sizeof head,
                   "%s /socket.io/?EIO=4&transport=polling%s HTTP/1.1\r\nHost: %s:%d\r\n"
                   "Accept: */*\r\nContent-Type: text/plain;charset=UTF-8\r\n",
                   method, query, host, port);
  if (body) m += snprintf(head + m, sizeof head - m, "Content-Length: %zu\r\n", n);
  m += snprintf(head + m, sizeof head - m, "\r\n");
  char *all = malloc(m + n);
  memcpy(all, head, m);
  if (n) memcpy(all + m, body, n);
  stream_send(&line->stream, all, m + n);
  free(all);
  line->is_waiting = true;
}

static void poll_again(Client *c) { request(&c->polls, "GET", c->sid, NULL, 0); }

static void post(Client *c, const char *text) { request(&c->posts, "POST", c->sid, text, strlen(text)); }

static void send_one(Client *c) {
  c->is_due = c->posts.is_waiting;
  if (c->is_due) return;
  c->begin = now();
  is_stamped(&ours, "", 0, c->number, c->sent++); // which stamps the text
  request(&c->posts, "POST", c->sid, ours.text, ours.n);
}

static void on_packet(Client *c, const char *text, size_t n) {
  const char *sid = memmem(text, n, "\"sid\":\"", 7);
  if (n && text[0] == '0' && c->state == OPENING && sid) {
    snprintf(c->sid, sizeof c->sid, "%.*s", (int)strcspn(sid + 7, "\""), sid + 7);
    c->state = CONNECTING;
  } else if (n > 1 && text[0] == '4' && text[1] == '0' && c->state == CONNECTING) {
    c->state = READY;
    ready++;
  } else if (n && text[0] == '2') {
    if (!c->posts.is_waiting) post(c, "3"); // otherwise the next ping will do: the timeout is long
  } else if (n > 1 && text[0] == '4' && text[1] == '2') {
    if (!is_stamped(&theirs, text, n, c->number, c->got)) die("client %d got %.*s", c->number, (int)n, text);
    if (is_counting) counted++, record(now() - c->begin);
    c->got++;
    if (is_running) send_one(c);
  } else if (!n || text[0] != '6') {
    die("not expected: %.*s", (int)n, text);
  }
}

static void on_answer(Line *line, const char *body, size_t n) {
  Client *c = line->client;
  line->is_waiting = false;
  if (line == &c->posts) {
    if (!is_over && (n != 2 || strncasecmp(body, "ok", 2))) die("the answer to a POST: %.*s", (int)n, body);
    if (c->is_due && is_running) send_one(c);
    return;
  }
  bool was_opening = c->state == OPENING;
  if (is_over) return;
  for (const char *at = body, *end = body + n; at < end;) {
    const char *stop = memchr(at, PACKET_END, end - at);
    if (!stop) stop = end;
    on_packet(c, at, stop - at);
    at = stop + 1;
  }
  if (c->state == DONE || is_handshake) return;
  if (was_opening) post(c, "40");
  poll_again(c);
}

// --- HTTP ------------------------------------------------------------------------------------------------------------

static const char *header(const char *head, size_t n, const char *name) {
  size_t length = strlen(name);
  for (const char *at = head; at + length < head + n; at++)
    if (at[-1] == '\n' && !strncasecmp(at, name, length)) return at + length;
  return NULL;
}

// Puts a chunked body together in place; -1 if it is not complete.
static ssize_t join_chunks(char *body, size_t n, size_t *used) {
  size_t at = 0, joined = 0;
  for (;;) {
    char *end = memmem(body + at, n - at, "\r\n", 2);
    if (!end) return -1;
    size_t size = strtoul(body + at, NULL, 16);
    at = end - body + 2;
    if (n - at < size + 2) return -1;
    if (size) memmove(body + joined, body + at, size);
    joined += size;
    at += size + 2;
    if (size == 0) break;
  }
  *used = at;
  return joined;
}

static size_t take_answer(void *owner, unsigned char *data, size_t n) {
  Line *line = owner;
  char *text = (char *)data, *end = memmem(data, n, "\r\n\r\n", 4);
  if (!end) return 0;
  size_t head = end - text + 4, used = 0;
  // At the end a session may be closed before the answer to what closes it.
  if (!is_over && strncmp(text, "HTTP/1.1 200", 12)) die("refused: %.*s", (int)(n < 500 ? n : 500), text);
  const char *length = header(text + 1, head, "content-length:"), *close = header(text + 1, head, "connection:");
  ssize_t body;
  if (length) {
    body = used = strtoul(length, NULL, 10);
    if (n - head < used) return 0;
  } else {
    // The bytes of a body that is not complete must stay as they are: so it is joined in a copy.
    static char copy[1 << 21];
    memcpy(copy, text + head, n - head);
    body = join_chunks(copy, n - head, &used);
    if (body < 0) return 0;
    memcpy(text + head, copy, body);
  }
  line->must_close = close && !strncasecmp(close + strspn(close, " "), "close", 5);
  if (line->must_close) stream_close(&line->stream);
  on_answer(line, text + head, body);
  return head + used;
}

static void turn(int milliseconds) {
  struct epoll_event events[512];
  int n = epoll_wait(loop, events, 512, milliseconds);
  for (int i = 0; i < n; i++) {
    Line *line = events[i].data.ptr;
    if (line->stream.fd < 0) continue;
    if (events[i].events & EPOLLOUT) stream_writable(&line->stream);
    if (!(events[i].events & ~EPOLLOUT) || stream_read(&line->stream, 0, take_answer, line)) continue;
    if (line->is_waiting && !is_over) die("client %d was left without an answer", line->client->number);
    stream_close(&line->stream);
  }
}

static Client *make_client(int number) {
  Client *c = clients + number;
  *c = (Client){.number = number, .polls = {.client = c, .stream.fd = -1}, .posts = {.client = c, .stream.fd = -1}};
  return c;
}

static void wait_for(int wanted) {
  for (uint64_t begin = now(); ready < wanted; turn(100))
    if (now() - begin > PATIENCE) die("only %d of %d connected", ready, wanted);
}

static void report(const char *mode, const char *unit, double elapsed, uint64_t missing) {
  printf("mode=%s conns=%d bytes=%d %s=%.0f p50_us=%.0f p99_us=%.0f lost=%llu failed=%d\n", mode, amount, bytes, unit,
         counted / elapsed, percentile(.5), percentile(.99), (unsigned long long)missing, missing != 0);
  fflush(stdout);
  if (missing) exit(1);
  is_over = true;
}

// --- echo ------------------------------------------------------------------------------------------------------------

static uint64_t missing_echoes(void) {
  uint64_t missing = 0;
  for (int i = 0; i < amount; i++) missing += clients[i].sent - clients[i].got + clients[i].posts.is_waiting;
  return missing;
}

static void echo(void) {
  for (int i = 0; i < amount; i++) poll_again(make_client(i));
  wait_for(amount);
  for (uint64_t end = now() + DRAIN; missing_echoes() && now() < end;) turn(10);
  is_running = true;
  for (int i = 0; i < amount; i++) send_one(clients + i);
  for (uint64_t end = now() + 0.2 * seconds * SECOND; now() < end;) turn(10);
  is_counting = true;
  uint64_t begin = now();
  while (now() - begin < seconds * SECOND) turn(10);
  double elapsed = (now() - begin) / 1e9;
  is_running = is_counting = false;
  for (uint64_t end = now() + DRAIN; missing_echoes() && now() < end;) turn(10);
  report("echo", "msgs_per_s", elapsed, missing_echoes());
  for (int i = 0; i < amount; i++) clients[i].state = DONE, post(clients + i, "1");
  for (uint64_t end = now() + SECOND; missing_echoes() && now() < end;) turn(10);
}

// --- handshakes ------------------------------------------------------------------------------------------------------

static void open_one(Client *c) {
  stream_close(&c->polls.stream);
  c->state = OPENING;
  c->sid[0] = 0;
  c->begin = now();
  poll_again(c);
}

static void close_one(Client *c) {
  if (c->posts.is_waiting || sids_closed >= sids_n) return;
  request(&c->posts, "POST", sids[sids_closed++], "1", 1);
}

static void handshakes(void) {
  sids = malloc(MAX_SIDS * sizeof *sids);
  for (int i = 0; i < amount; i++) open_one(make_client(i));
  uint64_t begin = now();
  for (uint64_t end = begin + seconds * SECOND; now() < end && sids_n < MAX_SIDS - (uint64_t)amount;) {
    turn(10);
    for (int i = 0; i < amount; i++) {
      Client *c = clients + i;
      if (c->polls.is_waiting) continue;
      if (c->state != CONNECTING) die("no session: client %d", i);
      counted++;
      record(now() - c->begin);
      strcpy(sids[sids_n++], c->sid);
      open_one(c);
    }
  }
  report("handshake", "conn_per_s", (now() - begin) / 1e9, 0);
  for (uint64_t end = now() + DRAIN; sids_closed < sids_n && now() < end; turn(10))
    for (int i = 0; i < amount; i++) close_one(clients + i);
}

int main(int argc, char **argv) {
  if (argc < 8) die("usage: pollload echo|handshake HOST PORT CLIENTS WINDOW SECONDS BYTES");
  host = argv[2];
  port = atoi(argv[3]);
  amount = atoi(argv[4]);
  seconds = atof(argv[6]);
  bytes = atoi(argv[7]);
  is_handshake = !strcmp(argv[1], "handshake");
  ours = message_of("42[\"message\",\"", bytes, "\"]");
  theirs = message_of("42[\"message\",\"", bytes, "\"]");
  clients = calloc(amount, sizeof *clients);
  open_loop();
  is_handshake ? handshakes() : echo();
  return 0;
}
