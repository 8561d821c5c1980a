// Do what is asked for on the standard input, one line each, and answer each with one line of key=value:
//
//   join FIRST COUNT [CLIENTS]   each of the first CLIENTS clients joins COUNT channels, from c<FIRST> on
//   leave FIRST COUNT            each client leaves them again
//   churn SECONDS                each client leaves its first channel and joins one more, over and over
//   pub CHANNEL RECEIVERS TIMES  client 0 publishes to c<CHANNEL>, again when all receivers have it
//   puball RECEIVERS TIMES       the same, to everyone
//   wait SECONDS                 answer pings
//   quit
//
// Joins and leaves have acks; each client waits for WINDOW of them at most.
#include "control.h"
#include "client.h"
#include <fcntl.h>
#include <unistd.h>

static const uint64_t SECOND = 1000000000, PATIENCE = 120 * 1000000000ull;
static int window;
static uint64_t operations, deliveries, last_delivery;
static uint32_t published;
static bool *has_got; // the present publication, by client
static Message theirs;
static char filling[1 << 16];

// --- joining and leaving ---------------------------------------------------------------------------------------------

static enum { JOIN, LEAVE, CHURN, REST } task = REST;

static void ask(Client *c, const char *event, uint32_t channel) {
  char text[64];
  snprintf(text, sizeof text, "42%u[\"%s\",\"c%u\"]", c->sent++, event, channel);
  client_text(c, text);
}

static void go_on(Client *c) {
  if (task == JOIN && c->high < c->goal) ask(c, "join", c->high++);
  else if (task == LEAVE && c->low < c->goal) ask(c, "leave", c->low++);
  else if (task == CHURN && c->sent % 2) ask(c, "join", c->high++);
  else if (task == CHURN) ask(c, "leave", c->low++);
}

static void on_ack(Client *c, const char *text, size_t n) {
  char *end;
  uint32_t id = strtoul(text + 2, &end, 10);
  if (id != c->got || n < 4 || *end != '[') die("connection %d expected ack %u: %.*s", c->number, c->got, (int)n, text);
  c->got++;
  operations++;
  go_on(c);
}

static bool is_at_rest(void) {
  for (int i = 0; i < plan.clients; i++)
    if (clients[i].sent != clients[i].got) return false;
  return true;
}

static void finish(uint64_t begin) {
  while (!is_at_rest()) {
    turn(10000000);
    if (now() - begin > PATIENCE) die("acks are missing");
  }
}

static void change(int what, uint32_t first, uint32_t amount, int members) {
  uint64_t begin = now();
  task = what;
  operations = 0;
  for (int i = 0; i < members; i++) {
    Client *c = clients + i;
    if (what == JOIN && c->low == c->high) c->low = c->high = first;
    c->goal = first + amount;
    for (int k = 0; k < window; k++) go_on(c);
  }
  finish(begin);
  task = REST;
  printf("ops=%llu seconds=%.4f\n", (unsigned long long)operations, (now() - begin) / 1e9);
}

static void churn(double seconds) {
  uint64_t begin = now(), end = begin + seconds * SECOND;
  for (int i = 0; i < plan.clients; i++)
    if (clients[i].sent % 2) die("churn needs an even number of joins before");
  task = CHURN;
  operations = 0;
  for (int i = 0; i < plan.clients; i++)
    for (int k = 0; k < window; k++) go_on(clients + i);
  while (now() < end) turn(10000000);
  uint64_t counted = operations;
  double elapsed = (now() - begin) / 1e9;
  // The last join of a pair is asked for, too.
  while (now() - begin < PATIENCE) {
    task = REST;
    finish(begin);
    bool is_even = true;
    for (int i = 0; i < plan.clients; i++)
      if (clients[i].sent % 2) is_even = false, ask(clients + i, "join", clients[i].high++);
    if (is_even) break;
  }
  printf("ops=%llu seconds=%.4f ops_per_s=%.0f\n", (unsigned long long)counted, elapsed, counted / elapsed);
}

// --- publishing ------------------------------------------------------------------------------------------------------

static void on_event(Client *c, const char *text, size_t n) {
  if (!is_stamped(&theirs, text, n, 0, published)) die("connection %d got %.*s", c->number, (int)(n < 60 ? n : 60), text);
  if (has_got[c->number]) die("connection %d got %.30s twice", c->number, text);
  has_got[c->number] = true;
  deliveries++;
  last_delivery = now();
}

static void publish(const char *head, uint64_t receivers, int times) {
  Message ours = message_of(head, strlen(filling), "\"]");
  uint64_t begin = now(), all = 0;
  for (int i = 0; i < times; i++) {
    memset(has_got, 0, plan.clients);
    deliveries = 0;
    stamp_frame(&ours, 0, ++published);
    stream_send(&clients[0].stream, ours.frame, ours.frame_n);
    while (deliveries < receivers) {
      turn(100000000);
      if (now() - begin > PATIENCE) die("lost: %llu of %llu", (unsigned long long)deliveries, (unsigned long long)receivers);
    }
    all += deliveries;
  }
  uint64_t last = last_delivery, quiet = now() + SECOND / 20;
  while (now() < quiet) turn(10000000); // whoever gets it twice, or should not get it, is noticed
  if (all + 0 != receivers * times || deliveries != receivers) die("%llu deliveries too many", (unsigned long long)(deliveries - receivers));
  printf("deliveries=%llu seconds=%.4f first_ns=%llu last_ns=%llu\n", (unsigned long long)all, (last - begin) / 1e9,
         (unsigned long long)begin, (unsigned long long)last);
  free(ours.text);
  free(ours.frame);
}

// --- commands --------------------------------------------------------------------------------------------------------

static bool obey(const char *line) {
  unsigned a, b;
  int c = plan.clients, times;
  double seconds;
  char head[64];
  if (sscanf(line, "join %u %u %d", &a, &b, &c) >= 2) {
    change(JOIN, a, b, c);
  } else if (sscanf(line, "leave %u %u", &a, &b) == 2) {
    change(LEAVE, a, b, c);
  } else if (sscanf(line, "churn %lf", &seconds) == 1) {
    churn(seconds);
  } else if (sscanf(line, "pub %u %u %d", &a, &b, &times) == 3) {
    snprintf(head, sizeof head, "42[\"pub_to\",\"c%u\",\"", a);
    publish(head, b, times);
  } else if (sscanf(line, "puball %u %d", &b, &times) == 2) {
    publish("42[\"pub_all\",\"", b, times);
  } else if (sscanf(line, "wait %lf", &seconds) == 1) {
    for (uint64_t end = now() + seconds * SECOND; now() < end;) turn(10000000);
    printf("pings=%llu\n", (unsigned long long)pings);
  } else {
    return false;
  }
  fflush(stdout);
  return true;
}

// The input is watched, not read: between commands pings are answered.
static bool read_line(char *line, size_t size) {
  size_t n = 0;
  while (n < size - 1) {
    ssize_t got = read(0, line + n, 1);
    if (got == 0) return false;
    if (got < 0) turn(100000000);
    else if (line[n++] == '\n') break;
  }
  line[n] = 0;
  return true;
}

void control(int at_once, int bytes) {
  window = at_once;
  memset(filling, 'x', bytes < STAMP ? STAMP : bytes);
  theirs = message_of("42[\"message\",\"", bytes, "\"]");
  plan.on_ack = on_ack;
  plan.on_event = on_event;
  double setup = connect_all();
  has_got = calloc(plan.clients, sizeof *has_got);
  printf("READY conns=%d setup_s=%.2f conn_per_s=%.0f\n", plan.clients, setup, plan.clients / setup);
  fflush(stdout);
  struct epoll_event event = {.events = EPOLLIN};
  fcntl(0, F_SETFL, O_NONBLOCK);
  epoll_ctl(loop, EPOLL_CTL_ADD, 0, &event);
  char line[128];
  while (read_line(line, sizeof line) && strcmp(line, "quit\n"))
    if (!obey(line)) die("not understood: %s", line);
}
