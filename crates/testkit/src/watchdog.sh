# Ends a test server that no process has held for a while, and removes its folder.
# Arguments: the server's folder, its process id, the seconds it may stay unused.
folder=$1 server=$2 patience=$3

# A zombie, which only its parent can remove, counts as dead.
alive() {
    kill -0 "$1" 2>/dev/null || return 1
    ! grep -qs '^State:[[:space:]]*Z' "/proc/$1/status"
}

held() {
    for file in "$folder"/holders/*; do
        [ -e "$file" ] || continue
        alive "${file##*/}" && return 0
        rm -f "$file"
    done
    return 1
}

unused=0
while alive "$server"; do
    sleep 1
    if held; then unused=0; continue; fi
    unused=$((unused + 1))
    [ "$unused" -gt "$patience" ] || continue
    # A process that comes now finds no url; one that came a moment before is waited for.
    rm -f "$folder/url"
    while held; do sleep 1; done
    kill -INT "$server"
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        alive "$server" || break
        sleep 1
    done
    kill -QUIT "$server" 2>/dev/null
    break
done
rm -rf "$folder"
