# What the scripts of a release share. To be sourced, by bash.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

fail() {
    printf '%s\n' "$1" >&2
    exit 1
}

# The version of the workspace, which all that is released has.
version() { sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml; }

# The target of the machine, as Rust and as Debian name it.
target() { rustc --version --verbose | sed -n 's/^host: //p'; }
debian_architecture() { dpkg --print-architecture; }

# The time of the commit, in seconds since 1970: the time of all files in archives, so that two builds of a
# commit make the same bytes.
commit_time() { printf '%s' "${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}"; }

# archive FILE DIRECTORY NAME: packs DIRECTORY/NAME, the same bytes for the same files.
archive() {
    tar --create --sort=name --owner=0 --group=0 --numeric-owner --mode=u+rw,go+r,go-w --mtime="@$(commit_time)" \
        --directory "$2" "$3" | gzip --no-name --best >"$1"
}
