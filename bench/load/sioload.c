// sioload: load for Socket.IO 5 servers over WebSocket, in one thread. The last line it prints is key=value.
//
//   sioload echo    HOST PORT CLIENTS WINDOW SECONDS BYTES   each client keeps WINDOW messages in flight
//   sioload open    HOST PORT CLIENTS RATE   SECONDS BYTES   RATE messages per second, whatever the server does
//   sioload fanout  HOST PORT CLIENTS WINDOW SECONDS BYTES [SLOW]   all join; client 0 publishes; the last SLOW ones
//                                                            read 5 kB per second, and may be closed for it
//   sioload idle    HOST PORT CLIENTS 0      SECONDS 0       connects, prints READY, holds
//   sioload control HOST PORT CLIENTS WINDOW 0       BYTES   connects, prints READY, does what it reads: see control.c
//
// The server sends `message` back, joins a channel on `join` (with an ack), and sends what comes as `pub` to that channel as
// `message`. Every payload and the order of each connection are checked. A loss, a damage or a closed connection ends the
// program with a line on stderr and status 1. SIOLOAD_HEADERS=browser sends the headers of a browser.
#include "client.h"
#include "control.h"
#include <sys/prctl.h>

static int window, bytes;
static double seconds;
static Message ours, theirs; // what we send, and what we expect
static bool is_running, is_counting;
static uint64_t received;

static const uint64_t SECOND = 1000000000, DRAIN = 10 * 1000000000ull, SLICE = 50000000;

static void count(uint64_t since) {
  received++;
  record(now() - since);
}

static void check(Client *c, const char *text, size_t n, uint32_t who) {
  if (!is_stamped(&theirs, text, n, who, c->got))
    die("connection %d expected %.60s and got %.*s", c->number, theirs.text, (int)(n < 60 ? n : 60), text);
}

// --- echo ------------------------------------------------------------------------------------------------------------

static void send_one(Client *c) {
  stamp_frame(&ours, c->number, c->sent);
  c->times[c->sent++ % window] = now();
  stream_send(&c->stream, ours.frame, ours.frame_n);
}

static void on_echo(Client *c, const char *text, size_t n) {
  check(c, text, n, c->number);
  if (is_counting) count(c->times[c->got % window]);
  c->got++;
  if (is_running) send_one(c);
}

static void begin_echo(void) {
  for (int i = 0; i < plan.clients; i++) {
    clients[i].times = calloc(window, sizeof(uint64_t));
    for (int k = 0; k < window; k++) send_one(clients + i);
  }
}

static uint64_t missing_echoes(void) {
  uint64_t missing = 0;
  for (int i = 0; i < plan.clients; i++) missing += clients[i].sent - clients[i].got;
  return missing;
}

// --- fan-out ---------------------------------------------------------------------------------------------------------

enum { REMEMBERED = 1 << 16 };
static uint64_t published_at[REMEMBERED];
static uint32_t published;

static void publish(void) {
  stamp_frame(&ours, 0, published);
  published_at[published++ % REMEMBERED] = now();
  stream_send(&clients[0].stream, ours.frame, ours.frame_n);
}

static void on_delivery(Client *c, const char *text, size_t n) {
  check(c, text, n, 0);
  if (is_counting && c->state != SLOW) count(published_at[c->got % REMEMBERED]);
  c->got++;
  if (is_running && c == clients) publish();
}

static void begin_fanout(void) {
  make_slow();
  for (int k = 0; k < window; k++) publish();
}

static uint64_t missing_deliveries(void) {
  uint64_t missing = 0;
  for (int i = 0; i < plan.clients - plan.slow; i++) missing += published - clients[i].got;
  return missing;
}

// --- closed loops: a fifth of the time to warm up, then counted, then all must come in -------------------------------

static void run_until(uint64_t end) {
  uint64_t slow_turn = 0;
  for (uint64_t t = now(); t < end; t = now()) {
    turn(end - t < 10000000 ? end - t : 10000000);
    if (plan.slow && t >= slow_turn) {
      read_slowly();
      slow_turn = t + SLICE;
    }
  }
}

static void report(const char *mode, uint64_t missing, double rate, double setup, double cpu) {
  printf("mode=%s conns=%d window=%d bytes=%d msgs_per_s=%.0f p50_us=%.0f p99_us=%.0f p999_us=%.0f conn_per_s=%.0f "
         "loadgen_cpu=%.0f%% slow_closed=%d lost=%llu failed=%d\n",
         mode, plan.clients, window, bytes, rate, percentile(.5), percentile(.99), percentile(.999),
         plan.clients / setup, 100 * cpu, slow_closed, (unsigned long long)missing, missing != 0);
  if (missing) exit(1);
}

static void closed_loop(const char *mode, double setup, void (*begin)(void), uint64_t (*missing)(void)) {
  is_running = true;
  begin();
  run_until(now() + seconds * 0.2 * SECOND);
  is_counting = true;
  uint64_t start = now();
  double cpu = cpu_seconds();
  run_until(start + seconds * SECOND);
  double elapsed = (now() - start) / 1e9;
  cpu = (cpu_seconds() - cpu) / elapsed;
  is_running = is_counting = false;
  uint64_t counted = received, end = now() + DRAIN;
  while (missing() && now() < end) run_until(now() + 10000000);
  report(mode, missing(), counted / elapsed, setup, cpu);
}

// --- open loop: message k is due at begin + k / rate, and its latency counts from there -------------------------------

static uint64_t open_begin, open_warm;
static double interval; // nanoseconds

static uint64_t due(uint64_t number) { return open_begin + number * interval; }

static void on_open_echo(Client *c, const char *text, size_t n) {
  check(c, text, n, c->number);
  uint64_t when = due((uint64_t)c->got++ * plan.clients + c->number);
  if (when >= open_warm) count(when);
}

static void open_loop_load(double setup) {
  double rate = window;
  interval = SECOND / rate;
  open_begin = now();
  open_warm = open_begin + seconds * 0.2 * SECOND;
  uint64_t end = open_warm + seconds * SECOND, next = 0;
  double cpu = cpu_seconds();
  for (uint64_t t = now(); due(next) < end; t = now()) {
    for (; due(next) <= t && due(next) < end; next++) {
      Client *c = clients + next % plan.clients;
      stamp_frame(&ours, c->number, c->sent++);
      stream_send(&c->stream, ours.frame, ours.frame_n);
    }
    t = now();
    turn(due(next) > t ? due(next) - t : 0);
  }
  cpu = (cpu_seconds() - cpu) / (1.2 * seconds);
  for (end = now() + DRAIN; missing_echoes() && now() < end;) turn(10000000);
  report("open", missing_echoes(), received / seconds, setup, cpu);
}

// --- idle ------------------------------------------------------------------------------------------------------------

static void hold(double setup) {
  printf("READY conns=%d setup_s=%.2f conn_per_s=%.0f\n", plan.clients, setup, plan.clients / setup);
  fflush(stdout);
  run_until(now() + seconds * SECOND);
  printf("held pings=%llu failed=0\n", (unsigned long long)pings);
}

int main(int argc, char **argv) {
  if (argc < 8) die("usage: sioload echo|open|fanout|idle|control HOST PORT CLIENTS WINDOW|RATE SECONDS BYTES [SLOW]");
  const char *mode = argv[1];
  plan = (Plan){.host = argv[2], .port = atoi(argv[3]), .clients = atoi(argv[4])};
  window = atoi(argv[5]);
  seconds = atof(argv[6]);
  bytes = atoi(argv[7]);
  bool is_fanout = !strcmp(mode, "fanout");
  ours = message_of(is_fanout ? "42[\"pub\",\"" : "42[\"message\",\"", bytes, "\"]");
  theirs = message_of("42[\"message\",\"", bytes, "\"]");
  prctl(PR_SET_TIMERSLACK, 1000);
  open_loop();
  if (is_fanout) {
    plan.slow = argc > 8 ? atoi(argv[8]) : 0;
    plan.joins = true;
    plan.on_event = on_delivery;
    closed_loop(mode, connect_all(), begin_fanout, missing_deliveries);
  } else if (!strcmp(mode, "echo")) {
    plan.on_event = on_echo;
    closed_loop(mode, connect_all(), begin_echo, missing_echoes);
  } else if (!strcmp(mode, "open")) {
    plan.on_event = on_open_echo;
    open_loop_load(connect_all());
  } else if (!strcmp(mode, "idle")) {
    hold(connect_all());
  } else if (!strcmp(mode, "control")) {
    control(window, bytes);
  } else {
    die("no such mode: %s", mode);
  }
  return 0;
}
