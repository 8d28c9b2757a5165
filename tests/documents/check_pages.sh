#!/usr/bin/env bash
# The documents lead somewhere and stay short: every link to a file of this repository finds it, and
# README.md and DESIGN.md keep to the lines that a reader has patience for.
#
# Usage: check_pages.sh ROOT
set -euo pipefail
cd "$1"
wrong=0
say() { echo "$*" >&2 && wrong=1; }

for page in *.md docs/*.md; do
  # shellcheck disable=SC2016  # Markdown's own backquotes
  while read -r target; do
    [ -e "$(dirname "$page")/${target%%#*}" ] || say "$page: there is no $target"
  done < <(sed '/^```/,/^```/d' "$page" | grep -oP '\]\(\K[^)]+' | grep -vE '^(https?:|#)')
done

for limit in README.md:120 DESIGN.md:180; do
  lines=$(wc -l < "${limit%:*}")
  [ "$lines" -le "${limit#*:}" ] || say "${limit%:*} has $lines lines, more than ${limit#*:}"
done
exit "$wrong"
