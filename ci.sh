#!/usr/bin/env bash
# Everything that has to hold before a change lands: style, types, the suite on the checked and on
# the release build, the benchmark gates, and the first command of the README from a built wheel.
# Makes its own environment under build/ci; needs CPython 3.11 or later and a C compiler.
set -euo pipefail
cd "$(dirname "$0")"
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_INPUT=1
if [[ -z "${HYPERMM_DATA:-}" && -d ../shared/data ]]; then
  HYPERMM_DATA="$(cd ../shared && pwd)"
  export HYPERMM_DATA
fi

work=build/ci
mkdir -p "$work"
step() { printf '\n== %s (%d s)\n' "$1" "$SECONDS"; }

step "environment from the lock"
python3 -m venv --clear "$work/venv"
"$work/venv/bin/pip" install -q --require-hashes -r requirements/ci.lock
# shellcheck disable=SC1091  # made above
source "$work/venv/bin/activate"

step "style and types"
ruff check .
ruff format --check .
cython-lint hypermm/_core

# Two at a time: what starts processes waits most of its time. Fails if either does.
both() {
  bash -c "$1" > "$work/first.log" 2>&1 &
  local first=$! failed=0
  bash -c "$2" || failed=1
  wait "$first" || failed=1
  tail -25 "$work/first.log"
  return "$failed"
}

# What starts processes runs once, on the release build.
step "checked build: the suite with bounds and division checks, warnings are errors"
HYPERMM_CHECKED=1 python setup.py -q build_ext --inplace --force
mypy
checked='python -W error -m pytest -q -p no:cacheprovider -W error -m "not slow" --durations=5'
both "$checked tests/test_faults.py" "$checked tests --ignore=tests/test_faults.py"

digests() {  # what the engine did in virtual time, synthetic and recorded
  python -m hypermm backtest --duration 5m | grep ^digest
  if [[ -n "${HYPERMM_DATA:-}" ]]; then
    python -m hypermm backtest "$HYPERMM_DATA/data/hyperliquid/2025-09-04" --asset WLFI | grep ^digest
  fi
}
digests > "$work/digests-checked"

step "release build: the same digests, the suite and the benchmark gates"
python setup.py -q build_ext --inplace --force
digests > "$work/digests-release"
diff "$work/digests-checked" "$work/digests-release"
released='python -m pytest -q -p no:cacheprovider --durations=5'
both "$released -m slow tests" "$released -m 'not slow' tests"
python -m pytest -q benchmarks --benchmark-disable-gc --benchmark-sort=name \
  --benchmark-columns=min,median,rounds

step "sdist, wheel, clean install"
rm -rf "$work/dist" "$work/clean" "$work/unpacked"
python -m build --no-isolation --outdir "$work/dist" . > "$work/build.log" 2>&1 \
  || { tail -50 "$work/build.log"; exit 1; }
python scripts/check_wheel.py "$work"/dist/*.whl
deactivate
python3 -m venv "$work/clean"
"$work/clean/bin/pip" install -q "$work"/dist/*.whl

smoke() {  # the first command of the README, for ten seconds, in a folder
  local state
  state="$(mktemp -d)"
  (cd "$1" && XDG_STATE_HOME="$state" "$2" -m hypermm run --network localhost --duration 10s) \
    2>&1 | tee "$state/log"
  grep -q "Market maker started" "$state/log"
  grep -q "all own orders proved gone" "$state/log"
  if grep -E "Traceback|ERROR" "$state/log"; then return 1; fi
  rm -rf "$state"
}

step "ten seconds of the first command: the installed wheel"
python="$PWD/$work/clean/bin/python"
empty="$(mktemp -d)"
smoke "$empty" "$python"
rmdir "$empty"

step "ten seconds of the first command: pip install . in the sources, and run there"
mkdir -p "$work/unpacked"
tar -xzf "$work"/dist/*.tar.gz -C "$work/unpacked" --strip-components 1
"$python" -m pip uninstall -q -y hypermm
"$python" -m pip install -q "$work/unpacked"
smoke "$work/unpacked" "$python"

step "all good"
