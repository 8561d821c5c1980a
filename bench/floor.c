// floor: the least work that a Socket.IO server can do in C on epoll (no JSON, no checks, no heartbeats, no
// long-polling): a floor to compare with, not a peer.
//
//   floor PORT        gcc -O2 -o floor floor.c -lcrypto
//
// It sends `message` back, joins on `join` (with an ack) and sends `pub`, or `pub_to` any channel, to all that joined. A receiver who is too slow
// for the kernel's buffer is closed.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
  int fd;
  bool is_open;
  uint32_t len, cap;
  unsigned char *buf;
} Client;

enum { FIRST_READ = 8192, OUT = 1 << 21 };
static Client *room[200000];
static int members, loop;
static unsigned char out[OUT];
static size_t out_len; // the answers to what one read has brought

static size_t frame(unsigned char *to, const void *text, size_t n) {
  size_t at = 0;
  to[at++] = 0x81;
  if (n < 126) {
    to[at++] = n;
  } else {
    to[at++] = 126;
    to[at++] = n >> 8;
    to[at++] = n;
  }
  memcpy(to + at, text, n);
  return at + n;
}

static void answer(const void *text, size_t n) {
  if (out_len + n + 4 <= OUT) out_len += frame(out + out_len, text, n);
}

static void publish(const char *payload, size_t n) {
  static const char head[] = "42[\"message\"";
  static unsigned char text[1 << 16], framed[(1 << 16) + 4];
  memcpy(text, head, sizeof head - 1);
  memcpy(text + sizeof head - 1, payload, n);
  size_t len = frame(framed, text, sizeof head - 1 + n);
  for (int i = 0; i < members; i++)
    if (send(room[i]->fd, framed, len, MSG_NOSIGNAL) != (ssize_t)len) shutdown(room[i]->fd, SHUT_RDWR);
}

static void take(Client *c, const char *text, size_t n) {
  if (n < 2 || text[0] != '4') return;
  if (text[1] == '0') {
    answer("40{\"sid\":\"abc\"}", 14);
  } else if (text[1] == '2' && text[2] != '[') { // an event that wants an ack: a join
    const char *rest = memchr(text, '[', n);
    char ack[32];
    room[members++] = c;
    answer(ack, snprintf(ack, sizeof ack, "43%.*s[]", (int)(rest - text - 2), text + 2));
  } else if (text[4] == 'p') {
    // 42["pub","…"] or 42["pub_to","c0","…"]: the data begins with the last comma before it.
    size_t head = text[7] == '_' ? (const char *)memchr(text + 12, ',', n - 12) - text : 8;
    publish(text + head, n - head);
  } else {
    answer(text, n);
  }
}

static uint32_t take_frames(Client *c) {
  uint32_t at = 0;
  while (c->len - at >= 6) {
    unsigned char *p = c->buf + at;
    uint32_t n = p[1] & 127, head = 2;
    if (n == 126) {
      n = p[2] << 8 | p[3];
      head = 4;
    }
    if (c->len - at < head + 4 + n) break;
    unsigned char *text = p + head + 4;
    for (uint32_t i = 0; i < n; i++) text[i] ^= p[head + (i & 3)];
    take(c, (char *)text, n);
    at += head + 4 + n;
  }
  return at;
}

static void shake_hands(Client *c) {
  static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", name[] = "Sec-WebSocket-Key: ";
  static const char opened[] =
      "0{\"sid\":\"x\",\"upgrades\":[],\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}";
  char *key = memmem(c->buf, c->len, name, sizeof name - 1), joined[64];
  if (!key || !memmem(c->buf, c->len, "\r\n\r\n", 4)) return;
  unsigned char digest[SHA_DIGEST_LENGTH], accept[32];
  memcpy(joined, key + sizeof name - 1, 24);
  memcpy(joined + 24, guid, sizeof guid - 1);
  SHA1((void *)joined, 24 + sizeof guid - 1, digest);
  EVP_EncodeBlock(accept, digest, sizeof digest);
  out_len = sprintf((char *)out,
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    "Sec-WebSocket-Accept: %s\r\n\r\n",
                    accept);
  answer(opened, sizeof opened - 1);
  c->is_open = true;
  c->len = 0;
}

static void drop(Client *c) {
  for (int i = 0; i < members; i++)
    if (room[i] == c) room[i--] = room[--members];
  close(c->fd);
  free(c->buf);
  free(c);
}

static void read_from(Client *c) {
  if (c->len == c->cap) c->buf = realloc(c->buf, c->cap = c->cap ? c->cap * 2 : FIRST_READ);
  ssize_t got = recv(c->fd, c->buf + c->len, c->cap - c->len, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) {
    drop(c);
    return;
  }
  c->len += got;
  out_len = 0;
  if (!c->is_open) {
    shake_hands(c);
  } else {
    uint32_t used = take_frames(c);
    c->len -= used;
    memmove(c->buf, c->buf + used, c->len);
  }
  if (out_len && send(c->fd, out, out_len, MSG_NOSIGNAL) != (ssize_t)out_len) shutdown(c->fd, SHUT_RDWR);
}

static void accept_all(int listener) {
  int fd, one = 1;
  while ((fd = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0) {
    Client *c = calloc(1, sizeof *c);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->fd = fd;
    epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
  }
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  struct rlimit files = {20000, 20000};
  setrlimit(RLIMIT_NOFILE, &files);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (void *)&address, sizeof address) || listen(listener, 4096)) return 1;
  loop = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN}, events[512];
  epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int n = epoll_wait(loop, events, 512, -1);
    for (int i = 0; i < n; i++) events[i].data.ptr ? read_from(events[i].data.ptr) : accept_all(listener);
  }
}
