# To be sourced: installs missing Debian packages; with KEEP_SERVICES_OFF=1 without starting their services.

need_packages() { # PACKAGE…
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    if [ "$(id -u)" -ne 0 ]; then
        echo "these packages are missing; install them, or run this as root: ${missing[*]}" >&2
        return 1
    fi
    echo "installing ${missing[*]}"
    local policy=/usr/sbin/policy-rc.d made=
    if [ -n "${KEEP_SERVICES_OFF:-}" ] && [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod 755 $policy
        made=1
    fi
    apt-get update -qq
    local result=0
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || result=$?
    [ -z "$made" ] || rm -f $policy
    return $result
}
