// The connections of sioload: each a Socket.IO 5 client over WebSocket.
#ifndef CLIENT_H
#define CLIENT_H
#include "load.h"

typedef struct {
  Stream stream; // first, as epoll's events point to it
  int number;
  enum { HTTP, OPENING, CONNECTING, JOINING, READY, SLOW, GONE } state;
  uint32_t sent, got;       // messages, or acks in the control mode
  uint64_t *times;          // when each message in flight was sent
  uint32_t low, high, goal; // control mode: the channels of this client, and the end of what it is to do now
} Client;

// What a mode does with its clients.
typedef struct {
  const char *host;
  int port, clients, slow;
  bool joins;                                             // all subscribe to the one channel first
  void (*on_event)(Client *, const char *text, size_t n); // 42…
  void (*on_ack)(Client *, const char *text, size_t n);   // 43…, once ready
} Plan;

extern Plan plan;
extern Client *clients;
extern int ready, slow_closed;
extern uint64_t pings;

void client_text(Client *c, const char *text);
double connect_all(void);     // seconds
void turn(int64_t at_most);   // nanoseconds; reads what there is
void read_slowly(void);       // a few bytes of each slow client
void make_slow(void);         // the last `plan.slow` clients, from now on
#endif
