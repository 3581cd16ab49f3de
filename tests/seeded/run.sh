#!/usr/bin/env bash
# `make seeded`: shows that the tests can fail. Takes one guarantee out at a time, by a patch of this folder, and expects the
# tests that the patch names to turn red.
#
# A patch begins with what it takes out and which tests must notice, as package, test target and filter:
#
#     Takes out: the outbox. …
#     Caught by: orders api place::the_event_is_written_with_the_order
#
# Every test that is named must fail, so name one that ends with the mistake, too. Further suites join by such a line.
# It is applied to a copy of the sources in target/seeded, which has a target folder of its own: the first run compiles
# everything, later ones only what the patches touch. It needs the servers of `with-services`, which `make seeded` starts.
# To run some patches only: make seeded ONLY="outbox limit".
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/tests/seeded
scratch=${CARGO_TARGET_DIR:-$root/target}/seeded
source=$scratch/source
log=$scratch/log

# A patch may change a query: it is checked by the database of `with-services` as it compiles. A snapshot that differs is a
# failure, and is not written down.
export CARGO_TARGET_DIR=$scratch/target SQLX_OFFLINE=false INSTA_UPDATE=no CARGO_TERM_COLOR=never

say() { printf '%s\n' "$*" >&2; }
give_up() { say "seeded: $*"; exit 2; }

# What a patch says of itself: the lines of a field.
field() { sed -n "/^--- /q; s/^$1: //p" "$2"; }
name_of() { basename "$1" .patch; }
# Where a patch is made anew: the sentence for one that no longer fits.
stale() { give_up "tests/seeded/$1.patch $2. Make the same change by hand in a clean tree, and let \`git diff\` write it anew below the patch's first lines."; }

[[ -n ${DATABASE_URL:-} ]] || give_up "there are no servers: use \`make seeded\`"
patches=()
for patch in "$here"/*.patch; do
    [[ -z ${ONLY:-} || " $ONLY " == *" $(name_of "$patch") "* ]] && patches+=("$patch")
done
[[ ${#patches[@]} -gt 0 ]] || give_up "there is no patch \"$ONLY\" in tests/seeded"

# The packages of all tests, always together: their dependencies are then compiled once, with the same features.
packages=()
while read -r package; do packages+=(--package "$package"); done < <(
    for patch in "$here"/*.patch; do field 'Caught by' "$patch" | cut -d' ' -f1; done | sort -u
)

# A test as cargo is told it, in `command`.
command_of() { # package target filter
    command=(cargo test --quiet "${packages[@]}" --all-features --test "$2")
}

# Compile, then run a test. 0: green; 1: red; 2: it does not compile, or no test is called so.
run() { # package target filter
    command_of "$@"
    (cd "$source" && "${command[@]}" --no-run) </dev/null >"$log" 2>&1 || return 2
    local status=0
    (cd "$source" && "${command[@]}" -- "$3") </dev/null >"$log" 2>&1 || status=1
    if [[ $status -eq 0 ]]; then
        grep -qE '^test result: ok\. [1-9]' "$log" || return 2
    else
        grep -q '^test result: FAILED' "$log" || return 2
    fi
    return $status
}

copy_sources() {
    rm -rf "$source"
    mkdir -p "$source"
    # What git would take, as it is now. Times stay, so that cargo knows what it has compiled.
    (cd "$root" && git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
        [[ ! -f $file ]] || printf '%s\0' "$file"
    done | tar --create --null --files-from - --file -) | tar --extract --directory "$source"
    # A repository of its own, or git would take its files for those of ours.
    git -C "$source" init --quiet
    # But a run that was killed may have left something compiled from a patched file.
    for patch in "$here"/*.patch; do
        sed -n 's|^+++ b/||p' "$patch" | while read -r file; do touch "$source/$file"; done
    done
}

apply() { git -C "$source" apply "$@"; }

seconds() { printf '%d s' $((SECONDS - $1)); }

# In a function, so that the script may be changed while it runs.
main() {
    copy_sources
    trap 'rm -rf "$source"' EXIT

    say "The tests without a mistake. The first time this compiles everything, for some minutes."
    while read -r package target filter; do
        begun=$SECONDS status=0
        run "$package" "$target" "$filter" || status=$?
        case $status in
            0) say "  green  $package $target $filter ($(seconds $begun))" ;;
            *) tail -n 40 "$log" >&2
               give_up "\`${command[*]} -- $filter\` is not green without a mistake, or finds no test: see above" ;;
        esac
    done < <(for patch in "${patches[@]}"; do field 'Caught by' "$patch"; done | sort -u)

    caught=0
    rows=()
    for patch in "${patches[@]}"; do
        name=$(name_of "$patch") begun=$SECONDS slipped=
        say "$name: without $(field 'Takes out' "$patch")"
        apply "$patch" >"$log" 2>&1 || stale "$name" "no longer applies"
        while read -r package target filter; do
            status=0
            run "$package" "$target" "$filter" || status=$?
            case $status in
                0) slipped+="$target $filter "; say "  GREEN  $package $target $filter" ;;
                1) say "  red    $package $target $filter" ;;
                *) tail -n 40 "$log" >&2; stale "$name" "does not compile any more, or its test ends without a result" ;;
            esac
        done < <(field 'Caught by' "$patch")
        apply --reverse "$patch"
        # Newer than what was compiled from it.
        sed -n 's|^+++ b/||p' "$patch" | while read -r file; do touch "$source/$file"; done
        if [[ -z $slipped ]]; then
            caught=$((caught + 1))
            verdict=caught
        else
            verdict="SLIPPED"
        fi
        taken=$(field 'Takes out' "$patch")
        rows+=("$(printf '| %-12s | %-44s | %-7s | %6s |' "$name" "${taken%%. *}" "$verdict" "$(seconds $begun)")")
    done

    printf '\n| %-12s | %-44s | %-7s | %6s |\n' mistake 'takes out' tests took
    printf '| %s | %s | %s | %s: |\n' "$(printf -- '-%.0s' {1..12})" "$(printf -- '-%.0s' {1..44})" ------- -----
    printf '%s\n' "${rows[@]}"
    printf '\n%d/%d caught\n' "$caught" "${#patches[@]}"
    [[ $caught -eq ${#patches[@]} ]]
}

main; exit
