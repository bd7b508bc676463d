#!/usr/bin/env bash
# Run the kernels' tests under the address and undefined-behaviour sanitizers; any report fails.
#
#   scripts/sanitize.sh                     every test file that uses the kernels directly
#   scripts/sanitize.sh tests/test_glft.py  only these (pytest's arguments)
#
# Builds in a copy under build/sanitize, so that a checkout's own build stays as it is; the copy is
# kept and a second run compiles only what changed. Needs gcc with libasan and libubsan, and a
# python with the packages of the `dev` extra: PYTHON=... names it, the first on the path by default.
set -euo pipefail
cd "$(dirname "$0")/.."

python="$(command -v "${PYTHON:-python}")"
work="$PWD/build/sanitize"
reports="$work/reports"
mkdir -p "$work"
rm -rf "$reports"
mkdir "$reports"

# Timestamps are kept: only what changed is compiled again. What is no longer in the sources goes.
rm -rf "$work/tests"
find "$work" -path "$work/hypermm/*" -type f ! -name '*.so' -delete
find hypermm setup.py pyproject.toml tests -type f ! -name '*.so' ! -name '*.pyc' \
  ! -path '*/.hypothesis/*' -print0 | tar -c --null -T - | tar -x -C "$work"
cd "$work"

echo "== build ($SECONDS s)"
export CC="${CC:-gcc}"
HYPERMM_SANITIZE=1 \
  "$python" setup.py -q build_ext --inplace --parallel "${JOBS:-2}" > build.log 2>&1 \
  || { tail -40 build.log; exit 1; }

if [[ $# -eq 0 ]]; then
  mapfile -t files < <(grep -lE 'hypermm\._core|hypermm\.notebook|^import hypermm$' tests/test_*.py)
  set -- "${files[@]}"
fi

echo "== tests ($SECONDS s)"
# The runtimes come before everything else in the process, libstdc++ so that exceptions in other
# packages' C++ still find their way. Leaks are not asked for: the interpreter itself keeps what it
# has to its end. malloc instead of Python's arenas, so that every object has its own red zone.
# Reports go to files, because pytest captures what a test prints.
preload=""
for library in libasan.so libubsan.so libstdc++.so; do
  preload+="$("$CC" -print-file-name="$library") "
done
status=0
env LD_PRELOAD="$preload" PYTHONMALLOC=malloc PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$work" \
  ASAN_OPTIONS="detect_leaks=0:halt_on_error=1:detect_stack_use_after_return=1:log_path=$reports/asan" \
  UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1:log_path=$reports/ubsan" \
  "$python" -m pytest -q -p no:cacheprovider "$@" || status=$?

if compgen -G "$reports/*" > /dev/null; then
  cat "$reports"/*
  status=1
fi
if [[ $status -eq 0 ]]; then
  echo "== no report ($SECONDS s)"
else
  echo "== FAILED ($SECONDS s)"
fi
exit "$status"
