# For scripts that need programs: installs them where that is possible, and fails where it is not. To be
# sourced, by bash.

say() { printf '\n== %s\n' "$*"; }
missing() {
    printf '\nmissing: %s\n%s\n' "$1" "$2" >&2
    exit 1
}

# Installs a Debian package where this may, and says what is missing where it may not.
bring() {
    local what=$1 package=$2
    say "installing $package"
    [ "$(id -u)" = 0 ] || missing "$what" "Install it: sudo apt-get install $package"
    command -v apt-get >/dev/null || missing "$what" "Install $package with your package manager."
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$package" >/dev/null
}
need_command() { command -v "$1" >/dev/null || bring "$1" "$2"; }
