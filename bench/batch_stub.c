/* A Batch account on the loopback address that is never the bottleneck: one epoll thread, keep-alive, fixed latency.
 *
 *   cc -O2 -o batch_stub batch_stub.c && ./batch_stub PORT LATENCY_MS RATE
 *
 * PORT 0 takes a free one; its URL is the one line that is printed. RATE 0: nothing is refused; else a token bucket of
 * so many calls a second, a tenth of them at once, and 429 with Retry-After beyond it.
 *
 *   DELETE .../tasks/{any}      200
 *   GET    /jobs/{job}          a completed job
 *   GET    /jobs/{job}/tasks    its completed tasks, a thousand to a page; as many as the digits at the end of its id say
 *   GET    /_stats              {"served", "refused", "distinct"}, of DELETEs; distinct by the digits of the task's id
 *   POST   /_limit?rate=N       another rate from now on
 *   POST   /_reset              counts from zero
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define MAXFD 4096
#define IN 16384
#define RING 65536 /* the latency is constant, so the ring is in due order */
#define SMALL 704
#define PAGE 1000
#define MOST_TASKS 2000000

struct conn { uint32_t gen; int len; char in[IN]; };
struct due { int64_t at; int fd; uint32_t gen; int n; char *big; char out[SMALL]; };
static struct conn *conns[MAXFD];
static struct due ring[RING];
static uint32_t head, tail;
static unsigned long long served, refused, distinct, answers;
static unsigned char seen[MOST_TASKS / 8];
static double rate, tokens;
static int64_t filled;

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void set_rate(double wanted) {
  rate = wanted, tokens = wanted / 10, filled = now_ns();
}

static int take(void) {
  if (rate <= 0) return 1;
  int64_t now = now_ns();
  double most = rate / 10 < 1 ? 1 : rate / 10;
  tokens += (now - filled) / 1e9 * rate, filled = now;
  if (tokens > most) tokens = most;
  if (tokens < 1) return 0;
  tokens -= 1;
  return 1;
}

static void mark(const char *target, const char *end) {
  long id = 0, scale = 1;
  const char *p = memchr(target, '?', end - target);
  for (p = p ? p : end; p > target && p[-1] >= '0' && p[-1] <= '9' && scale < MOST_TASKS * 10L; p--, scale *= 10)
    id += (p[-1] - '0') * scale;
  if (id >= MOST_TASKS) return;
  if (!(seen[id / 8] & 1 << id % 8)) distinct++;
  seen[id / 8] |= 1 << id % 8;
}

/* The value of a header, or of a query parameter when `query`; "" when it is not there. */
static void find(const char *from, const char *end, const char *name, char *value, int most) {
  size_t n = strlen(name);
  *value = 0;
  for (const char *p = from; p + n < end; p++)
    if (!strncasecmp(p, name, n)) {
      int k = strcspn(p + n, "\r\n");
      if (k >= most) k = most - 1;
      memcpy(value, p + n, k), value[k] = 0;
      return;
    }
}

static int head_of(char *out, int size, const char *status, const char *id, const char *more, int length) {
  return snprintf(out, size,
                  "HTTP/1.1 %s\r\nContent-Length: %d\r\nServer: Microsoft-HTTPAPI/2.0\r\n"
                  "request-id: 00000000-0000-4000-8000-%012llx\r\nclient-request-id: %s\r\n"
                  "Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n"
                  "X-Content-Type-Options: nosniff\r\nDataServiceVersion: 3.0\r\n%s"
                  "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n",
                  status, length, answers++, id, more);
}

static void say(struct due *d, const char *status, const char *id, const char *more, const char *body) {
  int n = head_of(d->out, SMALL, status, id, more, strlen(body));
  d->n = n + snprintf(d->out + n, SMALL - n, "%s", body);
}

#define JSON "Content-Type: application/json;odata=minimalmetadata\r\n"

/* One page of a job; the token of the next is the number of its first task. */
static void list(struct due *d, const char *job, int job_length, const char *token, const char *host) {
  long all = 0, scale = 1, first = *token ? atol(token) : 1;
  for (int i = job_length - 1; i >= 0 && job[i] >= '0' && job[i] <= '9'; i--, scale *= 10) all += (job[i] - '0') * scale;
  long last = first + PAGE - 1 < all ? first + PAGE - 1 : all;
  int room = 1024 + 320 * PAGE, n = 0;
  char *body = malloc(room);
  n += sprintf(body, "{\"value\":[");
  for (long i = first; i <= last; i++)
    n += sprintf(body + n,
                 "%s{\"id\":\"task-%08ld\",\"eTag\":\"0x8DE2A1C%08lX\",\"state\":\"completed\",\"executionInfo\":{"
                 "\"startTime\":\"2026-01-01T00:00:00Z\",\"endTime\":\"2026-01-01T00:01:00Z\",\"exitCode\":0,"
                 "\"result\":\"success\",\"retryCount\":0,\"requeueCount\":0}}",
                 i > first ? "," : "", i, i);
  n += sprintf(body + n, "]");
  if (last < all)
    n += sprintf(body + n,
                 ",\"odata.nextLink\":\"http://%s/jobs/%.*s/tasks?api-version=2024-07-01.20.0&$filter=state%%20eq%%20"
                 "'completed'&$select=id,state,eTag,executionInfo&maxresults=1000&$skiptoken=%ld\"",
                 host, job_length, job, last + 1);
  n += sprintf(body + n, "}");
  d->big = malloc(SMALL + n);
  d->n = head_of(d->big, SMALL, "200 OK", "", JSON, n);
  memcpy(d->big + d->n, body, n), d->n += n;
  free(body);
}

static void answer(char *req, char *end, struct due *d) {
  char id[80], host[80], token[32] = "", body[160];
  char *target = strchr(req, ' ') + 1, *stop = memchr(target, ' ', end - target);
  find(req, end, "\nclient-request-id: ", id, sizeof id);
  find(req, end, "\nhost: ", host, sizeof host);
  if (!strncmp(req, "DELETE ", 7)) {
    if (take()) served++, mark(target, stop), say(d, "200 OK", id, "", "");
    else refused++, say(d, "429 Too Many Requests", id, JSON "Retry-After: 1\r\n",
        "{\"code\":\"TooManyRequests\",\"message\":{\"lang\":\"en-US\",\"value\":\"Too many requests.\"}}");
  } else if (!strncmp(req, "GET /_stats", 11)) {
    snprintf(body, sizeof body, "{\"served\":%llu,\"refused\":%llu,\"distinct\":%llu}", served, refused, distinct);
    say(d, "200 OK", id, JSON, body);
  } else if (!strncmp(req, "POST /_limit?rate=", 18)) {
    set_rate(atof(req + 18)), say(d, "200 OK", id, JSON, "{}");
  } else if (!strncmp(req, "POST /_reset", 12)) {
    served = refused = distinct = 0, memset(seen, 0, sizeof seen), say(d, "200 OK", id, JSON, "{}");
  } else if (!strncmp(req, "GET /jobs/", 10)) {
    char *job = target + 6;
    int n = strcspn(job, "/? ");
    if (strncmp(job + n, "/tasks", 6)) {
      snprintf(body, sizeof body, "{\"id\":\"%.*s\",\"state\":\"completed\"}", n > 64 ? 64 : n, job);
      say(d, "200 OK", id, JSON, body);
      return;
    }
    find(target, stop, "$skiptoken=", token, sizeof token);
    if (!*token) find(target, stop, "%24skiptoken=", token, sizeof token);
    list(d, job, n, token, host);
  } else {
    say(d, "404 Not Found", id, JSON, "{\"code\":\"ResourceNotFound\",\"message\":{\"lang\":\"en-US\",\"value\":\"\"}}");
  }
}

static void drop(int ep, int fd) {
  epoll_ctl(ep, EPOLL_CTL_DEL, fd, 0);
  conns[fd]->gen++;
  close(fd);
}

/* Writes all; a page may be more than the socket takes at once. False when the other end is gone. */
static int give(int fd, struct due *d) {
  const char *p = d->big ? d->big : d->out;
  int left = d->n, good = 1;
  while (left && good) {
    int n = write(fd, p, left);
    if (n >= 0) p += n, left -= n;
    else if (errno == EAGAIN) poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, 1000);
    else good = 0;
  }
  free(d->big), d->big = 0;
  return good;
}

int main(int argc, char **argv) {
  int port = argc > 1 ? atoi(argv[1]) : 0, one = 1;
  int64_t lat = argc > 2 ? (int64_t)(atof(argv[2]) * 1e6) : 0;
  set_rate(argc > 3 ? atof(argv[3]) : 0);
  int ls = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), ep = epoll_create1(0);
  setsockopt(ls, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof a;
  if (bind(ls, (void *)&a, sizeof a) || listen(ls, 1024)) { perror("bind"); return 1; }
  getsockname(ls, (void *)&a, &size);
  printf("http://127.0.0.1:%d\n", ntohs(a.sin_port));
  fflush(stdout);
  struct epoll_event ev = {.events = EPOLLIN, .data.fd = ls}, evs[256];
  epoll_ctl(ep, EPOLL_CTL_ADD, ls, &ev);
  for (;;) {
    struct timespec ts, *tp = 0;
    if (head != tail) {
      int64_t w = ring[head % RING].at - now_ns();
      if (w < 0) w = 0;
      ts.tv_sec = w / 1000000000, ts.tv_nsec = w % 1000000000, tp = &ts;
    }
    int n = epoll_pwait2(ep, evs, 256, tp, 0);
    if (n < 0 && errno != EINTR) { perror("epoll"); return 1; }
    for (int i = 0; i < n; i++) {
      int fd = evs[i].data.fd;
      if (fd == ls) {
        int c;
        while ((c = accept4(ls, 0, 0, SOCK_NONBLOCK)) >= 0) {
          if (c >= MAXFD) { close(c); continue; }
          if (!conns[c]) conns[c] = calloc(1, sizeof(struct conn));
          conns[c]->len = 0;
          setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
          ev.events = EPOLLIN, ev.data.fd = c;
          epoll_ctl(ep, EPOLL_CTL_ADD, c, &ev);
        }
        continue;
      }
      struct conn *k = conns[fd];
      int r = read(fd, k->in + k->len, IN - 1 - k->len);
      if (r <= 0) {
        if (r == 0 || errno != EAGAIN) drop(ep, fd);
        continue;
      }
      k->len += r, k->in[k->len] = 0;
      char *p = k->in, *e;
      int gone = 0;
      while (!gone && (e = strstr(p, "\r\n\r\n"))) {
        char *cl = strcasestr(p, "content-length:");
        int body = cl && cl < e ? atoi(cl + 15) : 0;
        if (e + 4 + body > k->in + k->len) break;
        struct due *d = &ring[tail % RING];
        answer(p, e + 2, d);
        if (lat) d->at = now_ns() + lat, d->fd = fd, d->gen = k->gen, tail++;
        else gone = !give(fd, d);
        p = e + 4 + body;
      }
      if (gone) { drop(ep, fd); continue; }
      k->len = k->in + k->len - p;
      memmove(k->in, p, k->len);
    }
    for (int64_t t = now_ns(); head != tail && ring[head % RING].at <= t; head++) {
      struct due *d = &ring[head % RING];
      if (conns[d->fd]->gen != d->gen) { free(d->big), d->big = 0; continue; }
      if (!give(d->fd, d)) drop(ep, d->fd);
    }
  }
}
