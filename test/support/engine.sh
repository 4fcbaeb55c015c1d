#!/usr/bin/env bash
# Installs a container engine for tests on Debian and its derivatives. Only one runs at a time: several
# test files may ask at once.
#   engine.sh install        installs Podman and what it needs, as root
#   engine.sh image NAME     makes a small image with busybox
set -euo pipefail
exec 9>"${TMPDIR:-/tmp}/trainyard-test-engine.lock"
flock 9

case "$1" in
  install)
    wanted=(podman runc catatonit netavark aardvark-dns iptables)
    # The real docker program is used if it is there; else Debian's, or Podman's own docker.
    command -v docker >/dev/null || wanted+=(podman-docker)
    missing=()
    for package in "${wanted[@]}"; do
      dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && exit
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q -o DPkg::Lock::Timeout=300 update
    apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${missing[@]}"
    ;;
  image)
    docker image inspect "$2" >/dev/null 2>&1 && exit
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    chmod 755 "$folder"
    cd "$folder"
    apt-get -q download busybox-static
    dpkg -x busybox-static_*.deb unpacked
    mkdir -p root/{bin,tmp,proc,sys,dev,etc}
    chmod 1777 root/tmp
    cp "$(find unpacked -path '*/bin/busybox' -type f | head -1)" root/bin/busybox
    for name in $(root/bin/busybox --list); do [ "$name" = busybox ] || ln -s busybox "root/bin/$name"; done
    tar -C root -c . | docker import - "$2" >/dev/null
    ;;
esac
