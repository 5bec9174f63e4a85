/*
 * Graph's error codes and what each means for the message and its sender.
 */

#ifndef SLUICE_WORKER_CHANNELS_CLOUD_API_CODES_H
#define SLUICE_WORKER_CHANNELS_CLOUD_API_CODES_H

#include "worker/worker.h"


/*
 * Sets kind and after of a code that the table has and returns true; false
 * leaves the verdict as it is.  `details` of the answer may be NULL.
 */
bool cloud_api_code(verdict_t *verdict, int code, const char *details);


#endif
