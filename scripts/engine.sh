# To be sourced: starts and stops a separate Docker engine with all its files in a folder; its socket is FOLDER/docker.sock.

start_engine() { # FOLDER FLAG…
    mkdir -p "$1"
    echo '{}' >"$1/daemon.json"
    PATH="$PATH:/usr/sbin:/sbin" dockerd --config-file "$1/daemon.json" --host "unix://$1/docker.sock" \
        --data-root "$1/data" --exec-root "$1/exec" --pidfile "$1/docker.pid" "${@:2}" >>"$1/dockerd.log" 2>&1 </dev/null &
    echo $! >"$1/started.pid"
    for _ in $(seq 200); do
        docker -H "unix://$1/docker.sock" version >/dev/null 2>&1 && return
        kill -0 "$(cat "$1/started.pid")" 2>/dev/null || break
        sleep 0.1
    done
    tail -n 20 "$1/dockerd.log" >&2
    echo "the engine did not start" >&2
    return 1
}

stop_engine() { # FOLDER
    local pid
    pid=$(cat "$1/started.pid" 2>/dev/null) || return 0
    docker -H "unix://$1/docker.sock" ps -aq 2>/dev/null | xargs -r docker -H "unix://$1/docker.sock" rm -f >/dev/null 2>&1 || true
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 300); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null || true
    awk -v folder="$(realpath "$1")/" 'index($5, folder) == 1 {print $5}' /proc/self/mountinfo | sort -r | xargs -r -n1 umount -l
    rm -rf "$1" || { sleep 1; rm -rf "$1"; }
}
