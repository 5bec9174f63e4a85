/*
 * Counters in shared memory: a slot for each process, which alone writes it,
 * so that counting takes no lock.  The slot of a process that ended keeps its
 * numbers, and the next process counts on from them: nothing is moved that a
 * kill in between could lose or double.
 */

#include <openssl/rand.h>
#include <signal.h>

#include "ngx_http_sluice_module.h"


static ngx_int_t ngx_http_sluice_slots_init(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_http_sluice_slot_t *ngx_http_sluice_slots_take(
    ngx_shm_zone_t *shm_zone);
static ngx_uint_t ngx_http_sluice_slots_dead(ngx_http_sluice_slot_t *slot);
static ngx_atomic_uint_t ngx_http_sluice_slots_began(ngx_atomic_uint_t pid);
static void ngx_http_sluice_slots_settle(ngx_http_sluice_slot_t *slot);


#define NGX_HTTP_SLUICE_COUNTS                                                \
    (sizeof(ngx_http_sluice_slot_t) * NGX_HTTP_SLUICE_SLOTS                   \
     + sizeof(ngx_http_sluice_seen_t) * NGX_HTTP_SLUICE_SEEN)


/* not the module's: a "sluice_limit_zone" could have the name */
static ngx_uint_t  ngx_http_sluice_slots_tag;


ngx_int_t
ngx_http_sluice_status_zone(ngx_conf_t *cf, ngx_http_sluice_main_conf_t *mcf)
{
    size_t            size;

    static ngx_str_t  name = ngx_string("sluice_status");

    /* with what the slab allocator needs for itself, a part of each page */

    size = ngx_align(NGX_HTTP_SLUICE_COUNTS, ngx_pagesize);
    size += size / 64 + 16 * ngx_pagesize;

    mcf->status = ngx_shared_memory_add(cf, &name, size,
                                        &ngx_http_sluice_slots_tag);
    if (mcf->status == NULL) {
        return NGX_ERROR;
    }

    mcf->status->init = ngx_http_sluice_slots_init;
    mcf->status->data = mcf;

    return NGX_OK;
}


/* Slots and tenants are the zone's only allocation: shpool->data. */

static ngx_int_t
ngx_http_sluice_slots_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_slab_pool_t  *shpool;

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (data || shm_zone->shm.exists) {
        return NGX_OK;
    }

    shpool->data = ngx_slab_calloc(shpool, NGX_HTTP_SLUICE_COUNTS);

    return shpool->data ? NGX_OK : NGX_ERROR;
}


ngx_http_sluice_slot_t *
ngx_http_sluice_status_slots(ngx_shm_zone_t *shm_zone)
{
    return ((ngx_slab_pool_t *) shm_zone->shm.addr)->data;
}


ngx_http_sluice_process_t *
ngx_http_sluice_status_process(ngx_http_sluice_main_conf_t *mcf)
{
    ngx_http_sluice_process_t  *process;

    process = mcf->process;

    if (process->pid == ngx_pid) {
        return process;
    }

    process->pid = ngx_pid;

    if (RAND_bytes((u_char *) &process->random, sizeof(uint64_t)) != 1) {
        process->random = ((uint64_t) ngx_pid << 20) ^ ngx_current_msec;
    }

    process->random &= UINT64_C(0xffffffffffff);
    process->slot = ngx_http_sluice_slots_take(mcf->status);

    if (process->slot == NULL) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "more than %d processes: the counters of this one are "
                      "not in sluice_status", NGX_HTTP_SLUICE_SLOTS);

        process->slot = &process->unshared;
    }

    return process;
}


/* Those of processes that died are settled on the way. */

static ngx_http_sluice_slot_t *
ngx_http_sluice_slots_take(ngx_shm_zone_t *shm_zone)
{
    ngx_uint_t               dead, i;
    ngx_slab_pool_t         *shpool;
    ngx_http_sluice_slot_t  *slot, *taken;

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;
    slot = shpool->data;
    taken = NULL;

    ngx_shmtx_lock(&shpool->mutex);

    for (i = 0; i < NGX_HTTP_SLUICE_SLOTS; i++) {

        if (slot[i].pid == (ngx_atomic_t) ngx_pid) {

            /* of one that died with this number, or ours before a reload */

            dead = ngx_process != NGX_PROCESS_SINGLE;

        } else {
            dead = slot[i].pid && ngx_http_sluice_slots_dead(&slot[i]);
        }

        if (dead) {
            ngx_http_sluice_slots_settle(&slot[i]);
        }

        if (taken == NULL
            && (slot[i].pid == 0 || slot[i].pid == (ngx_atomic_t) ngx_pid))
        {
            taken = &slot[i];
        }
    }

    if (taken) {
        taken->began = ngx_http_sluice_slots_began(ngx_pid);
        taken->pid = ngx_pid;
    }

    ngx_shmtx_unlock(&shpool->mutex);

    return taken;
}


/* Any process may have the pid now; where that cannot be told it is the one. */

static ngx_uint_t
ngx_http_sluice_slots_dead(ngx_http_sluice_slot_t *slot)
{
    ngx_atomic_uint_t  began;

    if (kill((ngx_pid_t) slot->pid, 0) == -1 && ngx_errno == ESRCH) {
        return 1;
    }

    began = ngx_http_sluice_slots_began(slot->pid);

    return began && slot->began && began != slot->began;
}


/*
 * In ticks since the system's start, from Linux' /proc/PID/stat: the 22nd
 * field, the second one being a name in parentheses, with anything in it.  0:
 * not known.
 */

static ngx_atomic_uint_t
ngx_http_sluice_slots_began(ngx_atomic_uint_t pid)
{
    int         field;
    u_char      path[sizeof("/proc//stat") + NGX_ATOMIC_T_LEN];
    char        buf[1024], *p;
    ssize_t     n;
    ngx_fd_t    fd;

    ngx_sprintf(path, "/proc/%uA/stat%Z", pid);

    fd = ngx_open_file(path, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        return 0;
    }

    n = ngx_read_fd(fd, buf, sizeof(buf) - 1);
    (void) ngx_close_file(fd);

    if (n <= 0) {
        return 0;
    }

    buf[n] = '\0';
    p = strrchr(buf, ')');

    for (field = 2; p && field < 22; field++) {
        p = strchr(p + 1, ' ');
    }

    return p ? strtoul(p, NULL, 10) : 0;
}


void
ngx_http_sluice_status_leave(ngx_http_sluice_main_conf_t *mcf)
{
    ngx_slab_pool_t         *shpool;
    ngx_http_sluice_slot_t  *slot;

    slot = mcf->process->slot;
    shpool = (ngx_slab_pool_t *) mcf->status->shm.addr;

    if (slot == &mcf->process->unshared) {
        return;
    }

    ngx_shmtx_lock(&shpool->mutex);

    ngx_http_sluice_slots_settle(slot);

    ngx_shmtx_unlock(&shpool->mutex);

    /* what is still counted until the process is gone */

    mcf->process->slot = &mcf->process->unshared;
}


/*
 * What was received and became nothing was aborted with its process.  Under
 * the lock.  The whole difference is one write, and doing it again adds none,
 * so that a process may be killed anywhere in here.
 */

static void
ngx_http_sluice_slots_settle(ngx_http_sluice_slot_t *slot)
{
    ngx_uint_t         group, i, state;
    ngx_atomic_uint_t  outcomes[NGX_HTTP_SLUICE_COUNTERS];

    for (group = 0; group < 2; group++) {
        slot->counters[group][NGX_HTTP_SLUICE_ABORTED] +=
                         ngx_http_sluice_status_flight(slot, group, outcomes);
    }

    for (i = 0; i < NGX_HTTP_SLUICE_SERVERS; i++) {

        for (state = 0; state < NGX_HTTP_SLUICE_LINK_STATES; state++) {
            slot->links[i].states[state] = 0;
        }

        slot->links[i].pending = 0;
    }

    slot->spool.bytes = 0;
    slot->spool.segments = 0;
    slot->spool.oldest = 0;

    slot->pid = 0;
}


ngx_atomic_uint_t
ngx_http_sluice_status_flight(const ngx_http_sluice_slot_t *slot,
    ngx_uint_t group, ngx_atomic_uint_t *outcomes)
{
    ngx_uint_t         i;
    ngx_atomic_uint_t  done, received;

    /* another process may count meanwhile: outcomes first, never below 0 */

    for (done = 0, i = NGX_HTTP_SLUICE_ENQUEUED;
         i < NGX_HTTP_SLUICE_COUNTERS;
         i++)
    {
        outcomes[i] = slot->counters[group][i];
        done += outcomes[i];
    }

    ngx_memory_barrier();

    received = slot->counters[group][NGX_HTTP_SLUICE_RECEIVED];

    return received > done ? received - done : 0;
}


void
ngx_http_sluice_status_received(ngx_http_sluice_ctx_t *ctx, ngx_uint_t events)
{
    if (ctx->counted) {

        if (ctx->events || !events) {
            return;
        }

        /* the error_page of a location without events makes one of it */

        ngx_http_sluice_status_outcome(ctx, NGX_HTTP_SLUICE_PASSED);
        ngx_http_sluice_status_settle(ctx);

        ctx->outcome = NGX_HTTP_SLUICE_RECEIVED;
        ctx->settled = 0;
    }

    ctx->counted = 1;
    ctx->count = 1;
    ctx->events = events;

    ctx->process->slot->counters[events][NGX_HTTP_SLUICE_RECEIVED]++;
}


void
ngx_http_sluice_status_outcome(ngx_http_sluice_ctx_t *ctx,
    ngx_http_sluice_counter_e outcome)
{
    if (!ctx->counted || ctx->settled) {
        return;
    }

    switch (outcome) {

    case NGX_HTTP_SLUICE_FAILED:
        ctx->outcome = outcome;
        break;

    default:
        if (ctx->outcome == NGX_HTTP_SLUICE_RECEIVED) {
            ctx->outcome = outcome;
        }
    }
}


void
ngx_http_sluice_status_items(ngx_http_sluice_ctx_t *ctx, ngx_uint_t n)
{
    ngx_http_sluice_slot_t  *slot;

    slot = ctx->process->slot;
    slot->items += n;

    if (ctx->counted && !ctx->settled && n > ctx->count) {
        slot->counters[ctx->events][NGX_HTTP_SLUICE_RECEIVED] +=
                                                               n - ctx->count;
        ctx->count = n;
    }
}


void
ngx_http_sluice_status_item(ngx_http_sluice_ctx_t *ctx,
    ngx_http_sluice_counter_e outcome)
{
    if (!ctx->counted || ctx->settled) {
        return;
    }

    ctx->process->slot->counters[ctx->events][outcome]++;

    if (--ctx->count == 0) {
        ctx->outcome = outcome;
        ctx->settled = 1;
    }
}


void
ngx_http_sluice_status_refused(ngx_http_sluice_ctx_t *ctx,
    ngx_http_sluice_why_e why)
{
    if (ctx->outcome == NGX_HTTP_SLUICE_RECEIVED) {
        ctx->why = why;
    }

    ngx_http_sluice_status_outcome(ctx, NGX_HTTP_SLUICE_REFUSED);
}


/* A counter that went down would be a restart for who reads it. */

void
ngx_http_sluice_status_settle(ngx_http_sluice_ctx_t *ctx)
{
    ngx_http_sluice_slot_t  *slot;

    if (!ctx->counted || ctx->settled
        || ctx->outcome == NGX_HTTP_SLUICE_RECEIVED)
    {
        return;
    }

    ctx->settled = 1;

    slot = ctx->process->slot;
    slot->counters[ctx->events][ctx->outcome] += ctx->count;

    if (ctx->outcome == NGX_HTTP_SLUICE_REFUSED) {
        slot->refused[ctx->why] += ctx->count;
    }
}


void
ngx_http_sluice_status_took(ngx_http_sluice_process_t *process,
    ngx_msec_t took)
{
    ngx_uint_t               i;

    /* ms, as the labels of the histogram in _metrics.c say; then +Inf */

    static const ngx_msec_t  bounds[NGX_HTTP_SLUICE_TIMES - 1] = {
        1, 2, 5, 10, 25, 100, 500, 2500
    };

    for (i = 0; i < NGX_HTTP_SLUICE_TIMES - 1; i++) {
        if (took <= bounds[i]) {
            break;
        }
    }

    process->slot->times[i]++;
    process->slot->took += took;
}
