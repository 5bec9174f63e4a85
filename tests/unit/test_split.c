#include "tests/unit/rows.h"

#include <dirent.h>

#include "tests/unit/split_oracle.h"


/* the oracle's aborts tell the line; each row says how many items there are */

typedef struct {
    const char  *name;
    const char  *text;
    int          items;       /* -1 refused */
} split_row_t;

#define ENTRY(text)                                                           \
    "{\"object\":\"o\",\"entry\":[{\"id\":\"7\",\"changes\":[" text "]}]}"
#define VALUE(text)   "{\"field\":\"messages\",\"value\":{" text "}}"

static const split_row_t  split_rows[] = {
    { "nothing", "{\"entry\":[]}", 0 },
    { "an entry without changes", "{\"entry\":[{\"changes\":[]}]}", 0 },
    { "no entry", "{\"object\":\"whatsapp_business_account\"}", -1 },
    { "an entry that is no list", "{\"entry\":{}}", -1 },
    { "no object", "[]", -1 },
    { "a text", "\"entry\"", -1 },
    { "entries of no known form", "{\"entry\":[1,{\"id\":\"7\"},null]}", 3 },
    { "one message", ENTRY(VALUE("\"messages\":[{\"id\":\"a\"}]")), 1 },
    { "two messages",
      ENTRY(VALUE("\"messages\":[{\"id\":\"a\"},{\"id\":\"b\"}]")), 2 },
    { "messages and statuses",
      ENTRY(VALUE("\"statuses\":[{\"id\":\"a\"}],"
                  "\"messages\":[{\"id\":\"b\"}]")), 2 },
    { "and errors",
      ENTRY(VALUE("\"errors\":[1],\"statuses\":[{\"id\":\"a\"}],"
                  "\"messages\":[{\"id\":\"b\"}]")), 3 },
    { "errors alone are a change", ENTRY(VALUE("\"errors\":[1,2]")), 1 },
    { "lists that are none",
      ENTRY(VALUE("\"messages\":{},\"statuses\":7") "," VALUE("\"a\":1")), 2 },
    { "empty lists", ENTRY(VALUE("\"messages\":[],\"statuses\":[]") ",{}"), 2 },
    { "items of no known form",
      ENTRY(VALUE("\"messages\":[1,\"a\",[{}],null,{\"id\":{}}]")), 5 },
    { "of calls nothing is taken out",
      ENTRY("{\"field\":\"calls\",\"value\":{\"statuses\":[{},{}]}},{}"), 2 },
    { "the field behind the value",
      ENTRY("{\"value\":{\"messages\":[{},{}]},\"field\":\"messages\"}"), 2 },
    { "another field behind it",
      ENTRY("{\"value\":{\"messages\":[{},{}]},\"field\":\"flows\"}"), 1 },
    { "no field", ENTRY("{\"value\":{\"messages\":[{},{}]}}"), 1 },
    { "escaped names",
      "{\"\\u0065ntry\":[{\"ch\\u0061nges\":[{\"field\":\"messages\","
      "\"valu\\u0065\":{\"message\\u0073\":[{},{}]}}]}]}", 2 },
    { "messaging and standby",
      "{\"entry\":[{\"messaging\":[{},1],\"id\":\"7\",\"standby\":[{}]}]}", 3 },
    { "white space everywhere",
      " { \"entry\" : [ { \"changes\" : [ { \"field\" : \"messages\" , "
      "\"value\" : { \"messages\" : [ { } , 1 ] , \"x\" : 1 } } ] } ] } ", 2 },
    { "members around each list",
      "{\"a\":1,\"entry\":[{\"b\":[1],\"changes\":[{\"c\":{},"
      "\"value\":{\"d\":1,\"messages\":[{},{}],\"e\":2,"
      "\"contacts\":[],\"f\":3,\"statuses\":[],\"g\":4,\"errors\":[],"
      "\"h\":5},\"field\":\"messages\",\"i\":6}],\"j\":7,"
      "\"messaging\":[],\"k\":8,\"standby\":[],\"l\":9}],\"m\":10}", 3 },
    { "contacts of two",
      ENTRY(VALUE("\"messages\":[{\"from\":\"1\"},{\"from\":\"2\"},"
                  "{\"from\":\"1\"}],\"contacts\":[{\"wa_id\":\"2\"},"
                  "{\"wa_id\":\"1\"}]")), 3 },
    { "contacts of nobody",
      ENTRY(VALUE("\"messages\":[{\"from\":\"1\"},{}],\"contacts\":[{},7,"
                  "{\"wa_id\":\"2\"},{\"user_id\":\"1\"},{\"wa_id\":\"\"}]")),
      2 },
    { "the test button", VALUE("\"messages\":[{},{}]"), 1 },
    { "the test button without a value", "{\"field\":\"messages\"}", -1 },
    { "entry twice", "{\"entry\":[],\"entry\":[]}", -1 },
    { "messages twice", ENTRY(VALUE("\"messages\":[],\"messages\":[]")), -1 },
    { "an id twice", ENTRY(VALUE("\"messages\":[{\"id\":1,\"id\":2}]")), -1 },
};


static void
run_split(void **state)
{
    const split_row_t  *row = row_of(split_row_t, state);

    char  *text;
    int    items;

    /* on the heap without its NUL: a byte too many is seen */

    text = malloc(strlen(row->text));
    assert_non_null(text);
    memcpy(text, row->text, strlen(row->text));

    items = oracle_split((uint8_t *) text, strlen(row->text));

    /* the test button's webhook has no entry: the oracle takes it whole */

    assert_int_equal(items, row->items);

    free(text);
}


/* every recorded webhook of Meta */

static void
test_samples(void **state)
{
    int              n;
    DIR             *dir;
    FILE            *file;
    char             path[512], text[65536];
    size_t           len;
    struct dirent   *found;

    (void) state;

    dir = opendir("tests/samples/webhooks");
    assert_non_null(dir);
    n = 0;

    while ((found = readdir(dir)) != NULL) {

        len = strlen(found->d_name);

        if (len < 5 || strcmp(found->d_name + len - 5, ".json") != 0
            || strncmp(found->d_name, "other-", 6) == 0)
        {
            continue;
        }

        snprintf(path, sizeof(path), "tests/samples/webhooks/%s",
                 found->d_name);
        file = fopen(path, "r");
        assert_non_null(file);
        len = fread(text, 1, sizeof(text), file);
        fclose(file);

        if (oracle_split((uint8_t *) text, len) < 1) {
            fail_msg("%s", path);
        }

        n++;
    }

    closedir(dir);
    assert_true(n > 50);
}


/* a batch as large as Meta's largest, and one item too many */

static void
test_many(void **state)
{
    char    *text, *p;
    size_t   i, n;

    (void) state;

    for (n = SLUICE_SPLIT_MAX; n <= SLUICE_SPLIT_MAX + 1; n++) {

        text = malloc(n * 64 + 256);
        assert_non_null(text);

        p = text + sprintf(text, "{\"entry\":[{\"changes\":[{\"field\":"
                           "\"messages\",\"value\":{\"statuses\":[");

        for (i = 0; i < n; i++) {
            p += sprintf(p, "%s{\"id\":\"wamid.%zu\",\"status\":\"read\"}",
                         i ? "," : "", i);
        }

        p += sprintf(p, "]}}]}]}");

        assert_int_equal(oracle_split((uint8_t *) text, (size_t) (p - text)),
                         n > SLUICE_SPLIT_MAX ? -1 : (int) n);
        free(text);
    }
}


typedef struct {
    const char  *name;
    const char  *one, *two;
    int          same;
} id_row_t;

#define NUMBER(n)                                                             \
    "\"metadata\":{\"phone_number_id\":\"" n "\"}"
#define MESSAGE(n, id)                                                        \
    ENTRY(VALUE(NUMBER(n) ",\"messages\":[{\"id\":\"" id "\"}]"))
#define STATUS(more)                                                          \
    ENTRY(VALUE(NUMBER("1") ",\"statuses\":[{\"id\":\"a\"," more "}]"))

static const id_row_t  id_rows[] = {
    { "a message sent again, with more around it", MESSAGE("1", "a"),
      "{\"entry\":[{\"id\":\"7\",\"time\":9,\"changes\":[" VALUE(
      "\"messages\":[{\"id\":\"a\",\"text\":1}]," NUMBER("1")) ",{}]}]}", 1 },
    { "another message", MESSAGE("1", "a"), MESSAGE("1", "b"), 0 },
    { "another number", MESSAGE("1", "a"), MESSAGE("2", "a"), 0 },
    { "parts are told apart", MESSAGE("1", "2a"), MESSAGE("12", "a"), 0 },
    { "a message and a status", MESSAGE("1", "a"), STATUS("\"x\":1"), 0 },
    { "a status sent again", STATUS("\"status\":\"read\",\"timestamp\":\"1\""),
      STATUS("\"timestamp\":\"1\",\"status\":\"read\",\"pricing\":{}"), 1 },
    { "another status", STATUS("\"status\":\"sent\",\"timestamp\":\"1\""),
      STATUS("\"status\":\"read\",\"timestamp\":\"1\""), 0 },
    { "another time", STATUS("\"status\":\"read\",\"timestamp\":\"1\""),
      STATUS("\"status\":\"read\",\"timestamp\":\"2\""), 0 },
    { "another reader in a group",
      STATUS("\"status\":\"read\",\"recipient_participant_id\":\"1\""),
      STATUS("\"status\":\"read\",\"recipient_participant_id\":\"2\""), 0 },
    { "a change sent again", ENTRY("{\"field\":\"a\",\"value\":1}"),
      ENTRY("{\"field\":\"a\",\"value\":1},{\"field\":\"b\"}"), 1 },
    { "another change", ENTRY("{\"field\":\"a\",\"value\":1}"),
      ENTRY("{\"field\":\"a\",\"value\":2}"), 0 },
    { "the same again at another time",
      "{\"entry\":[{\"time\":1,\"changes\":[{\"a\":1}]}]}",
      "{\"entry\":[{\"time\":2,\"changes\":[{\"a\":1}]}]}", 0 },
    { "the same of another account",
      "{\"entry\":[{\"id\":\"1\",\"changes\":[{\"a\":1}]}]}",
      "{\"entry\":[{\"id\":\"2\",\"changes\":[{\"a\":1}]}]}", 0 },
};


/* of the first item */

static void
id_of(char *dst, const char *text, const char *scheme)
{
    const char              *what;
    sluice_text_t            name = { scheme, strlen(scheme) };
    sluice_split_t           split;
    sluice_split_item_t      items[4];
    sluice_split_change_t    changes[4];
    sluice_split_contact_t   contacts[4];

    split.items = items;
    split.changes = changes;
    split.contacts = contacts;
    split.nitems = split.nchanges = split.ncontacts = 4;

    assert_int_equal(sluice_split_read(&split, (const uint8_t *) text,
                                       strlen(text), &what),
                     SLUICE_SPLIT_OK);
    assert_int_equal(sluice_split_id(dst, &name, &split, &items[0]), 1);
}


static void
run_id(void **state)
{
    char             one[SLUICE_SPLIT_ID], two[SLUICE_SPLIT_ID];
    const id_row_t  *row = row_of(id_row_t, state);

    id_of(one, row->one, "meta");
    id_of(two, row->two, "meta");
    assert_int_equal(memcmp(one, two, SLUICE_SPLIT_ID) == 0, row->same);

    id_of(two, row->one, "none");
    assert_int_not_equal(memcmp(one, two, SLUICE_SPLIT_ID), 0);
}


int
main(void)
{
    rows_add(split_rows, run_split);
    rows_add(id_rows, run_id);
    rows_add_one("every recorded webhook", test_samples, NULL);
    rows_add_one("a large batch", test_many, NULL);

    return rows_run("split");
}
