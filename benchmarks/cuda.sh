#!/usr/bin/env bash
# Everything that wants a card, in one command of at most nine minutes, on a machine without a network:
#
#     bash benchmarks/cuda.sh wheels      where there is a network: the packages the other machine lacks, 50 MB, into .whl/
#     bash benchmarks/cuda.sh             on the machine with the card: the tests marked cuda, then benchmarks/card.py
#     bash benchmarks/cuda.sh --dry-run   the same on a CPU with tiny shapes
#
# The other machine needs Python 3.12 with torch, transformers, accelerate, peft, jinja2, rich and pytest. The tables go to $OUT (or reports/).
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
OUT=${OUT:-reports/cuda}
WHEELS="bitsandbytes docstring_parser gguf opencc rjieba tyro typeguard"

if [ "${1:-}" = wheels ]; then
    platforms=$(for n in 1 2010 2014 _2_17_x86_64 _2_24_x86_64 _2_27_x86_64 _2_28_x86_64; do
        case $n in _*) echo "--platform manylinux$n" ;; *) echo "--platform manylinux${n}_x86_64" ;; esac
    done)
    download="$PYTHON -m pip download -q --only-binary=:all: --python-version 3.12 --implementation cp $platforms -d .whl -c constraints.txt"
    $download --no-deps $WHEELS
    exec $download pydantic  # with what it needs: its core has to be of the very version it names
fi

if [ -d .whl ] && [ "${1:-}" != --dry-run ]; then
    site=$(mktemp -d)
    "$PYTHON" -m pip install -q --no-index --no-deps --no-compile --target "$site" .whl/*.whl
    export PYTHONPATH="$site${PYTHONPATH:+:$PYTHONPATH}"
fi
export PYTHONPATH="src${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
mkdir -p "$OUT"
status=0
if [ "${1:-}" = --dry-run ]; then
    CUSTOME_TEST_DEVICE=cpu "$PYTHON" -m pytest -q -m cuda tests/training/test_card.py || status=1
else
    "$PYTHON" -m pytest -q -m cuda tests/training/test_card.py 2>&1 | tee "$OUT/tests.txt" || status=1
fi
"$PYTHON" benchmarks/card.py --out "$OUT" "$@" 2>&1 | tee "$OUT/card.txt" || status=1
exit $status
