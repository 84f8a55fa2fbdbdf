#!/bin/sh
# What the tests drive beside Python: a browser for the pages, bubblewrap, inside which builders run, and pasta and ip, through which they reach the outside. Installed once, on Debian.
set -eu
lacking=""
command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 || lacking="chromium fonts-dejavu-core"
command -v bwrap >/dev/null 2>&1 || lacking="$lacking bubblewrap"
command -v pasta >/dev/null 2>&1 || lacking="$lacking passt"
command -v ip >/dev/null 2>&1 || lacking="$lacking iproute2"
[ -n "$lacking" ] || exit 0
may_install() { command -v apt-get >/dev/null 2>&1 && { [ "$(id -u)" = 0 ] || command -v sudo >/dev/null 2>&1; }; }
if ! may_install; then
  case "$lacking" in
    *chromium*) echo "The tests need Chromium: install it, so that 'chromium' is on the path (macOS: brew install --cask chromium)." >&2; exit 1 ;;
    *) exit 0 ;;
  esac
fi
become=""
[ "$(id -u)" = 0 ] || become="sudo"
$become apt-get update -qq
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive $become apt-get install -y -qq --no-install-recommends $lacking >/dev/null
