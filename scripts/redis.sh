#!/bin/sh
# Prints the path of a Redis server: REDIS_SERVER, else redis-server from the PATH, else Debian's, unpacked once into
# .cache/: nothing is installed, and no service is started.
set -eu
cd "$(dirname "$0")/.."
. scripts/say.sh

cached=.cache/redis

usable() {
    "$1" --version 2>/dev/null | grep -Eq "v=([7-9]|[1-9][0-9])\."
}

# Debian's redis-server is another name for a program of redis-tools. Libraries that are not installed come along.
unpack() { # unpack FOLDER
    mkdir "$1/packages" && cd "$1/packages"
    missing=$(apt-get install --print-uris -qq --no-install-recommends redis-tools | sed "s/^'[^']*' \([^_]*\)_.*/\1/")
    # shellcheck disable=SC2086
    apt-get download -qq -o APT::Sandbox::User=root redis-tools $missing >&2 ||
        fail "no Redis: apt-get could not fetch it. Install it, or set REDIS_SERVER"
    for package in *.deb; do
        dpkg --extract "$package" ..
    done
    cd .. && rm -r packages
    ln -s redis-check-rdb usr/bin/redis-server
    libraries=$(dirname "$(find . -name 'liblzf.so.*' -print -quit)")
    cat >redis-server <<EOF
#!/bin/sh
here=\$(dirname "\$0")
export LD_LIBRARY_PATH=\$here/$libraries
exec "\$here/usr/bin/redis-server" "\$@"
EOF
    chmod +x redis-server
}

if [ -n "${REDIS_SERVER-}" ]; then
    usable "$REDIS_SERVER" || fail "REDIS_SERVER=$REDIS_SERVER does not run as Redis 7 or newer"
    realpath "$(command -v "$REDIS_SERVER")"
elif on_path=$(command -v redis-server) && usable "$on_path"; then
    echo "$on_path"
else
    if ! usable $cached/redis-server; then
        command -v apt-get >/dev/null || fail "no Redis 7 or newer: install it, or set REDIS_SERVER"
        say "unpacking Debian's Redis (some 1.3 MB) into .cache/"
        [ "$(id -u)" != 0 ] || apt-get update -qq >&2
        mkdir -p .cache
        unpacked=$(mktemp -d "$PWD/$cached.XXXXXX")
        trap 'rm -rf "$unpacked"' EXIT
        (unpack "$unpacked")
        usable "$unpacked/redis-server" || fail "the Redis that was fetched does not run here: install it, or set REDIS_SERVER"
        # Renamed into place, so that an interrupted fetch is not used.
        rm -rf $cached && mv "$unpacked" $cached
    fi
    echo "$PWD/$cached/redis-server"
fi
