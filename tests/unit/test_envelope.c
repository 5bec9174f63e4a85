#include "core/envelope.h"
#include "core/json.h"
#include "tests/unit/rows.h"


#define TEXT(s)    { s, sizeof(s) - 1 }
#define NO_TEXT    { NULL, 0 }
#define TIME       INT64_C(1795000000123)


typedef struct {
    const char         *name;
    sluice_envelope_t   envelope;
    const char         *body;
    size_t              body_len;
    const char         *whole;    /* head, body or what stands for it, tail */
} event_t;

typedef struct {
    const char  *name;    /* the time as it is written */
    int64_t      time_ms;
} time_row_t;

typedef struct {
    const char  *name;    /* the plain text */
    const char  *base64;
} base64_t;


static const sluice_text_t  headers[] = {
    TEXT("x-topic"), TEXT("orders/\"new\""),
    TEXT("x-raw"), TEXT("a\xff" "b")
};


static const event_t  events[] = {
    { "JSON, every attribute",
      { TEXT("e-1"), TEXT("/hooks/meta"), TEXT("meta.messages"), TIME,
        TEXT("acme"), TEXT("meta"), 1, TEXT("application/json"), headers, 2,
        SLUICE_ENVELOPE_JSON },
      "{ \"a\" :1}", 9,
      "{\"specversion\":\"1.0\",\"id\":\"e-1\",\"source\":\"/hooks/meta\","
      "\"type\":\"meta.messages\",\"time\":\"2026-11-18T11:06:40.123Z\","
      "\"tenant\":\"acme\",\"signaturescheme\":\"meta\",\"verified\":true,"
      "\"headers\":{\"x-topic\":\"orders/\\\"new\\\"\","
      "\"x-raw\":\"a\xef\xbf\xbd" "b\"},"
      "\"datacontenttype\":\"application/json\",\"data\":{ \"a\" :1}}" },

    { "text, the least attributes",
      { TEXT("e-1"), TEXT("/"), TEXT("t"), TIME, NO_TEXT, NO_TEXT, 0, NO_TEXT,
        NULL, 0, SLUICE_ENVELOPE_TEXT },
      "a=\"1\"\n\x01\\", 8,
      "{\"specversion\":\"1.0\",\"id\":\"e-1\",\"source\":\"/\","
      "\"type\":\"t\",\"time\":\"2026-11-18T11:06:40.123Z\","
      "\"verified\":false,\"data\":\"a=\\\"1\\\"\\n\\u0001\\\\\"}" },

    { "empty text",
      { TEXT("e-1"), TEXT("/"), TEXT("t"), TIME, NO_TEXT, NO_TEXT, 0, NO_TEXT,
        NULL, 0, SLUICE_ENVELOPE_TEXT },
      "", 0,
      "{\"specversion\":\"1.0\",\"id\":\"e-1\",\"source\":\"/\","
      "\"type\":\"t\",\"time\":\"2026-11-18T11:06:40.123Z\","
      "\"verified\":false,\"data\":\"\"}" },

    { "other bytes",
      { TEXT("e-1"), TEXT("/"), TEXT("t"), TIME, NO_TEXT, TEXT("none"), 0,
        TEXT("image/png"), NULL, 0, SLUICE_ENVELOPE_BINARY },
      "\x89PNG\0\xff", 6,
      "{\"specversion\":\"1.0\",\"id\":\"e-1\",\"source\":\"/\","
      "\"type\":\"t\",\"time\":\"2026-11-18T11:06:40.123Z\","
      "\"signaturescheme\":\"none\",\"verified\":false,"
      "\"datacontenttype\":\"image/png\",\"data_base64\":\"iVBORwD/\"}" },

    { "no data",
      { TEXT("e-1"), TEXT("/"), TEXT("t"), TIME, NO_TEXT, NO_TEXT, 0, NO_TEXT,
        NULL, 0, SLUICE_ENVELOPE_NONE },
      "", 0,
      "{\"specversion\":\"1.0\",\"id\":\"e-1\",\"source\":\"/\","
      "\"type\":\"t\",\"time\":\"2026-11-18T11:06:40.123Z\","
      "\"verified\":false}" },

    { "attributes that need escapes",
      { TEXT("e-\t"), TEXT("/a\"b"), TEXT("\\"), TIME, TEXT("\x7f"),
        TEXT("\x1f"), 0, TEXT("text/plain; a=\"b\""), NULL, 0,
        SLUICE_ENVELOPE_NONE },
      "", 0,
      "{\"specversion\":\"1.0\",\"id\":\"e-\\t\",\"source\":\"/a\\\"b\","
      "\"type\":\"\\\\\",\"time\":\"2026-11-18T11:06:40.123Z\","
      "\"tenant\":\"\x7f\",\"signaturescheme\":\"\\u001f\","
      "\"verified\":false,"
      "\"datacontenttype\":\"text/plain; a=\\\"b\\\"\"}" },
};


static const time_row_t  times[] = {
    { "1970-01-01T00:00:00.000Z", 0 },
    { "1970-01-01T23:59:59.999Z", 86399999 },
    { "1970-02-28T00:00:00.000Z", INT64_C(58) * 86400000 },
    { "1970-03-01T00:00:00.000Z", INT64_C(59) * 86400000 },
    { "1972-02-29T12:34:56.789Z", INT64_C(68214896789) },
    { "1999-12-31T23:59:59.999Z", INT64_C(946684799999) },
    { "2000-01-01T00:00:00.000Z", INT64_C(946684800000) },
    { "2000-02-29T00:00:00.000Z", INT64_C(951782400000) },
    { "2000-03-01T00:00:00.000Z", INT64_C(951868800000) },
    { "2026-12-31T00:00:00.001Z", INT64_C(1798675200001) },
    { "2100-02-28T23:59:59.000Z", INT64_C(4107542399000) },
    { "2100-03-01T00:00:00.000Z", INT64_C(4107542400000) },
    { "2400-02-29T00:00:00.000Z", INT64_C(13574563200000) },
    { "9999-12-31T23:59:59.999Z", INT64_C(253402300799999) },
};


static const base64_t  encodings[] = {
    { "", "" },
    { "f", "Zg==" },
    { "fo", "Zm8=" },
    { "foo", "Zm9v" },
    { "foob", "Zm9vYg==" },
    { "fooba", "Zm9vYmE=" },
    { "foobar", "Zm9vYmFy" },
    { "\xfb\xef\xff", "++//" },
};


static void
test_event(void **state)
{
    size_t           body, head, offset, size, tail;
    uint8_t         *whole;
    const event_t   *row;
    const uint8_t   *data;

    row = row_of(event_t, state);
    data = (const uint8_t *) row->body;

    head = sluice_envelope_head(NULL, &row->envelope);
    body = sluice_envelope_body(NULL, &row->envelope, data, row->body_len);
    tail = sluice_envelope_tail(NULL, &row->envelope);

    if (row->envelope.data == SLUICE_ENVELOPE_JSON) {
        assert_int_equal(body, 0);
        body = row->body_len;
    }

    size = head + body + tail;
    assert_int_equal(size, strlen(row->whole));
    assert_true(head <= sluice_envelope_room(&row->envelope));

    /* each writes what it said, into a room of just that size */

    whole = malloc(size);
    assert_non_null(whole);

    assert_int_equal(sluice_envelope_head(whole, &row->envelope), head);

    if (row->envelope.data == SLUICE_ENVELOPE_JSON) {
        memcpy(whole + head, row->body, row->body_len);

    } else {
        assert_int_equal(sluice_envelope_body(whole + head, &row->envelope,
                                              data, row->body_len), body);
    }

    assert_int_equal(sluice_envelope_tail(whole + head + body,
                                          &row->envelope), tail);

    assert_memory_equal(whole, row->whole, size);
    assert_int_equal(sluice_json_scan(whole, size, NULL, 0, NULL, &offset),
                     SLUICE_JSON_OK);

    free(whole);
}


/* All of it that can be long is, and of what takes most when it is escaped. */

static void
test_room(void **state)
{
    char               worst[1000];
    sluice_text_t      text, pairs[20];
    sluice_envelope_t  envelope;
    size_t             head, i;

    memset(worst, 0x1f, sizeof(worst));
    text.data = worst;
    text.len = sizeof(worst);

    for (i = 0; i < 20; i++) {
        pairs[i] = text;
    }

    memset(&envelope, 0, sizeof(envelope));
    envelope.id = text;
    envelope.source = text;
    envelope.type = text;
    envelope.tenant = text;
    envelope.scheme = text;
    envelope.content_type = text;
    envelope.headers = pairs;
    envelope.nheaders = 10;
    envelope.data = SLUICE_ENVELOPE_BINARY;

    head = sluice_envelope_head(NULL, &envelope);
    assert_true(head > 26 * 6 * sizeof(worst));
    assert_true(head <= sluice_envelope_room(&envelope));
}


static void
expect_time(int64_t time_ms, const char *expected)
{
    char                *time;
    size_t               len;
    uint8_t              head[256];
    sluice_envelope_t    envelope;

    memset(&envelope, 0, sizeof(envelope));
    envelope.time_ms = time_ms;

    len = sluice_envelope_head(NULL, &envelope);
    assert_true(len < sizeof(head));
    head[sluice_envelope_head(head, &envelope)] = '\0';

    time = strstr((char *) head, "\"time\":\"");
    assert_non_null(time);
    assert_memory_equal(time + 8, expected, strlen(expected));
    assert_int_equal(time[8 + strlen(expected)], '"');
}


static void
test_time(void **state)
{
    const time_row_t  *row;

    row = row_of(time_row_t, state);
    expect_time(row->time_ms, row->name);
}


static void
test_time_bounds(void **state)
{
    expect_time(-1, "1970-01-01T00:00:00.000Z");
    expect_time(INT64_MIN, "1970-01-01T00:00:00.000Z");
    expect_time(INT64_C(253402300800000), "9999-12-31T23:59:59.999Z");
    expect_time(INT64_MAX, "9999-12-31T23:59:59.999Z");
}


static void
test_base64(void **state)
{
    size_t               len;
    uint8_t             *body, *text;
    const base64_t      *row;
    sluice_envelope_t    envelope;

    row = row_of(base64_t, state);
    memset(&envelope, 0, sizeof(envelope));
    envelope.data = SLUICE_ENVELOPE_BINARY;

    body = rows_bytes(row->name, strlen(row->name));
    len = sluice_envelope_body(NULL, &envelope, body, strlen(row->name));
    assert_int_equal(len, strlen(row->base64));

    text = malloc(len + 1);
    assert_non_null(text);
    assert_int_equal(sluice_envelope_body(text, &envelope, body,
                                          strlen(row->name)), len);
    assert_memory_equal(text, row->base64, len);

    free(body);
    free(text);
}


int
main(void)
{
    rows_add(events, test_event);
    rows_add(times, test_time);
    rows_add_one("times that four digits cannot say", test_time_bounds, NULL);
    rows_add_one("the room for a head", test_room, NULL);
    rows_add(encodings, test_base64);

    return rows_run("envelope");
}
