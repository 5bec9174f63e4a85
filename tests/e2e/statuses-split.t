#!/usr/bin/env node
'use strict';

/* The same where each status is a job of its own: the rows are the same. */

process.env.EDGE_HOOK = '/split';
require('./statuses.t');
