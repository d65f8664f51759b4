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

# The emulator of DynamoDB from npm, exactly as pinned, unless there is another to use.
need_dynoxide() {
    dynoxide=@dynoxide/linux-x64@1.2.1
    [ -z "${STREAMGATE_TEST_DYNOXIDE:-}" ] || return 0
    [ "$(cat .tools/dynoxide.txt 2>/dev/null)" != "$dynoxide" ] || return 0
    need_command npm npm
    say "installing $dynoxide into .tools"
    npm install --silent --no-audit --no-fund --prefix .tools "$dynoxide"
    echo "$dynoxide" >.tools/dynoxide.txt
}
