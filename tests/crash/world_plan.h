/* The plan of `world.c`: its rules, which calls they count, what comes about. Included once, by it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* libc's own, looked up once a place. */
#define REAL(name)                                       \
    ({                                                   \
        static __typeof__(&name) found;                  \
        if (!found) found = (__typeof__(&name))real(#name); \
        found;                                           \
    })
#define RULES 32
#define TRACKED 4
#define ROOM 1024

enum call { CREATE, WRITE, GROW, SYNC, SYNCDIR, RENAME, UNLINK, TRUNCATE, ALLOCATE, READ, SEND, CALLS };
static const char *const call_names[CALLS] = {"create", "write",    "grow",     "sync", "syncdir", "rename",
                                              "unlink", "truncate", "allocate", "read", "send"};
enum action { MARK, KILL_BEFORE, KILL_AMID, KILL_AFTER, FAIL };

struct rule {
    char name[64], after[64], pattern[256];
    enum action action;
    enum call call;
    int error, onwards;
    long nth;
    atomic_long seen;
    atomic_int came;
};

struct plan {
    struct rule rules[RULES];
    char tracked[TRACKED][256];
    int rule_count, tracked_count;
    unsigned calls; /* a bit for each kind of call that a rule counts */
    int64_t free_bytes, clock;
};

static _Atomic(struct plan *) current;
static volatile int64_t *generation;
static int64_t generation_read = -1;
static const char *world;
static atomic_long tickets;
static pthread_mutex_t reading = PTHREAD_MUTEX_INITIALIZER;

static void *real(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

static int raw_open(const char *name, int flags) {
    char path[ROOM];
    snprintf(path, sizeof path, "%s/%s", world, name);
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0600);
}

static void all_written(int fd, const void *bytes, size_t length) {
    for (const char *at = bytes; length > 0;) {
        long wrote = syscall(SYS_write, fd, at, length);
        if (wrote <= 0) abort();
        at += wrote;
        length -= (size_t)wrote;
    }
}

static void read_rule(struct plan *plan, char *line) {
    char action[32], call[32];
    struct rule *rule = &plan->rules[plan->rule_count];
    int fields = sscanf(line, "rule %63s %31s %31s %ld %d %63s %255[^\n]", rule->name, action, call, &rule->nth,
                        &rule->onwards, rule->after, rule->pattern);
    if (fields != 7 || ++plan->rule_count == RULES) abort();
    int kind = 0;
    while (kind < CALLS && strcmp(call, call_names[kind]) != 0) kind++;
    if (kind == CALLS) abort();
    rule->call = (enum call)kind;
    plan->calls |= 1U << kind;
    if (strcmp(action, "kill-before") == 0) rule->action = KILL_BEFORE;
    else if (strcmp(action, "kill-amid") == 0) rule->action = KILL_AMID;
    else if (strcmp(action, "kill-after") == 0) rule->action = KILL_AFTER;
    else if (strcmp(action, "mark") == 0) rule->action = MARK;
    else if (sscanf(action, "fail=%d", &rule->error) == 1) rule->action = FAIL;
    else abort();
}

static void read_plan(void) {
    /* Never freed: another thread may still look at the last one, and there are few. */
    struct plan *plan = calloc(1, sizeof *plan);
    if (!plan) abort();
    plan->free_bytes = -1;
    int fd = raw_open("plan", O_RDONLY);
    static char text[1 << 16];
    size_t length = 0;
    for (long got; fd >= 0 && (got = syscall(SYS_read, fd, text + length, sizeof text - 1 - length)) > 0;)
        length += (size_t)got;
    if (fd >= 0) syscall(SYS_close, fd);
    text[length] = 0;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, "rule ", 5) == 0) read_rule(plan, line);
        else if (sscanf(line, "track %255[^\n]", plan->tracked[plan->tracked_count]) == 1) {
            if (++plan->tracked_count == TRACKED) abort();
        } else if (sscanf(line, "free %ld", &plan->free_bytes) != 1 && sscanf(line, "clock %ld", &plan->clock) != 1)
            abort();
    }
    atomic_store(&current, plan);
}

static struct plan *plan_now(void) {
    if (!generation) return NULL;
    if (*generation != generation_read) {
        pthread_mutex_lock(&reading);
        int64_t now = *generation;
        if (now != generation_read) {
            read_plan();
            generation_read = now;
        }
        pthread_mutex_unlock(&reading);
    }
    return atomic_load(&current);
}

__attribute__((constructor)) static void begin(void) {
    world = getenv("WORLD");
    if (!world) return;
    int fd = raw_open("control", O_RDWR);
    if (fd < 0) abort();
    void *mapped = mmap(NULL, sizeof *generation, PROT_READ, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED) abort();
    syscall(SYS_close, fd);
    generation = mapped;
}

/* --- rules ------------------------------------------------------------------------------------------------------ */

static void note(const struct rule *rule, const char *path) {
    char line[ROOM];
    int length = snprintf(line, sizeof line, "%s %s %s\n", rule->name, call_names[rule->call], path);
    int fd = raw_open("trace", O_WRONLY | O_CREAT | O_APPEND);
    if (fd < 0 || length < 0) abort();
    all_written(fd, line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
    syscall(SYS_close, fd);
}

static void die(const struct rule *rule, const char *path) {
    note(rule, path);
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

static int came(struct plan *plan, const char *name) {
    for (int i = 0; i < plan->rule_count; i++)
        if (strcmp(plan->rules[i].name, name) == 0) return atomic_load(&plan->rules[i].came);
    return 0;
}

/* The rule that comes about with this call, or NULL. Does what is to be done before the call; what is left is FAIL,
 * KILL_AMID, KILL_AFTER or MARK. */
static struct rule *met(enum call call, const char *path) {
    struct plan *plan = plan_now();
    if (!plan || !(plan->calls & 1U << call)) return NULL;
    for (int i = 0; i < plan->rule_count; i++) {
        struct rule *rule = &plan->rules[i];
        if (rule->call != call || fnmatch(rule->pattern, path, 0) != 0) continue;
        if (rule->after[0] != '-' && !came(plan, rule->after)) continue;
        long seen = atomic_fetch_add(&rule->seen, 1) + 1;
        if (seen != rule->nth && !(rule->onwards && seen > rule->nth)) continue;
        if (rule->action == KILL_BEFORE) die(rule, path);
        if (rule->action == FAIL) {
            note(rule, path);
            atomic_store(&rule->came, 1);
        }
        return rule;
    }
    return NULL;
}

static int failed(const struct rule *rule) {
    if (!rule || rule->action != FAIL) return 0;
    errno = rule->error;
    return 1;
}

static void done(struct rule *rule, const char *path) {
    if (!rule || rule->action == FAIL) return;
    if (rule->action == KILL_AFTER || rule->action == KILL_AMID) die(rule, path);
    note(rule, path);
    atomic_store(&rule->came, 1);
}

static int counts(enum call call) {
    struct plan *plan = plan_now();
    return plan && (plan->calls & 1U << call);
}

static int is_tracked(const char *path) {
    struct plan *plan = plan_now();
    size_t length = strlen(path);
    /* SQLite's index of its log is shared memory, made anew by whoever opens first. */
    if (!plan || (length > 4 && strcmp(path + length - 4, "-shm") == 0)) return 0;
    for (int i = 0; i < plan->tracked_count; i++)
        if (strncmp(path, plan->tracked[i], strlen(plan->tracked[i])) == 0) return 1;
    return 0;
}

/* A directory counts where something tracked may have a name in it. */
static int is_tracked_dir(const char *path) {
    struct plan *plan = plan_now();
    size_t length = strlen(path);
    for (int i = 0; plan && i < plan->tracked_count; i++)
        if (strncmp(path, plan->tracked[i], length) == 0 && plan->tracked[i][length] == '/') return 1;
    return is_tracked(path);
}

/* The path of an open file, or "socket:[n]" and the like. */
static void path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long length = syscall(SYS_readlink, link, path, ROOM - 1);
    path[length > 0 ? length : 0] = 0;
}

static int of_interest(void) {
    struct plan *plan = plan_now();
    return plan && (plan->calls || plan->tracked_count);
}

static void end_of_socket(char *text, size_t room, const struct sockaddr_storage *at, socklen_t length) {
    if (at->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)at;
        uint32_t host = ntohl(in->sin_addr.s_addr);
        snprintf(text, room, "%u.%u.%u.%u:%u", host >> 24, host >> 16 & 255, host >> 8 & 255, host & 255,
                 ntohs(in->sin_port));
    } else if (at->ss_family == AF_INET6) {
        snprintf(text, room, "[v6]:%u", ntohs(((const struct sockaddr_in6 *)(const void *)at)->sin6_port));
    } else if (at->ss_family == AF_UNIX && length > sizeof(sa_family_t)) {
        snprintf(text, room, "%s", ((const struct sockaddr_un *)(const void *)at)->sun_path);
    }
}

static struct rule *met_send(int fd, char *path) {
    struct sockaddr_storage own = {0}, peer = {0};
    socklen_t own_length = sizeof own, peer_length = sizeof peer;
    char from[256] = "", to[256] = "";
    if (!counts(SEND) || getsockname(fd, (void *)&own, &own_length) != 0) return NULL;
    if (getpeername(fd, (void *)&peer, &peer_length) == 0) end_of_socket(to, sizeof to, &peer, peer_length);
    end_of_socket(from, sizeof from, &own, own_length);
    snprintf(path, ROOM, "socket:%s>%s", from, to);
    return met(SEND, path);
}
