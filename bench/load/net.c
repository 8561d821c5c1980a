// Non-blocking streams on epoll. All of them read into one buffer, so that an idle one costs next to nothing.
#include "load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

int loop;
static unsigned char buffer[1 << 21];
enum { READ = 1 << 18, PORTS = 20000 };

void open_loop(void) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  loop = epoll_create1(EPOLL_CLOEXEC);
}

// An address has ports for some 28,000 connections to one server, those that have just ended included: so each process
// uses another one.
static void bind_source(int fd, int number) {
  struct sockaddr_in source = {.sin_family = AF_INET};
  source.sin_addr.s_addr = htonl(0x7f000000u | (1 + getpid() % 200) << 16 | (1 + number / PORTS) << 8 | 2);
  int one = 1;
  setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  if (bind(fd, (void *)&source, sizeof source)) die("bind: %s", strerror(errno));
}

void stream_connect(Stream *s, const char *host, int port, int number, int receive_buffer) {
  memset(s, 0, sizeof *s);
  s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (s->fd < 0) die("socket: %s", strerror(errno));
  bind_source(s->fd, number);
  int one = 1;
  setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (receive_buffer) setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(port)};
  if (inet_pton(AF_INET, host, &server.sin_addr) != 1) die("not an address: %s", host);
  if (connect(s->fd, (void *)&server, sizeof server)) die("connect: %s", strerror(errno));
  fcntl(s->fd, F_SETFL, O_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
  epoll_ctl(loop, EPOLL_CTL_ADD, s->fd, &event);
}

void stream_watch(Stream *s, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = s};
  epoll_ctl(loop, EPOLL_CTL_MOD, s->fd, &event);
}

static void keep_for_later(Stream *s, const unsigned char *data, size_t n) {
  if (s->out_len + n > s->out_cap) {
    s->out_cap = 2 * (s->out_len + n);
    s->out = realloc(s->out, s->out_cap);
  }
  memcpy(s->out + s->out_len, data, n);
  s->out_len += n;
}

void stream_send(Stream *s, const void *data, size_t n) {
  if (s->fd < 0) return;
  ssize_t sent = s->out_len ? 0 : send(s->fd, data, n, MSG_NOSIGNAL);
  if (sent == (ssize_t)n) return;
  if (sent < 0 && errno != EAGAIN) return; // whoever reads will see the end
  if (sent < 0) sent = 0;
  if (!s->out_len) stream_watch(s, EPOLLIN | EPOLLOUT);
  keep_for_later(s, (const unsigned char *)data + sent, n - sent);
}

void stream_writable(Stream *s) {
  ssize_t sent = send(s->fd, s->out, s->out_len, MSG_NOSIGNAL);
  if (sent <= 0) return;
  s->out_len -= sent;
  memmove(s->out, s->out + sent, s->out_len);
  if (!s->out_len) stream_watch(s, EPOLLIN);
}

static void keep_rest(Stream *s, const unsigned char *data, size_t n) {
  if (n != s->rest_len) s->rest = realloc(s->rest, n);
  if (n) memcpy(s->rest, data, n);
  else s->rest = NULL; // realloc(…, 0) has freed it
  s->rest_len = n;
}

bool stream_read(Stream *s, size_t most, Parser parse, void *owner) {
  if (!most) most = READ;
  for (;;) {
    if (s->rest_len + most > sizeof buffer) die("a message of more than %zu bytes", sizeof buffer - most);
    if (s->rest_len) memcpy(buffer, s->rest, s->rest_len);
    ssize_t got = recv(s->fd, buffer + s->rest_len, most, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) return false;
    if (got < 0) return true;
    size_t have = s->rest_len + got, used = parse(owner, buffer, have);
    if (s->fd < 0) return true; // closed by what it read
    if (have > used || s->rest_len) keep_rest(s, buffer + used, have - used);
    if ((size_t)got < most || most != READ) return true;
  }
}

void stream_close(Stream *s) {
  if (s->fd >= 0) close(s->fd); // which removes it from epoll
  free(s->rest);
  free(s->out);
  *s = (Stream){.fd = -1};
}
