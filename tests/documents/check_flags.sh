#!/usr/bin/env bash
# Lets the programs themselves read the flags of every command of theirs that documents show, without
# running it: a flag or a word that a program does not know fails.
#
# Usage: check_flags.sh TOOL... -- DOCUMENT...
#   a command is a TOOL's name and the flags after it, in a block or between backquotes
set -euo pipefail
tools=()
while [ "$1" != -- ]; do tools+=("$1") && shift; done
shift

checked=0
wrong=0
for document in "$@"; do
  for tool in "${tools[@]}"; do
    name=$(basename "$tool")
    # Lines that end in a backslash go on; what follows the flags is another command, a comment or text.
    while read -r -a words; do
      if ! message=$("$tool" "${words[@]:1}" --help 2>&1); then
        echo "$document: ${words[*]}: ${message##*$'\n'}" >&2
        wrong=$((wrong + 1))
      fi
      checked=$((checked + 1))
    done < <(sed -e ':join' -e '/\\$/{N;s/\\\n//;b join' -e '}' "$document" |
      { grep -oE "\b$name --[^\`|&;>#]*" || true; })
  done
done
[ "$checked" -gt 0 ] || { echo "no command found" >&2 && exit 1; }
echo "$checked commands, $wrong wrong"
[ "$wrong" = 0 ]
