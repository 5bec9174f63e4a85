# make            build/ngx_http_sluice_module.so, build/sluiced, build/sluicectl
# make run        the whole house below run/, until Ctrl-C
# make test       installs what the tests need and runs all of them
# make help       the rest

B       := build
CC      ?= cc
CSTD    := -std=c11 -D_GNU_SOURCE
WARN    := -Wall -Wextra -Werror -Wshadow -Wpointer-arith -Wstrict-prototypes \
           -Wmissing-prototypes -Wno-unused-parameter
OPT     ?= -O2 -g
CFLAGS  ?= $(OPT) -fstack-protector-strong -D_FORTIFY_SOURCE=2
INC     := -I. -I$(B)/gen
LIBS    := -lhiredis -lcrypto
WLIBS   := -levent -levent_openssl -lssl -lcurl -ljansson -lconfuse -lsqlite3 $(LIBS) -lm

CORE    := $(wildcard core/*.c)
WORKER  := $(wildcard worker/*.c worker/admin/*.c worker/channels/*.c worker/store/*.c)
# each program's own files; the rest of worker/ is shared
MAINS   := worker/main.c worker/ctl_main.c
SHARED  := $(filter-out $(MAINS) worker/ctl_%.c,$(WORKER))
CTL     := $(wildcard worker/ctl_*.c)
LUA     := $(wildcard lua/*.lua lua/include/*.lua)
UNIT    := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c))
# what scans bytes runs a second time without SSE2
JSON    := $(wildcard core/json*.c)
SWAR    := $(patsubst tests/unit/%.c,$(B)/tests/%_portable,$(wildcard tests/unit/test_json_*.c))
FUZZ    := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c)) \
           $(B)/fuzz/fuzz_json_portable

obj      = $(patsubst %.c,$(B)/obj/%.o,$(1))

# objects are kept, whichever rule asked for them
.SECONDARY:
.PHONY: all module worker run test unit check analyze clean help nginx-asan bench bench-short count fuzz
all: module worker
module: $(B)/ngx_http_sluice_module.so
worker: $(B)/sluiced $(B)/sluicectl

help:
	@sed -n 's/^# //p' Makefile

$(B)/gen/scripts.h: lua/join.sh $(LUA)
	@mkdir -p $(@D)
	sh lua/join.sh lua > $@.tmp && mv $@.tmp $@

$(B)/obj/%.o: %.c $(B)/gen/scripts.h
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(WARN) $(CFLAGS) $(INC) -MMD -MP -c -o $@ $<

$(B)/sluiced: $(call obj,worker/main.c $(SHARED) $(CORE))
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(WLIBS)

$(B)/sluicectl: $(call obj,$(CTL) $(SHARED) $(CORE))
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(WLIBS)

# the same with points at which a test ends it: worker/fault.h
FAULT   := $(shell grep -l 'worker/fault.h' $(WORKER))
$(B)/fault/%.o: %.c $(B)/gen/scripts.h
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(WARN) $(CFLAGS) -DSLUICE_FAULT $(INC) -MMD -MP -c -o $@ $<
$(B)/sluiced-fault: $(patsubst %.c,$(B)/fault/%.o,$(FAULT) tests/fault/point.c) \
                    $(call obj,$(filter-out $(FAULT),worker/main.c $(SHARED) $(CORE)))
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(WLIBS)

# the edge as a dynamic module of the installed NGINX (package nginx-dev)
NGX_SRC  := /usr/share/nginx/src
NGX_OPT  := -g -O2 -fPIC -fstack-protector-strong -D_FORTIFY_SOURCE=2
# 1,200 instructions less a request: calls from file to file are inlined
NGX_LTO  := -flto=auto -fno-semantic-interposition
NGX_MAP  := $(CURDIR)/ngx_module/exports.map
EDGE     := $(wildcard core/*.[ch] ngx_module/*.[ch])
# the list changes when a file comes or goes: NGINX is then configured anew
.PHONY: edge-list
$(B)/edge-list: edge-list
	@mkdir -p $(@D)
	@echo $(EDGE) | cmp -s - $@ || echo $(EDGE) > $@
$(B)/nginx-src/objs/Makefile: config $(NGX_MAP) lua/join.sh $(LUA) \
                              $(NGX_SRC)/conf_flags $(B)/edge-list
	@mkdir -p $(B) && rm -rf $(B)/nginx-src && cp -r $(NGX_SRC) $(B)/nginx-src
	cd $(B)/nginx-src && bash -c '. ./conf_flags && ./configure \
	    "$${NGX_CONF_FLAGS[@]}" --with-cc-opt="$(NGX_OPT) $(NGX_LTO)" \
	    --with-ld-opt="$(NGX_OPT) $(NGX_LTO) -Wl,-z,relro -Wl,-z,now \
	        -Wl,--version-script=$(NGX_MAP)" \
	    --add-dynamic-module=$(CURDIR)' > configure.log \
	    || { tail -n 20 configure.log; exit 1; }
$(B)/ngx_http_sluice_module.so: $(B)/nginx-src/objs/Makefile $(EDGE)
	$(MAKE) -C $(B)/nginx-src -f objs/Makefile modules
	# a new file: the old one may be mapped by an NGINX that runs
	cp $(B)/nginx-src/objs/ngx_http_sluice_module.so $@.tmp && mv $@.tmp $@

# the same inside of an NGINX from Debian's source, under the sanitizers
NGX_SAN  := -O1 -g -fsanitize=address,undefined \
            -fno-sanitize=alignment,nonnull-attribute,pointer-overflow \
            -fno-sanitize-recover=undefined -fno-omit-frame-pointer \
            -DNGX_DEBUG_PALLOC=1
nginx-asan: $(B)/nginx-asan/nginx
$(B)/nginx-asan/objs/Makefile: config lua/join.sh $(LUA) $(B)/edge-list \
                               tests/tools/nginx-source.sh
	@mkdir -p $(B)
	sh tests/tools/nginx-source.sh $(B)
	rm -rf $(B)/nginx-asan && cp -r $(B)/nginx-source $(B)/nginx-asan
	cd $(B)/nginx-asan && ./configure --with-debug --with-threads \
	    --with-http_ssl_module --with-http_v2_module \
	    --with-http_realip_module --with-http_auth_request_module \
	    --with-http_addition_module --with-http_sub_module \
	    --with-cc-opt="$(NGX_SAN)" --with-ld-opt="$(NGX_SAN)" \
	    --add-module=$(CURDIR) > configure.log \
	    || { tail -n 20 configure.log; exit 1; }
$(B)/nginx-asan/nginx: $(B)/nginx-asan/objs/Makefile $(EDGE)
	$(MAKE) -C $(B)/nginx-asan -f objs/Makefile build
	cp $(B)/nginx-asan/objs/nginx $@.tmp && mv $@.tmp $@

# Test::Nginx: on the packaged NGINX, on the sanitizers' build, in other modes,
# which change nothing for suites with a server of their own
.PHONY: t t-asan t-modes
T_MODES := grep -L SluiceServer t/[1-6]*.t t/8[5-9]*.t t/9*.t
t: $(B)/ngx_http_sluice_module.so
	sh tests/tools/t.sh $(B)
t-asan: $(B)/nginx-asan/nginx
	SLUICE_NGINX=$(B)/nginx-asan/nginx sh tests/tools/t.sh $(B)
t-modes: $(B)/ngx_http_sluice_module.so
	TEST_NGINX_USE_HTTP2=1 sh tests/tools/t.sh $(B) $$($(T_MODES))
	TEST_NGINX_USE_HUP=1 sh tests/tools/t.sh $(B) $$($(T_MODES))

# make unit-hiredis  core/redis with hiredis 1.x
.PHONY: unit-hiredis
unit-hiredis: $(B)/gen/scripts.h
	tests/tools/hiredis.sh $(B)

# make t-versions   other versions of NGINX, and builds without SSL and threads
.PHONY: t-versions
t-versions: $(B)/ngx_http_sluice_module.so
	tests/tools/versions.sh $(B) full

# a table of cases for each pure file; under the sanitizers
SAN     := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
           -fno-omit-frame-pointer
$(B)/san/%.o: %.c $(B)/gen/scripts.h
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(WARN) $(SAN) $(INC) -MMD -MP -c -o $@ $<
$(B)/tests/test_%: $(B)/san/tests/unit/test_%.o \
                   $(patsubst %.c,$(B)/san/%.o,$(CORE) $(SHARED))
	@mkdir -p $(@D)
	$(CC) $(SAN) -o $@ $^ -lcmocka $(WLIBS)
$(B)/swar/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(WARN) $(SAN) -DSLUICE_UTF8_PORTABLE $(INC) -MMD -MP -c -o $@ $<
$(B)/tests/test_%_portable: $(B)/san/tests/unit/test_%.o \
                            $(patsubst %.c,$(B)/swar/%.o,$(JSON))
	@mkdir -p $(@D)
	$(CC) $(SAN) -o $@ $^ -lcmocka
VECTOR  := tests/vectors/request.c tests/vectors/vector.c
VECTORS := tests/vectors/signature_vectors.json tests/vectors/own.json
$(B)/tests/signature_vectors: \
    $(patsubst %.c,$(B)/san/%.o,tests/vectors/signature_vectors.c $(VECTOR) $(CORE))
	@mkdir -p $(@D)
	$(CC) $(SAN) -o $@ $^ -ljansson $(LIBS)
$(B)/tests/signature_mutations: \
    $(patsubst %.c,$(B)/san/%.o,tests/vectors/signature_mutations.c \
        $(wildcard tests/vectors/mutate*.c) $(VECTOR) $(CORE))
	@mkdir -p $(@D)
	$(CC) $(SAN) -o $@ $^ -ljansson $(LIBS)

# core/cron beside cron-parser: tests/interop/cron.js
$(B)/tests/cron_next: $(patsubst %.c,$(B)/san/%.o,tests/interop/cron_next.c \
                          core/cron.c core/cron_next.c core/zone.c \
                          core/zone_rule.c worker/zones.c)
	@mkdir -p $(@D)
	$(CC) $(SAN) -o $@ $^

PROVE ?= prove

# make unit     every table of tests/unit, the signature vectors, 20,000 changes
unit: $(UNIT) $(SWAR) $(B)/tests/signature_vectors $(B)/tests/signature_mutations
	CMOCKA_MESSAGE_OUTPUT=TAP $(PROVE) -e '' $(UNIT) $(SWAR)
	for file in $(VECTORS); do \
	    $(PROVE) -e '' $(B)/tests/signature_vectors :: $$file || exit 1; \
	done
	$(PROVE) -e '' $(B)/tests/signature_mutations :: 20000 1

# make constant  a bad signature and an unknown tenant cost the same: core's
#                checks, and requests to NGINX (callgrind)
.PHONY: constant
$(B)/signature_cost: $(call obj,tests/vectors/signature_cost.c $(VECTOR) $(CORE))
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -ljansson $(LIBS)
constant: $(B)/signature_cost all
	@tests/tools/npm.sh tests/interop
	$(PROVE) -v tests/constant/constant-time.t
	$(PROVE) -v -e node tests/constant/edge.js

# make interop-bullmq  BullMQ 6's own tests against lua/; BULLMQ_TESTS is a
#                      checkout of github.com/taskforcesh/bullmq, or its .git
.PHONY: interop-bullmq
interop-bullmq:
	@tests/tools/npm.sh tests/interop tests/interop/adapter
	$(PROVE) -v -e node tests/interop/adapter/run.js

# make check    style, arrows, headers on their own, docs, unit
# make analyze  cppcheck and gcc's analyzer, slower
check: check-sources
	@$(MAKE) --no-print-directory unit

check-sources: $(B)/gen/scripts.h
	sh tests/checks/style.sh
	sh tests/checks/arrows.sh
	sh tests/checks/headers.sh $(B)
	perl tests/checks/docs.pl
	sh tests/checks/man.sh

analyze: $(B)/gen/scripts.h
	sh tests/checks/analyze.sh $(B)

# make fuzz     FUZZ_RUNS inputs a target; crashes end up in build/fuzz/crash
FUZZ_RUNS  ?= 100000
FUZZ_FLAGS := -O1 -g -fsanitize=fuzzer-no-link,address,undefined \
              -fno-sanitize-recover=all
fuzz: $(FUZZ)
	sh tests/fuzz/run.sh $(B) $(FUZZ_RUNS)
$(B)/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	clang $(CSTD) $(WARN) $(FUZZ_FLAGS) $(INC) -MMD -MP -c -o $@ $<
$(B)/fuzz/swar/%.o: %.c
	@mkdir -p $(@D)
	clang $(CSTD) $(WARN) $(FUZZ_FLAGS) -DSLUICE_UTF8_PORTABLE $(INC) -MMD -MP -c -o $@ $<
$(B)/fuzz/fuzz_%: $(B)/fuzz/obj/tests/fuzz/fuzz_%.o \
                  $(patsubst %.c,$(B)/fuzz/obj/%.o,$(CORE))
	clang $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $^ -ljansson $(LIBS)
$(B)/fuzz/fuzz_%_portable: $(B)/fuzz/obj/tests/fuzz/fuzz_%.o \
                           $(patsubst %.c,$(B)/fuzz/swar/%.o,$(JSON))
	clang $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $^ -ljansson

# what tests, the demo and the benchmarks send to in Meta's place
$(B)/graph-api: $(call obj,$(wildcard tests/graph_api/*.c))
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -levent -lcurl -ljansson -lcrypto

run:
	@contrib/demo/run.sh

test:
	@sh contrib/install.sh test
	@tests/run.sh

# make fault    FAULT_EVENTS events a class of faults, longer than make test
.PHONY: fault
fault: bench-needs $(B)/graph-api $(B)/sluiced-fault
	FAULT_EVENTS=$${FAULT_EVENTS:-100000} FAULT_TIMES=$${FAULT_TIMES:-200} \
	FAULT_SENDS=$${FAULT_SENDS:-10000} FAULT_ROUNDS=$${FAULT_ROUNDS:-10} \
	FAULT_KILLS=$${FAULT_KILLS:-20} \
	SLUICE_CLUSTER_JOBS=$${SLUICE_CLUSTER_JOBS:-150} \
	SLUICE_SENTINEL_JOBS=2000$${SLUICE_SENTINEL_JOBS:-2000} \
	    $(PROVE) -v tests/fault/ tests/e2e/kill-worker.t \
	    tests/e2e/redis-restart.t tests/worker/cluster.t \
	    tests/worker/sentinel.t
	FAULT_STOP=60000 FAULT_EVENTS=$${FAULT_EVENTS:-100000} FAULT_TIMES=20 \
	    $(PROVE) -v tests/fault/worker-lease.t
	MIXED_JOBS=$${FAULT_EVENTS:-100000} MIXED_KILLS=$${FAULT_KILLS:-20} \
	    $(PROVE) -v -e node tests/interop/mixed.js
	$(PROVE) -v -e node tests/lua/random.js tests/lua/random_flows.js \
	    tests/lua/random_whole.js :: $$$$ $${FAULT_STEPS:-10000}
	sh tests/tools/t.sh $(B) tests/fault/nodes.t

.PHONY: bench-needs
bench-needs:
	@sh contrib/install.sh test
	@$(MAKE) --no-print-directory all
	@tests/tools/npm.sh tests/interop

# make bench        Sluice beside its peers: build/bench/report.md
# make bench-short  the same for seconds: does the harness work
# make count        instructions a request and a job, against bench/count.expected
bench: bench-needs $(B)/graph-api
	node bench/run.js

bench-short: bench-needs $(B)/graph-api
	BENCH_ROUNDS=1 BENCH_SECONDS=1 BENCH_JOBS=2000 BENCH_QUEUES=1000 \
	    BENCH_TENANTS=50 BENCH_BACKLOG=2000 BENCH_SAMPLES=20 BENCH_SENDS=2000 \
	    BENCH_REPORT=$(B)/bench/short.md node bench/run.js

$(B)/bench-count: $(call obj,bench/count.c $(CORE))
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

count: all $(B)/bench-count $(B)/graph-api
	node bench/count.js

-include $(shell find $(B)/obj $(B)/san $(B)/swar $(B)/fuzz $(B)/fault -name '*.d' 2>/dev/null)

clean:
	rm -rf $(B)
