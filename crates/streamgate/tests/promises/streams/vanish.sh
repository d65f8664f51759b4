# A player vanishes under an open hold: its network goes down, and neither side is told.
#
# Runs in a network of its own (`unshare --net`). The arguments: an empty directory, and the command
# that serves. Prints the statuses of starts: of the player, of another one meanwhile, and of that one
# once the player has been away for longer than the write timeout and a lease.
set -eu
dir=$1
shift
sessions=http://127.0.0.1:8080/v1/users/u/sessions

# By SIOCSIFFLAGS: not every machine has ip(8).
loopback() {
    python3 -c 'import fcntl, socket, struct, sys
flags = struct.pack("16sH22x", b"lo", sys.argv[1] == "up")
fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x8914, flags)' "$1"
}

start() {
    curl -s -o "$dir/answer" -w '%{http_code}\n' -X PUT "$sessions/$1"
}

loopback up
"$@" >"$dir/log" 2>&1 &
children=$!
trap 'kill -KILL $children' EXIT
until curl -sf -o "$dir/answer" http://127.0.0.1:8080/readyz; do
    kill -0 "$children"
    sleep 0.1
done
start player
curl -sN "$sessions/player/events?hold=true" >"$dir/stream" &
children="$children $!"
until grep -q renewed "$dir/stream"; do sleep 0.1; done
start other
loopback down
sleep 10
loopback up
start other
