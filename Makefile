# A thin front for meson. `make` leaves rgrid, rgridd and rgrid-worker in build/.
BUILD  ?= build
CHECKED = build-checked
PREFIX ?= /usr/local

.PHONY: all test demo install clean lint fmt fuzz bench sim dependencies

all: dependencies
	@tools/build $(BUILD) --buildtype=debugoptimized

dependencies:
	@tools/install-dependencies

# Everything under AddressSanitizer and UndefinedBehaviorSanitizer; the last line counts.
test: dependencies
	@tools/build $(CHECKED) -Db_sanitize=address,undefined
	@tools/run-tests $(CHECKED)

demo: all
	@RGRID_BUILD=$(BUILD) tools/demo

install: all
	@meson configure $(BUILD) --prefix=$(PREFIX)
	meson install -C $(BUILD) --skip-subprojects

clean:
	rm -rf build build-checked build-fuzz

lint: dependencies
	@tools/build $(BUILD) --buildtype=debugoptimized
	@tools/lint $(BUILD)

fmt:
	@git ls-files -z --cached --others --exclude-standard -- '*.c' '*.h' | xargs -0 clang-format -i

fuzz: dependencies
	@tools/fuzz

bench: all
	@RGRID_BUILD=$(BUILD) bench/run

# Simulated runs of the fleet; a seed that breaks an invariant is printed and can be replayed.
SEED  ?= 1
SEEDS ?= 2000
sim: all
	@$(BUILD)/sim/fleet/rgrid-sim --seed $(SEED) --count $(SEEDS)
