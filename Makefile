# SPDX-License-Identifier: MIT
# Edo's build, top to bottom: settings, warnings, flavors, what is built, tests, checks, the rest.
# Everything made lands in build/. `make help` lists the targets.

VERSION := 0.1.0
SOVERSION := 0

# ---- Settings: yours to override -----------------------------------------------------------------

PREFIX ?= /usr/local
DESTDIR ?=
CFLAGS ?= -O2 -g
BENCH_CFLAGS ?= -O3 -g -flto$(if $(filter gcc,$(CC_KIND)),=auto)
CPPFLAGS ?=
LDFLAGS ?=
UV_LIBS ?= -luv
GCC ?= gcc
CLANG ?= clang
CLANG_FORMAT ?= clang-format
FUZZ_SECONDS ?= 60
SOAK_SECONDS ?= 300
SECONDS ?= 60
TEST_LIMIT ?= 900
REPEAT ?= 1
COMPARE ?=
JOBS ?= $(shell nproc)
# V=1 shows the commands.
V ?=
Q := $(if $(V),,@)

MAKEFLAGS += --no-builtin-rules
# All cores; -jN on the command line wins, and so does a make that called this one.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(JOBS)
endif
.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := all
export CC CLANG

# ---- Sources -------------------------------------------------------------------------------------

ROOMS := internal runtime combinators streams channels sync io
LIB := $(wildcard poll.c future.c stream.c $(ROOMS:%=%/*.c))
HEADERS := $(wildcard *.h $(ROOMS:%=%/*.h))

# examples/NAME.c, or a folder examples/NAME/ with a main.c, makes build/examples/NAME. The parts
# without a main are tested like the library.
EXAMPLE_PARTS := $(filter-out %/main.c,$(wildcard examples/*/*.c))
EXAMPLES := $(basename $(wildcard examples/*.c)) $(patsubst %/main.c,%,$(wildcard examples/*/main.c))

TESTS := $(wildcard tests/*_test.c)
TEST_SUPPORT := $(filter-out tests/support/tsan_%,$(wildcard tests/support/*.c))
TSAN_SUPPORT := $(wildcard tests/support/tsan_*.c)
TEST_SCRIPTS := $(wildcard tests/*.sh)
# Played for a second by tests, for minutes by soaks.
STRESS := $(wildcard tests/stress/*.c)
SOAKS := $(basename $(wildcard tests/soak/*.c))
FUZZERS := $(basename $(wildcard tests/fuzz/*_fuzz.c))
# loadgen is a program of its own: a load for servers, without Edo.
BENCH := $(filter-out bench/loadgen.c,$(wildcard bench/*.c))

SOURCES := $(LIB) $(wildcard docs/*.c examples/*.c examples/*/*.c) $(wildcard bench/*.c bench/peers/*.c bench/peers/*/*.c) \
	$(TESTS) $(STRESS) $(wildcard tests/support/*.c tests/soak/*.c tests/fuzz/*.c tests/model/*.c tests/model/models/*.c)
# Not tests/compile_fail: two awaits on one line are meant there.
FORMATTED := $(SOURCES) $(HEADERS) $(wildcard examples/*.h examples/*/*.h bench/*.h bench/peers/*.h bench/peers/*/*.h tests/*.h tests/support/*.h tests/stress/*.h tests/fuzz/*.h tests/model/*.h tests/model/models/*.h)

# ---- Warnings ------------------------------------------------------------------------------------

# Errors everywhere. They catch what the macros of future.h rely on being caught, and what no program
# means; edo.pc recommends them, and tests/compile_fail holds them.
TRAPS := \
	-Werror=switch \
	-Werror=return-type \
	-Werror=uninitialized \
	-Werror=incompatible-pointer-types \
	-Werror=int-conversion \
	-Werror=implicit-function-declaration
# -Woverflow: an await in a switch of one's own: its label does not fit the switched value (clang says
#   it by -Wswitch). -Wjump-misses-init, -Wmaybe-uninitialized: a local that is used after an await;
#   the second needs -O1 or more.
TRAPS_gcc := $(TRAPS) -Werror=overflow -Werror=jump-misses-init -Werror=maybe-uninitialized
# The same two of clang: when initialised at its declaration, and when assigned later.
TRAPS_clang := $(TRAPS) -Werror=sometimes-uninitialized -Werror=conditional-uninitialized

# No -Wshadow: the macros' statement expressions nest, and their names with them.
WARNINGS := -Wall -Wextra
WARNINGS += -Wstrict-prototypes -Wmissing-prototypes # a function is declared in a header, or is static
WARNINGS += -Wvla                                    # the stack's use is known when compiling
WARNINGS += -Wformat=2                               # a format is a literal, and right
WARNINGS += -Wimplicit-fallthrough                   # falling through is said
WARNINGS += -Wpointer-arith -Wwrite-strings          # void has no size; a literal is const
WARNINGS += -Wundef                                  # a misspelt macro is not 0
# -Wduplicated-cond, -Wlogical-op: conditions that cannot both be meant.
WARNINGS_gcc := $(strip $(WARNINGS) -Wduplicated-cond -Wlogical-op $(TRAPS_gcc))
WARNINGS_clang := $(strip $(WARNINGS) $(TRAPS_clang))

# Plain `make` may meet a compiler whose optimiser sees more, or less, than ours did: there, what
# depends on the optimiser warns only.
LENIENT_gcc := -Wno-error=maybe-uninitialized
LENIENT_clang := -Wno-error=conditional-uninitialized
# gcc finds uninitialised values in the code that its sanitizers add.
SANITIZED_gcc := -Wno-maybe-uninitialized
SANITIZED_clang :=

CC_KIND := $(if $(findstring clang,$(shell $(CC) --version 2>/dev/null)),clang,gcc)

# ---- Flavors: each is a command that compiles (and links) ----------------------------------------

# -iquote, not -I: our poll.h must not be found by somebody's #include <poll.h>.
BASE := -std=gnu11 -D_GNU_SOURCE -iquote . -pthread $(CPPFLAGS)

# Hostile to bugs: checks of the contract, counts of what is alive, allocations that fail on demand,
# and locals that hold a pattern when they are lost across an await. `test` is optimised as what is installed: a loop
# that gcc 12 gets wrong from -O2 on passed all tests at -O1, which the others have, for the warnings above need it.
TEST_FLAGS := -g -fno-omit-frame-pointer -DEDO_DEBUG -DEDO_CENSUS -DEDO_FAULTS \
	-ftrivial-auto-var-init=pattern
# Without the second, undefined behaviour is printed, and the test passes.
ASAN_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all

# gcc 12 moves a load out of a loop that writes what it loads, when one and the same pointer is read as a member of its
# struct (x->list.next) and through a pointer to that member (edo_list_empty(&x->list)): it then compares an offset in
# the one with an offset in the other, and finds that they differ. It does so from -O2 on. What this pass moves in Edo is
# not worth an instruction of any benchmark.
LOOPS_gcc := -fno-tree-loop-im
LOOPS_clang :=

release := $(CC) $(BASE) $(CFLAGS) $(LOOPS_$(CC_KIND)) $(WARNINGS_$(CC_KIND)) $(LENIENT_$(CC_KIND))
# Calls inside the library go straight, not through the table that would let a program replace them.
shared := $(release) -fPIC -fno-semantic-interposition
# Across files, as what we compare with is built.
bench := $(CC) $(BASE) $(BENCH_CFLAGS) $(LOOPS_$(CC_KIND)) $(WARNINGS_$(CC_KIND))
test := $(CC) $(BASE) -O2 $(LOOPS_$(CC_KIND)) $(TEST_FLAGS) $(WARNINGS_$(CC_KIND)) $(LENIENT_$(CC_KIND))
sanitized := $(CC) $(BASE) -O1 $(TEST_FLAGS) $(WARNINGS_$(CC_KIND)) -Werror $(SANITIZED_$(CC_KIND))
asan := $(sanitized) $(ASAN_FLAGS)
tsan := $(sanitized) -fsanitize=thread -fPIE -pie
clang := $(CLANG) $(BASE) -O1 $(TEST_FLAGS) $(WARNINGS_clang) -Werror
fuzz := $(CLANG) $(BASE) -O1 $(TEST_FLAGS) $(ASAN_FLAGS) -fsanitize=fuzzer-no-link $(WARNINGS_clang)
# What users of either compiler would see: all warnings are errors. Compiled only.
strict-gcc := $(GCC) $(BASE) -O2 -g $(WARNINGS_gcc) -Werror
strict-clang := $(CLANG) $(BASE) -O2 -g $(WARNINGS_clang) -Werror

# The model checker. `checker` is itself; `model` is what it checks: the library and the models, whose
# atomics are its steps, whose plain accesses call it (it is the runtime of -fsanitize=thread), and
# whose thread-locals it keeps, one set for each of its threads.
# EDO_WAKES: see internal/waiter.h; EDO_QUEUE_SIZE, EDO_WATCH_ROUNDS: runtime/queue.h, worker.c.
MODEL_FLAGS := -g -fno-omit-frame-pointer -DEDO_SYS_ATOMICS=\"tests/model/atomics.h\" -DEDO_WAKES=1 -DEDO_QUEUE_SIZE=4u -DEDO_INJECT_BLOCK=3u -DEDO_WATCH_ROUNDS=1 -DEDO_DEAR_NS=0
checker := $(CLANG) $(BASE) -O2 $(MODEL_FLAGS) $(WARNINGS_clang) -Werror
model := $(CLANG) $(BASE) -O1 $(MODEL_FLAGS) \
	-fsanitize=thread -mllvm -tsan-instrument-func-entry-exit=0 -mllvm -tsan-instrument-atomics=0 \
	-femulated-tls $(WARNINGS_clang) -Werror

FLAVORS := release shared bench test asan tsan clang fuzz strict-gcc strict-clang checker model

# Objects are in build/obj/FLAVOR/, programs in build/FLAVOR/; those of release in build/ itself.
objects = $(patsubst %.c,build/obj/$1/%.o,$2)

# These install what is missing before they compile; the others take the machine as it is.
NEEDS := $(if $(filter test,$(MAKECMDGOALS)),install-deps-test) \
	$(if $(filter run,$(MAKECMDGOALS)),install-deps-run) \
	$(if $(filter check-instructions instructions-baseline,$(MAKECMDGOALS)),install-deps-instructions) \
	$(if $(filter fuzz,$(MAKECMDGOALS)),install-deps-fuzz) \
	$(if $(filter format,$(MAKECMDGOALS)),install-deps-format) \
	$(if $(filter model mutants,$(MAKECMDGOALS)),install-deps-model) \
	$(if $(filter check check-% format-check,$(filter-out check-instructions,$(MAKECMDGOALS))),install-deps-check)

# A flavor's flags are kept in a file that changes with them, so that its objects do too.
define object-rules
build/obj/$1/flags: FORCE
	$(Q)mkdir -p $$(@D); echo '$$($1)' | cmp -s - $$@ || echo '$$($1)' >$$@

build/obj/$1/%.o: %.c build/obj/$1/flags | $(NEEDS)
	@echo "  $1  $$<"
	$(Q)mkdir -p $$(@D)
	$(Q)$$($1) -MMD -MP -c -o $$@ $$<
endef
$(foreach f,$(FLAVORS),$(eval $(call object-rules,$f)))

# A file that came or went makes no object newer, but links everything anew.
build/obj/sources: FORCE
	$(Q)mkdir -p $(@D); echo '$(SOURCES)' | cmp -s - $@ || echo '$(SOURCES)' >$@

-include $(wildcard build/obj/*/*.d build/obj/*/*/*.d build/obj/*/*/*/*.d build/obj/*/*/*/*/*.d)

# $(call program-rule,FLAVOR,PROGRAM,SOURCES,ARCHIVES AND OPTIONS)
define program-rule
$2: $(call objects,$1,$3) $(filter %.a,$4) build/obj/sources
	@echo "  $1  $$@"
	$(Q)mkdir -p $$(@D)
	$(Q)$$($1) $(LDFLAGS) -o $$@ $$(filter %.o %.a,$$^) $(filter-out %.a,$4) $(UV_LIBS)
endef

# ---- The library, the examples, the benchmarks ---------------------------------------------------

SONAME := libedo.so.$(SOVERSION)

build/libedo.a: $(call objects,release,$(LIB)) build/obj/sources
	@echo "  release  $@"
	$(Q)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

# Complete in itself: an undefined name is an error here, not in the user's program.
build/libedo.so: $(call objects,shared,$(LIB)) build/obj/sources
	@echo "  shared  $@"
	$(Q)$(shared) -shared -Wl,-soname,$(SONAME) -Wl,--no-undefined $(LDFLAGS) -o $@ \
		$(filter %.o,$^) $(UV_LIBS)
	$(Q)ln -sf libedo.so build/$(SONAME)

# These are clients of mini-redis, of whose parts they are made.
examples/manager_task-parts := $(filter examples/mini_redis/%,$(EXAMPLE_PARTS))
examples/blocking_client-parts := $(examples/manager_task-parts)
example-sources = $(if $(wildcard $1.c),$1.c,$(wildcard $1/*.c)) $($1-parts)
$(foreach e,$(EXAMPLES),$(eval $(call program-rule,release,build/$e,$(call example-sources,$e),build/libedo.a)))
$(foreach e,$(EXAMPLES),$(eval $(call program-rule,asan,build/asan/$e,$(call example-sources,$e) $(LIB))))

$(eval $(call program-rule,bench,build/bench/edo-bench,$(BENCH) $(LIB)))
$(eval $(call program-rule,bench,build/bench/loadgen,bench/loadgen.c))

.PHONY: all examples run bench bench-full bench-servers bench-scaling bench-plot bench-deps check-instructions instructions-baseline
all: build/libedo.a build/libedo.so  ## the library: build/libedo.a and build/libedo.so (the default)

examples: $(EXAMPLES:%=build/%)  ## build/examples/*

run: all examples  ## install libuv if it is missing, build all of the above, run mini-redis' demo
	timeout 120 build/examples/mini_redis --demo

# A peer that cannot be built here is a line that says what to get, and a column less.
PEERS := $(patsubst bench/peers/%/build.sh,%,$(wildcard bench/peers/*/build.sh))
.PHONY: $(PEERS:%=bench-peer-%)
$(PEERS:%=bench-peer-%):
	$(Q)bench/peers/$(@:bench-peer-%=%)/build.sh build/bench/peers/$(@:bench-peer-%=%) || true

BENCH_BUILDS := build/bench/edo-bench build/bench/loadgen $(PEERS:%=bench-peer-%)
bench-compare = bench/compare.py --json build/bench/compare.json
bench-servers = bench/servers.py --json build/bench/servers.json
bench-scaling = bench/scaling.py --json build/bench/scaling.json

# What is asked for by COMPARE is all that is run.
bench: $(BENCH_BUILDS)  ## beside Tokio and others, in turn, under three minutes; COMPARE='--flavor ct,mt2 select2'
	$(Q)$(bench-compare) --budget 140 $(COMPARE)
	$(Q)$(if $(COMPARE),,$(bench-servers) --budget 20 echo)

bench-full: $(BENCH_BUILDS) build/examples/mini_redis  ## the same at length, with servers and scaling: twenty minutes
	$(Q)status=0; $(bench-compare) $(COMPARE) || status=1; \
	$(if $(COMPARE),,$(bench-servers) || status=1; $(bench-scaling) || status=1; bench/plot.py || status=1;) \
	exit $$status

bench-servers: $(BENCH_BUILDS) build/examples/mini_redis  ## servers under a load, beside others; COMPARE='--flavor ct,mt2 echo'
	$(Q)$(bench-servers) $(COMPARE)

bench-scaling: $(BENCH_BUILDS)  ## what an operation costs among more tasks, timers, connections, workers
	$(Q)$(bench-scaling) $(COMPARE)

bench-plot:  ## draw what was measured last: build/bench/*.svg
	$(Q)bench/plot.py

bench-deps: install-deps-bench  ## install what the others are made of: cargo and Tokio's crates, Go, liburing, Redis

check-instructions: build/bench/edo-bench  ## do operations take more instructions than bench/instructions.baseline says?
	$(Q)bench/instructions.py

instructions-baseline: build/bench/edo-bench  ## write that file
	$(Q)bench/instructions.py --renew

# ---- Tests ---------------------------------------------------------------------------------------

# All objects are named on the link line: tests in an archive that nothing refers to would vanish.
TEST_FLAVORS := test asan tsan clang
test-binary = build/$1/edo-tests
test-sources = $(TESTS) $(STRESS) $(TEST_SUPPORT) $(if $(filter tsan,$1),$(TSAN_SUPPORT)) $(EXAMPLE_PARTS) $(LIB)
$(foreach f,$(TEST_FLAVORS),$(eval $(call program-rule,$f,$(call test-binary,$f),$(call test-sources,$f),-lcriterion)))

export TEST_LIMIT TEST_JOBS TEST_TIMEOUT TEST_FILTER REPEAT
# The examples that tests start are those in EDO_BUILD/examples/. $(call run-tests,FLAVOR,EDO_BUILD)
run-tests = $(Q)EDO_BUILD=$2 tests/support/run_tests.sh $(call test-binary,$1) $(TESTS)

.PHONY: test
test: $(call test-binary,test) examples  ## install Criterion if it is missing, run all tests (or TEST_FILTER='suite/name')
	$(call run-tests,test,build)

# ---- Checks --------------------------------------------------------------------------------------

# In this order, one at a time, so that nothing else takes the time of a test that is running; what
# they need is built before, on all cores.
CHECKS := format-check check-arrows check-expansion check-headers check-strict check-compile-fail check-bench check-runner \
	check-test check-asan check-tsan check-clang check-workers check-fuzz check-examples check-install check-model
CHECK_BUILDS := $(foreach f,$(TEST_FLAVORS),$(call test-binary,$f)) all examples $(EXAMPLES:%=build/asan/%) \
	$(FUZZERS:tests/%=build/%) build/bench/edo-bench build/model/edo-model
check-strict-objects := $(foreach f,strict-gcc strict-clang,$(call objects,$f,$(filter-out tests/soak/% tests/fuzz/% tests/model/%,$(SOURCES))))

.PHONY: check $(filter check-%,$(CHECKS)) check-builds
check: $(CHECKS)  ## everything: warnings as errors, sanitizers, both compilers, examples, headers, format
	@echo "check: $(words $(CHECKS)) passed, 0 failed"

ifneq ($(filter check,$(MAKECMDGOALS)),)
check-builds: $(CHECK_BUILDS) $(check-strict-objects)
previous := check-builds
$(foreach c,$(CHECKS),$(eval $c: | $(previous))$(eval previous := $c))
endif

heading = @echo "== $@: $1"

check-arrows: $(call objects,strict-gcc,$(LIB))
	$(call heading,who may include and call whom)
	$(Q)scripts/arrows.sh build/obj/strict-gcc

check-expansion: | $(NEEDS)
	$(call heading,docs/expansion.md is what the preprocessor makes)
	$(Q)GCC='$(GCC)' CLANG_FORMAT='$(CLANG_FORMAT)' scripts/expansion.sh --check

check-headers: | $(NEEDS)
	$(call heading,each header compiles alone; both compilers; with and without the short names)
	$(Q)for header in $(HEADERS); do for names in "" -DEDO_NO_SHORT_NAMES; do \
		for cc in "$(GCC) $(WARNINGS_gcc)" "$(CLANG) $(WARNINGS_clang)"; do \
			echo "#include \"$$header\"" | \
			$$cc -std=gnu11 -iquote . $(CPPFLAGS) -Werror $$names -fsyntax-only -x c - || \
				{ echo "$$header: does not compile alone: $$cc $$names" >&2; exit 1; }; \
		done; done; done

check-strict: $(check-strict-objects)
	$(call heading,no warning from gcc or clang)

check-compile-fail: | $(NEEDS)
	$(call heading,wrong programs are refused)
	$(Q)GCC='$(GCC)' CLANG='$(CLANG)' GCC_FLAGS='$(BASE) $(WARNINGS_gcc)' \
		CLANG_FLAGS='$(BASE) $(WARNINGS_clang)' tests/compile_fail/run.sh

check-bench: | $(NEEDS)
	$(call heading,bench/*.py on programs that fail, and with options that cannot be)
	$(Q)tests/bench_tools.py

check-test: $(call test-binary,test) examples
	$(call heading,all tests)
	$(call run-tests,test,build)

check-asan: $(call test-binary,asan) $(EXAMPLES:%=build/asan/%)
	$(call heading,all tests under AddressSanitizer and UndefinedBehaviorSanitizer)
	$(call run-tests,asan,build/asan)

check-tsan: $(call test-binary,tsan) examples
	$(call heading,all tests under ThreadSanitizer)
	$(call run-tests,tsan,build)

check-clang: $(call test-binary,clang) examples
	$(call heading,all tests, built by clang)
	$(call run-tests,clang,build)

# EDO_TEST_WORKERS=N and EDO_TEST_ROOT=task run one of these: tests/support/runtimes.h.
WORKERS_IN := test asan tsan
check-workers: $(foreach f,$(WORKERS_IN),$(call test-binary,$f))
	$(call heading,what holds on any runtime holds on multi-thread ones)
	$(Q)RUNS='1/thread 8/task' tests/support/run_workers.sh test
	$(Q)RUNS='1/thread 2/task 8/thread' tests/support/run_workers.sh asan tsan

check-examples: examples $(EXAMPLES:%=build/asan/%)
	$(call heading,the scripts of tests/ on the examples; then with AddressSanitizer)
	$(Q)for build in build build/asan; do for script in $(TEST_SCRIPTS); do \
		echo "-- $$script $$build"; \
		EDO_BUILD=$$build timeout --kill-after=10 300 $$script || \
			{ echo "$$script: FAILED with EDO_BUILD=$$build" >&2; exit 1; }; \
	done; done

# The runner's own test: a leak, a race, a hang, a crash, a lost test must be noticed.
RUNNER := tests/runner/wrong_test.c $(addprefix tests/support/,other_threads.c sanitizers.c timeout.c) \
	$(addprefix internal/,census.c spin_lock.c sys.c)
$(foreach f,test asan tsan,$(eval $(call program-rule,$f,build/$f/runner,$(RUNNER) $(if $(filter tsan,$f),$(TSAN_SUPPORT)),-lcriterion)))

check-runner: $(foreach f,test asan tsan,build/$f/runner)
	$(call heading,what must fail does)
	$(Q)tests/runner/run.sh

# ---- Fuzzing and soaking -------------------------------------------------------------------------

$(foreach f,$(FUZZERS),$(eval $(call program-rule,fuzz,build/$(f:tests/%=%),$f.c $(EXAMPLE_PARTS) $(LIB),-fsanitize=fuzzer)))
$(foreach s,$(SOAKS),$(eval $(call program-rule,test,build/$(s:tests/%=%),$s.c $(STRESS) $(EXAMPLE_PARTS) $(LIB))))

# A fuzzer's corpus is tests/fuzz/corpus/NAME/; what it finds is kept in build/fuzz/.
corpus-of = $(wildcard $(1:%_fuzz=tests/fuzz/corpus/%))

.PHONY: fuzz soak stress soak-workers
fuzz: $(FUZZERS:tests/%=build/%)  ## run each tests/fuzz/*_fuzz.c for FUZZ_SECONDS
	$(Q)$(foreach f,$(notdir $(FUZZERS)),echo "== $f" && mkdir -p build/fuzz/found/$f && \
		build/fuzz/$f -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
		-artifact_prefix=build/fuzz/$f- build/fuzz/found/$f $(call corpus-of,$f) &&) true

check-fuzz: $(FUZZERS:tests/%=build/%)
	$(call heading,the fuzzers on their corpora, and no further)
	$(Q)$(foreach f,$(notdir $(FUZZERS)),build/fuzz/$f -runs=0 -timeout=10 -verbosity=0 $(call corpus-of,$f) &&) true

soak: $(SOAKS:tests/%=build/%) examples  ## run each tests/soak/*.c, for at most SOAK_SECONDS
	$(Q)$(foreach s,$(notdir $(SOAKS)),echo "== $s" && \
		EDO_BUILD=build SOAK_SECONDS=$(SOAK_SECONDS) timeout --kill-after=10 $$(($(SOAK_SECONDS) + 60)) \
		build/soak/$s &&) true

# The runtime's soak in more flavors than that of the others.
$(foreach f,$(WORKERS_IN),$(eval $(call program-rule,$f,build/$f/stress,tests/soak/workers.c $(STRESS) tests/support/sanitizers.c $(if $(filter tsan,$f),tests/support/tsan_close.c) $(LIB))))

stress: $(WORKERS_IN:%=build/%/stress)  ## the multi-thread runtime under stress, plain and under sanitizers, for SECONDS each
	$(Q)$(foreach f,$(WORKERS_IN),echo "== $f" && build/$f/stress $(SECONDS) &&) true

soak-workers: $(foreach f,asan tsan,$(call test-binary,$f))  ## what holds on any runtime, on 1, 2 and 8 workers, under the sanitizers, twenty times, or REPEAT times
	$(Q)RUNS='1/thread 2/task 8/task' REPEAT=$(if $(filter-out 1,$(REPEAT)),$(REPEAT),20) tests/support/run_workers.sh asan tsan

# ---- Model checking ------------------------------------------------------------------------------

CHECKER := $(wildcard tests/model/*.c)
MODELS := $(wildcard tests/model/models/*.c)
MODEL_OBJECTS := $(call objects,checker,$(CHECKER)) \
	$(call objects,model,$(MODELS) $(filter-out internal/sys.c runtime/selector.c io/%,$(LIB)))
# The system calls of edo_driver_new, and what copies memory without the compiler's report.
MODEL_WRAPS := memcpy memmove memset eventfd fcntl close getrlimit

build/model/edo-model: $(MODEL_OBJECTS) build/obj/sources
	@echo "  model  $@"
	$(Q)mkdir -p $(@D)
	$(Q)$(checker) $(LDFLAGS) -o $@ $(filter %.o,$^) $(MODEL_WRAPS:%=-Wl,--wrap=%)

.PHONY: model mutants
model: build/model/edo-model  ## run the library's concurrent code in every order: tests/model/, docs/model-checking.md
	$(Q)build/model/edo-model

mutants: build/model/edo-model  ## weaken each memory order of the library by a step: do the models notice?
	$(Q)build/model/edo-model --mutants

# The searches against each other on random programs; the planted bugs found by chance as well.
check-model: build/model/edo-model
	$(call heading,the checker; the models; each memory order of the library)
	$(Q)build/model/edo-model --random 20000
	$(Q)build/model/edo-model --pct 3000 'planted_*'
	$(Q)build/model/edo-model
	$(Q)build/model/edo-model --mutants

# ---- Format, install, the rest -------------------------------------------------------------------

.PHONY: format format-check install clean help FORCE
format: | $(NEEDS)  ## apply .clang-format
	$(Q)$(CLANG_FORMAT) -i $(FORMATTED)

format-check: | $(NEEDS)  ## fail where `make format` would change something
	$(call heading,as .clang-format says)
	$(Q)wrong=0; for file in $(FORMATTED); do \
		$(CLANG_FORMAT) $$file | cmp -s - $$file || { echo "$$file: 'make format' would change it" >&2; wrong=1; }; \
	done; exit $$wrong

# Public is what edo.h reaches.
public-headers = $(filter $(HEADERS),$(patsubst $(CURDIR)/%,%,$(abspath $(shell $(CC) $(BASE) -MM edo.h))))
# $(call install-recipe,ROOT,PREFIX)
define install-recipe
	$(Q)for header in $(public-headers); do \
		install -D -m 644 $$header '$1$2'/include/edo/$$header || exit 1; done
	$(Q)install -D -m 644 build/libedo.a '$1$2/lib/libedo.a'
	$(Q)install -D -m 755 build/libedo.so '$1$2/lib/libedo.so.$(VERSION)'
	$(Q)ln -sf libedo.so.$(VERSION) '$1$2/lib/$(SONAME)'
	$(Q)ln -sf libedo.so.$(VERSION) '$1$2/lib/libedo.so'
	$(Q)mkdir -p '$1$2/lib/pkgconfig'
	$(Q)sed -e 's|@PREFIX@|$2|' -e 's|@VERSION@|$(VERSION)|' -e 's|@TRAPS_GCC@|$(TRAPS_gcc)|' \
		-e 's|@TRAPS_CLANG@|$(TRAPS_clang)|' edo.pc.in >'$1$2/lib/pkgconfig/edo.pc'
endef

install: all  ## headers, libraries and edo.pc to $(DESTDIR)$(PREFIX)
	$(call install-recipe,$(DESTDIR),$(PREFIX))

check-install: all
	$(call heading,what is installed compiles and runs)
	$(Q)rm -rf build/stage
	$(call install-recipe,,$(CURDIR)/build/stage)
	$(Q)scripts/check-install.sh build/stage

INSTALL_DEPS := $(addprefix install-deps-,run bench instructions test check model fuzz format)
.PHONY: $(INSTALL_DEPS)
$(INSTALL_DEPS):
	$(Q)scripts/install-deps.sh $(@:install-deps-%=%)

clean:  ## remove build/
	$(Q)rm -rf build

# `make clean test`: one after the other.
ifneq ($(filter clean,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif

help:  ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  \1\t\2/p' Makefile | expand -t 18
