#!/usr/bin/env bash
# Test a market of a builder's dex for a while: scripts/test_hip3.sh ASSET DEX SECONDS
#
#   scripts/test_hip3.sh BTC hyna 60                    on the embedded exchange, no key needed
#   NETWORK=mainnet scripts/test_hip3.sh BTC hyna 300   on the real one, with HYPERLIQUID_PRIVATE_KEY
#
# Writes logs/mm_{dex}_{asset}_{date}_{time}.log and says at the end what happened. Ctrl-C and
# SIGTERM are passed on: the market maker stops gracefully, and the analysis still follows.
set -uo pipefail
if [[ $# -ne 3 || ! "$3" =~ ^[0-9]+$ ]]; then
  sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
asset="$1" dex="$2" secs="$3"
python="${PYTHON:-python3}"
mkdir -p logs
log="logs/mm_${dex}_${asset}_$(date +%Y-%m-%d_%H-%M-%S).log"
echo "log       $log"
"$python" -m hypermm run --network "${NETWORK:-localhost}" --asset "$asset" --dex "$dex" \
  --duration "${secs}s" --log-level debug --log-file "$log" &
run=$!
trap 'kill -INT "$run" 2>/dev/null' INT TERM
wait "$run"
status=$?
while kill -0 "$run" 2>/dev/null; do  # a signal ended the wait, not the run
  wait "$run"
  status=$?
done
for event in ERROR WARN "Quote cycle" "Trades processed"; do
  printf '%7d  %s\n' "$(grep -c -- "$event" "$log")" "$event"
done
"$python" -m hypermm logs "$log"
exit "$status"
