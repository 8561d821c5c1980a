// Messages that can be told from each other, so that a lost, doubled, swapped or damaged one is noticed.
#include "load.h"

static const unsigned char KEY[4] = {0x37, 0xfa, 0x21, 0x3d};

static void write_stamp(char *out, uint32_t who, uint32_t number) {
  static const char digits[] = "0123456789abcdef";
  for (int i = 7; i >= 0; i--, who >>= 4, number >>= 4) {
    out[i] = digits[who & 15];
    out[i + 8] = digits[number & 15];
  }
}

size_t mask_frame(unsigned char *out, const char *text, size_t n) {
  size_t at = 0;
  out[at++] = 0x81;
  if (n < 126) {
    out[at++] = 0x80 | n;
  } else if (n < 65536) {
    out[at++] = 0x80 | 126;
    out[at++] = n >> 8;
    out[at++] = n;
  } else {
    out[at++] = 0x80 | 127;
    for (int shift = 56; shift >= 0; shift -= 8) out[at++] = (uint64_t)n >> shift;
  }
  memcpy(out + at, KEY, 4);
  at += 4;
  for (size_t i = 0; i < n; i++) out[at + i] = text[i] ^ KEY[i & 3];
  return at + n;
}

Message message_of(const char *before, int bytes, const char *after) {
  if (bytes < STAMP) bytes = STAMP;
  Message m = {.stamp = strlen(before), .n = strlen(before) + bytes + strlen(after)};
  m.text = malloc(m.n + 1);
  strcpy(m.text, before);
  for (int i = 0; i < bytes; i++) m.text[m.stamp + i] = 'a' + i % 26;
  strcpy(m.text + m.stamp + bytes, after);
  m.frame = malloc(m.n + 14);
  m.frame_n = mask_frame(m.frame, m.text, m.n);
  m.frame_head = m.frame_n - m.n;
  return m;
}

void stamp_frame(Message *m, uint32_t who, uint32_t number) {
  char stamp[STAMP];
  write_stamp(stamp, who, number);
  for (int i = 0; i < STAMP; i++) m->frame[m->frame_head + m->stamp + i] = stamp[i] ^ KEY[(m->stamp + i) & 3];
}

bool is_stamped(Message *m, const char *text, size_t n, uint32_t who, uint32_t number) {
  write_stamp(m->text + m->stamp, who, number);
  return n == m->n && !memcmp(text, m->text, n);
}
