# What the scripts beside this one share; they source it.
#
# A package is a function of its inputs: times come from SOURCE_DATE_EPOCH (the commit's, unless it is
# set), owners are root, modes are set here, names are sorted, and no tool may ask the clock or chance.
# shellcheck shell=bash
set -euo pipefail
export LC_ALL=C TZ=UTC
umask 022

me=installers/$(basename "$0")
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=

say() { printf '== %s\n' "$*" >&2; }
fail() { printf '%s: %s\n' "$me" "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# The comment at the top of a script is its help.
help() { awk 'NR > 1 && !/^#/ { exit } NR > 1 { sub(/^# ?/, ""); print }' "$0"; }

need() {
  local missing=()
  for tool in "$@"; do have "$tool" || missing+=("$tool"); done
  [ ${#missing[@]} -eq 0 ] || fail "please install: ${missing[*]}"
}

# A directory of this script's own, gone when it ends. What is worked on there never leaves traces of
# where that was.
work_directory() {
  work=$(mktemp -d "${TMPDIR:-/tmp}/chaperone.XXXXXX")
  trap 'rm -rf "$work"' EXIT
}

# The one place that has the version.
version() { awk -F'"' '/^version = / { print $2; exit }' "$root/Cargo.toml"; }

# All times in a package are this one.
epoch() {
  if [ -n "${SOURCE_DATE_EPOCH:-}" ]; then
    echo "$SOURCE_DATE_EPOCH"
  else
    git -C "$root" log -1 --format=%ct 2>/dev/null || fail "no git here: please set SOURCE_DATE_EPOCH"
  fi
}

# The processor of a staged program, as the compiler names it: its target's first part.
processor() { local target; target=$(cat "$1/TARGET"); echo "${target%%-*}"; }

# Whether the staged program is for this system, as the compiler names it.
staged_for() { [ -f "$1/TARGET" ] && grep -q -- "$2" "$1/TARGET"; }

# Gives a tree the modes and the time that every machine gives it.
normalise() {
  find "$1" -type d -exec chmod 755 {} +
  find "$1" -type f -perm -u+x -exec chmod 755 {} +
  find "$1" -type f ! -perm -u+x -exec chmod 644 {} +
  find "$1" -depth -exec touch -h -d "@$(epoch)" {} +
}

# A name (RFC 4122, version 5) that is the same whenever it is asked for: for what installers know
# each other by.
name_uuid() {
  python3 -c 'import sys, uuid; print(str(uuid.uuid5(uuid.UUID("9a3c2b52-95a0-5f47-8f0c-5d4d43d0e0b1"), sys.argv[1])).upper())' "$1"
}

# Prints where the packer of bundles is.
find_mcpb() {
  local tests=$root/.world/npm/node_modules/.bin/mcpb
  if [ -n "${MCPB:-}" ]; then
    echo "$MCPB"
  else
    command -v mcpb || { [ -x "$tests" ] && echo "$tests"; }
  fi
}

# The arguments that all packagers have: the staged directory and where the package goes.
staged() {
  case ${1:-} in --help | -h) help; exit ;; esac
  [ $# -eq 2 ] || { help >&2; exit 2; }
  [ -f "$1/TARGET" ] || fail "$1 is no directory that installers/stage has made"
  mkdir -p "$2"
  SOURCE_DATE_EPOCH=$(epoch)
  export SOURCE_DATE_EPOCH
  work_directory
}
