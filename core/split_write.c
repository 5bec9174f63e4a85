/*
 * What an item looks like on its own, and its id.
 */

#include <string.h>
#include <openssl/evp.h>
#include "core/split.h"


/* Counts, and writes when there is where to. */

typedef struct {
    uint8_t  *dst;
    size_t    len;
} sluice_split_out_t;


static void
sluice_split_bytes(sluice_split_out_t *out, const char *data, size_t len)
{
    if (out->dst && len) {
        memcpy(out->dst + out->len, data, len);
    }

    out->len += len;
}


static void
sluice_split_literal(sluice_split_out_t *out, const char *text)
{
    sluice_split_bytes(out, text, strlen(text));
}


/* The members, each with a comma behind it: a list follows. */

static void
sluice_split_members(sluice_split_out_t *out, const sluice_split_rest_t *rest)
{
    size_t  i;

    for (i = 0; i < rest->n; i++) {
        sluice_split_bytes(out, rest->spans[i].data, rest->spans[i].len);
        sluice_split_literal(out, ",");
    }
}


/* The item's own, and with the first item those that belong to none. */

static void
sluice_split_contacts(sluice_split_out_t *out, const sluice_split_t *split,
    const sluice_split_item_t *item)
{
    size_t                         i, n;
    const sluice_split_change_t   *change;
    const sluice_split_contact_t  *contact;

    n = 0;

    if (item->contact) {
        contact = &split->contacts[item->contact - 1];
        sluice_split_literal(out, "\"contacts\":[");
        sluice_split_bytes(out, contact->data.data, contact->data.len);
        n++;
    }

    change = &split->changes[item->change];

    if (item == &split->items[change->first]) {

        for (i = 0; i < change->ncontacts; i++) {
            contact = &split->contacts[change->contacts + i];

            if (!contact->known) {
                sluice_split_literal(out, n ? "," : "\"contacts\":[");
                sluice_split_bytes(out, contact->data.data,
                                   contact->data.len);
                n++;
            }
        }
    }

    if (n) {
        sluice_split_literal(out, "],");
    }
}


size_t
sluice_split_head(uint8_t *dst, const sluice_split_t *split,
    const sluice_split_item_t *item)
{
    sluice_split_out_t            out;
    const sluice_split_change_t  *change;

    if (split->whole.data) {
        return 0;
    }

    out.dst = dst;
    out.len = 0;

    change = &split->changes[item->change];

    sluice_split_literal(&out, "{");
    sluice_split_members(&out, &split->root);
    sluice_split_literal(&out, "\"entry\":[");

    if (item->kind == SLUICE_SPLIT_ENTRY) {
        return out.len;
    }

    sluice_split_literal(&out, "{");
    sluice_split_members(&out, &change->entry);
    sluice_split_literal(&out, "\"");
    sluice_split_literal(&out, change->list);
    sluice_split_literal(&out, "\":[");

    if (item->kind == SLUICE_SPLIT_CHANGE) {
        return out.len;
    }

    sluice_split_literal(&out, "{");
    sluice_split_members(&out, &change->change);
    sluice_split_literal(&out, "\"value\":{");
    sluice_split_members(&out, &change->value);

    if (item->kind == SLUICE_SPLIT_ERRORS) {
        sluice_split_literal(&out, "\"errors\":");
        return out.len;
    }

    sluice_split_contacts(&out, split, item);
    sluice_split_literal(&out, item->kind == SLUICE_SPLIT_MESSAGE
                               ? "\"messages\":[" : "\"statuses\":[");

    return out.len;
}


const sluice_text_t *
sluice_split_data(const sluice_split_t *split, const sluice_split_item_t *item)
{
    return split->whole.data ? &split->whole : &item->data;
}


size_t
sluice_split_tail(uint8_t *dst, const sluice_split_t *split,
    const sluice_split_item_t *item)
{
    sluice_split_out_t  out;

    static const char *const  tails[] = {
        [SLUICE_SPLIT_ENTRY] = "]}",
        [SLUICE_SPLIT_CHANGE] = "]}]}",
        [SLUICE_SPLIT_ERRORS] = "}}]}]}",
        [SLUICE_SPLIT_MESSAGE] = "]}}]}]}",
        [SLUICE_SPLIT_STATUS] = "]}}]}]}",
    };

    if (split->whole.data) {
        return 0;
    }

    out.dst = dst;
    out.len = 0;

    sluice_split_literal(&out, tails[item->kind]);

    return out.len;
}


const sluice_text_t *
sluice_split_number(const sluice_split_t *split,
    const sluice_split_item_t *item)
{
    const sluice_split_change_t  *change;

    change = &split->changes[item->change];

    return change->number.len ? &change->number : &change->entry_id;
}


/* Each part with its length, so that no two lists of parts are one text. */

static int
sluice_split_hash(EVP_MD_CTX *md, const sluice_text_t *text)
{
    uint8_t   len[4];
    uint32_t  n;

    n = (uint32_t) text->len;

    len[0] = (uint8_t) (n >> 24);
    len[1] = (uint8_t) (n >> 16);
    len[2] = (uint8_t) (n >> 8);
    len[3] = (uint8_t) n;

    return EVP_DigestUpdate(md, len, sizeof(len)) == 1
           && EVP_DigestUpdate(md, text->data ? text->data : "", text->len)
              == 1;
}


int
sluice_split_id(char *dst, const sluice_text_t *scheme,
    const sluice_split_t *split, const sluice_split_item_t *item)
{
    int                           ok;
    size_t                        i;
    uint8_t                       digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX                   *md;
    const sluice_split_change_t  *change;

    static const char  hex[] = "0123456789abcdef";

    md = EVP_MD_CTX_new();

    if (md == NULL) {
        return 0;
    }

    change = &split->changes[item->change];

    ok = EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1
         && sluice_split_hash(md, scheme)
         && sluice_split_hash(md, sluice_split_number(split, item));

    if (item->kind == SLUICE_SPLIT_MESSAGE && item->id.len) {
        ok = ok && sluice_split_hash(md, &item->id);

    } else if (item->kind == SLUICE_SPLIT_STATUS && item->id.len) {
        ok = ok && sluice_split_hash(md, &item->id)
             && sluice_split_hash(md, &item->status)
             && sluice_split_hash(md, &item->timestamp);

        /* of a message to a group each reader says that it is read */

        for (i = 0; i < 4; i++) {
            ok = ok && sluice_split_hash(md, &item->people[i]);
        }

    } else {
        ok = ok && sluice_split_hash(md, &change->entry_id)
             && sluice_split_hash(md, &change->time)
             && sluice_split_hash(md, &change->field)
             && sluice_split_hash(md, &item->data);
    }

    ok = ok && EVP_DigestFinal_ex(md, digest, NULL) == 1;

    EVP_MD_CTX_free(md);

    for (i = 0; ok && i < SLUICE_SPLIT_ID; i += 2) {
        dst[i] = hex[digest[i / 2] >> 4];
        dst[i + 1] = hex[digest[i / 2] & 0xf];
    }

    return ok;
}
