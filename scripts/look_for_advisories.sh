#!/usr/bin/env bash
# Asks an advisory database about the versions in constraints.txt; says aloud what it could not ask about.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
not_checked() { echo "ADVISORIES NOT CHECKED: $1"; exit 0; }
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check pip-audit >/dev/null 2>&1 || not_checked "pip-audit cannot be installed here."
audit() { # of the requirements in a file, into found.json
  rm -f "$folder/found.json"
  timeout 120 "$folder/venv/bin/python" -m pip_audit --no-deps --disable-pip --format json --output "$folder/found.json" \
    --requirement "$1" >/dev/null 2>&1 || true
  [ -s "$folder/found.json" ]
}
# One package first: a mirror without advisories is not asked about all of them.
grep -m1 '^[A-Za-z]' constraints.txt >"$folder/first.txt"
audit "$folder/first.txt" && ! grep -q skip_reason "$folder/found.json" || not_checked "no advisory database can be reached here."
audit constraints.txt || not_checked "the advisory database did not answer."
"$folder/venv/bin/python" - "$folder/found.json" <<'PYTHON'
import json, sys
with open(sys.argv[1], encoding="utf-8") as file:
    found = json.load(file)["dependencies"]
asked = [one for one in found if "skip_reason" not in one]
wrong = [f"{one['name']} {one['version']}: {hole['id']}" for one in asked for hole in one["vulns"]]
left = len(found) - len(asked)
if left:
    print(f"ADVISORIES NOT CHECKED for {left} of {len(found)} packages: the database does not know them.")
print(f"{len(asked)} packages checked, {len(wrong)} advisories.", *wrong, sep="\n")
sys.exit(bool(wrong))
PYTHON
