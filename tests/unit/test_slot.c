#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "core/slot.h"


/* no byte behind the key may be read */

static unsigned
slot_of(const char *key, size_t len)
{
    char      *copy;
    unsigned   slot;

    copy = malloc(len + 1);
    assert_non_null(copy);
    memcpy(copy + 1, key, len);
    slot = sluice_slot(copy + 1, len);
    free(copy);

    return slot;
}


/* the specification's own: CRC16 of "123456789" is 0x31c3, and its tags */

static void
test_specification(void **state)
{
    size_t  i;

    static const struct {
        const char  *key;
        const char  *hashed;
    } same[] = {
        { "{user1000}.following", "user1000" },
        { "{user1000}.followers", "user1000" },
        { "foo{{bar}}zap", "{bar" },
        { "foo{bar}{zap}", "bar" },
        { "}{a}", "a" },
        { "a}b{c}d", "c" },
        { "{acme}::sluice:records", "acme" },
    };

    assert_int_equal(slot_of("123456789", 9), 0x31c3 % SLUICE_SLOTS);
    assert_int_equal(slot_of("foo", 3), 12182);
    assert_int_equal(slot_of("bar", 3), 5061);
    assert_int_equal(slot_of("hello", 5), 866);
    assert_int_equal(slot_of("", 0), 0);
    assert_int_equal(slot_of("a\0b", 3), slot_of("{a\0b}x", 6));

    for (i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        assert_int_equal(slot_of(same[i].key, strlen(same[i].key)),
                         slot_of(same[i].hashed, strlen(same[i].hashed)));
    }

    /* an empty tag, or none that is closed: the whole key counts */

    assert_int_equal(slot_of("foo{}{bar}", 10), 8363);
    assert_int_not_equal(slot_of("foo{}{bar}", 10), slot_of("bar", 3));
    assert_int_not_equal(slot_of("foo{bar", 7), slot_of("bar", 3));
}


/*
 * Keys drawn at random, and ours, as CLUSTER KEYSLOT of Redis 7.0 says;
 * cluster-key-slot 1.1.1 of npm agrees but for "{}" before another tag, where
 * it goes on to look for one.
 */

static void
test_oracle(void **state)
{
    size_t  i;

    static const struct {
        const char  *key;
        unsigned     slot;
    } cases[] = {
        { "{1b_b1b:{.}b_XZbXa:{::1", 10359 },
        { "{Z.Yaa9Z0Z}{", 5651 },
        { "Y0{YZ", 14022 },
        { "}{:_:}.Y-9.-0}0}}ab__:9b", 3068 },
        { "b}0b-{{{0Z_ba00_.", 1251 },
        { "Z:1", 5411 },
        { "}-}}}{Y_}-{", 7997 },
        { "}Za:Z{bac}-X000:_{}c.a", 4565 },
        { "{{bc-", 13230 },
        { "-_}{1}}{}__{c", 9842 },
        { "{{X:{c.:.}c}.cZ_a.}", 14165 },
        { "{{Y_aYXY", 675 },
        { "{-", 8556 },
        { "a9a1:a{1Y", 7459 },
        { "a-YX{.bZ{1}.X", 6264 },
        { "_1}.9X.{9", 13512 },
        { "9", 10106 },
        { "{", 4092 },
        { "0.X{0..{}9XZ{{{110.b-}Y1", 6971 },
        { "ac-_1}}90a", 13124 },
        { "}1-{Z{_X.0{10_-:.}.{c", 4104 },
        { "}c1{}cZZ1_:c.Y-1{:", 5262 },
        { "00_{Y-bb.acc}-b}}b}}0c9", 9317 },
        { "1_{b}9b1{{99X{010bb", 3300 },
        { "c}ZbY}Y}Y9XZZcZaXcc", 10888 },
        { "}9", 6527 },
        { "_X.0}}", 8966 },
        { "Z_", 2670 },
        { "X_c0Ya-Z:.Z", 9065 },
        { "YZ9{-c9", 12961 },
        { ".01ZbcbbX.cY", 14347 },
        { "}99}}-.c", 2547 },
        { "Y{", 15323 },
        { "-b{X.}a:}::bc9", 698 },
        { "0Y0X-90}Z1.}", 4983 },
        { "a{{a-}}cX.c1X{1{}Xc9Z-}.", 9517 },
        { "a{", 14311 },
        { "}1b{.1YcXZba}a", 13269 },
        { "1}X0{0Z_c-:bX{0:.c}9-1}}", 2581 },
        { "1-}", 11541 },
        { "0a_9Y}", 15869 },
        { "-}}0Z9:0}}", 14823 },
        { "}X_", 13909 },
        { "c{}a}{_}.9{:{}}{1bZ", 6757 },
        { "b0aZ{Xaaa{.", 14782 },
        { "0{Z{9", 14930 },
        { "{09cc}_:aaX{{b:1bYc{-", 13665 },
        { "_1..1", 13514 },
        { "}bY_90ZX}-X_", 15597 },
        { ".Y-Xb-b}c-{10Y1", 3387 },
        { "X-c9{}-_c{aXc{baZ.", 4053 },
        { "-_911", 1017 },
        { "YZbc:", 7349 },
        { "}Y-", 7089 },
        { "{{.1cbc-XXa.{Y-.c:c", 11209 },
        { "Y}_{.ac0Z}ac.b{_", 5227 },
        { "01a_10Y1{b:{{00.{_9}-Z{9", 158 },
        { ".90:.a}:}{", 5232 },
        { "{aacYY9b0", 1189 },
        { "cbcX{--c:}}}c", 831 },
        { "011Zc{}Z0XY.ZZZZ{X", 563 },
        { "-{1bX-{}-{}cc.", 6700 },
        { "9X", 9456 },
        { "}0}{{-{}9}ba}9}X:{X1", 6079 },
        { "_.YY9c.X}X}a}aY:-Z{bZbc", 10746 },
        { ".ba}}.{09{101Z-:", 8305 },
        { "1Z{:ZY9-", 933 },
        { "9{9_{{c{ZZcZ", 5144 },
        { "Y_Xb{}a9{}Y-9ba}.}:}}_", 2808 },
        { "_.9Y_.0Z}", 5385 },
        { "-0ccY}9:b.:10:cb9.", 9427 },
        { "ZX{", 4581 },
        { ":{_Yb.Y{}a.:{:}{Y{}9}{", 6783 },
        { "0Xcb.XX{b{", 1654 },
        { "a9Z:Y-0cXbZ}b}--X", 2 },
        { "YY.9-.}}Y:9X90.ZYZX{Zb.0", 3799 },
        { "cc-X-Z-}1b:}Y_a}__0a.}{b", 13830 },
        { "99", 6263 },
        { "}{cY1Zc9{c.0{}", 14529 },
        { "0Y{--}{Z:9}{9X}11YX-::a", 1397 },
        { "Z-}Y", 11486 },
        { "}{X:.9c_9.0.:bXa0:_{Za0Y", 186 },
        { "Xa0X90.Z{.XX--ac.0YZZ1bX", 10644 },
        { "_:01Xa.c{0{{", 10435 },
        { "{-.0}0XY.ca{-", 5933 },
        { ".Z.XYY01b0_Z}Y_ba", 14198 },
        { "-", 13775 },
        { "b_{.-_-}aZa{}1}0{", 15053 },
        { "c_{.0Xb{}0YY{{Z{", 15918 },
        { "Y-ab991Zb", 6365 },
        { "0}aX9aa09XYX1:Z0bY-b_-0", 10715 },
        { "bcb_", 12499 },
        { ".9--c{", 2787 },
        { "Ya:{ZX_", 14538 },
        { "XX}{{.a", 5613 },
        { "Z{b1}", 2874 },
        { "bull:events:", 15474 },
        { "bull:events:wait", 14377 },
        { "{acme}:events:", 11304 },
        { "{acme}:events:wait", 11304 },
        { "{acme}::sluice:edge:0123", 11304 },
        { "sluice:queues", 16317 },
        { "sluice:tenants", 4652 },
        { "{sluice:tenants}:version", 4652 },
        { "h\xc3\xbck", 9499 },
        { "\xe2\x82\xac{\xc3\xa4}x", 13929 },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(slot_of(cases[i].key, strlen(cases[i].key)),
                         cases[i].slot);
    }
}


static void
test_tagged(void **state)
{
    size_t  i;

    static const struct {
        const char  *prefix;
        int          tagged;
    } cases[] = {
        { "", 0 },
        { "bull", 0 },
        { "{acme}", 1 },
        { "x{acme}y", 1 },
        { "{{}", 1 },
        { "{acme", 0 },
        { "acme}", 0 },
        { "}{", 0 },
        { "{}", 0 },
        { "{}{acme}", 0 },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(sluice_slot_tagged(cases[i].prefix,
                                            strlen(cases[i].prefix)),
                         cases[i].tagged);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_specification),
        cmocka_unit_test(test_oracle),
        cmocka_unit_test(test_tagged),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("slot", tests, NULL, NULL);
}
