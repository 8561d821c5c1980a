// Time, and a histogram of latencies with a resolution of 0.1 %.
#include "load.h"
#include <stdarg.h>
#include <sys/resource.h>
#include <time.h>

enum { EXACT = 2048, STEPS = 1024, BUCKETS = 1 << 16 };
static uint64_t histogram[BUCKETS];

uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static int bucket_of(uint64_t latency) {
  uint64_t units = latency / 100; // of 0.1 microseconds
  if (units < EXACT) return units;
  int power = 63 - __builtin_clzll(units);
  int bucket = EXACT + (power - 11) * STEPS + ((units >> (power - 10)) & (STEPS - 1));
  return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

static double microseconds_of(int bucket) {
  if (bucket < EXACT) return bucket * 0.1;
  bucket -= EXACT;
  int power = bucket / STEPS + 11;
  return (((uint64_t)1 << power) + ((uint64_t)(bucket % STEPS) << (power - 10))) * 0.1;
}

void record(uint64_t latency) { histogram[bucket_of(latency)]++; }

void forget_latencies(void) { memset(histogram, 0, sizeof histogram); }

double percentile(double share) {
  uint64_t total = 0, below = 0;
  for (int i = 0; i < BUCKETS; i++) total += histogram[i];
  for (int i = 0; i < BUCKETS; i++) {
    below += histogram[i];
    if (total && below >= share * total) return microseconds_of(i);
  }
  return 0;
}

double cpu_seconds(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  exit(1);
}
