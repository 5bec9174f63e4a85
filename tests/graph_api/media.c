#include <stdlib.h>
#include <string.h>
#include <event2/buffer.h>
#include <openssl/sha.h>
#include "graph_api.h"


#define MEDIA_MAX  1024    /* kept; the oldest go first */

typedef struct medium_s  medium_t;

struct medium_s {
    medium_t  *next;
    char       id[32];
    char      *type;
    char       sha256[65];
    char      *data;
    size_t     len;
};

struct media_s {
    medium_t  *first;
    size_t     n;
    uint64_t   counter;
};


media_t *
media_create(void)
{
    return must(calloc(1, sizeof(media_t)));
}


static void
medium_free(medium_t *medium)
{
    free(medium->type);
    free(medium->data);
    free(medium);
}


static medium_t **
find(media_t *media, const char *id)
{
    medium_t  **at;

    for (at = &media->first; *at; at = &(*at)->next) {
        if (strcmp((*at)->id, id) == 0) {
            break;
        }
    }

    return at;
}


/*
 * One part of a multipart body by its name: its content, its length and its
 * Content-Type, which point into the body.
 */

typedef struct {
    const char  *data;
    size_t       len;
    const char  *type;
    size_t       type_len;
} part_t;


static bool
part_find(part_t *part, const char *body, size_t len, const char *boundary,
    const char *name)
{
    char         line[128], disposition[128];
    size_t       n;
    const char  *p, *head, *end, *type;

    n = (size_t) snprintf(line, sizeof(line), "--%s", boundary);
    snprintf(disposition, sizeof(disposition), "name=\"%s\"", name);

    if (n >= sizeof(line)) {
        return false;
    }

    p = memmem(body, len, line, n);

    while (p) {
        head = p + n;
        p = memmem(head, len - (size_t) (head - body), "\r\n\r\n", 4);

        if (p == NULL) {
            return false;
        }

        end = memmem(p, len - (size_t) (p - body), line, n);

        if (end == NULL || end - p < 6) {
            return false;
        }

        if (memmem(head, (size_t) (p - head), disposition,
                   strlen(disposition)))
        {
            part->data = p + 4;
            part->len = (size_t) (end - p) - 6;
            type = memmem(head, (size_t) (p - head), "Content-Type: ", 14);
            part->type = type ? type + 14 : NULL;
            part->type_len = type ? strcspn(type + 14, "\r;") : 0;
            return true;
        }

        p = end;
    }

    return false;
}


static void
store(standin_t *standin, struct evhttp_request *req, const part_t *file,
    const part_t *type)
{
    size_t         i;
    media_t       *media;
    medium_t      *medium, **last;
    unsigned char  digest[SHA256_DIGEST_LENGTH];

    media = standin->media;
    medium = must(calloc(1, sizeof(*medium)));

    snprintf(medium->id, sizeof(medium->id), "95%013llu",
             (unsigned long long) ++media->counter);

    if (type->data) {
        medium->type = must(strndup(type->data, type->len));

    } else if (file->type) {
        medium->type = must(strndup(file->type, file->type_len));

    } else {
        medium->type = must(strdup("application/octet-stream"));
    }

    medium->len = file->len;
    medium->data = must(malloc(file->len + 1));
    memcpy(medium->data, file->data, file->len);

    SHA256((unsigned char *) medium->data, medium->len, digest);

    for (i = 0; i < sizeof(digest); i++) {
        snprintf(medium->sha256 + 2 * i, 3, "%02x", digest[i]);
    }

    for (last = &media->first; *last; last = &(*last)->next) {
        /* void */
    }

    *last = medium;

    if (++media->n > MEDIA_MAX) {
        medium = media->first;
        media->first = medium->next;
        medium_free(medium);
        media->n--;
    }

    answer_json(standin, req, 200, json_pack("{ss}", "id", (*last)->id));
}


void
media_post(standin_t *standin, struct evhttp_request *req)
{
    char        *product, boundary[80];
    size_t       len, n;
    part_t       file, type, part;
    const char  *body, *header, *p;

    body = body_get(req, &len);
    header = evhttp_find_header(evhttp_request_get_input_headers(req),
                                "Content-Type");
    p = header ? strstr(header, "boundary=") : NULL;

    if (p == NULL) {
        answer_error(standin, req, 400, 100,
                     "The body must be multipart/form-data.");
        return;
    }

    p += 9;
    p += *p == '"';
    n = strcspn(p, "\";, ");
    snprintf(boundary, sizeof(boundary), "%.*s", (int) n, p);

    product = query_get(req, "messaging_product");

    if (product == NULL
        && !part_find(&part, body, len, boundary, "messaging_product"))
    {
        answer_error(standin, req, 400, 100,
                     "The parameter messaging_product is required.");

    } else if (!part_find(&file, body, len, boundary, "file")) {
        answer_error(standin, req, 400, 100,
                     "The parameter file is required.");

    } else {

        if (!part_find(&type, body, len, boundary, "type")) {
            type.data = NULL;
        }

        store(standin, req, &file, &type);
    }

    free(product);
}


bool
media_get(standin_t *standin, struct evhttp_request *req, const char *id)
{
    char         url[512];
    medium_t   **at, *medium;
    const char  *host;

    at = find(standin->media, id);
    medium = *at;

    if (medium == NULL) {
        return false;
    }

    if (evhttp_request_get_command(req) == EVHTTP_REQ_DELETE) {
        *at = medium->next;
        standin->media->n--;
        medium_free(medium);
        answer_json(standin, req, 200, json_pack("{sb}", "success", 1));
        return true;
    }

    host = evhttp_find_header(evhttp_request_get_input_headers(req), "Host");
    snprintf(url, sizeof(url), "http://%s/download/%s",
             host ? host : "localhost", id);

    answer_json(standin, req, 200,
                json_pack("{ss, ss, ss, ss, sI, ss}", "messaging_product",
                          "whatsapp", "url", url, "mime_type", medium->type,
                          "sha256", medium->sha256, "file_size",
                          (json_int_t) medium->len, "id", medium->id));

    return true;
}


void
media_download(standin_t *standin, struct evhttp_request *req, const char *id)
{
    medium_t         *medium;
    struct evbuffer  *out;

    medium = *find(standin->media, id);

    if (medium == NULL) {
        answer_error(standin, req, 404, 100, "The URL has expired.");
        return;
    }

    evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type",
                      medium->type);

    out = must(evbuffer_new());
    evbuffer_add(out, medium->data, medium->len);
    evhttp_send_reply(req, 200, "OK", out);
    evbuffer_free(out);
}


void
media_reset(media_t *media)
{
    medium_t  *medium;

    while ((medium = media->first)) {
        media->first = medium->next;
        medium_free(medium);
    }

    media->n = 0;
}
