#include <errno.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* glibc has no wrapper for openat2(2), and syscall(2) takes any number of arguments, which Swift cannot call. */
static inline int orc_openat2(int folder, const char *name, uint64_t flags, uint64_t resolve) {
    struct open_how how = {.flags = flags, .mode = 0, .resolve = resolve};
    return (int)syscall(SYS_openat2, folder, name, &how, sizeof how);
}

static const uint64_t orc_resolve_no_xdev = RESOLVE_NO_XDEV;
static const uint64_t orc_resolve_no_links = RESOLVE_NO_SYMLINKS;
