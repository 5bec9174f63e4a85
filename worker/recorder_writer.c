/*
 * One thread, one mutex, and an eventfd to wake the loop.
 */

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/eventfd.h>
#include "worker/fault.h"
#include "worker/recorder_writer.h"
#include "worker/store/store.h"


struct recorder_writer_s {
    store_t             *store;
    recorder_writer_pt   done;
    void                *data;
    struct event        *event;
    int                  fd;
    bool                 threaded;
    pthread_t            thread;

    /* under the mutex; what `work` covers is the thread's while it is set */
    pthread_mutex_t      mutex;
    pthread_cond_t       cond;
    bool                 work, quit;
    const record_t      *records;
    size_t               nrecords;
    int                  result;
    char                *error;
};


static int writer_start(recorder_writer_t *writer, struct event_base *base);
static void *writer_thread(void *data);
static void writer_done(evutil_socket_t fd, short events, void *data);


recorder_writer_t *
recorder_writer_open(struct event_base *base, const char *path,
    recorder_writer_pt done, void *data, char **error)
{
    recorder_writer_t  *writer;

    *error = NULL;
    writer = calloc(1, sizeof(recorder_writer_t));

    if (writer == NULL) {
        return NULL;
    }

    writer->done = done;
    writer->data = data;
    writer->fd = -1;
    pthread_mutex_init(&writer->mutex, NULL);
    pthread_cond_init(&writer->cond, NULL);

    writer->store = store_open(path, error);

    if (writer->store == NULL || writer_start(writer, base) != 0) {
        recorder_writer_close(writer);
        return NULL;
    }

    return writer;
}


static int
writer_start(recorder_writer_t *writer, struct event_base *base)
{
    int       rc;
    sigset_t  all, old;

    writer->fd = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

    if (writer->fd == -1) {
        return -1;
    }

    writer->event = event_new(base, writer->fd, EV_READ|EV_PERSIST,
                              writer_done, writer);

    if (writer->event == NULL || event_add(writer->event, NULL) != 0) {
        return -1;
    }

    /* signals are the loop's */

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&writer->thread, NULL, writer_thread, writer);
    pthread_sigmask(SIG_SETMASK, &old, NULL);

    writer->threaded = (rc == 0);

    return rc;
}


void
recorder_writer_give(recorder_writer_t *writer, const record_t *records,
    size_t n)
{
    pthread_mutex_lock(&writer->mutex);
    writer->records = records;
    writer->nrecords = n;
    writer->work = true;
    pthread_cond_signal(&writer->cond);
    pthread_mutex_unlock(&writer->mutex);
}


static void *
writer_thread(void *data)
{
    int                 result;
    char               *error;
    recorder_writer_t  *writer = data;

    pthread_mutex_lock(&writer->mutex);

    for ( ;; ) {
        while (!writer->work && !writer->quit) {
            pthread_cond_wait(&writer->cond, &writer->mutex);
        }

        if (writer->quit) {
            break;
        }

        pthread_mutex_unlock(&writer->mutex);
        fault_point("store-write", NULL);
        result = store_write(writer->store, writer->records, writer->nrecords,
                             &error);
        fault_point("store-written", NULL);
        pthread_mutex_lock(&writer->mutex);

        writer->work = false;
        writer->result = result;
        writer->error = error;

        (void) eventfd_write(writer->fd, 1);
    }

    pthread_mutex_unlock(&writer->mutex);

    return NULL;
}


static void
writer_done(evutil_socket_t fd, short events, void *data)
{
    int                 result;
    char               *error;
    eventfd_t           n;
    recorder_writer_t  *writer = data;

    if (eventfd_read(fd, &n) != 0) {
        return;
    }

    pthread_mutex_lock(&writer->mutex);
    result = writer->result;
    error = writer->error;
    writer->error = NULL;
    pthread_mutex_unlock(&writer->mutex);

    if (result == 0) {
        writer->done(writer->data, NULL);

    } else {
        writer->done(writer->data, error ? error : "out of memory");
    }

    free(error);
}


void
recorder_writer_close(recorder_writer_t *writer)
{
    if (writer == NULL) {
        return;
    }

    if (writer->threaded) {
        pthread_mutex_lock(&writer->mutex);
        writer->quit = true;
        pthread_cond_signal(&writer->cond);
        pthread_mutex_unlock(&writer->mutex);

        pthread_join(writer->thread, NULL);
    }

    if (writer->event != NULL) {
        event_free(writer->event);
    }

    if (writer->fd != -1) {
        close(writer->fd);
    }

    store_close(writer->store);
    pthread_cond_destroy(&writer->cond);
    pthread_mutex_destroy(&writer->mutex);
    free(writer->error);
    free(writer);
}
