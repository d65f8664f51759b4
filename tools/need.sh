# For scripts that need programs: installs them where that is possible, and fails where it is not. To be
# sourced, by bash.

say() { printf '\n== %s\n' "$*"; }
missing() {
    printf '\nmissing: %s\n%s\n' "$1" "$2" >&2
    exit 1
}

# Installs Debian packages where this may, and says what is missing where it may not. apt_options may
# hold further options of apt-get.
bring() {
    local what=$1
    shift
    say "installing $*"
    [ "$(id -u)" = 0 ] || missing "$what" "Install it: sudo apt-get install $*"
    command -v apt-get >/dev/null || missing "$what" "Install $* with your package manager."
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq ${apt_options:-} "$@" >/dev/null
}
need_command() { command -v "$1" >/dev/null || bring "$1" "$2"; }
