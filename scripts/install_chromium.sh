#!/usr/bin/env bash
# The browser tests need Chromium: Debian's own, since a browser is too large to come with the project.
set -euo pipefail
for name in chromium chromium-browser google-chrome; do
  if command -v "$name" >/dev/null; then exit 0; fi
done
if ! command -v apt-get >/dev/null; then
  echo "Chromium is missing: install it so that \`chromium\` is on PATH (macOS: brew install --cask chromium)." >&2
  exit 1
fi
run=()
if [ "$(id -u)" != 0 ]; then run=(sudo); fi
"${run[@]}" apt-get update -qq
"${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core
