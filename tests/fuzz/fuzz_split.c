/*
 * A webhook taken apart by us and by jansson: the same items.  What only one of
 * them reads is no difference: a number beyond a double, a lone surrogate, a
 * member twice where we do not look.
 */

#include "tests/unit/split_oracle.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    (void) oracle_split(data, size);

    return 0;
}
