# homing for C and C++: the libraries, the headers, and what pkg-config and CMake need to find them.
#
#   make                                   target/dist/libhoming.so and libhoming.a
#   make help                              every target, those for work on homing itself included
#   make install PREFIX=/usr DESTDIR=/tmp/package
#   make uninstall PREFIX=/usr
#
# PROFILE=small makes the smallest libraries, PROFILE=dev those that are built soonest. TARGET=aarch64-unknown-linux-gnu
# cross-compiles. docs/c-api.md tells the rest. A Rust program needs cargo and none of this.

PREFIX ?= /usr/local
INCLUDEDIR ?= $(PREFIX)/include
LIBDIR ?= $(PREFIX)/lib
PKGCONFIGDIR ?= $(LIBDIR)/pkgconfig
CMAKEDIR ?= $(LIBDIR)/cmake/homing
DESTDIR ?=

CARGO ?= cargo
RUSTC ?= rustc
INSTALL ?= install
PROFILE ?= dist
TARGET ?=
TARGET_DIR ?= $(or $(CARGO_TARGET_DIR),target)

VERSION := $(shell sed -n 's/^version = "\(.*\)"$$/\1/p' Cargo.toml | head -n 1)
MAJOR := $(word 1,$(subst ., ,$(VERSION)))
MINOR := $(word 2,$(subst ., ,$(VERSION)))
# What may break with a new number: the second one before version 1, the first one from then on.
ABI := $(if $(filter 0,$(MAJOR)),0.$(MINOR),$(MAJOR))

SYSTEM := $(or $(TARGET),$(shell $(RUSTC) -vV | sed -n 's/^host: //p'))
ifeq (,$(SYSTEM))
$(error no Rust toolchain: `$(RUSTC) -vV` does not work. Install one from https://rustup.rs, or say where it is with RUSTC=… CARGO=…)
else ifneq (,$(findstring -linux-,$(SYSTEM)))
SONAME := libhoming.so.$(ABI)
FULL := libhoming.so.$(VERSION)
PLAIN := libhoming.so
# The library has threads and thread-local values of its own: unloading it would pull the code away under them.
LINK := -C link-arg=-Wl,-soname,$(SONAME) -C link-arg=-Wl,-z,nodelete
# Without -lgcc_s, which the compiler adds by itself to what is linked dynamically; with -static it adds -lgcc_eh.
SYSTEM_LIBS := -lutil -lrt -lpthread -lm -ldl -lc
else ifneq (,$(findstring -apple-darwin,$(SYSTEM)))
# Written down, and never run: NOT SUPPORTED.
SONAME := libhoming.$(ABI).dylib
FULL := libhoming.$(VERSION).dylib
PLAIN := libhoming.dylib
LINK := -C link-arg=-Wl,-install_name,$(LIBDIR)/$(SONAME)
SYSTEM_LIBS := -lSystem -lc -lm
else
$(error NOT SUPPORTED: make install for `$(SYSTEM)`. On Windows, build with cargo: \
cargo rustc --locked --lib --profile dist --features capi,log/release_max_level_off --crate-type cdylib,staticlib)
endif

# No program can set a logger of the `log` crate inside a library for C, so nothing is compiled in for it: `on_log` of a client
# is the way. The feature is not part of `capi`, because it would silence `log` in a whole Rust program.
FEATURES := capi,log/release_max_level_off

BUILT := $(TARGET_DIR)/$(if $(TARGET),$(TARGET)/)$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))
HEADERS := $(wildcard include/*.h include/*.hpp)
SOURCES := Makefile Cargo.toml Cargo.lock $(shell find src -name '*.rs')
# Cargo knows best what is out of date, but `sudo make install` ought not to call it.
MADE := $(BUILT)/.homing-for-c

.PHONY: all help install uninstall check test ci
all: $(MADE)

help:
	@echo 'For programs in C and C++:'
	@echo '  make             build the libraries             PROFILE=dist|small|dev TARGET=…'
	@echo '  make install     install them, with headers      PREFIX=/usr/local DESTDIR='
	@echo '  make uninstall   remove what install installed'
	@echo 'For work on homing itself:'
	@echo '  make check       formatting, lints, the tests without I/O: before each commit'
	@echo '  make test        every test that needs no privileges'
	@echo '  make ci          everything that has to hold, as root on Debian (.ci/run)'

# A library that is newer than the mark was made by somebody else, with other flags.
$(MADE): $(SOURCES) $(wildcard $(BUILT)/$(PLAIN) $(BUILT)/libhoming.a)
	$(CARGO) rustc --locked --lib --profile $(PROFILE) --features $(FEATURES) --crate-type cdylib,staticlib \
		--target-dir '$(TARGET_DIR)' $(if $(TARGET),--target $(TARGET)) -- $(LINK)
	@touch '$@'

# The files say where they are relative to themselves when they lie below the prefix, so that the tree can be moved.
below = $(patsubst $(PREFIX)/%,$${prefix}/%,$(1))
FILL = sed -e 's|@VERSION@|$(VERSION)|g' -e 's|@ABI@|$(ABI)|g' -e 's|@PREFIX@|$(PREFIX)|g' \
	-e 's|@INCLUDEDIR@|$(INCLUDEDIR)|g' -e 's|@LIBDIR@|$(LIBDIR)|g' -e 's|@CMAKEDIR@|$(CMAKEDIR)|g' \
	-e 's|@PC_INCLUDEDIR@|$(call below,$(INCLUDEDIR))|g' -e 's|@PC_LIBDIR@|$(call below,$(LIBDIR))|g' \
	-e 's|@SYSTEM_LIBS@|$(SYSTEM_LIBS)|g' -e 's|@FULL@|$(FULL)|g' -e 's|@SONAME@|$(SONAME)|g'

install: $(MADE)
	$(INSTALL) -d '$(DESTDIR)$(INCLUDEDIR)' '$(DESTDIR)$(LIBDIR)' '$(DESTDIR)$(PKGCONFIGDIR)' '$(DESTDIR)$(CMAKEDIR)'
	$(INSTALL) -m 644 $(HEADERS) '$(DESTDIR)$(INCLUDEDIR)'
	$(INSTALL) -m 755 '$(BUILT)/$(PLAIN)' '$(DESTDIR)$(LIBDIR)/$(FULL)'
	ln -sf $(FULL) '$(DESTDIR)$(LIBDIR)/$(SONAME)'
	ln -sf $(SONAME) '$(DESTDIR)$(LIBDIR)/$(PLAIN)'
	$(INSTALL) -m 644 '$(BUILT)/libhoming.a' '$(DESTDIR)$(LIBDIR)'
	$(FILL) packaging/homing.pc.in > '$(DESTDIR)$(PKGCONFIGDIR)/homing.pc'
	$(FILL) packaging/homing-config.cmake.in > '$(DESTDIR)$(CMAKEDIR)/homing-config.cmake'
	$(FILL) packaging/homing-config-version.cmake.in > '$(DESTDIR)$(CMAKEDIR)/homing-config-version.cmake'
	chmod 644 '$(DESTDIR)$(PKGCONFIGDIR)/homing.pc' '$(DESTDIR)$(CMAKEDIR)'/homing-config*.cmake

uninstall:
	rm -f $(patsubst include/%,'$(DESTDIR)$(INCLUDEDIR)/%',$(HEADERS)) \
		'$(DESTDIR)$(LIBDIR)/$(FULL)' '$(DESTDIR)$(LIBDIR)/$(SONAME)' '$(DESTDIR)$(LIBDIR)/$(PLAIN)' \
		'$(DESTDIR)$(LIBDIR)/libhoming.a' '$(DESTDIR)$(PKGCONFIGDIR)/homing.pc' \
		'$(DESTDIR)$(CMAKEDIR)/homing-config.cmake' '$(DESTDIR)$(CMAKEDIR)/homing-config-version.cmake'
	-rmdir '$(DESTDIR)$(CMAKEDIR)' 2>/dev/null

check:
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy --locked --workspace --all-targets --all-features -- -D warnings
	$(CARGO) test --locked --no-default-features

test:
	$(CARGO) test --locked --features capi

ci:
	.ci/run
