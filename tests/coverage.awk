# The share of lines that tests run, by crate, from an lcov file. Ends with 1 below `minimum` percent in all.
#
# The unit tests in a source file, from `#[cfg(test)]` to its end, do not count: they always run. `root` is the workspace,
# with a slash at its end.

/^SF:/ {
    file = substr($0, 4)
    path = file
    if (index(path, root) == 1) path = substr(path, length(root) + 1)
    match(path, /^(functions\/|local\/postgres)?[^\/]*/)
    crate = substr(path, RSTART, RLENGTH)
    end = 0
    number = 0
    while (!end && (getline line < file) > 0) {
        number++
        if (line ~ /^#\[cfg\(test\)\]/) end = number
    }
    close(file)
}

/^DA:/ {
    split(substr($0, 4), at, ",")
    if (end && at[1] + 0 >= end) next
    lines[crate]++
    total++
    if (at[2] + 0 > 0) {
        run[crate]++
        all_run++
    }
}

END {
    if (!total) {
        print "There is nothing to count." > "/dev/stderr"
        exit 1
    }
    printf "%-20s %8s %8s %8s\n", "crate", "lines", "run", "share"
    sort = "sort"
    for (crate in lines) printf "%-20s %8d %8d %7.1f%%\n", crate, lines[crate], run[crate], 100 * run[crate] / lines[crate] | sort
    close(sort)
    share = 100 * all_run / total
    printf "%-20s %8d %8d %7.1f%%\n", "all", total, all_run, share
    if (share < minimum) {
        printf "\nTests run %.1f%% of the lines: %d%% are required.\n", share, minimum > "/dev/stderr"
        exit 1
    }
}
