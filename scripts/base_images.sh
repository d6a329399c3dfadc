#!/bin/sh
# base_images.sh IMAGE...: provides the public images: pulled, or, if the engine reaches no registry, stand-ins
# built here from Debian's packages and our Envoy, under the same names and labelled as stand-ins.
set -eu
cd "$(dirname "$0")/.."
. scripts/say.sh

have() { docker image inspect "$1" >/dev/null 2>&1; }

missing=
for image; do
    have "$image" || { say "pulling $image" && timeout 600 docker pull "$image" >&2; } || missing="$missing $image"
done

# Debian's minimal system, once; each stand-in adds what its public image adds.
rootfs() {
    [ -n "${root-}" ] && return
    [ "$(id -u)" = 0 ] || { say "only root can make the stand-ins"; return 1; }
    command -v debootstrap >/dev/null || apt_install "debootstrap (to make stand-ins)" debootstrap debian-archive-keyring || return 1
    root=$(mktemp -d)
    trap 'rm -rf "$root"' EXIT
    say "unpacking Debian bookworm for the stand-ins, about a minute"
    timeout 900 debootstrap --variant=minbase bookworm "$root" >"$root.log" 2>&1 || { tail -n 5 "$root.log" >&2; return 1; }
    rm -f "$root.log"
    # As in the public image: newer compilers are among the security updates.
    sed -i 'p; s|/debian bookworm |/debian-security bookworm-security |' "$root/etc/apt/sources.list"
    chroot "$root" apt-get clean
}

import() {
    say "making a stand-in for $1"
    tar -C "$root" -c . | docker import --change 'CMD ["bash"]' --change 'LABEL portcullis.stand-in=true' - "$1" >/dev/null
}

for image in $missing; do
    case $image in
    debian:bookworm-slim)
        rootfs
        import "$image"
        ;;
    envoyproxy/envoy:*)
        rootfs
        cp "$(scripts/envoy.sh)" "$root/usr/local/bin/envoy"
        import "$image"
        rm "$root/usr/local/bin/envoy"
        ;;
    python:*)
        rootfs
        DEBIAN_FRONTEND=noninteractive chroot "$root" apt-get install -y -qq --no-install-recommends \
            -o APT::Sandbox::User=root -o Dpkg::Use-Pty=0 python3 >/dev/null 2>&1
        chroot "$root" apt-get clean
        import "$image"
        ;;
    *)
        say "$image has no stand-in"
        exit 1
        ;;
    esac
done
