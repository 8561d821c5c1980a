// Connect, keep alive, take frames apart. A connection that ends, or says what it must not, ends the program.
#include "client.h"
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum { AT_ONCE = 256, EVENTS = 512, SLOW_READ = 256, SLOW_BUFFER = 4096, PATIENCE = 300 };

Plan plan;
Client *clients;
int ready, slow_closed;
uint64_t pings;

static const char LEAN[] = "";
static const char BROWSER[] =
    "Pragma: no-cache\r\nCache-Control: no-cache\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
    "Cookie: session=4f2c8d1e9ab37706c5d1; theme=dark; _ga=GA1.1.1234567890.1700000000\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";

void client_text(Client *c, const char *text) {
  unsigned char frame[1024];
  size_t n = strlen(text);
  if (n > sizeof frame - 14) die("too long: %s", text);
  stream_send(&c->stream, frame, mask_frame(frame, text, n));
}

static void start(int number) {
  Client *c = clients + number;
  bool is_slow = number >= plan.clients - plan.slow;
  const char *kind = getenv("SIOLOAD_HEADERS");
  stream_connect(&c->stream, plan.host, plan.port, number, is_slow ? SLOW_BUFFER : 0);
  c->number = number;
  char request[2048], origin[64] = "";
  bool as_browser = kind && !strcmp(kind, "browser");
  if (as_browser) snprintf(origin, sizeof origin, "Origin: http://%s:%d\r\n", plan.host, plan.port);
  int n = snprintf(request, sizeof request,
                   "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\n"
                   "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                   "Sec-WebSocket-Version: 13\r\n%s%s\r\n",
                   plan.host, plan.port, origin, as_browser ? BROWSER : LEAN);
  stream_send(&c->stream, request, n);
}

static void is_ready(Client *c) {
  c->state = READY;
  ready++;
}

static void on_text(Client *c, const char *text, size_t n) {
  if (n && text[0] == '2') {
    pings++;
    client_text(c, "3");
  } else if (n && text[0] == '0' && c->state == OPENING) {
    c->state = CONNECTING;
    client_text(c, "40");
  } else if (n < 2 || text[0] != '4') {
    die("not expected: %.*s", (int)n, text);
  } else if (text[1] == '0' && c->state == CONNECTING) {
    if (plan.joins) client_text(c, "420[\"join\"]");
    if (plan.joins) c->state = JOINING;
    else is_ready(c);
  } else if (text[1] == '3' && c->state == JOINING) {
    is_ready(c);
  } else if (text[1] == '3' && plan.on_ack) {
    plan.on_ack(c, text, n);
  } else if (text[1] == '2' && plan.on_event) {
    plan.on_event(c, text, n);
  } else {
    die("not expected: %.*s", (int)n, text);
  }
}

// WebSocket's own ping, which uvicorn sends besides Engine.IO's.
static void pong(Client *c, const unsigned char *data, size_t n) {
  unsigned char frame[140];
  if (n > 125) die("connection %d: a ping of %zu bytes", c->number, n);
  size_t length = mask_frame(frame, (const char *)data, n);
  frame[0] = 0x8a;
  stream_send(&c->stream, frame, length);
}

static size_t take_response(Client *c, unsigned char *data, size_t n) {
  unsigned char *end = memmem(data, n, "\r\n\r\n", 4);
  if (!end) return 0;
  if (memcmp(data, "HTTP/1.1 101", 12)) die("refused: %.*s", (int)(n < 300 ? n : 300), data);
  c->state = OPENING;
  return end - data + 4;
}

// Takes all whole frames. The servers send each message in one, so that a fragment would be an error.
static size_t take(void *owner, unsigned char *data, size_t n) {
  Client *c = owner;
  size_t at = c->state == HTTP ? take_response(c, data, n) : 0;
  while (c->state != HTTP && n - at >= 2) {
    unsigned char *p = data + at;
    uint64_t length = p[1] & 127;
    size_t head = length == 126 ? 4 : length == 127 ? 10 : 2;
    if (n - at < head) break;
    if (length == 126) length = p[2] << 8 | p[3];
    if (head == 10)
      for (int i = length = 0; i < 8; i++) length = length << 8 | p[2 + i];
    if (n - at < head + length) break;
    if (p[0] == 0x88 && c->state == SLOW) return n; // its end follows
    if (p[0] == 0x89) {
      pong(c, p + head, length);
      at += head + length;
      continue;
    }
    if (p[0] != 0x81) die("connection %d: a frame that begins with 0x%02x", c->number, p[0]);
    on_text(c, (char *)p + head, length);
    at += head + length;
  }
  return at;
}

static void read_client(Client *c, size_t most) {
  if (stream_read(&c->stream, most, take, c)) return;
  if (c->state != SLOW) die("connection %d was closed by the server", c->number);
  stream_close(&c->stream);
  c->state = GONE;
  slow_closed++;
}

void turn(int64_t at_most) {
  struct epoll_event events[EVENTS];
  struct timespec wait = {at_most / 1000000000, at_most % 1000000000};
  int n = epoll_pwait2(loop, events, EVENTS, at_most < 0 ? NULL : &wait, NULL);
  for (int i = 0; i < n; i++) {
    Client *c = events[i].data.ptr;
    if (!c) continue; // the standard input
    if (events[i].events & EPOLLOUT) stream_writable(&c->stream);
    if (events[i].events & ~EPOLLOUT) read_client(c, 0);
  }
}

double connect_all(void) {
  uint64_t begin = now();
  int started = 0;
  clients = calloc(plan.clients, sizeof *clients);
  while (ready < plan.clients) {
    while (started < plan.clients && started - ready < AT_ONCE) start(started++);
    turn(100000000);
    if (now() - begin > PATIENCE * 1000000000ull) die("only %d of %d connected", ready, plan.clients);
  }
  return (now() - begin) / 1e9;
}

void make_slow(void) {
  for (int i = plan.clients - plan.slow; i < plan.clients; i++) {
    clients[i].state = SLOW;
    epoll_ctl(loop, EPOLL_CTL_DEL, clients[i].stream.fd, NULL);
  }
}

void read_slowly(void) {
  for (int i = plan.clients - plan.slow; i < plan.clients; i++)
    if (clients[i].state == SLOW) read_client(clients + i, SLOW_READ);
}
