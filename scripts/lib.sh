# What every script here shares: saying each step with its time, and failing in one clear line.
# Sourced, never run. Callers set `set -euo pipefail` themselves.

export LC_ALL=C # one sorting order, one decimal point, tools whose output can be parsed

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
  bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
else
  bold='' dim='' red='' green='' plain=''
fi

say() { printf '%s\n' "$*"; }
heading() { printf '%s%s%s\n' "$bold" "$*" "$plain"; }

# One line that says what is wrong and what to do; the whole script ends.
fail() {
  step_break
  printf '%serror:%s %s\n' "$red" "$plain" "$*" >&2
  exit 1
}

# A Rust that works: the one on the PATH, or else Debian's. A manager of toolchains without a toolchain is on many PATHs.
has_rust() { cargo --version >/dev/null 2>&1 && rustc --version >/dev/null 2>&1; }
find_rust() {
  has_rust || PATH=/usr/bin:$PATH
  has_rust
}

now_us() { printf '%s' "${EPOCHREALTIME/[.,]/}"; }

# seconds_since START_US: "2.1 s"
seconds_since() {
  local tenths=$((($(now_us) - $1 + 50000) / 100000))
  printf '%d.%d s' $((tenths / 10)) $((tenths % 10))
}

# A step is one line: its name and detail when it begins, its outcome and time when it ends.
#   step kernel 'linux 6.1.0'; …; done_step '13 MiB'    →    kernel   linux 6.1.0, 13 MiB     2.1 s
step_name='' step_text='' step_began_us=0

step() {
  step_name=$1 step_text=$2 step_began_us=$(now_us)
  printf '  %-11s %s' "$step_name" "$step_text"
}

done_step() {
  local text=$step_text${1:+, $1} padding
  padding=$((56 - ${#text}))
  printf '%s%*s%s%8s%s\n' "${1:+, $1}" $((padding > 1 ? padding : 1)) '' "$dim" "$(seconds_since "$step_began_us")" "$plain"
  step_name=''
}

# A step with nothing to do: there NAME DETAIL
there() {
  local text="$2"
  printf '  %-11s %-56s%s%8s%s\n' "$1" "$text" "$green" there "$plain"
}

# Ends the open line of an unfinished step, so that what follows starts on its own.
step_break() {
  if [[ -n $step_name ]]; then
    printf '\n'
    step_name=''
  fi
}

# quietly CMD…: its output is kept, and shown only when it fails: the beginning, where the cause often is, and the end.
quietly() {
  local log code=0
  log=$(mktemp)
  "$@" >"$log" 2>&1 </dev/null || code=$?
  if ((code != 0)); then
    step_break
    printf '%s--- the output of: %s%s\n' "$dim" "$*" "$plain" >&2
    if (($(wc -l <"$log") > 40)); then
      head -n 12 "$log" >&2
      printf '%s--- …%s\n' "$dim" "$plain" >&2
      tail -n 27 "$log" >&2
    else
      cat "$log" >&2
    fi
    printf '%s---%s\n' "$dim" "$plain" >&2
  fi
  rm -f "$log"
  return "$code"
}

have() { command -v "$1" >/dev/null 2>&1; }

# Where everything that can be made again is kept. The SDK looks in the same place.
cache_dir() { printf '%s' "${WARMCELL_CACHE_DIR:-${XDG_CACHE_HOME:-${HOME:?set HOME or WARMCELL_CACHE_DIR}/.cache}/warmcell}"; }

# version_at_least HAVE WANT, by dotted numbers
version_at_least() { [[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]; }

# run_step NAME CMD…: its output is shown as it comes, and its time is added to `times`. Ends the script, in its own name, when it fails.
run_step() {
  local name=$1 start_us
  shift
  start_us=$(now_us)
  heading "$name"
  "$@" </dev/null || fail "${0##*/}: '$name' failed after $(seconds_since "$start_us")"
  say "  $name: $(seconds_since "$start_us")"
  times+=("$name $(seconds_since "$start_us")")
}
