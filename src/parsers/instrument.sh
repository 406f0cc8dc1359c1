#!/bin/sh
# What cargo calls for our own crates while `./dev fuzz` builds: the compiler, told to count coverage as libFuzzer reads it.
# The flags are stable; crates of others are as they are, and so is the build script, which no fuzzer is linked into.
rustc=$1
shift
case " $* " in *" --crate-name build_script_build "*) exec "$rustc" "$@" ;; esac
exec "$rustc" "$@" -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares
