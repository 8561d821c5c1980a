// What the load generators share: time, latencies, streams of bytes on epoll, and WebSocket frames.
#ifndef LOAD_H
#define LOAD_H
#define _GNU_SOURCE
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

// --- stats.c ---------------------------------------------------------------------------------------------------------
uint64_t now(void);            // nanoseconds of the monotonic clock, the same in all processes
void record(uint64_t latency); // nanoseconds
void forget_latencies(void);
double percentile(double share); // microseconds
double cpu_seconds(void);        // of this process
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

// --- net.c -----------------------------------------------------------------------------------------------------------
// A connection. `rest` holds the beginning of what has not come in full, `out` what the kernel did not take yet.
typedef struct {
  int fd;
  uint32_t rest_len, out_len, out_cap;
  unsigned char *rest, *out;
} Stream;

// Takes what it can of `n` bytes and tells how many; it may change them.
typedef size_t (*Parser)(void *owner, unsigned char *data, size_t n);

extern int loop; // the epoll descriptor
void open_loop(void);
void stream_connect(Stream *s, const char *host, int port, int number, int receive_buffer);
void stream_watch(Stream *s, uint32_t events);
void stream_send(Stream *s, const void *data, size_t n);
void stream_writable(Stream *s);
bool stream_read(Stream *s, size_t most, Parser parse, void *owner); // false at the stream's end
void stream_close(Stream *s);

// --- message.c -------------------------------------------------------------------------------------------------------
// A text that carries a stamp (who sent it, and its place in the order) and a known filling, and its masked frame.
typedef struct {
  char *text;
  size_t n, stamp;
  unsigned char *frame;
  size_t frame_n, frame_head;
} Message;

enum { STAMP = 16 };
Message message_of(const char *before, int bytes, const char *after);
void stamp_frame(Message *m, uint32_t who, uint32_t number); // for sending
bool is_stamped(Message *m, const char *text, size_t n, uint32_t who, uint32_t number);
size_t mask_frame(unsigned char *out, const char *text, size_t n);
#endif
