/* Stands between a process and its world: loaded with LD_PRELOAD, it sees what goes to the disk, to sockets and to the
 * wall clock through libc, and does what a plan says. The process under it is the real one and knows nothing of it.
 *
 * WORLD names a directory with
 *   control  eight bytes, a generation: the plan is read again when it changes
 *   plan     lines:
 *              rule <name> <action> <call> <nth> <onwards> <after> <pattern>
 *              track <prefix>     writes below it are kept in `undo` until a sync makes them durable
 *              free <bytes>       what is said to be free on every disk
 *              clock <seconds>    added to the wall clock
 *   trace    a line for each rule that came about: <name> <call> <path>
 *   undo     what a power cut may take back: see `struct undo`
 *
 * A rule counts the calls of its kind whose path (or `socket:<own>><peer>`) matches its pattern, once the rule named
 * `after` came about (`-`: at once), and comes about at the n-th one, or with `onwards` 1 from then on. Calls: create,
 * write, grow (a write beyond the end), sync, syncdir, rename, unlink, truncate, allocate, read, send. Actions:
 * kill-before, kill-amid (half of the bytes are written), kill-after, fail=<errno>, mark (nothing, but noted).
 */
#include "world_plan.h"

/* --- what a power cut may take back ----------------------------------------------------------------------------- */

/* One thing that was done and is not durable yet. Followed by `length` bytes: the old bytes, or paths that end in zeros.
 * W old bytes at offset, of a file of `size` bytes; Z the file had `size` bytes; B, S a sync of a file began, succeeded;
 * C, R, U a name was made, changed (old, new, where the overwritten file is kept), removed (path, where it is kept);
 * D, E a sync of a directory began, succeeded. Syncs carry a ticket in `offset`. */
struct undo {
    uint64_t kind, inode;
    int64_t offset, size, length;
};

static int undo_file = -1;
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;

static void keep(char kind, uint64_t inode, int64_t offset, int64_t size, const void *bytes, int64_t length) {
    struct undo undo = {(uint64_t)kind, inode, offset, size, length};
    static char *whole;
    static size_t room;
    size_t needed = sizeof undo + (size_t)length;
    if (undo_file < 0) undo_file = raw_open("undo", O_WRONLY | O_CREAT | O_APPEND);
    if (needed > room) {
        whole = realloc(whole, room = needed);
        if (!whole) abort();
    }
    memcpy(whole, &undo, sizeof undo);
    if (length) memcpy(whole + sizeof undo, bytes, (size_t)length);
    all_written(undo_file, whole, needed);
}

/* Keeps what stands in whole sectors around `length` bytes at `offset`. The guard is held. */
static void keep_old(const char *path, int fd, int64_t offset, int64_t length) {
    struct stat stat;
    if (fstat(fd, &stat) != 0) abort();
    int64_t from = offset / 512 * 512, to = (offset + length + 511) / 512 * 512;
    char *old = calloc(1, (size_t)(to - from) + 1);
    /* The descriptor itself may be for writing only. */
    int again = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (!old || again < 0) abort();
    if (syscall(SYS_pread64, again, old, to - from, from) < 0) abort();
    syscall(SYS_close, again);
    keep('W', stat.st_ino, from, stat.st_size, old, to - from);
    free(old);
}

static void keep_size(int fd) {
    struct stat stat;
    if (fstat(fd, &stat) != 0) abort();
    keep('Z', stat.st_ino, 0, stat.st_size, NULL, 0);
}

static void keep_names(char kind, const char *one, const char *two, const char *saved) {
    char names[3 * ROOM];
    int length = snprintf(names, sizeof names, "%s%c%s%c%s%c", one, 0, two, 0, saved, 0);
    keep(kind, 0, 0, 0, names, length);
}

/* A second name for a file that is about to lose this one; "" where there is none. */
static void save(const char *path, char *saved) {
    saved[0] = 0;
    char name[ROOM];
    snprintf(name, sizeof name, "%s/grave-%ld", world, atomic_fetch_add(&tickets, 1));
    if (syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, name, 0) == 0) strcpy(saved, name);
}

/* --- files ------------------------------------------------------------------------------------------------------ */

struct output {
    const void *bytes;
    const struct iovec *parts;
    int count, placed;
    size_t length;
    off_t offset;
};

static ssize_t put(int fd, const struct output *out, size_t length) {
    if (out->parts && out->placed) return REAL(pwritev64)(fd, out->parts, out->count, out->offset);
    if (out->parts) return REAL(writev)(fd, out->parts, out->count);
    if (out->placed) return REAL(pwrite64)(fd, out->bytes, length, out->offset);
    return REAL(write)(fd, out->bytes, length);
}

static ssize_t output(int fd, struct output out) {
    char path[ROOM];
    if (!of_interest()) return put(fd, &out, out.length);
    path_of(fd, path);
    struct stat stat;
    if (path[0] != '/') {
        struct rule *rule = strncmp(path, "socket:", 7) == 0 ? met_send(fd, path) : NULL;
        if (failed(rule)) return -1;
        ssize_t sent = put(fd, &out, out.length);
        int error = errno;
        done(rule, path);
        errno = error;
        return sent;
    }
    int tracked = is_tracked(path);
    struct rule *rule = met(WRITE, path);
    if (tracked || counts(GROW)) {
        if (fstat(fd, &stat) != 0) return -1;
        int flags = fcntl(fd, F_GETFL);
        if (!out.placed) out.offset = flags & O_APPEND ? stat.st_size : lseek(fd, 0, SEEK_CUR);
        if (!rule && out.offset + (off_t)out.length > stat.st_size) rule = met(GROW, path);
    }
    if (failed(rule)) return -1;
    size_t length = rule && rule->action == KILL_AMID && !out.parts ? out.length / 2 : out.length;
    if (tracked) {
        pthread_mutex_lock(&guard);
        keep_old(path, fd, out.offset, (int64_t)out.length);
    }
    ssize_t wrote = put(fd, &out, length);
    int error = errno;
    if (tracked) pthread_mutex_unlock(&guard);
    done(rule, path);
    errno = error;
    return wrote;
}

static size_t sum(const struct iovec *parts, int count) {
    size_t length = 0;
    for (int i = 0; i < count; i++) length += parts[i].iov_len;
    return length;
}

ssize_t write(int fd, const void *bytes, size_t length) {
    return output(fd, (struct output){.bytes = bytes, .length = length});
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    return output(fd, (struct output){.bytes = bytes, .length = length, .offset = offset, .placed = 1});
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return pwrite64(fd, bytes, length, offset); }

ssize_t writev(int fd, const struct iovec *parts, int count) {
    return output(fd, (struct output){.parts = parts, .count = count, .length = sum(parts, count)});
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
    struct output out = {.parts = parts, .count = count, .length = sum(parts, count), .offset = offset, .placed = 1};
    return output(fd, out);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    return pwritev64(fd, parts, count, offset);
}

static int sync_file(int fd, int (*sync)(int)) {
    struct stat stat;
    char path[ROOM];
    if (!of_interest() || fstat(fd, &stat) != 0) return sync(fd);
    path_of(fd, path);
    int is_dir = S_ISDIR(stat.st_mode), tracked = is_dir ? is_tracked_dir(path) : is_tracked(path);
    struct rule *rule = met(is_dir ? SYNCDIR : SYNC, path);
    if (failed(rule)) return -1;
    long ticket = atomic_fetch_add(&tickets, 1);
    if (tracked) {
        pthread_mutex_lock(&guard);
        if (is_dir) keep('D', 0, ticket, 0, path, (int64_t)strlen(path) + 1);
        else keep('B', stat.st_ino, ticket, 0, NULL, 0);
        pthread_mutex_unlock(&guard);
    }
    int result = sync(fd), error = errno;
    if (tracked && result == 0) {
        pthread_mutex_lock(&guard);
        keep(is_dir ? 'E' : 'S', stat.st_ino, ticket, 0, NULL, 0);
        pthread_mutex_unlock(&guard);
    }
    done(rule, path);
    errno = error;
    return result;
}

int fsync(int fd) { return sync_file(fd, REAL(fsync)); }
int fdatasync(int fd) { return sync_file(fd, REAL(fdatasync)); }

static int open_file(int dir, const char *path, int flags, mode_t mode) {
    int makes = flags & (O_CREAT | O_TRUNC) && path[0] == '/' && of_interest();
    if (!makes) return REAL(openat64)(dir, path, flags, mode);
    struct stat stat;
    int exists = syscall(SYS_newfstatat, AT_FDCWD, path, &stat, 0) == 0;
    struct rule *rule = !exists || flags & O_TRUNC ? met(CREATE, path) : NULL;
    if (failed(rule)) return -1;
    int tracked = is_tracked(path);
    if (tracked) {
        pthread_mutex_lock(&guard);
        if (!exists) keep_names('C', path, "", "");
        else if (flags & O_TRUNC && stat.st_size > 0) {
            int old = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
            if (old < 0) abort();
            keep_old(path, old, 0, stat.st_size);
            syscall(SYS_close, old);
        }
    }
    int fd = REAL(openat64)(dir, path, flags, mode), error = errno;
    if (tracked) pthread_mutex_unlock(&guard);
    done(rule, path);
    errno = error;
    return fd;
}

#define MODE(flags)                                        \
    mode_t mode = 0;                                       \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {               \
        va_list more;                                      \
        va_start(more, flags);                             \
        mode = (mode_t)va_arg(more, int);                  \
        va_end(more);                                      \
    }

int open(const char *path, int flags, ...) {
    MODE(flags)
    return open_file(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE(flags)
    return open_file(AT_FDCWD, path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...) {
    MODE(flags)
    return open_file(dir, path, flags, mode);
}

int openat64(int dir, const char *path, int flags, ...) {
    MODE(flags)
    return open_file(dir, path, flags, mode);
}

int creat(const char *path, mode_t mode) { return open_file(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

int rename(const char *from, const char *to) {
    struct rule *rule = met(RENAME, to);
    if (failed(rule)) return -1;
    int tracked = is_tracked(to);
    if (tracked) {
        char saved[ROOM];
        pthread_mutex_lock(&guard);
        save(to, saved);
        keep_names('R', from, to, saved);
    }
    int result = REAL(rename)(from, to), error = errno;
    if (tracked) pthread_mutex_unlock(&guard);
    done(rule, to);
    errno = error;
    return result;
}

int unlink(const char *path) {
    struct rule *rule = met(UNLINK, path);
    if (failed(rule)) return -1;
    int tracked = is_tracked(path);
    if (tracked) {
        char saved[ROOM];
        pthread_mutex_lock(&guard);
        save(path, saved);
        if (saved[0]) keep_names('U', path, "", saved);
    }
    int result = REAL(unlink)(path), error = errno;
    if (tracked) pthread_mutex_unlock(&guard);
    done(rule, path);
    errno = error;
    return result;
}

int ftruncate64(int fd, off64_t length) {
    char path[ROOM] = "";
    struct stat stat;
    if (!of_interest() || fstat(fd, &stat) != 0) return REAL(ftruncate64)(fd, length);
    path_of(fd, path);
    struct rule *rule = met(TRUNCATE, path);
    if (failed(rule)) return -1;
    int tracked = is_tracked(path);
    if (tracked) {
        pthread_mutex_lock(&guard);
        if (length < stat.st_size) keep_old(path, fd, length, stat.st_size - length);
        else keep_size(fd);
    }
    int result = REAL(ftruncate64)(fd, length), error = errno;
    if (tracked) pthread_mutex_unlock(&guard);
    done(rule, path);
    errno = error;
    return result;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int fallocate64(int fd, int mode, off64_t offset, off64_t length) {
    char path[ROOM] = "";
    if (!of_interest()) return REAL(fallocate64)(fd, mode, offset, length);
    path_of(fd, path);
    struct rule *rule = met(ALLOCATE, path);
    if (failed(rule)) return -1;
    int tracked = is_tracked(path);
    if (tracked) {
        pthread_mutex_lock(&guard);
        keep_size(fd);
    }
    int result = REAL(fallocate64)(fd, mode, offset, length), error = errno;
    if (tracked) pthread_mutex_unlock(&guard);
    done(rule, path);
    errno = error;
    return result;
}

int fallocate(int fd, int mode, off_t offset, off_t length) { return fallocate64(fd, mode, offset, length); }

int posix_fallocate64(int fd, off64_t offset, off64_t length) {
    return fallocate64(fd, 0, offset, length) == 0 ? 0 : errno;
}

int posix_fallocate(int fd, off_t offset, off_t length) { return posix_fallocate64(fd, offset, length); }

static struct rule *met_read(int fd, char *path) {
    if (!counts(READ)) return NULL;
    path_of(fd, path);
    return met(READ, path);
}

ssize_t pread64(int fd, void *bytes, size_t length, off64_t offset) {
    char path[ROOM];
    struct rule *rule = met_read(fd, path);
    if (failed(rule)) return -1;
    ssize_t got = REAL(pread64)(fd, bytes, length, offset);
    int error = errno;
    done(rule, path);
    errno = error;
    return got;
}

ssize_t pread(int fd, void *bytes, size_t length, off_t offset) { return pread64(fd, bytes, length, offset); }

int statvfs64(const char *path, struct statvfs64 *found) {
    int result = REAL(statvfs64)(path, found);
    struct plan *plan = plan_now();
    if (result == 0 && plan && plan->free_bytes >= 0)
        found->f_bavail = found->f_bfree = (fsblkcnt64_t)plan->free_bytes / found->f_frsize;
    return result;
}

int statvfs(const char *path, struct statvfs *found) { return statvfs64(path, (struct statvfs64 *)(void *)found); }

/* --- sockets, the wall clock ------------------------------------------------------------------------------------ */

#define SENT(call)                                  \
    char path[ROOM];                                \
    struct rule *rule = met_send(fd, path);         \
    if (failed(rule)) return -1;                    \
    ssize_t sent = call;                            \
    int error = errno;                              \
    done(rule, path);                               \
    errno = error;                                  \
    return sent;

ssize_t send(int fd, const void *bytes, size_t length, int flags) { SENT(REAL(send)(fd, bytes, length, flags)) }

ssize_t sendto(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to, socklen_t room) {
    SENT(REAL(sendto)(fd, bytes, length, flags, to, room))
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) { SENT(REAL(sendmsg)(fd, message, flags)) }

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = REAL(clock_gettime)(clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        struct plan *plan = plan_now();
        if (plan) now->tv_sec += plan->clock;
    }
    return result;
}
