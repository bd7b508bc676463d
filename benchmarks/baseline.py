"""Trim a run of the benchmarks to what `--benchmark-compare` reads, for keeping in a repository.

python -m pytest benchmarks --benchmark-only --benchmark-json=run.json
python benchmarks/baseline.py run.json benchmarks/baseline.json
"""

import json
import sys
from pathlib import Path

STATS = ("min", "max", "mean", "stddev", "median", "iqr", "ops", "rounds", "iterations", "outliers")


def trim(run):
    """Leave out the samples, the commit and all of the machine but what explains a figure."""
    cpu, python = run["machine_info"]["cpu"], run["machine_info"]["python_version"]
    return {
        "machine_info": {
            "cpu": {"brand": cpu.get("brand_raw", "?"), "cores": cpu.get("count")},
            "python_version": python,
        },
        "commit_info": {},
        "datetime": run["datetime"][:10],
        "version": run["version"],
        "benchmarks": [
            {key: one[key] for key in ("group", "name", "fullname", "params", "param")}
            | {"extra_info": one["extra_info"], "options": {}}
            | {"stats": {key: one["stats"][key] for key in STATS}}
            for one in sorted(run["benchmarks"], key=lambda one: one["fullname"])
            if "test_threads" not in one["fullname"]  # they measure the machine's idle cores
        ],
    }


def main(source, target):
    trimmed = trim(json.loads(Path(source).read_text()))
    head = {key: value for key, value in trimmed.items() if key != "benchmarks"}
    lines = ",\n".join(
        json.dumps(one, default=str, separators=(",", ":")) for one in trimmed["benchmarks"]
    )
    Path(target).write_text(f'{json.dumps(head)[:-1]}, "benchmarks": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main(*sys.argv[1:])
